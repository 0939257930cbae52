/**
 * Laws 2, 19 and 20, and hints: a store is opened and closed, what it answered outlives a handle,
 * a closed one says so, scopes never see each other, and hints help but are never needed (law 14).
 */
import assert from 'node:assert/strict'
import { MillraceError } from '../../job/errors.js'
import type { Store } from '../../store.js'
import {
  COMPLETE,
  completeWith,
  discardAs,
  idsOf,
  json,
  retryIn,
  settlement,
  unique,
  upTo,
} from './build.js'
import { Ear } from './ear.js'
import type { Group, Laws } from './law.js'
import { cardOf, LEASE } from './played-node.js'
import { countsOf } from './rig.js'

const PAGE = { limit: 10, cursor: null }

/** Every verb of the seam that answers with a promise. */
const VERBS: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  insert: (store) => store.insert([]),
  exchange: (store) => store.exchange({ node: 'n', settle: [], claim: [] }),
  note: (store) => store.note([]),
  enlist: (store) => store.enlist(cardOf('n')),
  leave: (store) => store.leave('n'),
  beat: (store) => store.beat({ node: 'n', upTo: 0, open: [], overdue: [] }),
  check: (store) => store.check({ node: 'n', held: [] }),
  sweep: (store) => store.sweep({ node: 'n', limit: 1 }),
  get: (store) => store.get([]),
  parents: (store) => store.parents({ queue: 'q', id: 'x' }),
  list: (store) => store.list({ queue: 'q', which: {}, page: PAGE }),
  count: (store) => store.count({ queue: 'q', which: {}, cursor: null }),
  queues: (store) => store.queues(PAGE),
  nodes: (store) => store.nodes(PAGE),
  control: (store) => store.control({ kind: 'retry', queue: 'q', which: {} }, null),
  settings: (store) => store.settings('q'),
  declare: (store) => store.declare('q', {}),
  override: (store) => store.override('q', { say: {}, takeBack: [] }),
}

