/**
 * What becomes of a job when one that it comes after is cancelled, discarded or deleted: it waits
 * on, falls with it, or runs when all have ended, as it was told. Whatever falls is told once, by
 * whoever brought it about.
 */
import assert from 'node:assert/strict'
import type { JobRef } from '../../job/job.js'
import {
  cancelFor,
  COMPLETE,
  completeWith,
  discardAs,
  idsOf,
  json,
  settlement,
  upTo,
} from './build.js'
import type { Group, Laws } from './law.js'
import { parentStates, putAfter } from './parents.js'
import type { PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'
import { countsOf } from './rig.js'

const POLICIES = ['wait', 'discard', 'run'] as const

/** Every way in which a parent fails, and what its children see of it. */
const ENDS: readonly (readonly [string, (rig: Rig, node: PlayedNode, ref: JobRef) => unknown])[] = [
  ['cancelled', async (_, node) => node.settle(await node.take(), cancelFor('c'))],
  ['discarded', async (_, node) => node.settle(await node.take(), discardAs('d'))],
  ['cancelled', (rig, _, ref) => rig.control({ kind: 'cancel', ...of(ref), reason: null })],
  ['cancelled', (rig, _, ref) => rig.control({ kind: 'delete', ...of(ref) })],
]

function of({ queue, id }: JobRef) {
  return { queue, which: { ids: [id] } }
}

async function retry(rig: Rig, ref: JobRef): Promise<number> {
  return (await rig.control({ kind: 'retry', ...of(ref) })).changed
}

const laws: Laws = {
  'however a parent fails, each policy does what it says': async (rig) => {
    const node = await rig.node()
    for (const [end, fail] of ENDS) {
      const parent = await rig.put()
      const children: JobRef[] = []
      for (const onParentFailed of POLICIES) {
        children.push(await putAfter(rig, [parent], { queue: 'children', onParentFailed }))
      }
      await fail(rig, node, parent)
      const states = await Promise.all(children.map((ref) => rig.stateOf(ref)))
      assert.deepEqual(states, ['waiting', 'discarded', 'available'], end)
      for (const child of children) assert.deepEqual(await parentStates(rig, child), [end])
      assert.equal((await rig.view(children[1])).reason, 'parent-failed')
      await node.drain({ queue: 'children' })
    }
  },

  'a parent that had failed before counts at once, and what falls at once says so': async (rig) => {
    const node = await rig.node()
    await rig.declare({ deadLetter: 'dead' }, 'buried')
    const parent = await rig.put()
    await node.settle(await node.take(), cancelFor('c'))
    const lot = [
      ...POLICIES.map((onParentFailed) => rig.job({ after: [parent], onParentFailed })),
      rig.job({ after: [parent], onParentFailed: 'discard', queue: 'buried' }),
    ]
    const last = rig.job({ after: [lot[1]], onParentFailed: 'discard' })
    const answers = await rig.insert([last, ...lot])
    const state = 'discarded'
    const [letter] = await rig.list('dead')
    assert.deepEqual(answers, [
      { status: 'inserted', id: last.id, state, deadLetter: null },
      { status: 'inserted', id: lot[0].id, state: 'waiting' },
      { status: 'inserted', id: lot[1].id, state, deadLetter: null },
      { status: 'inserted', id: lot[2].id },
      {
        ...{ status: 'inserted', id: lot[3].id, state },
        deadLetter: { queue: 'dead', id: letter.id },
      },
    ])
    assert.equal(letter.origin?.reason, 'parent-failed')
    assert.deepEqual(await rig.counts(), countsOf({ ...AFTERWARDS }))
  },

  'one failure brings down a whole chain, told once each, by whoever caused it': async (rig) => {
    const node = await rig.node()
    const causes: ((top: JobRef) => Promise<readonly { kind: string; id: string }[]>)[] = [
      async () => {
        const settle = [settlement(await node.take(), discardAs('d'))]
        const answer = await rig.store.exchange({ node: node.id, settle, claim: [] })
        return answer.happened ?? []
      },
      async (top) => (await rig.control({ kind: 'cancel', ...of(top), reason: null })).happened,
      async (top) => (await rig.control({ kind: 'delete', ...of(top) })).happened,
      async () => {
        await rig.clock.advance(60_001)
        return (await node.sweep()).happened
      },
    ]
    for (const cause of causes) {
      const top = await rig.put({ expiresIn: 60_000 })
      const chain = upTo(rig.long(2_000)).map(() =>
        rig.job({ onParentFailed: 'discard', queue: 'chain' }),
      )
      const lot = chain.map((job, at) => ({ ...job, after: [at === 0 ? top : chain[at - 1]] }))
      await rig.insert(lot.reverse())
      const fallen = (await cause(top)).filter(({ kind }) => kind === 'parent-failed')
      assert.deepEqual(
        fallen.map(({ id }) => id),
        chain.map(({ id }) => id),
      )
      assert.equal((await rig.counts('chain')).waiting, 0)
    }
    await rig.clock.advance(3_600_000)
    assert.deepEqual((await node.sweepAll()).happened, [])
  },

  'one failure brings down a chain whose first another verdict of the same call reaches, too':
    async (rig) => {
      const node = await rig.node()
      const [good, bad] = [await rig.put(), await rig.put()]
      const chain = upTo(3).map(() => rig.job({ onParentFailed: 'discard', queue: 'chain' }))
      await rig.insert(
        chain.map((job, at) => ({ ...job, after: at === 0 ? [good, bad] : [chain[at - 1]] })),
      )
      const { jobs } = await node.claim()
      assert.deepEqual(idsOf(jobs), [good.id, bad.id])
      const settle = [settlement(jobs[0], COMPLETE), settlement(jobs[1], discardAs('d'))]
      const answer = await rig.store.exchange({ node: node.id, settle, claim: [] })
      assert.deepEqual(idsOf(answer.happened ?? []), idsOf(chain))
      assert.equal((await rig.counts('chain')).discarded, chain.length)
    },

  'a discarded child is buried like any other, and comes back without parents': async (rig) => {
    const node = await rig.node()
    await rig.declare({ deadLetter: 'dead' }, 'c')
    const parent = await rig.put()
    const child = await putAfter(rig, [parent], { queue: 'c', onParentFailed: 'discard' })
    await rig.control({ kind: 'cancel', ...of(parent), reason: null })
    assert.equal(await rig.stateOf(child), 'receipt')
    const [letter] = await rig.list('dead')
    assert.deepEqual([letter.state, letter.origin?.reason], ['available', 'parent-failed'])
    assert.deepEqual(await rig.store.parents(letter), [])
    assert.equal(await retry(rig, letter), 1)
    assert.equal((await node.take({ queue: 'c' })).attempt, 1)
  },

  'a parent that is retried is unfinished again, and completes for its children': async (rig) => {
    const node = await rig.node()
    const parent = await rig.put()
    const child = await putAfter(rig, [parent])
    await node.settle(await node.take(), discardAs('d'))
    assert.equal(await retry(rig, parent), 1)
    assert.deepEqual(await parentStates(rig, child), ['available'])
    assert.equal(await retry(rig, child), 0, 'it has somebody to wait for')
    await node.settle(await node.take(), completeWith('at last'))
    assert.deepEqual(await rig.store.parents(child), [
      { ...parent, state: 'completed', result: json('at last') },
    ])
    assert.equal((await node.take()).id, child.id)
  },

  'a parent that went to the dead letters and comes back completes for its children, too': async (
    rig,
  ) => {
    const node = await rig.node()
    await rig.declare({ deadLetter: 'dead' })
    const parent = await rig.put()
    const child = await putAfter(rig, [parent], { queue: 'c' })
    for (const id of ['first', 'second']) {
      await node.settle(await node.take(), discardAs(id))
      assert.deepEqual(await parentStates(rig, child), ['discarded'])
      const late = await putAfter(rig, [parent], { queue: 'late' })
      assert.deepEqual(await parentStates(rig, late), ['discarded'])
      await node.settle(await node.take({ queue: 'dead' }), discardAs('never'))
      assert.equal(await rig.stateOf(child), 'waiting', 'its dead letter is another job')
      assert.equal(await retry(rig, { queue: 'dead', id }), 1)
      assert.deepEqual(await parentStates(rig, child), ['available'])
    }
    await node.settle(await node.take(), completeWith(2))
    assert.equal(await rig.stateOf(child), 'available')
    assert.deepEqual(await rig.store.parents(child), [
      { ...parent, state: 'completed', result: json(2) },
    ])
    assert.equal((await node.drain({ queue: 'late' })).length, 2)
  },

  'an operator’s retry of what waits runs it without those that failed': async (rig) => {
    const node = await rig.node()
    const [good, bad] = [await rig.put(), await rig.put()]
    const child = await putAfter(rig, [good, bad])
    await rig.control({ kind: 'cancel', ...of(bad), reason: null })
    assert.equal(await retry(rig, child), 0)
    await node.settle(await node.take(), COMPLETE)
    assert.equal(await rig.stateOf(child), 'waiting')
    assert.equal(await retry(rig, child), 1)
    assert.deepEqual(await parentStates(rig, child), ['completed', 'cancelled'])
    assert.equal((await node.take()).id, child.id)
  },

  'a child that had ended and is retried waits for whom it still can': async (rig) => {
    const node = await rig.node()
    const [slow, bad] = [await rig.put({ delay: 1_000 }), await rig.put()]
    const child = await putAfter(rig, [slow, bad], { onParentFailed: 'discard' })
    await rig.control({ kind: 'delete', ...of(bad) })
    assert.equal(await rig.stateOf(child), 'discarded')
    assert.equal(await retry(rig, child), 1)
    assert.equal(await rig.stateOf(child), 'waiting')
    await rig.clock.advance(1_000)
    await node.settle(await node.take(), COMPLETE)
    assert.equal((await node.take()).id, child.id)
  },

  'a failure that was waived counts again when the parent was retried and fails anew': async (
    rig,
  ) => {
    const node = await rig.node()
    const [slow, bad] = [await rig.put({ delay: 1_000 }), await rig.put()]
    const child = await putAfter(rig, [slow, bad])
    await rig.control({ kind: 'cancel', ...of(bad), reason: null })
    await rig.control({ kind: 'cancel', ...of(child), reason: null })
    assert.equal(await retry(rig, child), 1)
    assert.equal(await retry(rig, bad), 1)
    assert.deepEqual(await parentStates(rig, child), ['scheduled', 'available'])
    await node.settle(await node.take(), cancelFor('again'))
    await rig.clock.advance(1_000)
    await node.settle(await node.take(), COMPLETE)
    assert.equal(await rig.stateOf(child), 'waiting')
    assert.equal(await retry(rig, child), 1)
    assert.equal((await node.take()).id, child.id)
  },

  'a dead letter that was completed and kept may still go back, for its children': async (rig) => {
    const node = await rig.node()
    const keep = { completed: { count: Infinity, for: Infinity } }
    await rig.declare({ deadLetter: 'dead' })
    await rig.declare({ keep }, 'dead')
    const parent = await rig.put()
    const child = await putAfter(rig, [parent], { queue: 'c' })
    await node.settle(await node.take(), discardAs('letter'))
    await node.settle(await node.take({ queue: 'dead' }), completeWith('mourned'))
    assert.deepEqual(await parentStates(rig, child), ['discarded'])
    assert.equal(await retry(rig, { queue: 'dead', id: 'letter' }), 1)
    assert.deepEqual(await parentStates(rig, child), ['available'])
    await node.settle(await node.take(), COMPLETE)
    assert.equal(await rig.stateOf(child), 'available')
  },

  'who comes late after a buried job is told the same, whatever its dead letter left': async (
    rig,
  ) => {
    const node = await rig.node()
    await rig.declare({ deadLetter: 'dead' })
    for (const end of [COMPLETE, completeWith('mourned'), cancelFor('no')]) {
      const parent = await rig.put()
      await node.settle(await node.take(), discardAs(`letter of ${parent.id}`))
      await node.settle(await node.take({ queue: 'dead' }), end)
      const which = { states: ['cancelled'] } as const
      await rig.control({ kind: 'delete', queue: 'dead', which })
      const child = await putAfter(rig, [parent], { queue: 'c' })
      const state = 'discarded'
      assert.deepEqual(await rig.store.parents(child), [{ ...parent, state, result: null }])
    }
  },

  'who comes late after a job that came back from the dead letters hears how that ended': async (
    rig,
  ) => {
    const node = await rig.node()
    await rig.declare({ deadLetter: 'dead' })
    for (const end of [COMPLETE, completeWith('at last')]) {
      const parent = await rig.put()
      const letter = { queue: 'dead', id: `letter of ${parent.id}` }
      await node.settle(await node.take(), discardAs(letter.id))
      assert.equal(await retry(rig, letter), 1)
      await node.settle(await node.take(), end)
      const child = await rig.put({ queue: 'c', after: [parent, letter] })
      const rows = await rig.store.parents(child)
      const result = end.kind === 'complete' ? end.result : null
      const now = { state: 'completed', result } as const
      assert.deepEqual(rows, [
        { ...parent, ...now },
        { ...letter, ...now },
      ])
      await node.drain({ queue: 'c' })
    }
  },

  'what waits may be cancelled or deleted, and its own children hear of it': async (rig) => {
    const node = await rig.node()
    const parent = await rig.put()
    const [a, b] = [await putAfter(rig, [parent]), await putAfter(rig, [parent])]
    const after = await putAfter(rig, [a, b], { onParentFailed: 'run', queue: 'last' })
    const done = await rig.control({ kind: 'cancel', ...of(a), reason: 'no' })
    assert.deepEqual(
      done.happened.map(({ kind, id }) => [kind, id]),
      [['cancelled', a.id]],
    )
    await rig.control({ kind: 'delete', ...of(b) })
    assert.equal(await rig.stateOf(after), 'available')
    assert.deepEqual(await node.drain(), [parent.id])
    assert.deepEqual(await node.drain({ queue: 'last' }), [after.id])
  },
}

/** In `q`: what waits on; what fell, and what fell with it; what runs anyhow; the parent. */
const AFTERWARDS = { waiting: 1, discarded: 2, available: 1, cancelled: 1 }

export const failedParents: Group = { title: 'parents that fail', laws }
