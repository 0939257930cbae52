/**
 * What is asked nearly always, as a database that is far away does it in one trip (`OneTrip`): claims
 * of a queue of which nothing is closed, and completions of jobs that leave nothing but a result. By
 * what was seen when it was last looked at in full; where that is so no longer, nothing is done, and
 * the one who asks goes the longer way.
 */
import type { ClaimAnswer, ClaimAsk } from '../../job/claim.js'
import { effective } from '../../job/effective.js'
import { isFrugal } from '../../job/book/views.js'
import { isGated } from '../../job/settings.js'
import type { Settlement, Verdict } from '../../job/verdict.js'
import { isLimited } from './backlog.js'
import type { Database, PlainEnds } from './port.js'
import type { KnownQueue, Queues } from './queues.js'
import { lanesFor, settingsOf } from './queues.js'
import { receiptOf } from './row.js'
import { leavesNothing, leavesResult, tokenOf } from './settling.js'
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
  for (const { token, extra } of rows) if (extra !== null) queues.setApart(token ?? 0)
  if (isLimited(facts) && rows.length > 0) queues.told(facts.id)
  const nextIn = next === null ? null : Math.max(0, next - now)
  const jobs = taken(facts, rows, now)
  return { jobs, nextIn, frugal: isFrugal(settings), aloneDue: false, settings }
}

export interface Completed {
  readonly asks: ReadonlySet<Settlement>
  /** Queues in which others may have waited for that. */
  readonly opened: ReadonlySet<string>
}

/** Those that are completed now; all others are to be settled the longer way. */
export async function completePlainly(
  { oneTrip }: Database,
  queues: Queues,
  asks: readonly Settlement[],
): Promise<Completed> {
  const completed = new Set<Settlement>()
  const opened = new Set<string>()
  for (const ending of endingsOf(queues, asks)) {
    if (!ending.isSound) continue
    const done = await oneTrip.complete(ending.ends(queues.scope))
    if (done === null) continue
    for (const ask of ending.asks) {
      if (!done.has(tokenOf(ask.token))) continue
      completed.add(ask)
      if (ending.gated.has(ask.queue)) opened.add(ask.queue)
    }
  }
  return { asks: completed, opened }
}

/** Those that leave nothing, and those that leave a receipt with a result; none of what is not known. */
function endingsOf(queues: Queues, asks: readonly Settlement[]): readonly Ending[] {
  const gone = new Ending(null)
  const receipts: string[] = []
  const answered = new Ending(receipts)
  for (const ask of asks) {
    const known = queues.known(ask.queue)
    if (known === null || queues.wasSetApart(tokenOf(ask.token))) continue
    const settings = effective(known.stored)
    const result = leavesResult(settings, ask.verdict)
    if (result !== null) {
      answered.add(ask, known)
      receipts.push(receiptOf(result))
    } else if (leavesNothing(settings, ask.verdict)) gone.add(ask, known)
  }
  return [gone, answered]
}

/** Completions that leave the same. */
class Ending {
  readonly asks: Settlement[] = []
  /** Those of its queues that have gates. */
  readonly gated = new Set<string>()
  readonly #receipts: readonly string[] | null
  readonly #of: number[] = []
  readonly #tokens: number[] = []
  readonly #revisions = new Map<number, number>()

  constructor(receipts: readonly string[] | null) {
    this.#receipts = receipts
  }

  add(ask: Settlement, { id, stored }: KnownQueue): void {
    this.asks.push(ask)
    if (isGated(effective(stored))) this.gated.add(ask.queue)
    this.#of.push(id)
    this.#tokens.push(tokenOf(ask.token))
    this.#revisions.set(id, stored.revision)
  }

  /** There are some, and none comes twice. */
  get isSound(): boolean {
    return this.asks.length > 0 && new Set(this.#tokens).size === this.#tokens.length
  }

  ends(scope: number): PlainEnds {
    return {
      scope,
      queues: [...this.#revisions.keys()],
      revisions: [...this.#revisions.values()],
      of: this.#of,
      ids: this.asks.map(({ id }) => id),
      tokens: this.#tokens,
      receipts: this.#receipts,
      opens: this.gated.size > 0,
    }
  }
}
