/**
 * How many jobs wait in a queue whose backlog is limited, without counting them: they were counted
 * once, and whatever changed since is told beside it, in the transaction that changed it: `flush.ts`
 * and plain claims tell what came and went. So a look costs as little in front of a full queue as
 * of an empty one. Of queues without a limit nothing is told.
 *
 * Whoever lets jobs in by it holds its name until they are there, so that two never see the same
 * room. A transaction of the user's holds nothing; where it can, its room is reserved apart, and
 * counts as taken for as long as that is open.
 *
 * Tables can be written by hand, and a transaction of the user's may have begun before there was a
 * limit: so a count is good for a while only.
 */
import type { Millis } from '../../job/job.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { settingsOf } from './queues.js'
import type { QueueFacts } from './sheet.js'

/** After that it is counted anew by whoever lets the next one in. */
const COUNT_LASTS: Millis = 3_600_000
/** More of what was told is added up and kept as one. */
const TOLD_AT_MOST = 100

export function isLimited(facts: QueueFacts): boolean {
  return settingsOf(facts).limits.backlog !== Infinity
}

/** All that waits there, with what is on its way in; until the end nobody else lets anything in. */
export async function waitingIn(tx: Tx, queue: number): Promise<number> {
  await tx.hold(`backlog of ${queue}`)
  const [known] = await tx.all('backlog.read', [queue])
  if (known === undefined || isOld(known.counted_at, tx.now)) {
    const [{ waiting }] = await tx.all('backlog.count', [queue, tx.now])
    return waiting
  }
  if (known.told > TOLD_AT_MOST) await tx.all('backlog.fold', [queue])
  return known.waiting
}

function isOld(countedAt: Millis, now: Millis): boolean {
  return now - countedAt > COUNT_LASTS || now < countedAt
}

/** So many came to these queues, or went. */
export function tellMoves(
  tx: Tx,
  queues: Queues,
  all: ReadonlyMap<number, QueueFacts>,
  moves: ReadonlyMap<number, number>,
): void {
  const rows: [number, number][] = []
  for (const [id, moved] of moves) {
    const facts = all.get(id)
    if (moved === 0 || facts === undefined || !isLimited(facts)) continue
    queues.told(id)
    rows.push([id, moved])
  }
  tx.write('backlog.move', [], rows)
}

/** For the user's transaction of this number: as many as there is room for, until it has ended. */
export async function reserve(
  tx: Tx,
  facts: QueueFacts,
  wanted: number,
  user: number,
): Promise<number> {
  const { backlog } = settingsOf(facts).limits
  const room = Math.max(0, Math.min(wanted, backlog - (await waitingIn(tx, facts.id))))
  if (room > 0) await tx.all('backlog.reserve', [facts.id, room, user])
  return room
}
