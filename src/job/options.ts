/**
 * What a producer may say of a job, and its checked form: `Terms`. Promises that whatever passes
 * here is complete and in milliseconds, and that what is left out is left to the layer below:
 * call > task > queue > default. Making a job of terms and a payload is left to the faces.
 */
import { millis } from '../time/duration.js'
import type { Duration } from '../time/duration.js'
import { invalid, name, onlyKnown, record, unknownName, whole, word } from './check.js'
import { encode } from './codec.js'
import type { Encoded } from './codec.js'
import { ATTEMPTS_LIMIT, PARENTS, TAGS } from './defaults.js'
import type { Instant, JobRef, Millis } from './job.js'
import type { ParentPolicy, UniqueKey } from './lot.js'
import { priorityOf } from './priority.js'
import { isPlainObject } from './rich.js'

export interface JobOptions {
  /** -100…100, higher first; high 10, normal 0, low -10 ['normal']. */
  readonly priority?: 'high' | 'normal' | 'low' | number
  /** Unit of order and fairness ['']. */
  readonly group?: string
  readonly unique?: Unique
  /** Runs once all of these are completed; they may be given later in the same call [none]. */
  readonly after?: readonly JobRef[]
  /**
   * When one of them is cancelled, discarded or deleted: wait on, for an operator may retry it; be
   * discarded, too; or run once all have ended, however they did ['wait'].
   */
  readonly onParentFailed?: ParentPolicy
  /** Runs in all, the first included; 0: never runs [the queue's]. */
  readonly attempts?: number
  /** The signal aborts and the attempt fails; `false` for none [the queue's]. */
  readonly timeout?: Duration | false
  /** From when it is due; not started by then, it is discarded [limits.age]. */
  readonly expiresIn?: Duration
  readonly tags?: readonly string[]
  /** Travels beside the payload: request ids, trace context. */
  readonly meta?: Readonly<Record<string, unknown>>
}

export interface Unique {
  readonly key: string
  /** Held until final, or only until it first starts ('waiting' means "not started") ['unfinished']. */
  readonly while?: 'unfinished' | 'waiting'
  /** And at least this long from its insertion [0]. */
  readonly for?: Duration
  /** keep: 'duplicate' · replace: the new payload, 'replaced' · reject: throws DUPLICATE ['keep']. */
  readonly onConflict?: 'keep' | 'replace' | 'reject'
}

/** A span from now or an instant, never both [now]. An instant in the past keeps its place. */
export type When =
  | { readonly in?: Duration; readonly at?: undefined }
  | { readonly at?: Date; readonly in?: undefined }

export type ItemOptions = JobOptions &
  When & {
    /** Your own; the same id twice is one job, while it or its receipt exists. */
    readonly id?: string
  }

/** Options, checked. `null` means "as the layer below says". */
export interface Terms {
  readonly priority: number
  readonly group: string
  readonly delay: Millis
  readonly at: Instant | null
  readonly unique: UniqueKey | null
  readonly attempts: number | null
  /** Infinity: none. */
  readonly timeout: Millis | null
  readonly expiresIn: Millis | null
  readonly after: readonly JobRef[]
  readonly onParentFailed: ParentPolicy
  readonly tags: readonly string[]
  readonly meta: Encoded | null
  readonly id: string | null
  /** The caller's transaction; undefined when none was given. */
  readonly tx: unknown
}

/** The terms of a call without options. */
export const PLAIN_TERMS: Terms = {
  priority: priorityOf(undefined, 'priority'),
  group: '',
  delay: 0,
  at: null,
  unique: null,
  attempts: null,
  timeout: null,
  expiresIn: null,
  after: [],
  onParentFailed: 'wait',
  tags: [],
  meta: null,
  id: null,
  tx: undefined,
}

const POLICIES: readonly ParentPolicy[] = ['wait', 'discard', 'run']
const ATTEMPTS = { least: 0, most: ATTEMPTS_LIMIT }

type Draft = { -readonly [K in keyof Terms]: Terms[K] }
type OptionName = keyof ItemOptions | 'tx'

/** How each option is checked, and where it goes. */
const TAKE: {
  readonly [K in OptionName]-?: (terms: Draft, value: unknown, path: string) => unknown
} = {
  priority: (terms, value, path) => (terms.priority = priorityOf(value, path)),
  group: (terms, value, path) => (terms.group = name(value, path, 'allowed')),
  in: (terms, value, path) => (terms.delay = millis(value, path)),
  at: (terms, value, path) => (terms.at = instant(value, path)),
  unique: (terms, value, path) => (terms.unique = uniqueKey(value, path)),
  attempts: (terms, value, path) => (terms.attempts = whole(value, path, ATTEMPTS)),
  timeout: (terms, value, path) => (terms.timeout = timeoutOf(value, path)),
  expiresIn: (terms, value, path) => (terms.expiresIn = millis(value, path, { infinite: true })),
  after: (terms, value, path) => (terms.after = afterOf(value, path)),
  onParentFailed: (terms, value, path) => (terms.onParentFailed = word(value, POLICIES, path)),
  tags: (terms, value, path) => (terms.tags = tagsOf(value, path)),
  meta: (terms, value, path) => (terms.meta = metaOf(value, path)),
  id: (terms, value, path) => (terms.id = name(value, path)),
  tx: (terms, value) => (terms.tx = value),
}

