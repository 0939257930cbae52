/**
 * How what users wrote is looked at: once, where it was given, before anything is done with it.
 * What does not fit is refused with OPTION_INVALID, which names the option by its path; a name that
 * nobody knows is refused too, with the known one that it resembles, or that other queues call so.
 * Which options there are is left to `options.ts`, `declare.ts` and the faces.
 */
import { NAME_BYTES } from './defaults.js'
import { millraceError } from './errors.js'
import type { MillraceError } from './errors.js'

const LEAVE_OUT = 'correct it, or leave it out for the default'

/** What other queues call our options, in small letters. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  in: ['delay', 'schedulein', 'startin'],
  at: ['runat', 'startafter', 'startat', 'scheduledat', 'scheduledfor'],
  id: ['jobid'],
  unique: ['jobkey', 'singletonkey', 'dedupe', 'deduplication', 'idempotencykey'],
  attempts: ['maxattempts', 'retries', 'maxretries', 'retrylimit', 'tries'],
  backoff: ['retrydelay', 'retrybackoff'],
  expiresIn: ['ttl'],
  group: ['groupid', 'partition', 'tenant'],
  after: ['dependson', 'parents', 'parent'],
  meta: ['metadata', 'headers'],
  tx: ['transaction', 'trx', 'db'],
  rate: ['limiter', 'ratelimit'],
  deadLetter: ['dlq', 'deadletterqueue'],
  keep: ['removeoncomplete', 'removeonfail', 'retention'],
  concurrency: ['workers', 'teamsize', 'localconcurrency', 'maxworkers', 'parallel'],
  poll: ['pollinterval', 'pollinginterval', 'interval'],
  size: ['batchsize'],
}

/** The refusal of one option. `subject` is its path. */
export function invalid(
  subject: string,
  expected: string,
  received: unknown,
  remedy = LEAVE_OUT,
): MillraceError<'OPTION_INVALID'> {
  return millraceError({ code: 'OPTION_INVALID', subject, expected, received, remedy })
}

/** The refusal of an option that a later version brings. */
export function notYet(subject: string): MillraceError<'OPTION_INVALID'> {
  return millraceError({
    code: 'OPTION_INVALID',
    subject,
    expected: 'an option of this version of Millrace',
    remedy: 'this version does not support it yet: leave it out',
  })
}

/** What was given, as a record of unknown values; refused unless it is a plain options object. */
export function record(
  given: unknown,
  subject: string,
  expected = 'an object of options',
): Readonly<Record<string, unknown>> {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
    return given as Readonly<Record<string, unknown>> // as: any object can be read by name
  }
  throw invalid(subject, expected, given)
}

/** Refuses the first name that is not known; names in `later` belong to a later version. */
export function onlyKnown(
  given: object,
  known: readonly string[],
  subject: string,
  later: readonly string[] = [],
): void {
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw unknownName(name, known, subject, later)
  }
}

/** The refusal of a name that is not known. */
export function unknownName(
  name: string,
  known: readonly string[],
  subject: string,
  later: readonly string[] = [],
): MillraceError<'OPTION_INVALID'> {
  if (later.includes(name)) return notYet(`${subject}.${name}`)
  const close = calledElsewhere(name, known) ?? resembling(name, known)
  const expected = close === null ? `one of ${known.join(', ')}` : `'${close}'`
  const remedy = close === null ? 'leave it out' : `did you mean '${close}'?`
  return invalid(`${subject}.${name}`, expected, name, remedy)
}

/** A whole number from `least` to `most`. */
export function whole(
  value: unknown,
  subject: string,
  bounds: { readonly least: number; readonly most: number; readonly infinite?: boolean },
): number {
  const { least, most, infinite = false } = bounds
  if (typeof value === 'number') {
    if (infinite && value === Infinity) return value
    if (Number.isInteger(value) && value >= least && value <= most) return value + 0 // -0 becomes 0
  }
  const upTo = most >= Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  throw invalid(subject, `a whole number ${upTo}${infinite ? ', or Infinity' : ''}`, value)
}

/** One of a few words. */
export function word<const W extends string>(
  value: unknown,
  words: readonly W[],
  subject: string,
): W {
  const found = words.find((each) => each === value)
  if (found !== undefined) return found
  throw invalid(subject, words.map((each) => `'${each}'`).join(' or '), value)
}

/**
 * A name of a queue, task, group, tag, key or id: any spelling, within `NAME_BYTES`. A lone
 * surrogate is refused, since two such names would become one in UTF-8.
 */
export function name(
  value: unknown,
  subject: string,
  empty: 'never' | 'allowed' = 'never',
): string {
  if (typeof value !== 'string') throw invalid(subject, 'a string', value)
  if (value === '' && empty === 'never') throw invalid(subject, 'a string that is not empty', value)
  if (isPlainName(value)) return value
  if (/\p{Surrogate}/u.test(value)) {
    throw invalid(subject, 'well-formed Unicode', value, 'remove the lone surrogate')
  }
  if (Buffer.byteLength(value) > NAME_BYTES) {
    throw invalid(subject, `at most ${NAME_BYTES} bytes`, value, 'shorten it, or use a digest')
  }
  return value
}

/** Most names: short and of plain letters, so that nothing else need be looked at. */
function isPlainName(value: string): boolean {
  if (value.length > 64) return false
  for (let at = 0; at < value.length; at++) if (value.charCodeAt(at) > 126) return false
  return true
}

/** The known name that differs only in case or by two letters at most. */
export function resembling(name: string, known: readonly string[]): string | null {
  const lower = name.toLowerCase()
  let best: string | null = null
  let least = Math.min(3, Math.ceil(name.length / 2) + 1)
  for (const each of known) {
    const far = distance(lower, each.toLowerCase())
    if (far < least) {
      least = far
      best = each
    }
  }
  return best
}

/** The known one that other queues know by this name; null: none. */
function calledElsewhere(name: string, known: readonly string[]): string | null {
  const lower = name.toLowerCase()
  return known.find((each) => ELSEWHERE[each]?.includes(lower)) ?? null
}

/** How many letters must be added, dropped or changed (Levenshtein). Short names only. */
function distance(from: string, to: string): number {
  if (from.length > 40) return Infinity
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const changed = row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j] + 1, next[j - 1] + 1))
    }
    row = next
  }
  return row[to.length]
}
