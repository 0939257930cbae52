/**
 * What operators may do: cancel, retry, delete, update. Commands pick jobs by selector and go in
 * bounded steps; what runs is only ever asked, by cancel (law 12); everything else leaves running
 * jobs alone. Retry of dead letters is in `dead-letters.ts`.
 */
import assert from 'node:assert/strict'
import type { State } from '../../job/job.js'
import type { Selector } from '../../job/selector.js'
import { COMPLETE, discardAs, idsOf, json, retryIn, unique, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import type { Rig } from './rig.js'
import { countsOf } from './rig.js'

const FOR_EVER = { count: Infinity, for: Infinity }

/** One job in each state that a job can be in; answers their ids. */
async function oneOfEach(rig: Rig): Promise<Record<Exclude<State, 'waiting'>, string>> {
  await rig.declare({ keep: { completed: FOR_EVER, cancelled: FOR_EVER, discarded: FOR_EVER } })
  const node = await rig.node()
  const ids = await rig.putMany(5)
  const { jobs } = await node.claim()
  await node.settle(jobs[1], retryIn(60_000))
  await node.settle(jobs[2], COMPLETE)
  await node.settle(jobs[3], { kind: 'cancel', reason: 'first' })
  await node.settle(jobs[4], discardAs('d'))
  const { id: scheduled } = await rig.put({ delay: 60_000 })
  const { id: available } = await rig.put()
  const [running, retryable, completed, cancelled, discarded] = ids
  return { scheduled, available, running, retryable, completed, cancelled, discarded }
}

async function statesOf(rig: Rig, ids: Record<string, string>): Promise<Record<string, string>> {
  const states: Record<string, string> = {}
  for (const [name, id] of Object.entries(ids)) states[name] = await rig.stateOf({ queue: 'q', id })
  return states
}

async function command(rig: Rig, kind: 'cancel' | 'retry' | 'delete', which: Selector = {}) {
  return kind === 'cancel'
    ? rig.control({ kind, queue: 'q', which, reason: 'asked' })
    : rig.control({ kind, queue: 'q', which })
}

const laws: Laws = {
  'cancel ends what waits, asks what runs, and leaves what is final': async (rig) => {
    const ids = await oneOfEach(rig)
    const { changed } = await command(rig, 'cancel')
    assert.equal(changed, 4)
    assert.deepEqual(await statesOf(rig, ids), {
      scheduled: 'cancelled',
      available: 'cancelled',
      running: 'running',
      retryable: 'cancelled',
      completed: 'completed',
      cancelled: 'cancelled',
      discarded: 'discarded',
    })
    const reasons = await rig.list('q', { states: ['cancelled'] })
    assert.deepEqual(reasons.map((job) => job.reason).sort(), ['asked', 'asked', 'asked', 'first'])
  },

  'cancel tells each job that it ended': async (rig) => {
    const ref = await rig.put({ task: 't', group: 'g' })
    await rig.put()
    await (await rig.node()).take({ tasks: ['default'] })
    const { happened } = await command(rig, 'cancel')
    assert.deepEqual(
      happened.map((one) => [one.kind, one.id, one.state, one.task, one.group]),
      [['cancelled', ref.id, 'cancelled', 't', 'g']],
    )
  },

  'a cancelled job is not given': async (rig) => {
    await rig.putMany(3)
    await command(rig, 'cancel')
    const answer = await (await rig.node()).claim()
    assert.deepEqual([answer.jobs, answer.nextIn], [[], null])
  },

  'a running job that was asked runs on until its holder speaks': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await command(rig, 'cancel')
    assert.equal(await rig.stateOf(ref), 'running')
    assert.deepEqual((await node.check([held])).cancelling, [held.token])
    assert.equal((await node.beat()).gone, false)
    await node.settle(held, { kind: 'cancel', reason: 'done as asked' })
    assert.equal(await rig.stateOf(ref), 'cancelled')
  },

  'retry makes what failed, was given up or cancelled available, attempts from zero': async (
    rig,
  ) => {
    const ids = await oneOfEach(rig)
    const { changed } = await command(rig, 'retry', {
      ids: [ids.retryable, ids.discarded, ids.cancelled, ids.running],
    })
    assert.equal(changed, 3)
    for (const id of [ids.retryable, ids.discarded, ids.cancelled]) {
      const job = await rig.view({ queue: 'q', id })
      assert.deepEqual([job.state, job.attempt, job.history.length], ['available', 0, 1])
      assert.deepEqual([job.reason, job.finishedAt], [null, null])
    }
    assert.equal(await rig.stateOf({ queue: 'q', id: ids.running }), 'running')
  },

  'a retried job has all its attempts again': async (rig) => {
    await rig.put({ attempts: 2 })
    const node = await rig.node()
    for (const _ of upTo(2)) await node.settle(await node.take(), retryIn(0))
    await command(rig, 'retry')
    const seen: number[] = []
    for (const _ of upTo(2)) {
      const held = await node.take()
      seen.push(held.attempt)
      await node.settle(held, retryIn(0))
    }
    assert.deepEqual(seen, [1, 2])
    assert.equal((await rig.counts()).discarded, 1)
  },

  'delete takes everything but what runs; a receipt may stay for who waits for a result': async (
    rig,
  ) => {
    const ids = await oneOfEach(rig)
    const { changed } = await command(rig, 'delete')
    assert.equal(changed, 6)
    const states = await statesOf(rig, ids)
    const left = Object.values(states).filter((state) => state !== 'gone' && state !== 'receipt')
    assert.deepEqual(left, ['running'])
    assert.deepEqual(await rig.counts(), countsOf({ running: 1 }))
  },

  'the id of a deleted job may be used again at once, whatever stayed of it': async (rig) => {
    await rig.put({ id: 'mine', ownId: true })
    await command(rig, 'delete')
    await rig.put({ id: 'mine', ownId: true, payload: json('again') })
    assert.deepEqual((await rig.view({ queue: 'q', id: 'mine' })).payload, json('again'))
  },

  'all that a selector says must hold': async (rig) => {
    const all = { task: 't', group: 'g', tags: ['x', 'y'], payload: json('needle') }
    const target = await rig.put(all)
    await rig.put({ ...all, task: 'u' })
    await rig.put({ ...all, group: 'h' })
    await rig.put({ ...all, tags: ['y'] })
    await rig.put({ ...all, payload: json('hay') })
    await rig.put({ ...all, delay: 1_000 })
    const which: Selector = {
      states: ['available'],
      task: 't',
      group: 'g',
      tag: 'x',
      search: 'needle',
    }
    assert.equal((await command(rig, 'cancel', which)).changed, 1)
    assert.equal(await rig.stateOf(target), 'cancelled')
    assert.deepEqual(await rig.counts(), countsOf({ available: 4, scheduled: 1, cancelled: 1 }))
  },

  'a selector that nothing fits changes nothing': async (rig) => {
    await rig.putMany(2)
    for (const which of [{ ids: [] }, { ids: ['nobody'] }, { states: [] }, { tag: 'none' }]) {
      for (const kind of ['cancel', 'retry', 'delete'] as const) {
        assert.equal((await command(rig, kind, which)).changed, 0, JSON.stringify(which))
      }
    }
    assert.equal((await command(rig, 'delete', { task: 'other' })).changed, 0)
    assert.deepEqual(await rig.counts(), countsOf({ available: 2 }))
  },

  'a command reaches only its queue': async (rig) => {
    await rig.put({ queue: 'a' })
    await rig.put({ queue: 'b' })
    await rig.control({ kind: 'delete', queue: 'a', which: {} })
    assert.deepEqual((await rig.counts('b')).available, 1)
    const never = await rig.control({ kind: 'cancel', queue: 'never', which: {}, reason: null })
    assert.deepEqual(never, { changed: 0, happened: [] })
  },

  'a command over thousands goes in steps and reaches each once': async (rig) => {
    for (const _ of upTo(3)) await rig.putMany(1_000)
    const { changed, happened } = await command(rig, 'cancel')
    assert.deepEqual([changed, new Set(idsOf(happened)).size], [3_000, 3_000])
    assert.deepEqual(await rig.counts(), countsOf({ cancelled: 3_000 }))
    assert.equal((await command(rig, 'delete', { states: ['cancelled'] })).changed, 3_000)
    assert.deepEqual(await rig.counts(), countsOf({}))
  },

  'update changes what is said and leaves the rest': async (rig) => {
    const ref = await rig.put({ payload: json('old'), priority: 1 })
    const update = (change: object) =>
      rig.control({ kind: 'update', queue: 'q', id: ref.id, change })
    assert.equal((await update({ payload: json('new') })).changed, 1)
    const { payload, priority, state } = await rig.view(ref)
    assert.deepEqual([payload, priority, state], [json('new'), 1, 'available'])
    assert.equal((await update({ priority: -7 })).changed, 1)
    assert.deepEqual(
      [(await rig.view(ref)).priority, (await rig.view(ref)).payload],
      [-7, json('new')],
    )
    assert.deepEqual((await (await rig.node()).take()).payload, json('new'))
  },

  'update of a priority moves the job among its like': async (rig) => {
    const ids = await rig.putMany(3)
    const change = { priority: 5 }
    await rig.control({ kind: 'update', queue: 'q', id: ids[2], change })
    assert.deepEqual(await (await rig.node()).drain(), [ids[2], ids[0], ids[1]])
  },

  'update of the time schedules a job, or brings it forward': async (rig) => {
    const [first, second, third] = await rig.putMany(3)
    const update = (id: string, change: object) =>
      rig.control({ kind: 'update', queue: 'q', id, change })
    await update(first, { delay: 5_000 })
    assert.equal(await rig.stateOf({ queue: 'q', id: first }), 'scheduled')
    await update(third, { at: rig.clock.wall() - 1_000 })
    const node = await rig.node()
    const answer = await node.claim()
    assert.deepEqual([idsOf(answer.jobs), answer.nextIn], [[third, second], 5_000])
    await update(first, { delay: 0 })
    assert.equal((await node.take()).id, first)
  },

  'update leaves alone what runs, what is final and what is not there': async (rig) => {
    const ids = await oneOfEach(rig)
    const before = await rig.store.get(Object.values(ids).map((id) => ({ queue: 'q', id })))
    for (const id of [ids.running, ids.completed, ids.cancelled, ids.discarded, 'nobody']) {
      const change = { priority: 9 }
      assert.equal((await rig.control({ kind: 'update', queue: 'q', id, change })).changed, 0)
    }
    const after = await rig.store.get(Object.values(ids).map((id) => ({ queue: 'q', id })))
    assert.deepEqual(after, before)
  },

  'a command takes the newest first: a key that two had goes to the younger': async (rig) => {
    const ids: string[] = []
    for (const _ of upTo(2)) {
      ids.push((await rig.put({ unique: unique('k') })).id)
      await command(rig, 'cancel')
    }
    assert.equal((await command(rig, 'retry')).changed, 1)
    const states = await Promise.all(ids.map((id) => rig.stateOf({ queue: 'q', id })))
    assert.deepEqual(states, ['cancelled', 'available'])
  },

  'a command reaches jobs of every handle': async (rig) => {
    const other = await rig.connect()
    const [held, waiting] = await rig.putMany(2)
    const node = await rig.node(other)
    const job = await node.take()
    assert.equal(job.id, held)
    await command(rig, 'cancel')
    assert.deepEqual((await node.check([job])).cancelling, [job.token])
    assert.equal((await rig.view({ queue: 'q', id: waiting }, other)).state, 'cancelled')
  },
}

export const control: Group = { title: 'operators', laws }
