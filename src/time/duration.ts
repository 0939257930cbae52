/**
 * Spans as people write them: `'500ms'`, `'30s'`, `'5m'`, `'1h'`, `'7d'`, `'2w'`, or a number of
 * milliseconds. Everything behind the faces is in milliseconds; this is where the words end.
 */
import { millraceError } from '../job/errors.js'

/** A span, as options take it: at least 0; `Infinity` where the option says so. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd' | 'w'}`

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
export const WEEK = 7 * DAY

/** The last instant that a `Date` can be, in milliseconds since the Unix epoch. */
export const LAST_INSTANT = 8_640_000_000_000_000
/** The longest span that ends, 50 million days: so long from any sane now there is still a `Date`. */
export const LONGEST_SPAN = LAST_INSTANT / 2

const UNITS = new Map([
  ['ms', 1],
  ['s', SECOND],
  ['m', MINUTE],
  ['h', HOUR],
  ['d', DAY],
  ['w', WEEK],
])

const SPELLING = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/

const EXAMPLES = ['500ms', '30s', '5m', '1h', '7d', '2w']

/** What an option allows of a span, beside being one. */
export interface SpanBounds {
  /** Whether `Infinity` may be given [false]. */
  readonly infinite?: boolean
  /** The shortest that makes sense, in milliseconds [0]. */
  readonly least?: number
}

/** The milliseconds of a span, or undefined when it is none. `Infinity` is one, negatives are not. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const [, count, unit] = SPELLING.exec(value) ?? []
  if (count === undefined || unit === undefined) return undefined
  const ms = Number(count) * (UNITS.get(unit) ?? NaN)
  return Number.isFinite(ms) ? ms : undefined
}

/**
 * The milliseconds of an option's span. `subject` is the option's path, for the message.
 * Throws OPTION_INVALID when it is no span, too short, or endless or beyond `LONGEST_SPAN` where it
 * must end.
 */
export function millis(value: unknown, subject: string, bounds: SpanBounds = {}): number {
  const ms = parseDuration(value)
  const { infinite = false, least = 0 } = bounds
  if (ms !== undefined && ms >= least && (infinite || ms <= LONGEST_SPAN)) return ms
  const floor = least > 0 ? ` of at least ${formatDuration(least)}` : ''
  const isLong = !infinite && ms !== undefined && ms > LONGEST_SPAN
  const bound = isLong ? ` of at most ${formatDuration(LONGEST_SPAN)}` : floor
  throw millraceError({
    code: 'OPTION_INVALID',
    subject,
    expected: `a span${bound}${infinite ? ', or Infinity' : ''}`,
    received: value,
    remedy: `write it like ${examples(least)}, or as milliseconds`,
  })
}

/** Spans that are long enough, as they are written. */
function examples(least: number): string {
  const long = EXAMPLES.filter((one) => (parseDuration(one) ?? 0) >= least)
  return long.map((one) => `'${one}'`).join(', ')
}

/** A span for people: `450ms`, `1.5s`, `12s`, `3m 12s`, `2h 5m`, `8d 1h`. Never more than two units. */
export function formatDuration(ms: number): string {
  if (Number.isNaN(ms)) return '?'
  if (ms < 0) return `-${formatDuration(-ms)}`
  if (ms === Infinity) return '∞'
  if (Math.round(ms) < SECOND) return `${Math.round(ms)}ms`
  if (ms < 9950) return `${Number((ms / SECOND).toFixed(1))}s`
  if (Math.round(ms / SECOND) < 60) return `${Math.round(ms / SECOND)}s`
  const [unit, name, below, belowName] = scale(ms)
  const whole = Math.round(ms / below) * below
  const rest = Math.round((whole % unit) / below)
  return `${Math.floor(whole / unit)}${name}${rest === 0 ? '' : ` ${rest}${belowName}`}`
}

/** The two units that show a span best, after rounding: 59m 59.9s is an hour. */
function scale(ms: number): readonly [number, string, number, string] {
  if (Math.round(ms / SECOND) < HOUR / SECOND) return [MINUTE, 'm', SECOND, 's']
  if (Math.round(ms / MINUTE) < DAY / MINUTE) return [HOUR, 'h', MINUTE, 'm']
  return [DAY, 'd', HOUR, 'h']
}
