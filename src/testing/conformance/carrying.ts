/**
 * Carrying what one store keeps to another, as the laws do it: all parts, page by page, again and
 * again until nothing is deferred. And a life that has something of everything, to be carried.
 */
import assert from 'node:assert/strict'
import type { Loaded, Portable, PortableJob } from '../../job/portable.js'
import { PARTS } from '../../job/portable.js'
import type { Part } from '../../job/portable.js'
import type { Store } from '../../store.js'
import { COMPLETE, completeWith, discardAs, json, retryIn, snoozeFor, unique } from './build.js'
import type { PlayedNode } from './played-node.js'
import { MINUTE, player } from './played-scheduler.js'
import type { Rig } from './rig.js'

const MOST_PAGES = 10_000

export async function dumpOf(store: Store, part: Part, limit = 7): Promise<Portable[]> {
  const items: Portable[] = []
  let cursor: string | null = null
  for (let pages = 0; pages === 0 || cursor !== null; pages++) {
    assert.ok(pages < MOST_PAGES, 'a dump comes to an end')
    const page: Awaited<ReturnType<Store['dump']>> = await store.dump({
      ...{ part, queues: null },
      page: { limit, cursor },
    })
    assert.ok(page.items.length <= limit + 1, 'a page holds about its limit')
    items.push(...page.items)
    cursor = page.cursor
  }
  return items
}

export async function dumpAll(store: Store): Promise<Portable[]> {
  const items: Portable[] = []
  for (const part of PARTS) items.push(...(await dumpOf(store, part)))
  return items
}

export async function jobsIn(store: Store): Promise<PortableJob[]> {
  return (await dumpOf(store, 'jobs')).filter((item) => item.kind === 'job')
}

/** In a fixed order, and without what is told but not carried. */
export function comparable(items: readonly Portable[]): unknown[] {
  const lines = items.map((item): readonly [string, Portable] => {
    const said = item.kind === 'queue' ? { ...item, transit: null } : item
    return [JSON.stringify([item.kind, said]), said]
  })
  lines.sort(([a], [b]) => (a < b ? -1 : 1))
  return lines.map(([, said]) => said)
}

/** All of it, in lots of `size`; answers what became of each in the last round. */
export async function carry(from: Store, to: Store, size = 5): Promise<Loaded[]> {
  let answers: Loaded[] = []
  for (let rounds = 0; rounds < 20; rounds++) {
    answers = []
    const items = await dumpAll(from)
    for (let at = 0; at < items.length; at += size) {
      const some = items.slice(at, at + size)
      const loaded = await to.load(some)
      assert.equal(loaded.length, some.length, 'as many answers as items')
      answers.push(...loaded)
    }
    if (answers.every(({ status }) => status !== 'deferred')) return answers
  }
  return answers
}

const KEEP = { count: 100, for: 3_600_000 }

/** Jobs in every state but running, with all that can belong to them. */
export async function liveRichly(rig: Rig): Promise<PlayedNode> {
  await rig.declare({ attempts: 5, keep: { completed: KEEP }, deadLetter: 'dead' })
  await rig.declare({ rate: { count: 50, per: MINUTE, key: 'smtp' } }, 'rated')
  await rig.declare({ order: 'blocking', groups: { concurrency: 2 } }, 'strict')
  const say = { concurrency: 9, limits: { backlog: 1_000 } }
  await rig.store.override('q', { say, takeBack: [] })
  const node = await rig.node()
  await rich(rig, node)
  await related(rig, node)
  await rig.put({ queue: 'rated' })
  await rig.put({ queue: 'rated', group: 'g' })
  await node.settle(await node.take({ queue: 'rated' }), COMPLETE)
  // Of a queue without a place for dead letters: it stays where it is.
  await rig.put({ queue: 'rated', id: 'hopeless', priority: 9 })
  const discard = discardAs('no letter', 'given-up', 'no use')
  await node.settle(await node.take({ queue: 'rated' }), discard)
  for (const group of ['a', 'a', 'b', 'b']) await rig.put({ queue: 'strict', group })
  await node.settle(await node.take({ queue: 'strict' }), retryIn(5 * MINUTE))
  const by = 'an operator'
  await rig.control({ kind: 'pause', queue: 'rated', group: null, by })
  await rig.control({ kind: 'pause', queue: 'strict', group: 'b', by })
  const scheduler = player(rig)
  await scheduler.put('s', { overlap: 'skip' }, rig.clock.wall())
  await scheduler.put('gone', {}, rig.clock.wall())
  await rig.clock.advance(MINUTE)
  await scheduler.round()
  await scheduler.change({ kind: 'remove', queue: 'q', name: 'gone' })
  return node
}

