/**
 * Children that came in a transaction of the user's. That may stay open for long, so it locks none of
 * the parents, which go on and end meanwhile; and who ends one does not see a child that has not been
 * committed. So each child that a parent concerned is noted beside its row, and whoever sweeps behind the
 * commit, to which a hint calls him, looks again:
 *
 *     noted, as its parents stood ── commit ──▶ swept: as they stand, and marked, so that from now on
 *                                               whoever ends one looks for its children
 *
 * He locks the parents before he looks: who ends one at this moment has either looked for its children
 * when he may see them, or keeps it, and the child stays noted.
 */
import { bringDown } from '../../job/book/cascade.js'
import { lookAgain } from '../../job/book/kin.js'
import type { Happening } from '../../job/job.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import type { JobRow } from './row.js'

export interface Reunited {
  readonly happened: readonly Happening[]
  readonly more: boolean
}

export async function reunite(
  tx: Tx,
  queues: Queues,
  limit: number,
  news: News,
): Promise<Reunited> {
  const arrived = (await tx.all('arrival.take', [queues.scope, limit])).map(({ child }) => child)
  if (arrived.length === 0) return { happened: [], more: false }
  const links = await tx.each('kin.parents', [], seqs(arrived))
  // In one order with who ends a parent: first the parents, then their children.
  const parents = await free(
    tx,
    links.map(({ parent }) => parent),
  )
  const mine = await free(tx, arrived)
  const kept = new Set(
    links.filter(({ parent }) => parents.kept.has(parent)).map(({ child }) => child),
  )
  for (const child of mine.kept) kept.add(child)
  tx.write('arrival.add', [queues.scope], seqs([...kept]))
  const children = mine.rows.filter(({ seq }) => !kept.has(seq))
  const gatherer = new Gatherer(tx, queues, 'beside')
  const { sheet } = gatherer
  sheet.addJobs([...parents.rows, ...children])
  await gatherer.queuesOf([...sheet.rows.values()])
  const named = children.flatMap(({ seq }) => sheet.extras.get(seq)?.kin?.parents ?? [])
  await gatherer.heirs(named.filter(({ end }) => end !== 'completed'))
  // What comes after one that has failed meanwhile may fall.
  await gatherer.ends(children)
  sheet.open()
  for (const { seq } of children) lookAgain(sheet.ledger, sheet.slotOf(seq))
  const happened = bringDown(sheet.ledger)
  await flush(tx, queues, sheet, news)
  sheet.close()
  const marked = links.filter(({ child }) => !kept.has(child)).map(({ parent }) => parent)
  tx.write('kin.mark', [], seqs(marked))
  return { happened, more: arrived.length === limit && kept.size < limit }
}

/** Whoever ends one of them at this moment is done by then. */
const BREATHS = 3

interface Free {
  readonly rows: readonly JobRow[]
  /** Somebody keeps these, as who replaces them in a transaction that is open: they are looked at next time. */
  readonly kept: ReadonlySet<number>
}

/** Those of these jobs that are there, locked. */
async function free(tx: Tx, of: readonly number[]): Promise<Free> {
  const rows: JobRow[] = []
  let left = seqs(of)
  for (let breaths = 0; ; breaths++) {
    rows.push(...(await tx.each('job.free', [], left)))
    const isFree = new Set(rows.map(({ seq }) => seq))
    const others = left.filter(([seq]) => !isFree.has(seq))
    left = (await tx.each('job.isThere', [], others)).map(({ seq }) => [seq])
    if (left.length === 0 || breaths === BREATHS) return { rows, kept: new Set(left.flat()) }
    await tx.all('arrival.breath', [])
  }
}

function seqs(of: readonly number[]): number[][] {
  return [...new Set(of)].map((seq) => [seq])
}
