/**
 * Which moments a plan has: the next one, the missed ones, and how much later each fires. Pure:
 * every node answers the same, so any of them may try to fire a slot, and one succeeds.
 *
 * The cost follows from what is asked, not from how long nobody looked: the last of a million missed
 * slots is found by halving.
 */
import { hash32 } from './book/derived-id.js'
import { nextOfCron } from './cron.js'
import { MISSED_AFTER, MISSED_SLOTS } from './defaults.js'
import type { Instant, Millis } from './job.js'
import type { Plan, ScheduleSpec, Slot } from './schedule.js'

/** What slots depend on. `of` names the schedule. */
export interface Timing {
  readonly plan: Plan
  readonly jitter: Millis
  readonly of: string
}

export function timingOf(queue: string, name: string, spec: ScheduleSpec): Timing {
  return { plan: spec.plan, jitter: spec.jitter, of: `${queue}\0${name}` }
}

/** The first slot after that instant; null: none comes. */
export function nextSlot(timing: Timing, after: Instant): Slot | null {
  const at = nextMoment(timing.plan, after)
  return at === null ? null : slotAt(timing, at)
}

/** The last instant that a Date can say. */
const LAST_INSTANT = 8.64e15

function nextMoment(plan: Plan, after: Instant): Instant | null {
  switch (plan.kind) {
    case 'cron':
      return nextOfCron(plan.line, plan.timeZone, after)
    case 'every': {
      const next = (Math.floor(after / plan.span) + 1) * plan.span
      return next > LAST_INSTANT ? null : next
    }
    case 'at':
      return plan.at > after ? plan.at : null
  }
}

/** Its jitter follows from its name and moment, and ends before the next slot. */
function slotAt(timing: Timing, at: Instant): Slot {
  if (timing.jitter === 0) return { at, due: at }
  const next = nextMoment(timing.plan, at)
  const room = next === null ? timing.jitter : Math.min(timing.jitter, next - at)
  return { at, due: at + Math.floor((hash32(`${timing.of}\0${at}`, JITTER) / 2 ** 32) * room) }
}
const JITTER = 0x27d4eb2f

/** What is to be done now: the slots that get a job, in order, and where the plan goes on. */
export interface Firing {
  readonly run: readonly Slot[]
  readonly next: Slot | null
}

/**
 * Of a schedule whose slot `from` is due. A slot is missed when `MISSED_AFTER` has passed since, or
 * when the one after it is due as well: 'skip' leaves out the missed ones, 'once' takes the last
 * that is due for all of them, 'all' takes each, but at most the last `MISSED_SLOTS`. Yields now and
 * then while it looks through many.
 */
export function* firing(
  timing: Timing,
  missed: ScheduleSpec['missed'],
  from: Slot,
  now: Instant,
): Generator<void, Firing> {
  const last = lastDue(timing, from, now)
  const next = nextSlot(timing, last.at)
  switch (missed) {
    case 'skip':
      return { run: now - last.due <= MISSED_AFTER ? [last] : [], next }
    case 'once':
      return { run: [last], next }
    case 'all': {
      const moments = yield* lastMoments(timing.plan, from.at, last.at, MISSED_SLOTS)
      return { run: moments.map((at) => slotAt(timing, at)), next }
    }
  }
}

/** The last slot that is due, no earlier than `from`, which is. */
function lastDue(timing: Timing, from: Slot, now: Instant): Slot {
  const next = nextSlot(timing, from.at)
  if (next === null || next.due > now) return from
  const last = slotAt(timing, lastMoment(timing.plan, from.at, now))
  if (last.due <= now) return last
  // Its jitter is not over; that of the one before it is, since it ends before the next slot.
  return slotAt(timing, lastMoment(timing.plan, from.at, last.at - 1))
}

/** The last moment up to `until`, of those from `first` on, which is one. */
function lastMoment(plan: Plan, first: Instant, until: Instant): Instant {
  if (plan.kind === 'every') return Math.floor(until / plan.span) * plan.span
  // A moment is found from `low`, and none up to `until` is found from `high`.
  let low = first
  let high = until
  for (let found = first; ;) {
    if (high - low < 1) return found
    const middle = low + Math.floor((high - low) / 2)
    const next = nextMoment(plan, middle)
    if (next !== null && next <= until) {
      found = next
      low = next
    } else {
      if (middle === low) return found
      high = middle
    }
  }
}

/** Moments between two times when others get their turn: some milliseconds of looking. */
const MOMENTS_AT_ONCE = 50
/** How often it is tried how far back the wanted number of moments lies. */
const LOOKS_BACK = 6

/** The moments from `first` to `last`, which are moments; of more than `most` the last ones. */
export function* lastMoments(
  plan: Plan,
  first: Instant,
  last: Instant,
  most: number,
): Generator<void, readonly Instant[]> {
  if (plan.kind === 'every') {
    const from = Math.max(first, last - (most - 1) * plan.span)
    return Array.from({ length: (last - from) / plan.span + 1 }, (_, at) => from + at * plan.span)
  }
  const all = yield* moments(plan, first, last, most + 1)
  if (all.length <= most) return all
  // Looked for over a span before `last`: doubled while it has too few, cut when far too many.
  let found: readonly Instant[] = [last]
  let known = 0
  let span = all[most] - first
  for (let looks = 0; looks < LOOKS_BACK; looks++) {
    const from = Math.max(first, nextMoment(plan, last - span) ?? last)
    const some = yield* moments(plan, from, last, most * 3)
    const isWhole = some.at(-1) === last
    if (isWhole && some.length >= most) return some.slice(-most)
    if (isWhole) {
      found = some
      known = span
      span *= 2
    } else {
      span = known + (span - known) / 2
    }
  }
  return found
}

/** From `first` up to `last`, at most so many. */
function* moments(
  plan: Plan,
  first: Instant,
  last: Instant,
  most: number,
): Generator<void, Instant[]> {
  const found: Instant[] = []
  let at: Instant | null = first
  while (at !== null && at <= last && found.length < most) {
    found.push(at)
    if (found.length % MOMENTS_AT_ONCE === 0) yield
    at = nextMoment(plan, at)
  }
  return found
}
