/** One bounded sweep of a book: what is proposed is committed frame by frame. */
import type { Happening } from '../../job/job.js'
import { decideSweep } from '../../job/book/decide-sweep.js'
import type { NodeCard, SweepAsk, Swept } from '../../store.js'
import type { Medium } from './medium.js'

export async function sweep(medium: Medium, ask: SweepAsk): Promise<Swept> {
  const proposal = decideSweep(medium.book.ledger, {
    self: ask.node,
    now: medium.now(),
    limit: ask.limit,
    calm: Math.min(ask.calm ?? Infinity, medium.calm()),
    liveness: (card) => medium.liveness(card),
  })
  const happened: Happening[] = []
  const lostNodes: NodeCard[] = []
  let pruned = 0
  try {
    for (const frame of proposal.frames) {
      if (frame.kind === 'drop') {
        pruned += medium.commit<'drop'>(frame)
        continue
      }
      const swept = medium.commit<'sweep'>(frame)
      happened.push(...swept.happened)
      if (swept.lost !== null) lostNodes.push(swept.lost)
    }
  } catch (error) {
    proposal.undo()
    throw error
  }
  if (proposal.frames.length > 0) await medium.durable()
  return {
    freed: happened.filter(({ kind }) => kind === 'lost' || kind === 'timeout').length,
    expired: happened.filter(({ kind }) => kind === 'expired').length,
    discarded: happened.filter(({ state }) => state === 'discarded').length,
    pruned,
    more: proposal.more,
    happened,
    lostNodes,
  }
}
