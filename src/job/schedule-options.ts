/**
 * What a user may say of a schedule, and its checked form. Refuses a plan that never comes, a zone
 * that does not exist, an interval too short, and words that nobody knows, each by its path.
 */
import { millis } from '../time/duration.js'
import type { Duration } from '../time/duration.js'
import { invalid, onlyKnown, record, whole, word } from './check.js'
import { isTimeZone, nextOfCron } from './cron.js'
import { EVERY_LEAST, PAGE_LIMIT } from './defaults.js'
import type { Instant, Millis } from './job.js'
import { SCHEDULE_TERMS, instant } from './options.js'
import type { JobOptions } from './options.js'
import type { Plan, ScheduleSpec } from './schedule.js'

/**
 * When, and what each slot's job is like. Exactly one of `cron`, `every` and `at`.
 *
 * `missed`: a slot that nobody fired within a minute ['once']. 'skip': it is left out. 'once': the
 * last one that was missed gets a job, for all of them. 'all': each gets one, at most the last 1,000.
 * `overlap`: the last slot's job is unfinished when the next slot comes ['skip', but 'queue' with
 * missed: 'all']. 'skip': that slot is left out. 'queue': it gets its job all the same.
 * `jitter`: fires later by up to this, always before the next slot, the same on every node [0].
 * `meta.schedule` of each job is `{ name, slot }`.
 */
export type ScheduleOptions<In = unknown> = Omit<
  JobOptions,
  'unique' | 'after' | 'onParentFailed'
> & {
  readonly payload: In
  readonly missed?: 'skip' | 'once' | 'all'
  readonly overlap?: 'skip' | 'queue'
  readonly jitter?: Duration
} & PlanOptions

/**
 * Cron, in a zone ['UTC']. Or every so often, at least '1s', at multiples of the span since
 * 1970-01-01T00:00Z. Or once, at an instant to come.
 */
export type PlanOptions =
  | {
      readonly cron: string
      readonly timeZone?: string
      readonly every?: undefined
      readonly at?: undefined
    }
  | {
      readonly every: Duration
      readonly cron?: undefined
      readonly timeZone?: undefined
      readonly at?: undefined
    }
  | {
      readonly at: Date
      readonly cron?: undefined
      readonly timeZone?: undefined
      readonly every?: undefined
    }

const PLAN_NAMES = ['cron', 'timeZone', 'every', 'at', 'jitter', 'missed', 'overlap']
const NAMES = [...PLAN_NAMES, 'payload', ...SCHEDULE_TERMS]

/** Options, checked. `rest` is what they say of the jobs. */
export interface ScheduleTerms extends Omit<ScheduleSpec, 'job'> {
  readonly payload: unknown
  readonly rest: Readonly<Record<string, unknown>>
}

/** `now`: what comes after it counts as coming. Throws OPTION_INVALID. */
export function scheduleTerms(options: unknown, now: Instant, subject: string): ScheduleTerms {
  const given = record(options, subject)
  onlyKnown(given, NAMES, subject)
  if (!('payload' in given)) {
    throw invalid(`${subject}.payload`, 'a payload', undefined, 'give one; null will do')
  }
  const { cron, timeZone, every, at, jitter, missed = 'once', overlap, payload, ...rest } = given
  const policy = word(missed, ['skip', 'once', 'all'], `${subject}.missed`)
  const usual = policy === 'all' ? 'queue' : 'skip'
  return {
    plan: planOf({ cron, timeZone, every, at }, now, subject),
    jitter: jitterOf(jitter, subject),
    missed: policy,
    overlap: word(overlap ?? usual, ['skip', 'queue'], `${subject}.overlap`),
    payload,
    rest,
  }
}

/** Only the plan of a schedule, whatever else is said beside it. */
export function planTerms(options: unknown, now: Instant, subject: string): Plan {
  const given = record(options, subject)
  onlyKnown(given, NAMES, subject)
  return planOf(given, now, subject)
}

export function countOf(value: unknown, subject: string): number {
  return whole(value, subject, { least: 1, most: PAGE_LIMIT })
}

function planOf(given: Readonly<Record<string, unknown>>, now: Instant, subject: string): Plan {
  const said = (['cron', 'every', 'at'] as const).filter((name) => given[name] !== undefined)
  if (said.length !== 1) {
    const received = said.length === 0 ? 'none of them' : said.join(' and ')
    throw invalid(subject, "exactly one of 'cron', 'every' and 'at'", received, 'say when, once')
  }
  if (given.timeZone !== undefined && said[0] !== 'cron') {
    const remedy = 'leave it out: a span and an instant are the same in every zone'
    throw invalid(`${subject}.timeZone`, "a zone only beside 'cron'", given.timeZone, remedy)
  }
  switch (said[0]) {
    case 'cron':
      return cronPlan(given.cron, given.timeZone ?? 'UTC', now, subject)
    case 'every':
      return everyPlan(given.every, now, subject)
    default:
      // A past one is refused by who knows whether it stands there already.
      return { kind: 'at', at: instant(given.at, `${subject}.at`) }
  }
}

function cronPlan(cron: unknown, timeZone: unknown, now: Instant, subject: string): Plan {
  const path = `${subject}.cron`
  if (typeof timeZone !== 'string' || !isTimeZone(timeZone)) {
    const remedy = "write it like 'Europe/Paris' or 'UTC'"
    throw invalid(`${subject}.timeZone`, 'the name of a time zone', timeZone, remedy)
  }
  if (typeof cron !== 'string') throw invalid(path, 'a cron line', cron)
  const line = cron.trim().replace(/\s+/g, ' ')
  let next: Instant | null
  try {
    next = nextOfCron(line, timeZone, now)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^CronPattern: /, '') : String(cause)
    throw invalid(path, 'a cron line', cron, `write it like '0 9 * * 1-5': ${why}`)
  }
  if (next === null)
    throw invalid(path, 'a cron line that comes', cron, 'no such day comes any more')
  return { kind: 'cron', line, timeZone }
}

function everyPlan(every: unknown, now: Instant, subject: string): Plan {
  const path = `${subject}.every`
  const span = Math.round(millis(every, path, { least: EVERY_LEAST }))
  // Beyond that no Date can say the second slot.
  if (now + 2 * span <= 8.64e15) return { kind: 'every', span }
  throw invalid(path, 'a span that comes round', every, 'shorten it')
}

export function refusePast(plan: Plan, now: Instant, subject: string): void {
  if (plan.kind !== 'at' || plan.at > now) return
  const remedy = 'give one to come; for a job at once there is enqueue'
  throw invalid(`${subject}.at`, 'an instant to come', new Date(plan.at), remedy)
}

function jitterOf(jitter: unknown, subject: string): Millis {
  return jitter === undefined ? 0 : Math.round(millis(jitter, `${subject}.jitter`))
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

/** For people, and exact: `0 9 * * 1-5 (Europe/Paris)`, `every 15m`, `at 2026-01-01T00:00:00.000Z`. */
export function planText(plan: Plan): string {
  switch (plan.kind) {
    case 'cron':
      return `${plan.line} (${plan.timeZone})`
    case 'every': {
      const [unit, size] = UNITS.find(([, size]) => plan.span % size === 0) ?? ['ms', 1]
      return `every ${plan.span / size}${unit}`
    }
    case 'at':
      return `at ${new Date(plan.at).toISOString()}`
  }
}
