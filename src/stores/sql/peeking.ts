/**
 * Looking before asking: an idle worker polls and sweeps for ever, and nearly always in vain. So
 * whoever found nothing looks first, by one statement that changes and locks nothing, whether there
 * can be anything now; only then is it asked in earnest. A hint makes it ask at once.
 */
import type { ClaimAnswer, ClaimAsk } from '../../job/claim.js'
import type { Millis } from '../../job/job.js'
import { isFrugal } from '../../job/book/views.js'
import type { SweepAsk, Swept } from '../../store.js'
import type { Nodes } from './nodes.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { lanesFor, settingsOf } from './queues.js'
import { SETTLED_FOR, endedPast, isSuspect, kept } from './sweeping.js'

/** The answer to a claim that would get nothing; null: it must be asked. */
export async function peek(
  tx: Tx,
  queues: Queues,
  node: string,
  ask: ClaimAsk,
): Promise<ClaimAnswer | null> {
  const rows = await tx.all('claim.peek', [queues.scope, ask.queue, node, tx.now])
  if (rows.length === 0 || rows[0].is_fresh === 0) return null
  const facts = queues.factsOf(rows[0])
  const lanes = rows.flatMap(({ lane, task, kind }) => {
    return lane === null ? [] : [{ id: lane, queue: facts.id, task, kind }]
  })
  const { shared, alone } = lanesFor(lanes, ask.tasks)
  let next: Millis | null = null
  for (const row of rows) {
    if (row.lane === null || ![...shared, ...alone].includes(row.lane)) continue
    if (row.is_ready === 1) return null
    if (row.next !== null) next = Math.min(next ?? Infinity, row.next)
  }
  const settings = settingsOf(facts)
  const frugal = isFrugal(settings)
  // When a gate lets it pass is more than this look can tell.
  if (next !== null && (frugal || facts.paused !== null || next <= tx.now)) return null
  const nextIn = next === null ? null : next - tx.now
  return { jobs: [], nextIn, frugal, aloneDue: false, settings }
}

/** What a sweep did that had nothing to do. */
export const NOTHING: Swept = {
  ...{ freed: 0, expired: 0, discarded: 0, pruned: 0, more: false },
  ...{ happened: [], lostNodes: [] },
}

/** Whether a sweep would find nothing. */
export async function isSwept(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  ask: SweepAsk,
): Promise<boolean> {
  const [rows, known, [{ is_due: isDue }]] = await Promise.all([
    tx.all('queue.all', [queues.scope]),
    nodes.all(tx),
    tx.all('sweep.peek', [queues.scope, tx.now, tx.now - SETTLED_FOR]),
  ])
  if (isDue === 1 || known.some((one) => isSuspect(one, ask, nodes, tx.now))) return false
  const facts = rows.map((row) => queues.factsOf(row))
  const ended = await endedPast(tx, facts, await kept(tx, facts), 1)
  return ended.length === 0
}
