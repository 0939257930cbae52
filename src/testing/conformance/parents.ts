/**
 * Jobs that come after others: a job waits until all of them are completed, then it is due, and it
 * can read what they left for as long as it lives. What is named must be there, stand in the same
 * lot, or have completed a short while ago; else the lot is refused.
 */
import assert from 'node:assert/strict'
import { makeIds } from '../../job/id.js'
import type { JobRef } from '../../job/job.js'
import { COMPLETE, completeWith, json, settlement, unique, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import type { Rig } from './rig.js'
import { countsOf } from './rig.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** The states of what a job comes after, in order. */
export async function parentStates(rig: Rig, ref: JobRef): Promise<string[] | null> {
  const rows = await rig.store.parents(ref)
  return rows === null ? null : rows.map(({ state }) => state)
}

/** Puts one in that must wait. */
export async function putAfter(rig: Rig, after: readonly JobRef[], words = {}): Promise<JobRef> {
  const job = rig.job({ ...words, after })
  const answers = await rig.insert([job])
  assert.deepEqual(answers, [{ status: 'inserted', id: job.id, state: 'waiting' }])
  return { queue: job.queue, id: job.id }
}

const laws: Laws = {
  'a job waits until all that it comes after are completed': async (rig) => {
    const node = await rig.node()
    const parents = [await rig.put(), await rig.put({ queue: 'other' })]
    const child = await putAfter(rig, parents)
    assert.equal(await rig.stateOf(child), 'waiting')
    assert.deepEqual(await rig.counts(), countsOf({ available: 1, waiting: 1 }))
    const first = await node.take()
    assert.equal(first.id, parents[0].id)
    assert.deepEqual((await node.claim()).jobs, [])
    await node.settle(first, COMPLETE)
    assert.deepEqual((await node.claim()).jobs, [])
    await node.settle(await node.take({ queue: 'other' }), COMPLETE)
    assert.equal(await rig.stateOf(child), 'available')
    assert.equal((await node.take()).id, child.id)
  },

  'what parents left is told in the order of `after`, long after they are gone': async (rig) => {
    const node = await rig.node()
    const parents = [await rig.put(), await rig.put(), await rig.put({ delay: HOUR })]
    const child = await putAfter(rig, parents)
    const held = [await node.take(), await node.take()]
    assert.deepEqual(await parentStates(rig, child), ['running', 'running', 'scheduled'])
    await node.settle(held[1], completeWith({ of: 'second' }))
    await node.settle(held[0], COMPLETE)
    await rig.clock.advance(HOUR)
    await node.sweepAll()
    assert.equal(await rig.found(parents[1]), null, 'its receipt is gone')
    await node.settle(await node.take(), completeWith(3))
    await rig.clock.advance(HOUR)
    await node.sweepAll()
    const results = [null, json({ of: 'second' }), json(3)]
    const expected = parents.map((ref, at) => ({
      ...ref,
      state: 'completed',
      result: results[at],
    }))
    assert.deepEqual(await rig.store.parents(child), expected)
    await node.take()
    assert.deepEqual(await rig.store.parents(child), expected)
  },

  'a job without parents has none; where there is no job there is no answer': async (rig) => {
    const node = await rig.node()
    const ref = await rig.put()
    assert.deepEqual(await rig.store.parents(ref), [])
    assert.equal(await rig.store.parents({ queue: 'q', id: 'nobody' }), null)
    await node.settle(await node.take(), completeWith(1))
    assert.equal(await rig.store.parents(ref), null)
  },

  'parents may stand later in the same lot, in any queue': async (rig) => {
    const node = await rig.node()
    const [a, b, c] = [rig.job({ queue: 'x' }), rig.job(), rig.job()]
    const answers = await rig.insert([{ ...c, after: [b, a] }, { ...b, after: [a] }, a])
    assert.deepEqual(answers, [
      { status: 'inserted', id: c.id, state: 'waiting' },
      { status: 'inserted', id: b.id, state: 'waiting' },
      { status: 'inserted', id: a.id },
    ])
    await node.drain({ queue: 'x' })
    assert.deepEqual(await node.drain(), [b.id, c.id])
  },

  'one that has completed keeps nobody waiting, and its result is there': async (rig) => {
    const node = await rig.node()
    const parent = await rig.put()
    await node.settle(await node.take(), completeWith('done'))
    const child = await rig.put({ after: [parent] })
    assert.deepEqual(await rig.store.parents(child), [
      { ...parent, state: 'completed', result: json('done') },
    ])
    assert.equal((await node.take()).id, child.id)
  },

  'a young id of ours that is gone has completed and left nothing; an old or a strange one is refused':
    async (rig) => {
      const node = await rig.node()
      const id = makeIds(rig.clock, rig.chance)()
      await rig.put({ id })
      await node.settle(await node.take(), COMPLETE)
      await rig.clock.advance(10 * MINUTE - 1)
      const child = await rig.put({ after: [{ queue: 'q', id }] })
      assert.deepEqual(await parentStates(rig, child), ['completed'])
      await rig.clock.advance(1)
      for (const stranger of [id, 'never-there']) {
        const parent = { queue: 'q', id: stranger }
        assert.deepEqual(await rig.insert([rig.job(), rig.job({ after: [child, parent] })]), [
          { status: 'withdrawn' },
          { status: 'refused', code: 'PARENT_UNKNOWN', parent },
        ])
      }
      assert.equal((await rig.list()).length, 1)
    },

  'how long an id is believed is how long its queue keeps receipts': async (rig) => {
    await rig.declare({ receipts: HOUR })
    const id = makeIds(rig.clock, rig.chance)()
    await rig.clock.advance(HOUR - 1)
    await rig.put({ after: [{ queue: 'q', id }] })
    await rig.clock.advance(1)
    const [answer] = await rig.insert([rig.job({ after: [{ queue: 'q', id }] })])
    assert.equal(answer.status, 'refused')
  },

  'lots in one call know what stands in the lots before them': async (rig) => {
    const [a, b] = [rig.job(), rig.job()]
    const lots = [[{ ...b, after: [a] }], [a], [{ ...b, after: [a] }]]
    const answers = await rig.store.insert(lots.map((jobs) => ({ jobs })))
    assert.deepEqual(answers, [
      [{ status: 'refused', code: 'PARENT_UNKNOWN', parent: { queue: 'q', id: a.id } }],
      [{ status: 'inserted', id: a.id }],
      [{ status: 'inserted', id: b.id, state: 'waiting' }],
    ])
  },

  'a ref to a duplicate means the job that was there before': async (rig) => {
    const node = await rig.node()
    const holder = await rig.put({ unique: unique('k') })
    const [again, child] = [rig.job({ unique: unique('k') }), rig.job()]
    assert.deepEqual(await rig.insert([{ ...child, after: [again, holder] }, again]), [
      { status: 'inserted', id: child.id, state: 'waiting' },
      { status: 'duplicate', id: holder.id },
    ])
    await node.settle(await node.take(), completeWith(1))
    assert.deepEqual(await rig.store.parents(child), [
      { ...holder, state: 'completed', result: json(1) },
    ])
    assert.equal((await node.take()).id, child.id)
  },

  'an insert that is repeated asks nothing of its parents any more': async (rig) => {
    const node = await rig.node()
    const parent = await rig.put({ id: 'p' })
    const child = rig.job({ after: [parent] })
    await rig.insert([child])
    await node.settle(await node.take(), COMPLETE)
    assert.deepEqual(await rig.insert([child]), [{ status: 'duplicate', id: child.id }])
  },

  'due is its time or its release, whichever is later, and its place is then': async (rig) => {
    const node = await rig.node()
    const parent = await rig.put()
    const at = rig.clock.wall() + 2 * HOUR
    const [soon, late] = [
      await putAfter(rig, [parent], { delay: MINUTE }),
      await putAfter(rig, [parent], { at }),
    ]
    const held = await node.take()
    await rig.clock.advance(30 * MINUTE)
    const other = await rig.put()
    await rig.clock.advance(1)
    await node.beat()
    await node.settle(held, COMPLETE)
    assert.equal(await rig.stateOf(late), 'scheduled')
    assert.equal((await rig.view(late)).dueAt, at)
    assert.equal((await rig.view(soon)).dueAt, rig.clock.wall())
    const { jobs, nextIn } = await node.claim({ limit: 1 })
    assert.equal(jobs[0].id, other.id, 'it stands behind what was due before its release')
    assert.equal(nextIn, 0)
    assert.equal((await node.take()).id, soon.id)
    await rig.clock.advance(2 * HOUR)
    assert.equal((await node.take()).id, late.id)
  },

  'its age counts from its release': async (rig) => {
    const node = await rig.node()
    const parent = await rig.put()
    const child = await putAfter(rig, [parent], { expiresIn: MINUTE })
    const held = await node.take()
    for (const _ of upTo(30)) {
      await rig.clock.advance(10_000)
      await node.beat()
      assert.equal((await node.sweep()).expired, 0)
    }
    await node.settle(held, COMPLETE)
    await rig.clock.advance(MINUTE)
    await node.sweepAll()
    assert.equal(await rig.stateOf(child), 'available')
    await rig.clock.advance(1)
    assert.equal((await node.sweepAll()).expired, 1)
    assert.equal(await rig.stateOf(child), 'discarded')
  },

  'what waits for others is part of the backlog and keeps its key': async (rig) => {
    await rig.declare({ limits: { backlog: 2 } })
    const parent = await rig.put()
    const child = await putAfter(rig, [parent], { unique: unique('k', { while: 'waiting' }) })
    assert.deepEqual(await rig.insert([rig.job()]), [
      { status: 'refused', code: 'QUEUE_FULL', limit: 2 },
    ])
    assert.deepEqual(await rig.insert([rig.job({ unique: unique('k') })]), [
      { status: 'duplicate', id: child.id },
    ])
    const payload = json('new')
    const key = unique('k', { onConflict: 'replace' })
    assert.deepEqual(await rig.insert([rig.job({ unique: key, payload, priority: 9 })]), [
      { status: 'replaced', id: child.id },
    ])
    const { state, payload: seen, priority } = await rig.view(child)
    assert.deepEqual([state, seen, priority], ['waiting', payload, 9])
  },

  'an operator may change what waits; it waits on': async (rig) => {
    const node = await rig.node()
    const parent = await rig.put()
    const child = await putAfter(rig, [parent])
    const change = { payload: json('changed'), priority: 5, delay: MINUTE }
    const done = await rig.control({ kind: 'update', ...child, change })
    assert.equal(done.changed, 1)
    assert.equal(await rig.stateOf(child), 'waiting')
    await node.drain()
    assert.equal(await rig.stateOf(child), 'scheduled')
    await rig.clock.advance(MINUTE)
    const held = await node.take()
    assert.deepEqual([held.payload, held.priority], [json('changed'), 5])
  },

  'thousands of children of one parent are one lot and one release': async (rig) => {
    const node = await rig.node()
    const parent = await rig.put()
    const children = upTo(3_000).map(() => rig.job({ after: [parent] }))
    await rig.insert(children)
    assert.equal((await rig.counts()).waiting, children.length)
    await node.settle(await node.take(), completeWith('for all'))
    assert.deepEqual(
      await node.drain(),
      children.map(({ id }) => id),
    )
  },

  'thousands of parents of one child': async (rig) => {
    const node = await rig.node()
    const parents = upTo(3_000).map(() => rig.job())
    const child = rig.job({ after: parents })
    await rig.insert([child, ...parents])
    for (let left = parents.length; left > 0;) {
      assert.equal(await rig.stateOf(child), 'waiting')
      const { jobs } = await node.claim({ limit: 1_000 })
      await node.settleAll(jobs.map((job) => settlement(job, completeWith(job.id))))
      left -= jobs.length
    }
    const rows = (await rig.store.parents(child)) ?? []
    assert.deepEqual(
      rows.map(({ result }) => result),
      parents.map(({ id }) => json(id)),
    )
    assert.deepEqual(await node.drain(), [child.id])
  },
}

export const parents: Group = { title: 'jobs that come after others', laws }
