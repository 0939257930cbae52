/**
 * What a store does alone: frees what the dead hold, ends what expired or has no attempt left,
 * prunes. Whatever may concern a sweep is laid on a sheet, bounded; what is to be done with it, the
 * book decides (`decide-sweep.ts`).
 */
import { decideSweep, silence } from '../../job/book/decide-sweep.js'
import type { Millis } from '../../job/job.js'
import type { FinalState } from '../../job/job.js'
import { FINAL_STATES } from '../../job/job.js'
import type { Kept } from '../../job/settings.js'
import { COMPLETED, RECEIPT } from '../../job/book/columns.js'
import type { NodeCard, SweepAsk, Swept } from '../../store.js'
import { reunite } from './arriving.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import type { News } from './news.js'
import { factsOf } from './nodes.js'
import type { Liveness, Nodes } from './nodes.js'
import type { Tx, Value } from './port.js'
import type { Queues } from './queues.js'
import { settingsOf } from './queues.js'
import type { JobRow } from './row.js'
import type { NodeFacts, QueueFacts } from './sheet.js'

/** For how long a repeated settlement is answered as the first time. */
export const SETTLED_FOR = 5 * 60_000

export async function sweep(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  ask: SweepAsk,
  news: News,
): Promise<Swept> {
  const gatherer = new Gatherer(tx, queues, 'beside')
  const { sheet } = gatherer
  const all = await tx.all('queue.all', [queues.scope])
  const locked = new Set(all.map(({ id }) => id))
  await tx.lock([...locked], 'beside')
  // As they are behind the lock; one that came meanwhile has its turn next time.
  for (const row of await tx.all('queue.all', [queues.scope])) {
    if (locked.has(row.id)) gatherer.add(queues.factsOf(row))
  }
  const reunited = await reunite(tx, queues, ask.limit, news)
  const facts = [...sheet.queues.values()]
  const held = await heldByTheSilent(tx, queues, nodes, ask, gatherer)
  const waiting = [
    ...(await tx.all('job.expired', [queues.scope, tx.now, ask.limit + 1])),
    ...(await tx.all('job.spent', [queues.scope, ask.limit + 1])),
  ]
  const counted = await kept(tx, facts)
  const ended = await endedPast(tx, facts, counted, ask.limit + 1)
  sheet.addJobs([...held, ...waiting, ...ended])
  await gatherer.ends([...sheet.rows.values()])
  sheet.open()
  for (const [name, count] of counted) {
    const [id, state] = name.split('/').map(Number)
    sheet.queueBook(id).counts[state] = count
  }
  const liveness: Liveness = (card) => nodes.liveness(card)
  const calm = ask.calm ?? Infinity
  const view = { self: ask.node, now: tx.now, limit: ask.limit, calm, liveness }
  const { frames, more } = decideSweep(sheet.ledger, view)
  const happened = [...reunited.happened]
  const lostNodes: NodeCard[] = []
  let pruned = 0
  for (const frame of frames) {
    if (frame.kind === 'drop') {
      pruned += sheet.book.apply<'drop'>(frame, tx.now, [])
      continue
    }
    const swept = sheet.book.apply<'sweep'>(frame, tx.now, [])
    happened.push(...swept.happened)
    if (swept.lost !== null) lostNodes.push(swept.lost)
  }
  await flush(tx, queues, sheet, news)
  sheet.close()
  await tidy(tx, queues)
  return {
    freed: happened.filter(({ kind }) => kind === 'lost' || kind === 'timeout').length,
    expired: happened.filter(({ kind }) => kind === 'expired').length,
    discarded: happened.filter(({ state }) => state === 'discarded').length,
    pruned,
    more: more || reunited.more,
    happened,
    lostNodes,
  }
}

/** All that is held by nodes which may be gone, or by none that is known; each one more than is swept. */
async function heldByTheSilent(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  ask: SweepAsk,
  { sheet }: Gatherer,
): Promise<JobRow[]> {
  const isSilent = (one: NodeFacts): boolean => isSuspect(one, ask, nodes, tx.now)
  const seen = (await nodes.all(tx)).filter(isSilent).map(({ node }) => [node])
  // Whoever gives a sign of life from now on waits; who gave one meanwhile is left alone.
  const suspects = (await tx.each('node.lock', [queues.scope], seen)).map(factsOf).filter(isSilent)
  sheet.nodes.push(...suspects)
  const { scope } = queues
  tx.spread({ of: 'nodes', scope, nodes: suspects.map(({ node }) => node) })
  tx.spread({ of: 'strangers', scope })
  const limit = ask.limit + 1
  const held = await tx.each(
    'node.held',
    [queues.scope, limit],
    suspects.map(({ node }) => [node]),
  )
  const orphans = await tx.all('job.orphans', [queues.scope, limit])
  for (const node of new Set(orphans.map((row) => row.node ?? ''))) {
    const card = { node, host: '', pid: 0, lease: 0, workers: [] }
    const silent = { startedAt: 0, beats: 0, lastBeat: 0, overdue: [] }
    sheet.nodes.push({ node, card, ...silent, gone: true })
  }
  return [...held, ...orphans]
}

/** It may be gone, or holds what may be over. */
export function isSuspect(
  { node, card, gone, lastBeat, overdue }: NodeFacts,
  ask: SweepAsk,
  { liveness }: Nodes,
  now: Millis,
): boolean {
  if (node === ask.node) return false
  if (gone || overdue.length > 0 || silence(lastBeat, now, ask.calm) > card.lease) return true
  return liveness(card) === 'dead'
}

function keepOf(facts: QueueFacts, state: FinalState): Kept {
  return settingsOf(facts).keep[state]
}

/** How many finals there are, where only so many stay; by queue and state. */
export async function kept(
  tx: Tx,
  facts: readonly QueueFacts[],
): Promise<ReadonlyMap<string, number>> {
  const asked: Value[][] = []
  for (const one of facts) {
    FINAL_STATES.forEach((state, at) => {
      if (keepOf(one, state).count !== Infinity) asked.push([one.id, COMPLETED + at])
    })
  }
  const rows = await tx.each('ended.count', [], asked)
  return new Map(rows.map(({ queue, state, ended }) => [`${queue}/${state}`, ended]))
}

/** Finals beyond their time or their number, and receipts beyond their time, oldest first. */
export async function endedPast(
  tx: Tx,
  facts: readonly QueueFacts[],
  counted: ReadonlyMap<string, number>,
  limit: number,
): Promise<JobRow[]> {
  const asked: Value[][] = []
  for (const one of facts) {
    FINAL_STATES.forEach((state, at) => {
      const { for: span, count } = keepOf(one, state)
      const over = (counted.get(`${one.id}/${COMPLETED + at}`) ?? 0) - count
      if (over > 0) asked.push([one.id, COMPLETED + at, tx.now, Math.min(over, limit)])
      if (span !== Infinity) asked.push([one.id, COMPLETED + at, tx.now - span, limit])
    })
    const { receipts } = settingsOf(one)
    if (receipts !== Infinity) asked.push([one.id, RECEIPT, tx.now - receipts, limit])
  }
  return tx.each('ended.past', [], asked)
}

/** What is over says the same as nothing. */
async function tidy(tx: Tx, queues: Queues): Promise<void> {
  const { scope } = queues
  await tx.all('key.lapse', [scope, tx.now])
  await tx.all('grant.lapse', [scope, tx.now])
  await tx.all('throttle.lapse', [scope, tx.now])
  await tx.all('settled.lapse', [scope, tx.now - SETTLED_FOR])
}
