/**
 * What is asked nearly always, as a database that is far away does it in one trip (`OneTrip`): claims
 * of a queue of which nothing is closed, and completions of jobs that leave nothing. By what was seen
 * when it was last looked at in full; where that is so no longer, nothing is done, and the one who
 * asks goes the longer way.
 */
import type { ClaimAnswer, ClaimAsk } from '../../job/claim.js'
import { effective } from '../../job/effective.js'
import { isFrugal } from '../../job/book/views.js'
import type { Settlement, Verdict } from '../../job/verdict.js'
import { isLimited } from './backlog.js'
import type { Database, PlainEnds } from './port.js'
import type { Queues } from './queues.js'
import { lanesFor, settingsOf } from './queues.js'
import { leavesNothing, tokenOf } from './settling.js'
import { inOrder, taken } from './taking.js'

const COMPLETION: Verdict = { kind: 'complete', result: null }

/** Null: nothing was done; it is to be claimed the longer way. */
export async function claimPlainly(
  { oneTrip }: Database,
  queues: Queues,
  node: string,
  ask: ClaimAsk,
): Promise<ClaimAnswer | null> {
  const { queue, worker, claim, limit } = ask
  const plain = queues.plain(queue)
  if (plain === null || limit === 0) return null
  if ((ask.without ?? []).length > 0) return null
  const { facts, lanes } = plain
  const { shared, alone } = lanesFor(lanes, ask.tasks)
  if (shared.length !== 1 || alone.length > 0) return null
  const settings = settingsOf(facts)
  const got = await oneTrip.take({
    ...{ scope: queues.scope, queue: facts.id, revision: facts.stored.revision },
    ...{ lane: shared[0], lanes: lanes.map(({ id }) => id) },
    ...{ node, worker, claim, limit, inHand: leavesNothing(settings, COMPLETION) },
    isLimited: isLimited(facts),
  })
  if (got === null) {
    queues.plainly(queue, null)
    return null
  }
  const { now, next } = got
  const rows = got.rows.toSorted(inOrder)
  queues.took(queue, rows.length)
  if (isLimited(facts) && rows.length > 0) queues.told(facts.id)
  const nextIn = next === null ? null : Math.max(0, next - now)
  const jobs = taken(facts, rows, now)
  return { jobs, nextIn, frugal: isFrugal(settings), aloneDue: false, settings }
}

/** Those that are completed now; all others are to be settled the longer way. */
export async function completePlainly(
  { oneTrip }: Database,
  queues: Queues,
  asks: readonly Settlement[],
): Promise<ReadonlySet<Settlement>> {
  const ends = endsOf(queues, asks)
  const done = ends === null ? null : await oneTrip.complete(ends)
  if (done === null) return new Set()
  return new Set(asks.filter(({ token }) => done.has(tokenOf(token))))
}

/** Null: one of them leaves something, or what it leaves is not known. */
function endsOf(queues: Queues, asks: readonly Settlement[]): PlainEnds | null {
  const revisions = new Map<number, number>()
  const of: number[] = []
  for (const { queue, verdict } of asks) {
    const known = queues.known(queue)
    if (known === null || !leavesNothing(effective(known.stored), verdict)) return null
    revisions.set(known.id, known.stored.revision)
    of.push(known.id)
  }
  const tokens = asks.map(({ token }) => tokenOf(token))
  if (new Set(tokens).size < tokens.length) return null
  return {
    scope: queues.scope,
    queues: [...revisions.keys()],
    revisions: [...revisions.values()],
    ...{ of, ids: asks.map(({ id }) => id), tokens },
  }
}
