/**
 * Law 18: a discarded job is in its dead-letter queue or still in its own, never in both or
 * neither. The move is one step; it gives fresh attempts and a fresh age and keeps payload, history
 * and origin; the old id leaves a receipt that says where it went.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { Attempt, JobRef } from '../../job/job.js'
import { completeWith, discardAs, idsOf, json, retryIn } from './build.js'
import type { Group, Laws } from './law.js'
import type { PlayedNode } from './played-node.js'
import { LEASE } from './played-node.js'
import type { Rig } from './rig.js'
import { countsOf } from './rig.js'

/** One job of `q` that became the dead letter `dead/letter`. */
async function bury(rig: Rig, node: PlayedNode, words = {}): Promise<JobRef> {
  const ref = await rig.put(words)
  const held = await node.take()
  const deadLetter = { queue: 'dead', id: 'letter' }
  const verdict = discardAs('letter', 'given-up', 'no such address')
  assert.deepEqual(await node.settle(held, verdict), {
    status: 'done',
    state: 'discarded',
    deadLetter,
  })
  return ref
}

async function retryAll(rig: Rig, queue: string): Promise<number> {
  return (await rig.control({ kind: 'retry', queue, which: {} })).changed
}

function roundsOf(history: readonly Attempt[]): string[] {
  return history.map(({ round, attempt }) => `${round}.${attempt}`)
}

