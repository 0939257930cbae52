/**
 * Steps: what an attempt did is kept with its job, so that no later one does it again: over
 * attempts, rounds, lost workers and dead letters, until the job goes. Fenced by the token.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { Encoded } from '../../job/codec.js'
import type { Step } from '../../job/job.js'
import type { Note } from '../../job/verdict.js'
import { COMPLETE, RELEASE, discardAs, json, retryIn, snoozeFor, unique } from './build.js'
import type { Group, Laws } from './law.js'
import { LEASE } from './played-node.js'

function stepOf(held: Claimed, name: string, value: Encoded = json(name)): Note {
  const { queue, id, token } = held
  return { queue, id, token, progress: null, log: [], step: { name, value } }
}

const kept = (...names: string[]): Step[] => names.map((name) => ({ name, value: json(name) }))

const laws: Laws = {
  'a job that has done nothing has no steps': async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    assert.equal(held.steps, undefined)
    const { step: _, ...plain } = stepOf(held, 'x')
    await rig.store.note([{ ...plain, log: ['line'] }])
    await node.settle(held, retryIn(0))
    const again = await node.take()
    assert.equal(again.steps, undefined)
    assert.equal(again.history[0].steps, undefined)
  },

  'what was done is there in the next attempt, in the order of doing, and in no claim before':
    async (rig) => {
      await rig.put()
      const node = await rig.node()
      const held = await node.take()
      assert.deepEqual(await rig.store.note([stepOf(held, 'b'), stepOf(held, 'a')]), [
        'done',
        'done',
      ])
      await node.settle(held, retryIn(0))
      const second = await node.take()
      assert.deepEqual(second.steps, kept('b', 'a'))
      await rig.store.note([stepOf(second, 'c')])
      await node.settle(second, snoozeFor(0))
      const third = await node.take()
      assert.deepEqual(third.steps, kept('b', 'a', 'c'))
      await node.settle(third, RELEASE)
      assert.deepEqual((await node.take()).steps, kept('b', 'a', 'c'))
    },

  'a job that is replaced has done nothing: its steps were those of another payload': async (
    rig,
  ) => {
    const words = { unique: unique('k', { onConflict: 'replace' }) } as const
    await rig.put(words)
    const node = await rig.node()
    const held = await node.take()
    await rig.store.note([stepOf(held, 'charge')])
    await node.settle(held, retryIn(0))
    await rig.insert([rig.job({ ...words, payload: json('new') })])
    const again = await node.take()
    assert.deepEqual([again.id, again.payload, again.steps], [held.id, json('new'), undefined])
  },

  'a value comes back as it went in': async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const values: Encoded[] = [
      json(null),
      { text: '["undefined"]', codec: 'rich' },
      { text: '"two\\nlines"', codec: 'json' },
      { text: '{"a":\n1,\t"\u{1f415}":"\u2028"}', codec: 'json' },
      { text: `"${'x'.repeat(300_000)}"`, codec: 'json' },
    ]
    await rig.store.note(values.map((value, at) => stepOf(held, `step\t"${at}"`, value)))
    await node.settle(held, retryIn(0))
    const { steps = [] } = await node.take()
    assert.deepEqual(
      steps,
      values.map((value, at) => ({ name: `step\t"${at}"`, value })),
    )
  },

  'the first value of a name counts': async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const notes = [stepOf(held, 'a', json(1)), stepOf(held, 'a', json(2))]
    assert.deepEqual(await rig.store.note(notes), ['done', 'done'])
    assert.deepEqual(await rig.store.note([stepOf(held, 'a', json(3))]), ['done'])
    await node.settle(held, retryIn(0))
    assert.deepEqual((await node.take()).steps, [{ name: 'a', value: json(1) }])
  },

  'a dead token keeps nothing': async (rig) => {
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await node.settle(held, retryIn(0))
    const second = await node.take()
    const notes = [stepOf(held, 'late'), stepOf(second, 'in time')]
    assert.deepEqual(await rig.store.note(notes), ['lost', 'done'])
    await node.settle(second, retryIn(0))
    assert.deepEqual((await node.take()).steps, kept('in time'))
  },

  'they outlive the worker that did them, and are seen from everywhere': async (rig) => {
    const ref = await rig.put()
    const dying = await rig.node()
    await rig.store.note([stepOf(await dying.take(), 'a')])
    await rig.clock.advance(LEASE + 1)
    const node = await rig.node(await rig.connect())
    await node.sweepAll()
    const held = await node.take()
    assert.equal(held.id, ref.id)
    assert.deepEqual(held.steps, kept('a'))
    assert.deepEqual(held.history[0].steps, ['a'])
  },

  'the history tells what each attempt did': async (rig) => {
    await rig.declare({ keep: { completed: { count: Infinity, for: Infinity } } })
    const ref = await rig.put()
    const node = await rig.node()
    const first = await node.take()
    await rig.store.note([stepOf(first, 'a'), stepOf(first, 'b')])
    await node.settle(first, retryIn(0))
    await node.settle(await node.take(), retryIn(0))
    const third = await node.take()
    await rig.store.note([stepOf(third, 'c')])
    await node.settle(third, snoozeFor(0)) // the attempt is given back, what it did is not
    await node.settle(await node.take(), COMPLETE)
    const { history } = await rig.view(ref)
    assert.deepEqual(
      history.map(({ attempt, steps }) => [attempt, steps]),
      [
        [1, ['a', 'b']],
        [2, undefined],
        [3, ['c']],
      ],
    )
  },

  'they stay over an operator’s retry': async (rig) => {
    const ref = await rig.put({ attempts: 1 })
    const node = await rig.node()
    const held = await node.take()
    await rig.store.note([stepOf(held, 'a')])
    await node.settle(held, retryIn(0))
    await rig.control({ kind: 'retry', queue: 'q', which: { ids: [ref.id] } })
    const again = await node.take()
    assert.deepEqual([again.round, again.steps], [2, kept('a')])
  },

  'they go along into the dead-letter queue, and back': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await rig.store.note([stepOf(held, 'a')])
    await node.settle(held, discardAs('letter'))
    const letter = await node.take({ queue: 'dead' })
    assert.deepEqual(letter.steps, kept('a'))
    assert.deepEqual(letter.origin?.history[0].steps, ['a'])
    await rig.store.note([stepOf(letter, 'b')])
    await node.settle(letter, retryIn(0))
    const again = await node.take({ queue: 'dead' })
    assert.deepEqual([again.steps, again.history[0].steps], [kept('a', 'b'), ['b']])
    await node.settle(again, retryIn(60_000))
    await rig.control({ kind: 'retry', queue: 'dead', which: { ids: ['letter'] } })
    assert.deepEqual((await node.take()).steps, kept('a', 'b'))
  },

  'they go with their job': async (rig) => {
    const ref = await rig.put({ id: 'again' })
    const node = await rig.node()
    const held = await node.take()
    await rig.store.note([stepOf(held, 'a')])
    await node.settle(held, COMPLETE)
    assert.equal(await rig.stateOf(ref), 'gone')
    await rig.insert([rig.job({ id: ref.id })])
    assert.equal((await node.take()).steps, undefined)
  },
}

export const steps: Group = { title: 'steps', laws }
