/**
 * What a store keeps, said so that any other store can take it over: a job in any state with all
 * that belongs to it, and what stands beside jobs. Plain data; instants are of the wall's clock, so
 * that a store whose own time begins elsewhere reads them as they were meant.
 *
 * What is not carried: who holds a running job (a copy waits for its end), where the rotation of
 * groups stands (it begins anew), and settlements that are remembered for a repeat (tokens are one
 * store's own).
 */
import type { Encoded } from './codec.js'
import type { Attempt, DiscardReason, FinalState, Instant, JobRef } from './job.js'
import type { Millis, State, Step } from './job.js'
import type { ParentPolicy } from './lot.js'
import type { Schedule } from './schedule.js'
import type { SettingsLayer } from './settings.js'
import type { Transit } from './transit.js'

export type Portable = PortableJob | PortableFact

/** What stands beside jobs. */
export type PortableFact =
  | PortableScope
  | PortableQueue
  | PortableKey
  | PortableSchedule
  | PortableRetired
  | PortableThrottle
  | PortableGrants

export interface PortableJob extends JobRef {
  readonly kind: 'job'
  readonly ownId: boolean
  readonly task: string
  /** As an operator may have changed it; null: a receipt has none. */
  readonly payload: Encoded | null
  readonly priority: number
  readonly group: string
  readonly tags: readonly string[]
  readonly meta: Encoded | null
  /** Its own. Null: by the queue's settings; so of `maxAttempts` and `expiresIn`. */
  readonly timeout: Millis | null
  readonly maxAttempts: number | null
  readonly expiresIn: Millis | null
  readonly state: State | 'receipt'
  readonly attempt: number
  readonly round: number
  readonly crashes: number
  /** Where it stands among its like. */
  readonly place: Instant
  /** Other than its place after a retry's delay. */
  readonly due: Instant
  /** Its place was said as an instant of the wall's clock. */
  readonly isAtWall: boolean
  readonly insertedAt: Instant
  /** When it ended; null: it has not. */
  readonly endedAt: Instant | null
  /** Blocking order: it failed, or gave an attempt back, and nothing else of its group may start. */
  readonly holdsGroup: boolean
  /** A dead letter: its own timeout belongs to its first life, and counts again on its way back. */
  readonly isFresh: boolean
  readonly key: PortableOwnKey | null
  readonly parents: readonly PortableParent[]
  readonly onParentFailed: ParentPolicy
  readonly history: readonly Attempt[]
  readonly origin: PortableOrigin | null
  readonly result: Encoded | null
  readonly progress: number | null
  readonly log: readonly string[]
  readonly steps: readonly Step[]
  /** How many of the steps the history tells. */
  readonly stepsTold: number
  readonly discarded: DiscardReason | null
  readonly reason: string | null
  readonly movedTo: JobRef | null
  /** Of a receipt: an operator deleted the job. */
  readonly isDeleted: boolean
  /** Of a receipt: how the job ended. */
  readonly final: FinalState | null
  /** Who holds it; null unless it runs. */
  readonly holder: { readonly node: string; readonly worker: string } | null
}

export interface KeyWords {
  readonly name: string
  readonly while: 'unfinished' | 'waiting'
}

export interface PortableOwnKey extends KeyWords {
  /** It has the key now. */
  readonly holds: boolean
  /** The key's period ends then; null: it has none. */
  readonly until: Instant | null
}

export interface PortableOrigin extends JobRef {
  readonly history: readonly Attempt[]
  readonly reason: DiscardReason
  readonly maxAttempts: number | null
  readonly key: KeyWords | null
}

/** What a job comes after, as the job knows it. */
export interface PortableParent extends JobRef {
  readonly end: FinalState | null
  readonly result: Encoded | null
  readonly isWaived: boolean
  /** Where it, or its dead letter, stands while that may still change; null: it will not. */
  readonly looksAt: JobRef | null
  /** It was moved to where this goes. */
  readonly isAway: boolean
}

/** Everything is paused. */
export interface PortableScope {
  readonly kind: 'scope'
  readonly paused: PortablePause
}

export interface PortablePause {
  readonly since: Instant
  readonly by: string
}

