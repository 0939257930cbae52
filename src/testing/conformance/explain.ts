/**
 * What `explain` says is what claims do: each gate is told with its numbers while it is closed, and
 * a job without gates is taken by a claim that reaches as far as it stands. Groups as operators see
 * them are here, too.
 */
import assert from 'node:assert/strict'
import type { Gate, Explained } from '../../job/gate.js'
import type { JobRef } from '../../job/job.js'
import { grantSpan } from '../../job/rate.js'
import { COMPLETE, QUEUE, refOf, retryIn, upTo } from './build.js'
import { explainWalk } from './explain-walk.js'
import type { Group, Laws } from './law.js'
import { LEASE, workerOf } from './played-node.js'
import { countsOf } from './rig.js'
import type { Rig } from './rig.js'

async function explained(rig: Rig, ref: JobRef): Promise<Explained> {
  const [answer] = await rig.store.explain([ref])
  assert.ok(answer !== null, `${ref.id} is known`)
  return answer
}

async function gatesOf(rig: Rig, ref: JobRef): Promise<readonly Gate[]> {
  return (await explained(rig, ref)).gates
}

const ofQueue = (id: string): JobRef => ({ queue: QUEUE, id })

/** A shorter walk may not come to both answers. */
const SEES_BOTH = 120

const laws: Laws = {
  'one answer for each, in order; what nobody knows is null': async (rig) => {
    await rig.node()
    const ref = await rig.put()
    const answers = await rig.store.explain([ofQueue('x'), ref, { queue: 'r', id: ref.id }])
    assert.deepEqual(answers, [null, { state: 'available', gates: [], ahead: 0 }, null])
    assert.equal(await rig.store.explainQueue('unheard of'), null)
  },

  'what is due and open says how many go first': async (rig) => {
    await rig.node()
    const ids = await rig.putMany(3)
    const urgent = await rig.put({ priority: 9 })
    const answers = await rig.store.explain([urgent, ...ids.map(ofQueue)])
    assert.deepEqual(
      answers.map((answer) => [answer?.gates, answer?.ahead]),
      [0, 1, 2, 3].map((ahead) => [[], ahead]),
    )
  },

  'those that go first are of its task, and in time': async (rig) => {
    await rig.node()
    await rig.put({ expiresIn: 1_000 })
    await rig.put({ priority: 9, expiresIn: 1_000 })
    await rig.put({ task: 'other', priority: 9 })
    const [first, , last] = await rig.putMany(3, (at) => ({ priority: at === 2 ? -9 : 0 }))
    await rig.put({ priority: 9, delay: 2_000 })
    const ahead = async (): Promise<unknown[]> => {
      const told = await rig.store.explain([first, last].map(ofQueue))
      return told.map((one) => [one?.gates, one?.ahead])
    }
    const of = (...numbers: number[]): unknown[] => numbers.map((one) => [[], one])
    assert.deepEqual(await ahead(), of(2, 4))
    await rig.clock.advance(1_001)
    assert.deepEqual(await ahead(), of(0, 2))
    await rig.clock.advance(1_000)
    assert.deepEqual(await ahead(), of(1, 3))
  },

  'looking changes nothing': async (rig) => {
    for (const group of ['a', 'b', 'c']) await rig.putMany(20, () => ({ group }))
    const node = await rig.node()
    const refs = (await rig.list()).map(refOf)
    for (const _ of upTo(3)) await rig.store.explain(refs)
    const { jobs } = await node.claim({ limit: 30 })
    for (const group of ['a', 'b', 'c']) {
      assert.equal(jobs.filter((job) => job.group === group).length, 10, group)
    }
  },

  'a job that runs, and one that ended': async (rig) => {
    const node = await rig.node()
    const ref = await rig.put()
    await rig.clock.advance(50)
    const held = await node.take()
    const since = rig.clock.wall()
    const running = {
      kind: 'running',
      worker: node.worker,
      attempt: 1,
      since,
      until: since + LEASE,
    }
    assert.deepEqual(await explained(rig, ref), { state: 'running', gates: [running], ahead: 0 })
    await rig.clock.advance(50)
    await node.settle(held, { kind: 'cancel', reason: null })
    const final = { kind: 'final', state: 'cancelled', since: rig.clock.wall() }
    assert.deepEqual(await explained(rig, ref), { state: 'cancelled', gates: [final], ahead: 0 })
  },

  'a job for later, and one that backs off': async (rig) => {
    const node = await rig.node()
    const later = await rig.put({ delay: 5_000 })
    const ref = await rig.put()
    await node.settle(await node.take(), retryIn(3_000))
    await rig.clock.advance(1_000)
    assert.deepEqual(await gatesOf(rig, later), [
      { kind: 'not-due', state: 'scheduled', opensIn: 4_000 },
    ])
    assert.deepEqual(await gatesOf(rig, ref), [
      { kind: 'not-due', state: 'retryable', opensIn: 2_000 },
    ])
    await rig.clock.advance(2_000)
    assert.deepEqual(await explained(rig, ref), { state: 'available', gates: [], ahead: 0 })
  },

  'one that was not started in time, and one whose attempts are used': async (rig) => {
    const node = await rig.node()
    const late = await rig.put({ expiresIn: 100 })
    await rig.clock.advance(200)
    assert.deepEqual(await gatesOf(rig, late), [{ kind: 'ending', reason: 'expired' }])
    await rig.control({ kind: 'delete', queue: QUEUE, which: { ids: [late.id] } })
    const spent = await rig.put()
    await node.settle(await node.take(), retryIn(0))
    await rig.declare({ attempts: 1 })
    assert.deepEqual(await gatesOf(rig, spent), [{ kind: 'ending', reason: 'attempts-spent' }])
  },

  'pauses: by whom and since when, each by itself': async (rig) => {
    await rig.node()
    const ref = await rig.put({ group: 'g' })
    const gates: Gate[] = []
    for (const what of ['all', 'queue', 'group'] as const) {
      await rig.clock.advance(10)
      const queue = what === 'all' ? null : QUEUE
      const group = what === 'group' ? 'g' : null
      await rig.control({ kind: 'pause', queue, group, by: `who paused ${what}` })
      const since = rig.clock.wall()
      gates.push({ kind: 'paused', what, where: 'everywhere', since, by: `who paused ${what}` })
    }
    assert.deepEqual(await gatesOf(rig, ref), gates)
    assert.deepEqual((await rig.store.explainQueue(QUEUE))?.gates, gates)
  },

  'a cap tells its limit and who runs; those ahead may fill it, too': async (rig) => {
    await rig.declare({ concurrency: 2 })
    const node = await rig.node()
    const [first, second, third] = await rig.putMany(3)
    const cap = { kind: 'cap', what: 'queue', limit: 2 }
    assert.deepEqual(await explained(rig, ofQueue(third)), {
      state: 'available',
      gates: [{ ...cap, running: 0, first: [] }],
      ahead: 2,
    })
    await node.claim()
    const ids = [first, second].map(ofQueue)
    assert.deepEqual(await gatesOf(rig, ofQueue(third)), [{ ...cap, running: 2, first: ids }])
  },

  'a group’s cap names the group’s own': async (rig) => {
    await rig.declare({ groups: { concurrency: 1 } })
    const node = await rig.node()
    const [a, b] = await rig.putMany(2, () => ({ group: 'g' }))
    await node.take()
    await rig.put({ group: 'h' })
    await node.take()
    const cap = { kind: 'cap', what: 'group', limit: 1, running: 1, first: [ofQueue(a)] }
    assert.deepEqual(await gatesOf(rig, ofQueue(b)), [cap])
  },

  'a rate tells what is spent, and when it opens': async (rig) => {
    await rig.declare({ rate: { count: 2, per: 1_000, key: 'smtp' } })
    const node = await rig.node()
    const [, , third] = await rig.putMany(3)
    await node.claim()
    await rig.clock.advance(300)
    const opensIn = grantSpan(1_000) - 300
    const rate = { kind: 'rate', what: 'key', key: 'smtp', count: 2, per: 1_000, spent: 2, opensIn }
    assert.deepEqual(await gatesOf(rig, ofQueue(third)), [rate])
    await rig.declare({ groups: { rate: { count: 1, per: 500 } } })
    await node.take()
    const fourth = await rig.put()
    const own = { what: 'group', key: '', count: 1, per: 500, spent: 1, opensIn: grantSpan(500) }
    assert.deepEqual(await gatesOf(rig, fourth), [{ kind: 'rate', ...own }])
  },

  'blocking order names who stands before: head, runner, who failed': async (rig) => {
    await rig.declare({ order: 'blocking', attempts: 7 })
    const node = await rig.node()
    const [first, second] = await rig.putMany(2, () => ({ group: 'g' }))
    const by = { kind: 'group-blocked', group: 'g', by: ofQueue(first), maxAttempts: 7 }
    const gate = async () => (await gatesOf(rig, ofQueue(second)))[0]
    assert.deepEqual(await gate(), { ...by, state: 'available', attempt: 0, opensIn: null })
    const held = await node.take()
    assert.deepEqual(await gate(), { ...by, state: 'running', attempt: 1, opensIn: null })
    await node.settle(held, retryIn(40_000))
    assert.deepEqual(await gate(), { ...by, state: 'retryable', attempt: 1, opensIn: 40_000 })
    await rig.clock.advance(40_000)
    await node.settle(await node.take(), COMPLETE)
    assert.deepEqual(await gatesOf(rig, ofQueue(second)), [])
  },

  'nobody knows the task, or nobody is there at all': async (rig) => {
    const ref = await rig.put({ task: 't' })
    assert.deepEqual(await gatesOf(rig, ref), [{ kind: 'no-worker', task: 't', workers: 0 }])
    const workers = [workerOf('w1', { tasks: ['u'] }), workerOf('w2', { state: 'paused' })]
    await rig.node(rig.store, { workers: [...workers, workerOf('w3', { queue: 'r' })] })
    assert.deepEqual(await gatesOf(rig, ref), [{ kind: 'no-worker', task: 't', workers: 2 }])
    const node = await rig.node(rig.store, { workers: [workerOf('w4', { tasks: ['t', 'u'] })] })
    assert.deepEqual(await gatesOf(rig, ref), [])
    await node.leave()
    assert.deepEqual(await gatesOf(rig, ref), [{ kind: 'no-worker', task: 't', workers: 2 }])
  },

  'one that must run alone waits for a node that runs nothing': async (rig) => {
    const ref = await rig.put()
    const other = await rig.node()
    for (const _ of upTo(2)) {
      const dead = await rig.node(await rig.connect())
      await dead.claim()
      await rig.clock.advance(LEASE + 1)
      await other.beat()
      await other.sweepAll()
    }
    assert.deepEqual(await gatesOf(rig, ref), [])
    await rig.put()
    await other.take()
    const alone = { kind: 'alone', crashes: 2, busyWorkers: 1 }
    assert.deepEqual(await gatesOf(rig, ref), [alone])
  },

  'a queue tells what holds it, and which job is next': async (rig) => {
    const node = await rig.node()
    const later = await rig.put({ delay: 900 })
    assert.deepEqual(await rig.store.explainQueue(QUEUE), {
      queue: QUEUE,
      gates: [{ kind: 'not-due', state: 'scheduled', opensIn: 900 }],
      counts: countsOf({ scheduled: 1 }),
      next: later,
    })
    await rig.declare({ groups: { concurrency: 1 }, concurrency: 5 })
    const [a, b] = await rig.putMany(2, () => ({ group: 'g' }))
    const open = await rig.store.explainQueue(QUEUE)
    assert.deepEqual([open?.gates, open?.next], [[], ofQueue(a)])
    await node.take()
    const cap = { kind: 'cap', what: 'group', limit: 1, running: 1, first: [ofQueue(a)] }
    const closed = await rig.store.explainQueue(QUEUE)
    assert.deepEqual([closed?.gates, closed?.next], [[cap], ofQueue(b)])
    await rig.control({ kind: 'pause', queue: QUEUE, group: null, by: 'me' })
    const paused = await rig.store.explainQueue(QUEUE)
    const since = rig.clock.wall()
    const pause = { kind: 'paused', what: 'queue', where: 'everywhere', since, by: 'me' }
    assert.deepEqual([paused?.gates, paused?.next], [[pause, cap], ofQueue(b)])
  },

  'the next of a closed queue: what is due, else due soonest, else what waits': async (rig) => {
    await rig.node()
    const next = async (): Promise<string | undefined> => {
      const told = await rig.store.explainQueue(QUEUE)
      assert.deepEqual(told?.gates[0]?.kind, 'paused')
      return told?.next?.id
    }
    await rig.control({ kind: 'pause', queue: QUEUE, group: null, by: 'me' })
    const parent = await rig.put({ queue: 'r' })
    const child = rig.job({ after: [parent] })
    await rig.insert([child])
    assert.equal(await next(), child.id)
    await rig.put({ delay: 9_000 })
    const soon = await rig.put({ delay: 3_000, task: 'other', group: 'g' })
    assert.equal(await next(), soon.id)
    await rig.putMany(2, (at) => ({ group: `g${at}`, priority: -at }))
    const urgent = await rig.put({ group: 'h', priority: 5 })
    await rig.put({ group: 'i', priority: 5, task: 'other' })
    assert.equal(await next(), urgent.id)
  },

  'who stands behind the first of his group is told so, however many groups there are': async (
    rig,
  ) => {
    await rig.declare({ order: 'blocking' })
    await rig.node()
    const ids = await rig.putMany(40, (at) => ({ group: `g${at % 20}` }))
    await rig.control({ kind: 'pause', queue: QUEUE, group: null, by: 'me' })
    for (const pausedGroup of [false, true]) {
      for (const at of [0, 19]) {
        const told = await rig.store.explain([ids[at], ids[at + 20]].map(ofQueue))
        const kinds = told.map((one) => one?.gates.map(({ kind }) => kind) ?? [])
        const own = pausedGroup ? ['paused'] : []
        assert.deepEqual(kinds, [
          ['paused', ...own],
          ['paused', ...own, 'group-blocked'],
        ])
      }
      for (const at of [0, 19]) {
        await rig.control({ kind: 'pause', queue: QUEUE, group: `g${at}`, by: 'me' })
      }
    }
  },

  'the next of a queue may be late for good': async (rig) => {
    const node = await rig.node()
    const late = await rig.put({ group: 'g', expiresIn: 10 })
    await rig.put({ delay: 9_000 })
    await rig.clock.advance(11)
    assert.deepEqual((await node.claim()).jobs, [])
    const told = await rig.store.explainQueue(QUEUE)
    assert.deepEqual([told?.next, told?.gates[0]?.kind], [late, 'ending'])
  },

  'a queue in which nothing waits has no next': async (rig) => {
    const node = await rig.node()
    await rig.put()
    await node.take()
    const told = await rig.store.explainQueue(QUEUE)
    assert.deepEqual([told?.gates, told?.next, told?.counts.running], [[], null, 1])
  },

  'groups: counts by state, pauses, and who blocks': async (rig) => {
    await rig.declare({ order: 'blocking' })
    const node = await rig.node()
    const [first] = await rig.putMany(3, () => ({ group: 'b' }))
    await rig.putMany(2, (at) => ({ group: 'a', delay: at * 1_000 }))
    await node.settle(await node.take(), retryIn(5_000))
    await rig.control({ kind: 'pause', queue: QUEUE, group: 'c', by: 'me' })
    const held = (await node.claim()).jobs.map(({ id }) => id)
    const rows = [
      { group: 'a', counts: countsOf({ running: 1, scheduled: 1 }), blockedBy: held[0] },
      { group: 'b', counts: countsOf({ retryable: 1, available: 2 }), blockedBy: first },
      { group: 'c', counts: countsOf({}), blockedBy: null, paused: true },
    ].map((row) => ({ paused: false, ...row }))
    const all = await rig.store.groups(QUEUE, { limit: 10, cursor: null })
    assert.deepEqual(all, { items: rows, cursor: null })
    const page = await rig.store.groups(QUEUE, { limit: 2, cursor: null })
    const rest = await rig.store.groups(QUEUE, { limit: 2, cursor: page.cursor })
    assert.deepEqual([...page.items, ...rest.items], rows)
    assert.deepEqual(await rig.store.groups('none', { limit: 2, cursor: null }), {
      items: [],
      cursor: null,
    })
  },

  'no gates and fewer than k ahead: exactly then a claim of k takes it': async (rig) => {
    await explainWalk(rig, 17, Math.max(SEES_BOTH, rig.long(600)))
  },
}

export const explaining: Group = { title: 'explain', laws }
