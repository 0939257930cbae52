/**
 * Schedules in a store made of a book: what would change nothing is answered without a frame, so
 * that of many nodes which try the same slot usually only one writes.
 */
import type { Millis } from '../../job/job.js'
import type { NewJob } from '../../job/lot.js'
import type { Planned, ScheduleAsk, ScheduleChange, ScheduleRow } from '../../job/schedule.js'
import type { Schedule, Tick, Ticked } from '../../job/schedule.js'
import type { Paged } from '../../job/selector.js'
import type { Ledger } from '../../job/book/ledger.js'
import { ROUNDING, firingHere, weighChange, weighTick } from '../../job/book/schedules.js'
import type { Medium } from './medium.js'
import { oversized } from './sizes.js'

export function plan(medium: Medium, change: ScheduleChange): Planned {
  const seen = weighChange(medium.book.ledger, change)
  if (seen.status !== 'done' || !seen.changed) return seen
  const [planned] = medium.commit<'schedule'>({ kind: 'schedule', items: [change] })
  return planned
}

/** One answer for each, in order. */
export function tick(medium: Medium, ticks: readonly Tick[]): Ticked[] {
  const { ledger } = medium.book
  const wall = medium.now() + ledger.wallOffset
  // The first of a schedule is looked at here; those that follow it stand and fall with it.
  const seen = new Map<Schedule | undefined, Ticked | null>()
  const answers = ticks.map((one): Ticked | null => {
    const schedule = firingHere(ledger, one)
    const known = seen.get(schedule)
    if (known !== undefined) return known ?? tooLarge(ledger, one.run?.job)
    const weighed = weighTick(schedule, one, wall)
    seen.set(schedule, weighed)
    return weighed ?? tooLarge(ledger, one.run?.job)
  })
  const items = ticks.filter((_, at) => answers[at] === null)
  if (items.length === 0) return answers.map((answer) => answer ?? { status: 'stale' })
  const ticked = medium.commit<'tick'>({ kind: 'tick', items }).values()
  return answers.map((answer) => answer ?? ticked.next().value ?? { status: 'stale' })
}

function tooLarge(ledger: Ledger, job: NewJob | undefined): Ticked | null {
  const answer = job === undefined ? undefined : oversized(ledger, [job])?.[0]
  return answer?.status === 'refused' ? { status: 'refused', answer } : null
}

/** A row by what it is ordered by: when it is due, or nothing; then queue and name. */
type Rank = readonly [due: number, queue: string, name: string]

export function scheduleRows(ledger: Ledger, now: Millis, ask: ScheduleAsk): Paged<ScheduleRow> {
  const { cursor, limit } = ask.page
  // What was handed out below.
  const after = cursor === null ? null : (JSON.parse(cursor) as Rank)
  const found: { readonly rank: Rank; readonly schedule: Schedule }[] = []
  for (const [queue, schedule] of schedulesOf(ledger, ask)) {
    const rank = ask.by === 'due' && moves(ledger, queue) ? null : rankOf(queue, schedule, ask.by)
    if (rank === null || (after !== null && compare(rank, after) <= 0)) continue
    // One more than asked for tells whether there are more.
    if (found.length > limit && compare(rank, found[limit].rank) >= 0) continue
    found.splice(placeOf(found, rank), 0, { rank, schedule })
    if (found.length > limit + 1) found.pop()
  }
  const items = found.slice(0, limit).map(({ rank, schedule }) => {
    return rowOf(ledger, rank[1], schedule, now)
  })
  const more = found.length > limit && limit > 0
  return { items, cursor: more ? JSON.stringify(found[limit - 1].rank) : null }
}

function rowOf(ledger: Ledger, queue: string, schedule: Schedule, now: Millis): ScheduleRow {
  const { next, paused } = schedule
  if (next === null || paused) return { queue, ...schedule, dueIn: null }
  // In store time, whose numbers are smaller, so that the span is exact.
  const left = next.due - ledger.wallOffset - now
  return { queue, ...schedule, dueIn: left > ROUNDING ? left : Math.min(left, 0) }
}

function* schedulesOf(ledger: Ledger, ask: ScheduleAsk): Generator<[string, Schedule]> {
  for (const queue of ledger.queues.values()) {
    if (ask.queue !== null && queue.name !== ask.queue) continue
    const named = ask.name === null ? null : queue.schedules.get(ask.name)
    for (const schedule of named === null ? queue.schedules.values() : []) {
      yield [queue.name, schedule]
    }
    if (named != null) yield [queue.name, named]
  }
}

function moves(ledger: Ledger, queue: string): boolean {
  return ledger.findQueue(queue)?.transit?.side === 'moving'
}

/** Null: it is not asked for. */
function rankOf(queue: string, schedule: Schedule, by: ScheduleAsk['by']): Rank | null {
  if (by === 'name') return [0, queue, schedule.name]
  if (schedule.next === null || schedule.paused) return null
  return [schedule.next.due, queue, schedule.name]
}

function placeOf(found: readonly { readonly rank: Rank }[], rank: Rank): number {
  let low = 0
  let high = found.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(found[middle].rank, rank) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function compare(a: Rank, b: Rank): number {
  if (a[0] !== b[0]) return a[0] - b[0]
  if (a[1] !== b[1]) return a[1] < b[1] ? -1 : 1
  if (a[2] !== b[2]) return a[2] < b[2] ? -1 : 1
  return 0
}
