/** What `millrace(url, options)` takes beside the store: checked once, where it is given. */
import { invalid, name, onlyKnown, record, word } from './job/check.js'
import {
  BEAT,
  BEAT_LEAST,
  BEAT_SHARE,
  DEFAULT_SCOPE,
  LEASE,
  LEASE_LEAST,
  POLL,
  POLL_LEAST,
} from './job/defaults.js'
import type { Millis } from './job/job.js'
import { millis } from './time/duration.js'
import type { Duration } from './time/duration.js'

export interface MillraceOptions {
  /** Keeps several Millraces apart in one store ['default']. */
  readonly scope?: string
  /** How long a silent worker keeps its jobs ['30s']. */
  readonly lease?: Duration
  /** How often a worker says that it lives; at most a third of the lease ['5s']. */
  readonly beat?: Duration
  /** The longest sleep between two looks when no hint comes ['2s']. */
  readonly poll?: Duration
  /** Whether this process sweeps and runs schedules beside its workers [true]. */
  readonly upkeep?: boolean
  /** On these signals workers drain and the process's Millrace closes [none]. */
  readonly drainOn?: readonly DrainSignal[]
}

export type DrainSignal = 'SIGTERM' | 'SIGINT'

/** The options, complete. */
export interface Terms {
  readonly scope: string
  readonly lease: Millis
  readonly beat: Millis
  readonly poll: Millis
  readonly upkeep: boolean
  readonly drainOn: readonly DrainSignal[]
}

const NAMES = ['scope', 'lease', 'beat', 'poll', 'upkeep', 'drainOn']

export function millraceTerms(options: unknown): Terms {
  const given = record(options ?? {}, 'millrace')
  onlyKnown(given, NAMES, 'millrace')
  const lease = millis(given.lease ?? LEASE, 'millrace.lease', { least: LEASE_LEAST })
  return {
    scope: name(given.scope ?? DEFAULT_SCOPE, 'millrace.scope'),
    lease,
    beat: beatOf(given.beat, lease),
    poll: millis(given.poll ?? POLL, 'millrace.poll', { least: POLL_LEAST }),
    upkeep: upkeepOf(given.upkeep),
    drainOn: signalsOf(given.drainOn ?? []),
  }
}

/** Without a word of its own it follows a lease that is shorter than usual. */
function beatOf(value: unknown, lease: Millis): Millis {
  const most = Math.floor(lease * BEAT_SHARE)
  if (value === undefined) return Math.min(BEAT, most)
  const beat = millis(value, 'millrace.beat', { least: BEAT_LEAST })
  if (beat <= most) return beat
  const remedy = 'beat more often, or lengthen the lease'
  throw invalid('millrace.beat', `at most a third of the lease, ${most} ms`, value, remedy)
}

function upkeepOf(value: unknown): boolean {
  if (value === undefined) return true
  if (typeof value === 'boolean') return value
  throw invalid('millrace.upkeep', 'true or false', value)
}

function signalsOf(value: unknown): readonly DrainSignal[] {
  if (!Array.isArray(value)) throw invalid('millrace.drainOn', "['SIGTERM', 'SIGINT']", value)
  const asked: readonly unknown[] = value
  return asked.map((each, at) => word(each, ['SIGTERM', 'SIGINT'], `millrace.drainOn[${at}]`))
}
