/**
 * What insert promises: as many answers as questions, a lot is all or none, the same id twice is
 * one job, and where a new job stands. Refusals by limits are in `limits.ts`, keys in `unique.ts`,
 * the bytes of a payload in `payload.ts`.
 */
import assert from 'node:assert/strict'
import { completeWith, idsOf, json, QUEUE, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import { countsOf } from './rig.js'

const laws: Laws = {
  'no lots get no answers, and an empty lot gets an empty one': async (rig) => {
    assert.deepEqual(await rig.store.insert([]), [])
    assert.deepEqual(await rig.store.insert([{ jobs: [] }, { jobs: [] }]), [[], []])
  },

  'many lots in one call: one answer per job, lots and jobs in their order': async (rig) => {
    const lots = [2, 0, 1, 3].map((size) => ({ jobs: upTo(size).map(() => rig.job()) }))
    const answers = await rig.store.insert(lots)
    const expected = lots.map((lot) => lot.jobs.map(({ id }) => ({ status: 'inserted', id })))
    assert.deepEqual(answers, expected)
    assert.deepEqual(await rig.counts(), countsOf({ available: 6 }))
  },

  'a job shows what it was given, and no attempt before its first': async (rig) => {
    const words = { task: 'paint', priority: 7, group: 'g', tags: ['a', 'b'], attempts: 3 }
    const ref = await rig.put({ ...words, meta: json({ request: 1 }), payload: json('wall') })
    const job = await rig.view(ref)
    const { task, priority, group, tags, meta, payload, attempt, maxAttempts, history } = job
    assert.deepEqual(
      { task, priority, group, tags },
      { task: 'paint', priority: 7, group: 'g', tags: ['a', 'b'] },
    )
    assert.deepEqual({ meta, payload }, { meta: json({ request: 1 }), payload: json('wall') })
    assert.deepEqual({ attempt, maxAttempts, history }, { attempt: 0, maxAttempts: 3, history: [] })
    const { state, worker, origin, progress, log, result, reason, finishedAt } = job
    assert.deepEqual([state, worker, origin, progress], ['available', null, null, null])
    assert.deepEqual([log, result, reason, finishedAt], [[], null, null, null])
    assert.equal(job.enqueuedAt, rig.clock.wall())
    assert.equal(job.dueAt, rig.clock.wall())
  },

  'the same id twice is one job: the second is a duplicate and changes nothing': async (rig) => {
    const ref = await rig.put({ payload: json('first') })
    const again = rig.job({ id: ref.id, payload: json('second'), priority: 9 })
    assert.deepEqual(await rig.insert([again]), [{ status: 'duplicate', id: ref.id }])
    const job = await rig.view(ref)
    assert.deepEqual([job.payload, job.priority], [json('first'), 0])
    assert.deepEqual(await rig.counts(), countsOf({ available: 1 }))
  },

  'the same id twice in one lot is one job, and no reason to refuse the lot': async (rig) => {
    const job = rig.job()
    const other = rig.job()
    assert.deepEqual(await rig.insert([job, job, other]), [
      { status: 'inserted', id: job.id },
      { status: 'duplicate', id: job.id },
      { status: 'inserted', id: other.id },
    ])
    assert.deepEqual(await rig.counts(), countsOf({ available: 2 }))
  },

  'the same id in two lots of one call is one job': async (rig) => {
    const job = rig.job()
    assert.deepEqual(await rig.store.insert([{ jobs: [job] }, { jobs: [job] }]), [
      [{ status: 'inserted', id: job.id }],
      [{ status: 'duplicate', id: job.id }],
    ])
  },

  'a whole insert may be repeated: every answer reads duplicate': async (rig) => {
    const jobs = upTo(3).map(() => rig.job())
    await rig.insert(jobs)
    const expected = jobs.map(({ id }) => ({ status: 'duplicate', id }))
    assert.deepEqual(await rig.insert(jobs), expected)
    assert.deepEqual(await rig.counts(), countsOf({ available: 3 }))
  },

  'a running job is still a duplicate of its id': async (rig) => {
    const ref = await rig.put()
    await (await rig.node()).take()
    assert.deepEqual(await rig.insert([rig.job({ id: ref.id })]), [
      { status: 'duplicate', id: ref.id },
    ])
  },

  'an id of the user is known while its receipt lives, and free after that': async (rig) => {
    const node = await rig.node()
    await rig.put({ id: 'order-7', ownId: true })
    await node.settle(await node.take(), completeWith(1))
    const again = rig.job({ id: 'order-7', ownId: true })
    assert.deepEqual(await rig.insert([again]), [{ status: 'duplicate', id: 'order-7' }])
    await rig.clock.advance(11 * 60_000)
    await node.sweepAll()
    assert.deepEqual(await rig.insert([again]), [{ status: 'inserted', id: 'order-7' }])
  },

  'an id belongs to its queue: the same in two queues is two jobs': async (rig) => {
    await rig.put({ id: 'order-7', queue: 'a', payload: json('a') })
    await rig.put({ id: 'order-7', queue: 'b', payload: json('b') })
    assert.deepEqual((await rig.view({ queue: 'a', id: 'order-7' })).payload, json('a'))
    assert.deepEqual((await rig.view({ queue: 'b', id: 'order-7' })).payload, json('b'))
  },

  'one lot may hold jobs of several queues': async (rig) => {
    await rig.insert([rig.job({ queue: 'a' }), rig.job({ queue: 'b' }), rig.job({ queue: 'a' })])
    assert.deepEqual(await rig.counts('a'), countsOf({ available: 2 }))
    assert.deepEqual(await rig.counts('b'), countsOf({ available: 1 }))
  },

  'a delayed job is scheduled, due so long after the store took it, and then available': async (
    rig,
  ) => {
    const ref = await rig.put({ delay: 10_000 })
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.dueAt], ['scheduled', rig.clock.wall() + 10_000])
    assert.deepEqual(await rig.counts(), countsOf({ scheduled: 1 }))
    await rig.clock.advance(10_000)
    assert.equal(await rig.stateOf(ref), 'available')
    assert.deepEqual(await rig.counts(), countsOf({ available: 1 }))
  },

  'an instant ahead schedules, and stands over a delay': async (rig) => {
    const at = rig.clock.wall() + 5_000
    const ref = await rig.put({ at, delay: 99_000 })
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.dueAt], ['scheduled', at])
  },

  'a past instant runs now, in its place by time': async (rig) => {
    const now = await rig.put()
    const past = await rig.put({ at: rig.clock.wall() - 60_000 })
    const older = await rig.put({ at: rig.clock.wall() - 90_000 })
    assert.equal(await rig.stateOf(past), 'available')
    const node = await rig.node()
    assert.deepEqual(await node.drain(), idsOf([older, past, now]))
  },

  'a delay longer than a platform timer can hold is kept': async (rig) => {
    const year = 366 * 24 * 3_600_000
    const ref = await rig.put({ delay: year })
    const node = await rig.node()
    assert.equal((await node.claim()).nextIn, year)
    await rig.clock.advance(year - 1)
    assert.deepEqual((await node.claim()).jobs, [])
    await rig.clock.advance(1)
    assert.equal((await node.take()).id, ref.id)
  },

  'what was answered is seen through every other handle': async (rig) => {
    const other = await rig.connect()
    const ref = await rig.put()
    assert.equal((await rig.view(ref, other)).id, ref.id)
    const node = await rig.node(other)
    assert.equal((await node.take()).id, ref.id)
    assert.equal(await rig.stateOf(ref), 'running')
  },

  'ten thousand jobs are one lot': async (rig) => {
    const ids = await rig.putMany(10_000)
    assert.deepEqual(await rig.counts(QUEUE), countsOf({ available: ids.length }))
  },
}

export const inserting: Group = { title: 'insert', laws }
