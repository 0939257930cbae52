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
 * when he may see them, or is waited for.
 */
import { bringDown } from '../../job/book/cascade.js'
import { lookAgain } from '../../job/book/kin.js'
import type { Happening } from '../../job/job.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'

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
  const arrived = (await tx.all('arrival.take', [queues.scope, limit])).map(({ child }) => [child])
  if (arrived.length === 0) return { happened: [], more: false }
  const gatherer = new Gatherer(tx, queues, 'beside')
  const { sheet } = gatherer
  const links = await tx.each('kin.parents', [], arrived)
  const parents = await tx.each('job.read', [], seqs(links.map(({ parent }) => parent)))
  await gatherer.queuesOf(sheet.addJobs(parents))
  const children = sheet.addJobs(await tx.each('job.read', [], arrived))
  await gatherer.queuesOf(children)
  const named = children.flatMap(({ seq }) => sheet.extras.get(seq)?.kin?.parents ?? [])
  await gatherer.heirs(named.filter(({ end }) => end !== 'completed'))
  // What comes after one that has failed meanwhile may fall.
  await gatherer.ends(children)
  sheet.open()
  for (const { seq } of children) lookAgain(sheet.ledger, sheet.slotOf(seq))
  const happened = bringDown(sheet.ledger)
  await flush(tx, queues, sheet, news)
  sheet.close()
  tx.write(
    'kin.mark',
    [],
    links.map(({ parent }) => [parent]),
  )
  return { happened, more: arrived.length === limit }
}

function seqs(of: readonly number[]): number[][] {
  return [...new Set(of)].map((seq) => [seq])
}
