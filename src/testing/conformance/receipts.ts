/**
 * Law 13 and what stays of a finished job: the job itself as its queue's keep policy says, else a
 * receipt when someone may still ask for it, else nothing. Finals leave only by an operator's word
 * or by pruning, and pruning takes all that may go, bit by bit.
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
  unique,
  upTo,
} from './build.js'
import type { Group, Laws } from './law.js'
import type { Rig } from './rig.js'
import { countsOf } from './rig.js'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** Completes so many, one a second, and answers their ids in the order in which they ended. */
async function completeMany(rig: Rig, count: number): Promise<string[]> {
  const node = await rig.node()
  const ids = await rig.putMany(count)
  for (const _ of upTo(count)) {
    await rig.clock.advance(1_000)
    await node.settle(await node.take(), COMPLETE)
  }
  return ids
}

async function sweepAfter(rig: Rig, span: number): Promise<void> {
  await rig.clock.advance(span)
  await (await rig.node()).sweepAll()
}

async function receiptOf(rig: Rig, ref: JobRef) {
  const found = await rig.found(ref)
  assert.ok(found?.kind === 'receipt', `${ref.id} left a receipt`)
  return found.receipt
}

const laws: Laws = {
  'a plain job that returned nothing leaves nothing': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await node.settle(await node.take(), COMPLETE)
    assert.equal(await rig.found(ref), null)
    assert.deepEqual(await rig.list(), [])
    assert.deepEqual(await rig.counts(), countsOf({}))
  },

  'a result leaves a receipt for ten minutes, then nothing': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await node.settle(await node.take(), completeWith([1, 2]))
    const expected = {
      ...ref,
      state: 'completed',
      result: json([1, 2]),
      reason: null,
      movedTo: null,
    }
    assert.deepEqual(await receiptOf(rig, ref), expected)
    await sweepAfter(rig, 10 * MINUTE - 1_000)
    assert.deepEqual(await receiptOf(rig, ref), expected)
    await sweepAfter(rig, 2_000)
    assert.equal(await rig.found(ref), null)
  },

  'a receipt is no job: it is in no list and no count': async (rig) => {
    await rig.put()
    const node = await rig.node()
    await node.settle(await node.take(), completeWith(1))
    assert.deepEqual(await rig.list(), [])
    assert.deepEqual(await rig.counts(), countsOf({}))
  },

  'a user’s id and a key with a period leave a receipt without a result': async (rig) => {
    const node = await rig.node()
    const own = await rig.put({ id: 'mine', ownId: true })
    await node.settle(await node.take(), COMPLETE)
    assert.equal((await receiptOf(rig, own)).state, 'completed')
    const keyed = await rig.put({ unique: unique('k', { for: DAY }) })
    await node.settle(await node.take(), COMPLETE)
    assert.equal((await receiptOf(rig, keyed)).state, 'completed')
  },

  'how long receipts live is the queue’s to say': async (rig) => {
    await rig.declare({ receipts: MINUTE })
    const ref = await rig.put()
    const node = await rig.node()
    await node.settle(await node.take(), completeWith(1))
    await sweepAfter(rig, MINUTE - 1)
    assert.equal(await rig.stateOf(ref), 'receipt')
    await sweepAfter(rig, 2)
    assert.equal(await rig.stateOf(ref), 'gone')
  },

  'cancelled jobs stay a day and discarded ones a week, by default': async (rig) => {
    const node = await rig.node()
    const [cancelled, discarded] = [await rig.put(), await rig.put()]
    const { jobs } = await node.claim()
    await node.settle(jobs[0], cancelFor('c'))
    await node.settle(jobs[1], discardAs('d'))
    await sweepAfter(rig, DAY - 1_000)
    assert.equal(await rig.stateOf(cancelled), 'cancelled')
    await sweepAfter(rig, 2_000)
    assert.notEqual(await rig.stateOf(cancelled), 'cancelled')
    assert.equal(await rig.stateOf(discarded), 'discarded')
    await sweepAfter(rig, 6 * DAY)
    assert.notEqual(await rig.stateOf(discarded), 'discarded')
    assert.deepEqual(await rig.counts(), countsOf({}))
  },

  'kept by duration: there until then, pruned after it': async (rig) => {
    await rig.declare({ keep: { completed: { count: Infinity, for: MINUTE } } })
    const [id] = await completeMany(rig, 1)
    const job = await rig.view({ queue: 'q', id })
    assert.deepEqual([job.state, job.result], ['completed', null])
    await sweepAfter(rig, MINUTE - 1_000)
    assert.deepEqual(await rig.counts(), countsOf({ completed: 1 }))
    await sweepAfter(rig, 2_000)
    assert.deepEqual(await rig.counts(), countsOf({}))
  },

  'kept by count: the last to end stay': async (rig) => {
    await rig.declare({ keep: { completed: { count: 3, for: Infinity } } })
    const ids = await completeMany(rig, 8)
    await sweepAfter(rig, 0)
    assert.deepEqual(new Set(idsOf(await rig.list())), new Set(ids.slice(-3)))
    await sweepAfter(rig, 365 * DAY)
    assert.deepEqual(await rig.counts(), countsOf({ completed: 3 }))
  },

  'kept by both: whichever ends first': async (rig) => {
    await rig.declare({ keep: { completed: { count: 3, for: MINUTE } } })
    await completeMany(rig, 5)
    await sweepAfter(rig, 0)
    assert.deepEqual(await rig.counts(), countsOf({ completed: 3 }))
    await sweepAfter(rig, 2 * MINUTE)
    assert.deepEqual(await rig.counts(), countsOf({}))
  },

  'a policy that is changed holds for what is there already': async (rig) => {
    await rig.declare({ keep: { completed: { count: Infinity, for: Infinity } } })
    await completeMany(rig, 4)
    await sweepAfter(rig, 30 * DAY)
    assert.deepEqual(await rig.counts(), countsOf({ completed: 4 }))
    await rig.declare({ keep: { completed: { count: 1, for: Infinity } } })
    await sweepAfter(rig, 0)
    assert.deepEqual(await rig.counts(), countsOf({ completed: 1 }))
    await rig.declare({})
    await sweepAfter(rig, 0)
    assert.deepEqual(await rig.counts(), countsOf({}))
  },

  'a kept job shows its result, and its id stays taken': async (rig) => {
    await rig.declare({ keep: { completed: { count: Infinity, for: Infinity } } })
    const ref = await rig.put()
    const node = await rig.node()
    await node.settle(await node.take(), completeWith('r'))
    await sweepAfter(rig, DAY)
    assert.deepEqual((await rig.view(ref)).result, json('r'))
    assert.deepEqual(await rig.insert([rig.job({ id: ref.id })]), [
      { status: 'duplicate', id: ref.id },
    ])
  },

  'what did not complete leaves at least a receipt with its reason, kept or not': async (rig) => {
    await rig.declare({
      keep: { cancelled: { count: 0, for: 0 }, discarded: { count: 0, for: 0 } },
    })
    const node = await rig.node()
    const ends = [
      [cancelFor('why'), 'cancelled'],
      [discardAs('d', 'given-up', 'why'), 'discarded'],
    ] as const
    for (const [verdict, expected] of ends) {
      const ref = await rig.put()
      await node.settle(await node.take(), verdict)
      await sweepAfter(rig, 0)
      const { state, reason } = await receiptOf(rig, ref)
      assert.deepEqual([state, reason], [expected, 'why'])
      await sweepAfter(rig, 11 * MINUTE)
      assert.equal(await rig.stateOf(ref), 'gone')
    }
  },

  'a kept job that is pruned early still leaves the receipt that it owes': async (rig) => {
    await rig.declare({ keep: { completed: { count: 1, for: Infinity } } })
    const node = await rig.node()
    const owed = [
      await rig.put({ id: 'mine', ownId: true }),
      await rig.put({ unique: unique('k', { for: DAY }) }),
    ]
    const { id: result } = await rig.put()
    const { jobs } = await node.claim()
    for (const job of jobs) {
      await rig.clock.advance(1_000)
      await node.settle(job, job.id === result ? completeWith(1) : COMPLETE)
    }
    await completeMany(rig, 1)
    await sweepAfter(rig, 0)
    for (const ref of [...owed, { queue: 'q', id: result }]) {
      assert.equal((await receiptOf(rig, ref)).state, 'completed')
    }
    await sweepAfter(rig, 11 * MINUTE)
    assert.equal(await rig.stateOf(owed[0]), 'gone')
  },

  'a final job is touched by no claim, no verdict and no sweep before its time': async (rig) => {
    await rig.declare({ keep: { completed: { count: Infinity, for: Infinity } } })
    const node = await rig.node()
    await rig.putMany(3)
    const { jobs } = await node.claim()
    const verdicts = [completeWith(1), cancelFor('c'), discardAs('d')]
    await node.settleAll(jobs.map((job, index) => settlement(job, verdicts[index])))
    const before = await rig.store.get(jobs)
    await sweepAfter(rig, MINUTE)
    assert.deepEqual((await node.claim()).jobs, [])
    assert.deepEqual(await rig.store.get(jobs), before)
  },

  'pruning is bounded, counts what it took, and comes to an end': async (rig) => {
    await rig.declare({ keep: { completed: { count: Infinity, for: MINUTE } } })
    const ids = await rig.putMany(40)
    const node = await rig.node()
    await node.drain()
    assert.equal((await rig.list()).length, ids.length)
    await rig.clock.advance(2 * MINUTE)
    let pruned = 0
    for (let round = 0; round < 100; round++) {
      const swept = await node.sweep(7)
      assert.ok(swept.pruned <= 7)
      pruned += swept.pruned
      if (!swept.more) break
    }
    assert.ok(pruned >= ids.length, `${pruned} pruned`)
    assert.deepEqual(await rig.counts(), countsOf({}))
    assert.equal((await node.sweep(7)).pruned, 0)
  },
}

export const receipts: Group = { title: 'receipts and what is kept', laws }