const laws: Laws = {
  'a discarded job moves: there with all that it was, here a receipt that says where': async (
    rig,
  ) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    const words = { task: 't', group: 'g', priority: 4, tags: ['x'], meta: json({ m: 1 }) }
    const ref = await bury(rig, node, { ...words, payload: json('p') })
    const letter = await rig.view({ queue: 'dead', id: 'letter' })
    const { task, group, priority, tags, meta } = letter
    assert.deepEqual({ task, group, priority, tags, meta }, words)
    assert.deepEqual([letter.state, letter.attempt, letter.history], ['available', 0, []])
    assert.equal(letter.reason, 'no such address')
    assert.deepEqual(letter.payload, json('p'))
    assert.equal(letter.dueAt, rig.clock.wall())
    assert.deepEqual(await rig.found(ref), {
      kind: 'receipt',
      receipt: {
        ...ref,
        state: 'discarded',
        result: null,
        reason: 'no such address',
        movedTo: { queue: 'dead', id: 'letter' },
      },
    })
    assert.deepEqual(await rig.counts('q'), countsOf({}))
    assert.deepEqual(await rig.counts('dead'), countsOf({ available: 1 }))
  },

  'a dead letter knows its origin, with the history of its attempts': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    const ref = await rig.put({ attempts: 3 })
    const node = await rig.node()
    await node.settle(await node.take(), retryIn(0))
    await node.settle(await node.take(), discardAs('letter', 'payload-invalid'))
    const held = await node.take({ queue: 'dead' })
    assert.deepEqual([held.id, held.attempt, held.round, held.history], ['letter', 1, 2, []])
    const { history = [], ...origin } = held.origin ?? {}
    assert.deepEqual(origin, { ...ref, reason: 'payload-invalid' })
    assert.deepEqual(
      history.map((one) => one.outcome),
      ['failed', 'discarded'],
    )
    assert.deepEqual(
      history.map((one) => one.attempt),
      [1, 2],
    )
  },

  'a dead letter has the attempts of its new queue, not those it came with': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    await rig.declare({ attempts: 2 }, 'dead')
    const node = await rig.node()
    await bury(rig, node, { attempts: 7, timeout: 11 })
    const held = await node.take({ queue: 'dead' })
    assert.deepEqual([held.attempt, held.maxAttempts, held.timeout], [1, 2, 60_000])
  },

  'a retry beyond the last attempt moves too, under an id of the store’s': async (rig) => {
    await rig.declare({ deadLetter: 'dead', attempts: 1 })
    const ref = await rig.put()
    const node = await rig.node()
    const settled = await node.settle(await node.take(), retryIn(0))
    assert.ok(settled.status === 'done' && settled.deadLetter !== null)
    assert.deepEqual([settled.state, settled.deadLetter.queue], ['discarded', 'dead'])
    const letter = await rig.view(settled.deadLetter)
    assert.deepEqual([letter.origin?.id, letter.origin?.reason], [ref.id, 'attempts-spent'])
  },

  'a sweep that spends the last attempt moves too, and tells where': async (rig) => {
    await rig.declare({ deadLetter: 'dead', attempts: 1 })
    const ref = await rig.put()
    await (await rig.node()).take()
    await rig.clock.advance(LEASE + 1)
    const swept = await (await rig.node()).sweepAll()
    const [lost] = swept.happened
    assert.deepEqual([lost.kind, lost.id, lost.state], ['lost', ref.id, 'discarded'])
    const letter = await rig.view(lost.deadLetter ?? ref)
    assert.deepEqual([letter.queue, letter.origin?.reason], ['dead', 'attempts-spent'])
    assert.equal((await rig.list('dead')).length, 1)
    assert.equal((await rig.list('q')).length, 0)
  },

  'without a dead-letter queue a discarded job stays where it is': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const settled = await node.settle(await node.take(), discardAs('letter'))
    assert.deepEqual(settled, { status: 'done', state: 'discarded', deadLetter: null })
    assert.equal(await rig.stateOf(ref), 'discarded')
    assert.equal(await rig.found({ queue: 'q', id: 'letter' }), null)
  },

  'completed and cancelled jobs are no dead letters': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    await rig.putMany(2)
    const { jobs } = await node.claim()
    await node.settle(jobs[0], completeWith(1))
    await node.settle(jobs[1], { kind: 'cancel', reason: 'x' })
    assert.deepEqual(await rig.list('dead'), [])
  },

  'one queue may take the dead letters of several': async (rig) => {
    await rig.declare({ deadLetter: 'dead' }, 'a')
    await rig.declare({ deadLetter: 'dead' }, 'b')
    const node = await rig.node()
    for (const queue of ['a', 'b']) {
      await rig.put({ queue })
      await node.settle(await node.take({ queue }), discardAs(`from-${queue}`))
    }
    const letters = await rig.list('dead')
    assert.deepEqual(new Set(letters.map((job) => job.origin?.queue)), new Set(['a', 'b']))
  },

  'a dead letter that is discarded stays in the dead-letter queue': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    await rig.declare({ deadLetter: 'deeper' }, 'dead')
    const node = await rig.node()
    await bury(rig, node)
    const settled = await node.settle(await node.take({ queue: 'dead' }), discardAs('again'))
    assert.deepEqual(settled, { status: 'done', state: 'discarded', deadLetter: null })
    assert.equal(await rig.stateOf({ queue: 'dead', id: 'letter' }), 'discarded')
    assert.deepEqual(await rig.list('deeper'), [])
  },

  'a plain job of a dead-letter queue moves on like any other': async (rig) => {
    await rig.declare({ deadLetter: 'deeper' }, 'dead')
    const node = await rig.node()
    await rig.put({ queue: 'dead' })
    await node.settle(await node.take({ queue: 'dead' }), discardAs('d'))
    assert.deepEqual(idsOf(await rig.list('deeper')), ['d'])
  },

  'retry of a dead letter moves it back to its origin, under a new id, in one step': async (
    rig,
  ) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    const ref = await bury(rig, node, { payload: json('p'), attempts: 3, tags: ['x'] })
    assert.equal(await retryAll(rig, 'dead'), 1)
    assert.deepEqual(await rig.list('dead'), [])
    const [back, ...more] = await rig.list('q')
    assert.deepEqual(more, [])
    assert.notEqual(back.id, ref.id)
    assert.notEqual(back.id, 'letter')
    assert.deepEqual([back.state, back.attempt, back.payload], ['available', 0, json('p')])
    assert.deepEqual(back.tags, ['x'])
    const held = await node.take()
    assert.deepEqual([held.id, held.attempt], [back.id, 1])
  },

  'retry moves a dead letter back from every state but running': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    const asleep = async (held: Claimed) => node.settle(held, { kind: 'snooze', delay: 9_000 })
    const failed = async (held: Claimed) => node.settle(held, retryIn(9_000))
    const given = async (held: Claimed) => node.settle(held, discardAs('again'))
    const ended = async (held: Claimed) => node.settle(held, { kind: 'cancel', reason: null })
    for (const bring of [asleep, failed, given, ended]) {
      await bury(rig, node)
      await bring(await node.take({ queue: 'dead' }))
      assert.equal(await retryAll(rig, 'dead'), 1)
      assert.equal((await rig.list('dead')).length, 0)
      assert.equal((await rig.counts('q')).available, 1)
      await node.drain()
      await rig.clock.advance(3_600_000)
      await node.sweepAll()
    }
    await bury(rig, node)
    await node.take({ queue: 'dead' })
    assert.equal(await retryAll(rig, 'dead'), 0)
    assert.equal((await rig.counts('dead')).running, 1)
  },

  'a dead letter begins a new round, and so does its way back: no attempt is told twice': async (
    rig,
  ) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    const first = await rig.put()
    await node.settle(await node.take(), retryIn(0))
    await node.settle(await node.take(), discardAs('letter'))
    const held = await node.take({ queue: 'dead' })
    assert.deepEqual([held.attempt, held.round], [1, 2])
    await node.settle(held, retryIn(0))
    const letter = await rig.view({ queue: 'dead', id: 'letter' })
    assert.deepEqual(roundsOf(letter.history), ['2.1'])
    assert.deepEqual(roundsOf(letter.origin?.history ?? []), ['1.1', '1.2'])
    assert.equal(await retryAll(rig, 'dead'), 1)
    const back = await node.take()
    assert.notEqual(back.id, first.id)
    assert.deepEqual([back.attempt, back.round], [1, 3])
    await node.settle(back, retryIn(60_000))
    assert.deepEqual(roundsOf((await rig.view(back)).history), ['1.1', '1.2', '2.1', '3.1'])
    await retryAll(rig, 'q')
    assert.equal((await node.take()).round, 4)
  },

  'a job that came back and is discarded again moves again': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    await bury(rig, node)
    await retryAll(rig, 'dead')
    await node.settle(await node.take(), discardAs('second'))
    assert.deepEqual(idsOf(await rig.list('dead')), ['second'])
    assert.equal((await rig.list('q')).length, 0)
  },

  'a dead letter of any task is also for who knows the plain task; no other job of that task is':
    async (rig) => {
      await rig.declare({ deadLetter: 'dead' })
      const node = await rig.node()
      await rig.put({ task: 't' })
      await node.settle(await node.take({ tasks: ['t'] }), discardAs('letter'))
      await rig.put({ queue: 'dead', task: 't' })
      const { jobs } = await node.claim({ queue: 'dead', tasks: ['default'], limit: 10 })
      assert.deepEqual(idsOf(jobs), ['letter'])
      assert.equal((await node.claim({ queue: 'dead', tasks: ['t'], limit: 10 })).jobs.length, 1)
    },

  'what a job said of its attempts and timeout holds again when it came back': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    await bury(rig, node, { attempts: 7, timeout: 1234 })
    await retryAll(rig, 'dead')
    const { maxAttempts, timeout } = await node.take()
    assert.deepEqual({ maxAttempts, timeout }, { maxAttempts: 7, timeout: 1234 })
  },

  'a completed dead letter leaves what its queue’s settings say': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    const node = await rig.node()
    await bury(rig, node)
    await node.settle(await node.take({ queue: 'dead' }), completeWith('mourned'))
    const found = await rig.found({ queue: 'dead', id: 'letter' })
    assert.ok(found?.kind === 'receipt')
    assert.deepEqual(found.receipt.result, json('mourned'))
  },
}

export const deadLetters: Group = { title: 'dead letters', laws }