const TASK_NAMES = ['attempts', 'timeout', 'priority', 'expiresIn', 'tags'] as const
const MORE_NAMES = ['group', 'unique', 'after', 'onParentFailed', 'meta', 'in', 'at'] as const
const JOB_NAMES = [...TASK_NAMES, ...MORE_NAMES] as const
/** What a schedule says of its jobs. */
export const SCHEDULE_TERMS = [...TASK_NAMES, 'group', 'meta'] as const

/**
 * Which names may be given: 'one' job by its call, 'all' jobs of a call alike, 'each' job by a
 * function, a 'task' for all its jobs, a 'schedule' for all its jobs, a whole 'lot'.
 */
export type Scope = 'one' | 'all' | 'each' | 'task' | 'schedule' | 'lot'

const NAMES: Readonly<Record<Scope, readonly OptionName[]>> = {
  one: [...JOB_NAMES, 'id', 'tx'],
  all: [...JOB_NAMES, 'tx'],
  each: [...JOB_NAMES, 'id'],
  task: TASK_NAMES,
  schedule: SCHEDULE_TERMS,
  lot: ['tx'],
}

/** Checks `options` and lays them over `base`. Throws OPTION_INVALID, naming the option. */
export function termsOf(options: unknown, base: Terms, scope: Scope, subject: string): Terms {
  if (options === undefined) return base
  const given = record(options, subject)
  const terms: Draft = { ...base }
  for (const word of Object.keys(given)) {
    const option = NAMES[scope].find((each) => each === word)
    if (option === undefined) throw strange(word, scope, subject)
    if (given[option] !== undefined) TAKE[option](terms, given[option], `${subject}.${option}`)
  }
  if (given.in !== undefined && given.at !== undefined) {
    throw invalid(`${subject}.at`, "either 'in' or 'at'", given.at, 'give one of the two')
  }
  if (terms.after.length > 0 && terms.unique?.onConflict === 'replace') {
    const remedy = "use onConflict: 'keep', or let the job without 'after' be the one that replaces"
    throw invalid(`${subject}.after`, "no 'replace' beside it", 'both', remedy)
  }
  return terms
}

/** A name that this call does not take; some it takes elsewhere, some a later version takes. */
function strange(option: string, scope: Scope, subject: string): Error {
  if (scope === 'all' && option === 'id') {
    const remedy = 'give a function (payload, index) => options, which can name one for each'
    return invalid(`${subject}.id`, 'no id for many jobs at once', option, remedy)
  }
  if (scope === 'each' && option === 'tx') {
    const remedy = 'give it in the last argument, since it holds for the whole call'
    return invalid(`${subject}.tx`, 'no transaction for one of many', option, remedy)
  }
  return unknownName(option, NAMES[scope], subject)
}

/** A run's time in milliseconds; `false` is none. */
export function timeoutOf(value: unknown, path: string): Millis {
  return value === false ? Infinity : millis(value, path, { least: 1, infinite: true })
}

/** An instant as a user gives it. */
export function instant(value: unknown, path: string): Instant {
  const at = value instanceof Date ? value.getTime() : NaN
  if (!Number.isNaN(at)) return at
  throw invalid(path, 'a valid Date', value, "for a span from now use 'in'")
}

function uniqueKey(value: unknown, path: string): UniqueKey {
  const given = record(value, path)
  onlyKnown(given, ['key', 'while', 'for', 'onConflict'], path)
  return {
    key: name(given.key, `${path}.key`),
    while: word(given.while ?? 'unfinished', ['unfinished', 'waiting'], `${path}.while`),
    for: millis(given.for ?? 0, `${path}.for`),
    onConflict: word(
      given.onConflict ?? 'keep',
      ['keep', 'replace', 'reject'],
      `${path}.onConflict`,
    ),
  }
}

/** Each once. What `enqueue` answers is a ref, too; of it only the ref is kept. */
function afterOf(value: unknown, path: string): readonly JobRef[] {
  if (!Array.isArray(value)) throw invalid(path, 'an array of jobs, as enqueue answers them', value)
  const given: readonly unknown[] = value
  if (given.length > PARENTS) {
    throw invalid(path, `at most ${PARENTS} jobs`, value, 'put jobs between that gather some each')
  }
  const refs = new Map<string, JobRef>()
  given.forEach((one, at) => {
    const ref = refOf(one, `${path}[${at}]`)
    refs.set(`${ref.queue}\0${ref.id}`, ref)
  })
  return [...refs.values()]
}

function refOf(value: unknown, path: string): JobRef {
  const { queue, id } = record(value, path, 'a job, as enqueue answers it, or { queue, id }')
  return { queue: name(queue, `${path}.queue`), id: name(id, `${path}.id`) }
}

function tagsOf(value: unknown, path: string): readonly string[] {
  if (!Array.isArray(value)) throw invalid(path, 'an array of strings', value)
  const given: readonly unknown[] = value
  const tags = [...new Set(given.map((tag, at) => name(tag, `${path}[${at}]`)))]
  if (tags.length > TAGS) throw invalid(path, `at most ${TAGS} tags`, value, 'use fewer')
  return tags
}

function metaOf(value: unknown, path: string): Encoded | null {
  const expected = 'a plain object, like { requestId }'
  const given = record(value, path, expected)
  if (!isPlainObject(given)) throw invalid(path, expected, value)
  return Object.keys(given).length === 0 ? null : encode(given, path)
}
