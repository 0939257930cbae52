/**
 * The words of a job: its states, its attempts, and the whole of it as a store shows it.
 * Plain data only. Instants are milliseconds since the Unix epoch, spans are milliseconds;
 * the faces turn them into `Date` and `Duration`. What a producer hands in is in `lot.ts`,
 * what a worker is given in `claim.ts`, what it reports in `verdict.ts`.
 */
import type { Encoded } from './codec.js'

/** A span in milliseconds. */
export type Millis = number
/** An instant in milliseconds since the Unix epoch. */
export type Instant = number

export type FinalState = 'completed' | 'cancelled' | 'discarded'
export type State = 'scheduled' | 'available' | 'running' | 'retryable' | 'waiting' | FinalState

/** Every state, in the order in which counts and pages show them. */
export const STATES: readonly State[] = [
  'scheduled',
  'available',
  'running',
  'retryable',
  'waiting',
  'completed',
  'cancelled',
  'discarded',
]

export const FINAL_STATES: readonly FinalState[] = ['completed', 'cancelled', 'discarded']

export type Counts = Readonly<Record<State, number>>

/** Why a job was discarded. `unknown`: at-most-once, and nobody said how its run ended. */
export type DiscardReason =
  'attempts-spent' | 'given-up' | 'expired' | 'payload-invalid' | 'parent-failed' | 'unknown'

export interface JobRef {
  readonly queue: string
  readonly id: string
}

/** What went wrong in an attempt; cut to `ERROR_BYTES` in all before it crosses the seam. */
export interface AttemptError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

export type AttemptOutcome = 'completed' | 'failed' | 'timeout' | 'lost' | 'cancelled' | 'discarded'

/** One run that ended. */
export interface Attempt {
  /** From 1 in each round. */
  readonly attempt: number
  /** From 1; an operator's retry begins the next, and so does becoming a dead letter. */
  readonly round: number
  readonly outcome: AttemptOutcome
  readonly error: AttemptError | null
  readonly worker: string
  readonly startedAt: Instant
  readonly duration: Millis
  /** The names of the steps that were done in it. Left out: none. */
  readonly steps?: readonly string[]
}

/** What a step came to: kept with its job over attempts, rounds and dead letters, and goes with it. */
export interface Step {
  readonly name: string
  readonly value: Encoded
}

/** Where a dead letter comes from. */
export interface Origin extends JobRef {
  readonly history: readonly Attempt[]
  readonly reason: DiscardReason
}

/** The whole of a job, as a store shows it to operators. */
export interface JobRecord extends JobRef {
  readonly task: string
  readonly state: State
  readonly payload: Encoded
  /** The current or last attempt, from 1; 0 before the first. */
  readonly attempt: number
  readonly maxAttempts: number
  readonly priority: number
  readonly group: string
  readonly tags: readonly string[]
  readonly meta: Encoded | null
  /** The last `HISTORY_KEPT` attempts that ended, oldest first. */
  readonly history: readonly Attempt[]
  readonly origin: Origin | null
  /** Who holds it now; null unless it is running. */
  readonly worker: string | null
  readonly enqueuedAt: Instant
  readonly dueAt: Instant
  readonly finishedAt: Instant | null
  readonly progress: number | null
  readonly log: readonly string[]
  readonly result: Encoded | null
  /** Why it was cancelled or discarded. */
  readonly reason: string | null
}

/** What is kept of a finished job when the job itself is gone. */
export interface Receipt extends JobRef {
  readonly state: FinalState
  readonly result: Encoded | null
  readonly reason: string | null
  /** The dead letter that it became. */
  readonly movedTo: JobRef | null
}

/** A job that another one comes after, as it stands now. */
export interface ParentRow extends JobRef {
  readonly state: State
  /** Kept for as long as the child is, whatever the parent's queue keeps. */
  readonly result: Encoded | null
}

/** What a store answers about one id. */
export type Found =
  | { readonly kind: 'job'; readonly job: JobRecord }
  | { readonly kind: 'receipt'; readonly receipt: Receipt }

/** A transition that nobody's verdict asked for; the engine tells observers of it. */
export interface Happening extends JobRef {
  readonly kind: 'lost' | 'timeout' | 'expired' | 'spent' | 'cancelled' | 'parent-failed'
  readonly task: string
  readonly group: string
  readonly attempt: number
  /** Who held it; '' when nobody did. */
  readonly worker: string
  /** Where it stands now. */
  readonly state: State
  /** By how much it was late, for `expired`. */
  readonly late: Millis
  /** Why, when it now is discarded. Left out: as its kind says. */
  readonly reason?: DiscardReason
  readonly deadLetter: JobRef | null
}