/** One job after another, each with a life of its own. */
async function rich(rig: Rig, node: PlayedNode): Promise<void> {
  const note = { progress: 0.5, log: ['one', 'two'] }
  await rig.put({ id: 'tried', meta: json({ a: 1 }), tags: ['x'], timeout: 500, priority: 9 })
  const tried = await node.take()
  const step = { name: 'charged', value: json({ paid: 1 }) }
  await rig.store.note([{ queue: 'q', id: 'tried', token: tried.token, ...note, step }])
  await node.settle(tried, retryIn(3 * MINUTE))
  await rig.put({ id: 'buried', unique: unique('k-dead'), attempts: 3, priority: 9 })
  await node.settle(await node.take(), discardAs('letter', 'attempts-spent', 'all in vain'))
  await rig.put({ id: 'snoozed', priority: 9 })
  await node.settle(await node.take(), snoozeFor(MINUTE))
  await rig.put({ id: 'done', ownId: true, priority: 9 })
  await node.settle(await node.take(), completeWith({ sent: true }))
  await rig.put({ id: 'period', unique: unique('k-period', { for: 60 * MINUTE }), priority: 9 })
  await node.settle(await node.take(), COMPLETE)
  await rig.put({ id: 'crashed', priority: 9, ownId: true })
  const other = await rig.node()
  await other.take()
  await rig.clock.advance(40_000)
  await node.sweepAll()
  const cancelled = await rig.put({ id: 'cancelled', group: 'g' })
  const deleted = await rig.put({ id: 'deleted', ownId: true })
  for (const [kind, { id }] of [
    ['cancel', cancelled],
    ['delete', deleted],
  ] as const) {
    const which = { ids: [id] }
    const of = { queue: 'q', which }
    await rig.control(kind === 'cancel' ? { kind, ...of, reason: 'no' } : { kind, ...of })
  }
  await rig.put({ id: 'later', at: rig.clock.wall() + 7 * MINUTE, expiresIn: MINUTE })
  await rig.put({
    id: 'changed',
    delay: 2 * MINUTE,
    payload: { text: '∞\n\t\u001e', codec: 'rich' },
  })
  const change = { payload: json('new'), priority: 3 }
  await rig.control({ kind: 'update', queue: 'q', id: 'changed', change })
  await rig.put({ id: 'keyed', unique: unique('k-held'), ownId: true })
  await rig.put({ id: 'first', unique: unique('k-first', { while: 'waiting' }) })
  for (const group of ['', 'g', 'h', '']) await rig.put({ group })
}

async function related(rig: Rig, node: PlayedNode): Promise<void> {
  const mum = await rig.put({ queue: 'kin', id: 'mum' })
  const dad = await rig.put({ queue: 'kin', id: 'dad' })
  const child = rig.job({ queue: 'kin', id: 'child', after: [mum, dad], onParentFailed: 'run' })
  await rig.insert([child])
  const end = async (verdict: Parameters<PlayedNode['settle']>[1]): Promise<void> => {
    await node.settle(await node.take({ queue: 'kin', limit: 1 }), verdict)
  }
  await end(completeWith('hello'))
  await rig.put({ queue: 'kin', id: 'aunt' })
  // It stands before what it comes after.
  const late = rig.job({ queue: 'kin', id: 'late' })
  const early = rig.job({ queue: 'kin', id: 'early', after: [late] })
  await rig.insert([early, late])
  const after = [{ queue: 'kin', id: 'child' }]
  await rig.insert([rig.job({ queue: 'kin', id: 'grandchild', after })])
}
