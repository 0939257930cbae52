/**
 * How long a failed job waits before its next attempt. A backoff is given by the user (`Backoff`),
 * completed and checked once (`planBackoff`), stored as a `BackoffPlan`, and asked for each failure
 * (`delayAfter`). With n the attempt that failed, from 1, and u evenly from [0, 1):
 *
 *   none         0
 *   fixed        delay
 *   linear       min(max, step × n)
 *   exponential  b = min(max, min × factor^(n − 1)); from low = b × (1 − jitter) to
 *                high = min(max, b × (1 + jitter)): low + u × (high − low)
 *   a function   what it says, at most 1 h
 *
 * Jitter so never passes `max`, and does not bunch up there. Delays are whole milliseconds and
 * finite, though a cap may be `Infinity`: they end at the longest span that ends.
 *
 * Any other curve is a function, for example 2, 3, 5, 9, 17 … seconds: n => (2 ** (n - 1) + 1) * 1000.
 */
import { LONGEST_SPAN, millis, parseDuration } from '../time/duration.js'
import type { Duration } from '../time/duration.js'
import type { Chance } from '../time/clock.js'
import { BACKOFF_FACTOR, BACKOFF_JITTER, BACKOFF_MAX, BACKOFF_MIN } from './defaults.js'
import { millraceError } from './errors.js'
import type { MillraceError } from './errors.js'
import type { BackoffPlan } from './settings.js'

export type Backoff =
  | {
      readonly type: 'exponential'
      /** The first delay ['1s']. */
      readonly min?: Duration
      /** The longest delay; `Infinity` for none ['1h']. */
      readonly max?: Duration
      /** From 1 [2]. */
      readonly factor?: number
      /** A share of the delay to either side, 0 to 1 [0.1]. */
      readonly jitter?: number
    }
  /** `step` × failed attempts, at most `max` ['1h']. */
  | { readonly type: 'linear'; readonly step: Duration; readonly max?: Duration }
  | { readonly type: 'fixed'; readonly delay: Duration }
  | { readonly type: 'none' }
  /** How a function is shown in settings; not to be given: give the function. */
  | { readonly type: 'custom' }

/** Sync; `attempt` is the one that failed, from 1. At most 1 h; a throw, or no span, means 1 h. */
export type BackoffFunction<J = unknown> = (attempt: number, error: unknown, job: J) => Duration

export const DEFAULT_BACKOFF: BackoffPlan = {
  type: 'exponential',
  min: BACKOFF_MIN,
  max: BACKOFF_MAX,
  factor: BACKOFF_FACTOR,
  jitter: BACKOFF_JITTER,
}

/**
 * The complete, checked form of what a user gave, ready to be stored; a function is stored by its
 * name 'custom' alone. `subject` is the option's path. Throws OPTION_INVALID.
 */
export function planBackoff(backoff: unknown, subject: string): BackoffPlan {
  if (backoff === undefined) return DEFAULT_BACKOFF
  if (typeof backoff === 'function') return { type: 'custom' }
  const given = fields(backoff)
  switch (given.type) {
    case 'exponential': {
      only(given, ['min', 'max', 'factor', 'jitter'], subject)
      const min = millis(given.min ?? BACKOFF_MIN, `${subject}.min`)
      const max = millis(given.max ?? Math.max(BACKOFF_MAX, min), `${subject}.max`, {
        infinite: true,
      })
      if (max < min) throw unfit(`${subject}.max`, `a span not below min (${min} ms)`, given.max)
      const factor = numberIn(
        given.factor ?? BACKOFF_FACTOR,
        1,
        Number.MAX_VALUE,
        `${subject}.factor`,
      )
      const jitter = numberIn(given.jitter ?? BACKOFF_JITTER, 0, 1, `${subject}.jitter`)
      return { type: 'exponential', min, max, factor, jitter }
    }
    case 'linear': {
      only(given, ['step', 'max'], subject)
      const step = millis(given.step, `${subject}.step`)
      const max = millis(given.max ?? Math.max(BACKOFF_MAX, step), `${subject}.max`, {
        infinite: true,
      })
      return { type: 'linear', step, max }
    }
    case 'fixed':
      only(given, ['delay'], subject)
      return { type: 'fixed', delay: millis(given.delay, `${subject}.delay`) }
    case 'none':
      only(given, [], subject)
      return { type: 'none' }
    default: // 'custom' too: there is nothing behind the name
      throw unfit(
        subject,
        "{ type: 'exponential' | 'linear' | 'fixed' | 'none' } or a function",
        backoff,
      )
  }
}

/** What a delay depends on beside the plan and the attempt. */
export interface Failure<J = unknown> {
  readonly error: unknown
  readonly job: J
  /** Hears of a backoff function that threw, or whose answer was no span. */
  readonly onFault?: (fault: MillraceError) => void
}

/**
 * The whole milliseconds to wait after `attempt` (from 1) failed. A stored 'custom' whose function
 * is not at hand, as in a sweep after a crash, is the default.
 */
export function delayAfter<J>(
  backoff: BackoffPlan | BackoffFunction<J>,
  attempt: number,
  chance: Chance,
  failure: Failure<J>,
): number {
  if (typeof backoff === 'function') return whole(ask(backoff, attempt, failure))
  switch (backoff.type) {
    case 'none':
      return 0
    case 'fixed':
      return whole(backoff.delay)
    case 'linear':
      return whole(Math.min(backoff.max, backoff.step * attempt))
    case 'exponential': {
      const { min, max, factor, jitter } = backoff
      const base = min === 0 ? 0 : Math.min(max, min * factor ** (attempt - 1), LONGEST_SPAN)
      const low = base * (1 - jitter)
      const high = Math.min(max, base * (1 + jitter))
      return whole(low + chance.next() * (high - low))
    }
    case 'custom':
      return delayAfter(DEFAULT_BACKOFF, attempt, chance, failure)
  }
}

function ask<J>(backoff: BackoffFunction<J>, attempt: number, failure: Failure<J>): number {
  try {
    const answer: unknown = backoff(attempt, failure.error, failure.job)
    const delay = parseDuration(answer)
    if (delay !== undefined) return Math.min(delay, BACKOFF_MAX)
    failure.onFault?.(
      unfit('backoff', 'a function that returns a span, not a promise', answer, 'it counts as 1h'),
    )
  } catch (cause) {
    failure.onFault?.(
      millraceError({
        code: 'OPTION_INVALID',
        subject: 'backoff',
        expected: 'a function that does not throw',
        received: cause,
        remedy: 'mend the function; until then its delay counts as 1h',
        cause,
      }),
    )
  }
  return BACKOFF_MAX
}

function whole(ms: number): number {
  return Math.min(Math.round(ms), LONGEST_SPAN)
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function only(given: object, known: readonly string[], subject: string): void {
  const strange = Object.keys(given).find((key) => key !== 'type' && !known.includes(key))
  if (strange === undefined) return
  const names = known.length === 0 ? "nothing beside 'type'" : ['type', ...known].join(', ')
  throw unfit(`${subject}.${strange}`, names, strange, 'leave it out, or correct its name')
}

function numberIn(value: unknown, least: number, most: number, subject: string): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  const upTo = most === Number.MAX_VALUE ? '' : ` to ${most}`
  throw unfit(subject, `a number from ${least}${upTo}`, value)
}

function unfit(
  subject: string,
  expected: string,
  received: unknown,
  remedy = 'correct it, or leave it out for the default',
): MillraceError {
  return millraceError({ code: 'OPTION_INVALID', subject, expected, received, remedy })
}
