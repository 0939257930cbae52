/** Whose turn it is in a queue, over all lanes of one that asks: by priority, then in rotation. */
import type { ClaimAsk } from '../../job/claim.js'
import type { Tx } from './port.js'
import type { Lane } from './queues.js'
import { lanesFor } from './queues.js'
import type { Asked } from './statements.js'

export type Turn = Asked['turn.first']

export interface FirstTurns {
  readonly turns: readonly Turn[]
  /** Of those that must run alone. */
  readonly lone: readonly Turn[]
  /** More lines may stand behind these. */
  readonly hasMore: boolean
}

/** Lines of a look beyond those that a claim could serve: some will be found closed. */
const SPARE_LINES = 8
/** Lines of one look at most. */
const MOST_LINES = 4_096

/** So many lines are looked at for that many jobs, or twice as many as the look before. */
export function linesFor(limit: number, before: number): number {
  return Math.min(MOST_LINES, Math.max(limit + SPARE_LINES, before * 2))
}

/** Of groups that are not passed over. */
export async function firstTurns(
  tx: Tx,
  lanes: readonly Lane[],
  ask: Pick<ClaimAsk, 'tasks' | 'alone'>,
  without: readonly string[],
  most: number,
): Promise<FirstTurns> {
  const { shared, alone } = lanesFor(lanes, ask.tasks)
  const [turns, lone] = await Promise.all([
    firstOf(tx, shared, without, most),
    // Of those that must run alone one is enough to tell; where one is given, the next is told.
    firstOf(tx, alone, without, ask.alone ? 2 : 1),
  ])
  return { turns, lone, hasMore: turns.length === most }
}

async function firstOf(
  tx: Tx,
  lanes: readonly number[],
  without: readonly string[],
  limit: number,
): Promise<Turn[]> {
  const turns = await tx.each(
    'turn.first',
    [without, limit],
    lanes.map((lane) => [lane]),
  )
  if (lanes.length > 1) {
    turns.sort((a, b) => b.priority - a.priority || a.pass - b.pass || a.tie - b.tie)
  }
  return turns.slice(0, limit)
}