export interface PortableQueue {
  readonly kind: 'queue'
  readonly queue: string
  readonly declared: SettingsLayer
  readonly overrides: SettingsLayer
  readonly paused: PortablePause | null
  readonly pausedGroups: readonly (readonly [group: string, pause: PortablePause])[]
  /** Told, and never taken over. */
  readonly transit: Transit | null
  /** Told, and never taken over: so many unique keys are held by jobs or by their periods. */
  readonly hasKeys: boolean
}

/** A unique key that only its period holds. */
export interface PortableKey extends KeyWords {
  readonly kind: 'key'
  readonly queue: string
  /** Whose it was. */
  readonly id: string
  readonly until: Instant
}

export interface PortableSchedule {
  readonly kind: 'schedule'
  readonly queue: string
  readonly schedule: Schedule
}

/** What is remembered of a schedule that was removed, so that no slot of it comes again. */
export interface PortableRetired {
  readonly kind: 'retired'
  readonly queue: string
  readonly name: string
  readonly revision: number
  readonly passed: Instant | null
  readonly until: Instant
}

/** `name`: as in `job/book/rates.ts`. */
export interface PortableThrottle {
  readonly kind: 'throttle'
  readonly name: string
  readonly until: Instant
}

/** What a rate has granted and still counts. */
export interface PortableGrants {
  readonly kind: 'grants'
  readonly name: string
  /** How long a grant counts. */
  readonly keep: Millis
  /** Rising. */
  readonly moments: readonly (readonly [at: Instant, count: number])[]
}

/** The parts of what a store keeps, in the order in which they are carried. */
export const PARTS = ['queues', 'jobs', 'keys', 'rates', 'schedules'] as const
export type Part = (typeof PARTS)[number]

/** `present`: it was there before, and stays as it is. */
export type Loaded =
  | { readonly status: 'loaded' | 'present' }
  /** Nothing was done: what it comes after is not here yet. */
  | { readonly status: 'deferred'; readonly parent: JobRef }
  | { readonly status: 'refused'; readonly why: 'running' }
  /** Another job has its unique key. */
  | {
      readonly status: 'refused'
      readonly why: 'key-held'
      readonly key: string
      readonly by: string
    }

/** A job of which nothing special is to be said; its words are the ones that may be left out. */
export const PLAIN_JOB = {
  ownId: false,
  task: 'default',
  payload: null,
  priority: 0,
  group: '',
  tags: [],
  meta: null,
  timeout: null,
  maxAttempts: null,
  expiresIn: null,
  attempt: 0,
  round: 1,
  crashes: 0,
  isAtWall: false,
  endedAt: null,
  holdsGroup: false,
  isFresh: false,
  key: null,
  parents: [],
  onParentFailed: 'wait',
  history: [],
  origin: null,
  result: null,
  progress: null,
  log: [],
  steps: [],
  stepsTold: 0,
  discarded: null,
  reason: null,
  movedTo: null,
  isDeleted: false,
  final: null,
  holder: null,
} as const satisfies Partial<PortableJob>

const PLAIN = new Map<string, unknown>(Object.entries(PLAIN_JOB))

/** Without what all have. */
export function saidOf(words: object): Record<string, unknown> {
  const said = Object.entries(words).filter(([name, value]) =>
    Array.isArray(value) ? value.length > 0 : !PLAIN.has(name) || PLAIN.get(name) !== value,
  )
  return Object.fromEntries(said)
}

/** About how many bytes it takes to carry. */
export function weightOf(job: PortableJob): number {
  const { payload, result, history, origin, log, steps, parents, meta } = job
  let bytes = 300
  for (const text of [payload, result, meta]) bytes += text?.text.length ?? 0
  for (const { error } of [...history, ...(origin?.history ?? [])]) {
    bytes += 200 + (error?.message.length ?? 0) + (error?.stack?.length ?? 0)
  }
  for (const line of log) bytes += line.length
  for (const { name, value } of steps) bytes += name.length + value.text.length + 100
  for (const parent of parents) bytes += 200 + (parent.result?.text.length ?? 0)
  return bytes
}