const laws: Laws = {
  'opening twice is opening once': async (rig) => {
    const ref = await rig.put()
    await rig.store.open({ scope: 'default' })
    assert.equal(await rig.stateOf(ref), 'available')
    await rig.put()
    assert.deepEqual(await rig.counts(), countsOf({ available: 2 }))
  },

  'a closed store answers STORE_CLOSED to everything': async (rig) => {
    const store = await rig.connect()
    await store.close()
    for (const [verb, call] of Object.entries(VERBS)) {
      const closed = (error: unknown) => MillraceError.is(error, 'STORE_CLOSED')
      await assert.rejects(async () => call(store), closed, verb)
    }
  },

  'closing twice is fine, and side by side': async (rig) => {
    const store = await rig.connect()
    await Promise.all([store.close(), store.close()])
    await store.close()
  },

  'closing one handle leaves the others open, with all that was there': async (rig) => {
    const other = await rig.connect()
    const job = rig.job()
    await rig.insert([job], other)
    await other.close()
    assert.equal((await rig.view(job)).id, job.id)
    await rig.put()
  },

  'what was under way when a handle closed is answered, and true': async (rig) => {
    const store = await rig.connect()
    const jobs = upTo(20).map(() => rig.job())
    const answers = jobs.map((job) => store.insert([{ jobs: [job] }]))
    const closed = store.close()
    const ends = await Promise.allSettled(answers)
    await closed
    for (const [index, end] of ends.entries()) {
      const there = (await rig.found(jobs[index])) !== null
      if (end.status === 'fulfilled') assert.equal(there, true)
      else assert.ok(MillraceError.is(end.reason), String(end.reason))
    }
  },

  'whoever opens later finds what was answered before': async (rig) => {
    const first = await rig.connect()
    const ids = [rig.job(), rig.job({ delay: 5_000 }), rig.job({ unique: unique('k') })]
    await rig.insert(ids, first)
    await first.declare('q', { attempts: 3 })
    const node = await rig.node(first)
    const held = await node.take()
    await first.close()
    const later = await rig.connect()
    assert.equal((await later.settings('q')).declared.attempts, 3)
    const jobs = await Promise.all(ids.map((job) => rig.view(job, later)))
    assert.deepEqual(
      jobs.map((job) => job.state),
      ['running', 'scheduled', 'available'],
    )
    const ask = { node: node.id, settle: [settlement(held, COMPLETE)], claim: [] }
    const { settled } = await later.exchange(ask)
    assert.equal(settled[0].status, 'done')
  },

  'closing is no leaving: what a node holds stays held for its lease': async (rig) => {
    const store = await rig.connect()
    const ref = await rig.put()
    await (await rig.node(store)).take()
    await store.close()
    assert.equal(await rig.stateOf(ref), 'running')
    await rig.clock.advance(LEASE + 1)
    await (await rig.node()).sweepAll()
    assert.equal(await rig.stateOf(ref), 'available')
  },

  'jobs, ids, keys, settings, queues and nodes of one scope are unknown in another': async (
    rig,
  ) => {
    const other = await rig.connect('other')
    const job = rig.job({ unique: unique('k'), payload: json('here') })
    await rig.insert([job])
    await rig.declare({ attempts: 3 })
    await rig.node()
    assert.deepEqual(await other.get([job]), [null])
    assert.deepEqual((await other.list({ queue: 'q', which: {}, page: PAGE })).items, [])
    assert.deepEqual((await other.queues(PAGE)).items, [])
    assert.deepEqual((await other.nodes(PAGE)).items, [])
    assert.equal((await other.settings('q')).revision, 0)
    const same = { ...job, payload: json('there') }
    assert.deepEqual(await rig.insert([same], other), [{ status: 'inserted', id: job.id }])
    assert.deepEqual((await rig.view(job)).payload, json('here'))
    assert.deepEqual((await rig.view(job, other)).payload, json('there'))
  },

  'no verb of one scope reaches another': async (rig) => {
    const other = await rig.connect('other')
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const stranger = await rig.node(other)
    assert.deepEqual((await stranger.claim()).jobs, [])
    assert.deepEqual(await stranger.settle(held, COMPLETE), { status: 'lost' })
    const note = { queue: 'q', id: held.id, token: held.token, progress: 1, log: [] }
    assert.deepEqual(await other.note([note]), ['lost'])
    await other.control({ kind: 'cancel', queue: 'q', which: {}, reason: null }, null)
    await other.leave(node.id)
    await rig.clock.advance(LEASE + 1)
    assert.equal((await stranger.sweepAll()).freed, 0)
    assert.equal(await rig.stateOf(ref), 'running')
    assert.deepEqual(await node.check([held]), { gone: false, lost: [], cancelling: [] })
  },

  'dead letters stay in their scope': async (rig) => {
    const other = await rig.connect('other')
    await rig.declare({ deadLetter: 'dead' })
    await rig.put()
    const node = await rig.node()
    await node.settle(await node.take(), discardAs('d'))
    assert.deepEqual((await other.list({ queue: 'dead', which: {}, page: PAGE })).items, [])
    assert.deepEqual(idsOf(await rig.list('dead')), ['d'])
  },

  'hints come from every handle, and none after they were stopped': async (rig) => {
    if (!rig.store.traits.hints) return
    const ear = new Ear(rig)
    const other = await rig.connect()
    await rig.insert([rig.job({ queue: 'watched' })], other)
    await ear.hears('jobs', 'watched')
    const node = await rig.node(other)
    await node.settle(await node.take({ queue: 'watched' }), completeWith(1))
    await ear.hears('ends', 'watched')
    await rig.insert([rig.job({ queue: 'watched' })], other)
    await node.take({ queue: 'watched' })
    await other.control({ kind: 'cancel', queue: 'watched', which: {}, reason: null }, null)
    await ear.hears('control', 'watched')
    ear.stop()
    ear.stop()
    ear.hints.length = 0
    await rig.put()
    rig.hint()
    await rig.clock.advance(1_000)
    assert.deepEqual(ear.hints, [])
  },

  'a hint comes for a job that becomes the earliest due, too: whoever sleeps until then must wake':
    async (rig) => {
      if (!rig.store.traits.hints) return
      const ear = new Ear(rig)
      const other = await rig.connect()
      const node = await rig.node(other)
      const inserts = async (delay: number) => {
        await rig.insert([rig.job({ queue: 'timed', delay })], other)
      }
      const retries = async () => {
        await rig.insert([rig.job({ queue: 'timed', priority: 9 })], other)
        const held = await node.take({ queue: 'timed' })
        await ear.hears('jobs', 'timed')
        ear.hints.length = 0
        await node.settle(held, retryIn(1_000))
      }
      const sooner = [() => inserts(60_000), () => inserts(30_000), () => inserts(10_000), retries]
      for (const bring of sooner) {
        ear.hints.length = 0
        await bring()
        await ear.hears('jobs', 'timed')
      }
      ear.stop()
    },

  'watching is no opening: a handle that nobody watches sees everything': async (rig) => {
    const other = await rig.connect()
    const stop = other.watch(() => undefined)
    const ref = await rig.put()
    stop()
    assert.equal((await rig.view(ref, other)).state, 'available')
  },

  'a name and its traits are told': async (rig) => {
    const { name, traits } = rig.store
    assert.equal(typeof name, 'string')
    assert.ok(['nothing', 'process', 'power', 'server'].includes(traits.survives))
    assert.ok(['process', 'host', 'network'].includes(traits.reach))
    assert.ok(['thread', 'loop'].includes(traits.beat))
    assert.equal(rig.store.beatRecipe() === null, traits.beat === 'loop')
  },
}

export const life: Group = { title: 'opening, closing, scopes and hints', laws }
