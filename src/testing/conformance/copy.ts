/**
 * Copying: what one store keeps, another takes over as it was: every state with its history, order,
 * groups, keys, parents, schedules, pauses and rates; twice is once. Source and target are two scopes
 * of one medium here; that stores of different kinds carry to each other is tested beside.
 */
import assert from 'node:assert/strict'
import type { PortableJob } from '../../job/portable.js'
import type { Store } from '../../store.js'
import { COMPLETE, completeWith, idsOf, json, refOf, retryIn, unique } from './build.js'
import { carry, comparable, dumpAll, dumpOf, jobsIn, liveRichly } from './carrying.js'
import type { Group, Laws } from './law.js'
import { cardOf, PlayedNode } from './played-node.js'
import { MINUTE, player } from './played-scheduler.js'
import type { Rig } from './rig.js'

async function target(rig: Rig): Promise<Store> {
  return rig.connect('copy')
}

const nodeOn = (store: Store): Promise<PlayedNode> => PlayedNode.enlist(store, cardOf('there'))

const laws: Laws = {
  'what is carried is the same there, and twice is once': async (rig) => {
    await liveRichly(rig)
    const there = await target(rig)
    const before = comparable(await dumpAll(rig.store))
    const states = new Set((await jobsIn(rig.store)).map(({ state }) => state))
    for (const state of ['available', 'scheduled', 'retryable', 'waiting', 'receipt'] as const) {
      assert.ok(states.has(state), `there is a job that is ${state}`)
    }
    await carry(rig.store, there)
    assert.deepEqual(comparable(await dumpAll(there)), before)
    const again = await carry(rig.store, there)
    assert.deepEqual(new Set(again.map(({ status }) => status)), new Set(['present']))
    assert.deepEqual(comparable(await dumpAll(there)), before)
    assert.deepEqual(comparable(await dumpAll(rig.store)), before, 'a copy changes nothing here')
  },

  'a job is shown as it was, with history, origin, steps, log and result': async (rig) => {
    await liveRichly(rig)
    const there = await target(rig)
    await carry(rig.store, there)
    for (const job of await jobsIn(rig.store)) {
      const [here] = await rig.store.get([refOf(job)])
      assert.deepEqual((await there.get([refOf(job)]))[0], here)
    }
    assert.deepEqual(await there.settings('q').then(({ overrides }) => overrides), {
      ...{ concurrency: 9, limits: { backlog: 1_000 } },
    })
    await rig.clock.advance(4 * MINUTE)
    const held = (await (await nodeOn(there)).claim()).jobs.find(({ id }) => id === 'tried')
    assert.ok(held !== undefined)
    assert.equal(held.attempt, 2)
    assert.equal(held.timeout, 500)
    assert.deepEqual(held.steps, [{ name: 'charged', value: json({ paid: 1 }) }])
  },

  'claims come in the same order there': async (rig) => {
    for (let n = 0; n < 40; n++) {
      await rig.put({ priority: (n * 7) % 3, delay: ((n * 13) % 5) * 10 })
    }
    const there = await target(rig)
    await carry(rig.store, there)
    await rig.clock.advance(1_000)
    const here = await (await rig.node()).drain({ limit: 7 })
    assert.deepEqual(await (await nodeOn(there)).drain({ limit: 7 }), here)
  },

  'groups keep their order, and one that is blocked is blocked there': async (rig) => {
    await rig.declare({ order: 'blocking' })
    const ids = await rig.putMany(6, (n) => ({ group: n % 2 === 0 ? 'a' : 'b' }))
    const node = await rig.node()
    const [first] = (await node.claim({ limit: 1 })).jobs
    await node.settle(first, retryIn(MINUTE))
    const there = await target(rig)
    await carry(rig.store, there)
    const other = await nodeOn(there)
    const ofB = ids.filter((_, n) => n % 2 === 1)
    assert.deepEqual(await other.drain(), ofB)
    await rig.clock.advance(MINUTE)
    assert.deepEqual(
      await other.drain(),
      ids.filter((_, n) => n % 2 === 0),
    )
  },

  'unique keys and periods are held there': async (rig) => {
    const held = await rig.put({ unique: unique('k') })
    await rig.put({ id: 'done', unique: unique('p', { for: MINUTE }), priority: 1 })
    const node = await rig.node()
    await node.settle(await node.take(), COMPLETE)
    const there = await target(rig)
    await carry(rig.store, there)
    const answers = await rig.insert(
      ['k', 'p'].map((key) => rig.job({ unique: unique(key) })),
      there,
    )
    assert.deepEqual(answers, [
      { status: 'duplicate', id: held.id },
      { status: 'duplicate', id: 'done' },
    ])
    const other = await nodeOn(there)
    assert.deepEqual(await other.drain(), [held.id])
    await rig.clock.advance(MINUTE)
    for (const key of ['k', 'p']) {
      const job = rig.job({ unique: unique(key) })
      assert.deepEqual(await rig.insert([job], there), [{ status: 'inserted', id: job.id }])
    }
  },

  'a period that is over is not carried, though nothing was written since': async (rig) => {
    const node = await rig.node()
    await rig.put({ unique: unique('k', { for: MINUTE }) })
    await node.settle(await node.take(), COMPLETE)
    const hasKeys = async (): Promise<boolean[]> => {
      return (await dumpOf(rig.store, 'queues')).flatMap((one) => {
        return one.kind === 'queue' ? [one.hasKeys] : []
      })
    }
    assert.equal((await dumpOf(rig.store, 'keys')).length, 1)
    assert.deepEqual(await hasKeys(), [true])
    await rig.clock.advance(MINUTE)
    assert.deepEqual(await dumpOf(rig.store, 'keys'), [])
    assert.deepEqual(await hasKeys(), [false])
  },

  'a key that somebody has there keeps the job out, and tells whose it is': async (rig) => {
    const mine = await rig.put({ unique: unique('k') })
    const there = await target(rig)
    const theirs = rig.job({ unique: unique('k') })
    await rig.insert([theirs], there)
    const answers = await there.load(await jobsIn(rig.store))
    const refusal = { status: 'refused', why: 'key-held', key: 'k', by: theirs.id }
    assert.deepEqual(answers, [refusal])
    assert.deepEqual(await there.get([mine]), [null])
  },

  'children wait there for their parents, wherever these stand, and get their results': async (
    rig,
  ) => {
    const mum = rig.job({ id: 'mum' })
    const child = rig.job({ id: 'child', after: [refOf(mum), { queue: 'other', id: 'dad' }] })
    const dad = rig.job({ id: 'dad', queue: 'other' })
    await rig.insert([child, mum, dad])
    const node = await rig.node()
    await node.settle(await node.take({ queue: 'other' }), completeWith('from here'))
    const there = await target(rig)
    const [first] = await jobsIn(rig.store)
    assert.equal(first.id, 'child')
    const parent = refOf(mum)
    assert.deepEqual(await there.load([first]), [{ status: 'deferred', parent }])
    assert.deepEqual(await there.get([refOf(child)]), [null])
    await carry(rig.store, there)
    const other = await nodeOn(there)
    await other.settle(await other.take(), completeWith('from there'))
    assert.equal((await other.take()).id, 'child')
    assert.deepEqual(await there.parents(refOf(child)), [
      { ...refOf(mum), state: 'completed', result: json('from there') },
      { ...refOf(dad), state: 'completed', result: json('from here') },
    ])
  },

  'a slot that fired does not fire there, and the next one fires once': async (rig) => {
    const scheduler = player(rig)
    await scheduler.put('s', {}, rig.clock.wall())
    await scheduler.put('gone', {}, rig.clock.wall())
    await rig.clock.advance(MINUTE)
    const fired = await scheduler.round()
    assert.deepEqual(idsOf(fired.flatMap((one) => (one.status === 'fired' ? [one] : []))).length, 2)
    await scheduler.change({ kind: 'remove', queue: 'q', name: 'gone' })
    const there = await target(rig)
    await carry(rig.store, there)
    const other = player(rig, there)
    assert.deepEqual(await other.round(), [])
    await rig.clock.advance(MINUTE)
    assert.equal((await other.round()).length, 1)
    const planned = await there.plan({
      ...{ kind: 'put', queue: 'q', name: 'gone', revision: 0, next: null },
      spec: (await other.row('s')).spec,
    })
    assert.equal(planned.status, 'stale', 'what is remembered of a removed one came along')
  },

  'what a rate has granted counts there': async (rig) => {
    await rig.declare({ rate: { count: 3, per: MINUTE, key: null } })
    await rig.declare({ groups: { rate: { count: 1, per: MINUTE } } }, 'g')
    await rig.putMany(5)
    await rig.putMany(4, (n) => ({ queue: 'g', group: n % 2 === 0 ? 'a' : 'b' }))
    const node = await rig.node()
    assert.equal((await node.drain({ limit: 2 })).length, 3)
    await node.settle(await node.take({ queue: 'g' }), COMPLETE)
    const there = await target(rig)
    await carry(rig.store, there)
    const other = await nodeOn(there)
    assert.equal((await other.drain()).length, 0)
    assert.equal((await other.drain({ queue: 'g' })).length, 1, 'the other group')
    await rig.clock.advance(MINUTE + 1_000)
    assert.equal((await other.drain()).length, 2)
    assert.equal((await other.drain({ queue: 'g' })).length, 2)
  },

  'a rest that a handler asked for is kept there': async (rig) => {
    await rig.putMany(2)
    const node = await rig.node()
    const { queue, id, token } = await node.take()
    const throttles = [{ what: 'queue', delay: MINUTE } as const]
    await rig.store.note([{ queue, id, token, progress: null, log: [], throttles }])
    await node.settleAll([{ queue, id, token, verdict: { kind: 'release' }, ran: null }])
    const there = await target(rig)
    await carry(rig.store, there)
    const other = await nodeOn(there)
    assert.deepEqual(await other.drain(), [])
    await rig.clock.advance(MINUTE)
    assert.equal((await other.drain()).length, 2)
  },

  'what was said there stays, and a pause of everything comes along': async (rig) => {
    await rig.declare({ attempts: 3, concurrency: 1 })
    await rig.control({ kind: 'pause', queue: null, group: null, by: 'me' })
    const there = await target(rig)
    await there.declare('q', { attempts: 9 })
    await carry(rig.store, there)
    assert.deepEqual((await there.settings('q')).declared, { attempts: 9 })
    const [scope] = await dumpOf(there, 'queues')
    assert.equal(scope.kind, 'scope')
  },

  'a job that runs is told, and taken over by nobody': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await node.take()
    const jobs: PortableJob[] = await jobsIn(rig.store)
    assert.deepEqual(jobs[0].holder, { node: node.id, worker: node.worker })
    const there = await target(rig)
    assert.deepEqual(await there.load(jobs), [{ status: 'refused', why: 'running' }])
    assert.deepEqual(await there.get([ref]), [null])
  },

  'pages of any size say the same, of all queues or of some': async (rig) => {
    await liveRichly(rig)
    const all = await dumpOf(rig.store, 'jobs', 1_000)
    for (const limit of [1, 4]) assert.deepEqual(await dumpOf(rig.store, 'jobs', limit), all)
    const page = { limit: 1_000, cursor: null }
    const some = await rig.store.dump({ part: 'jobs', queues: ['kin', 'none'], page })
    assert.deepEqual(
      some.items,
      all.filter((item) => item.kind === 'job' && item.queue === 'kin'),
    )
  },
}

export const copying: Group = { title: 'copying', laws }
