/**
 * What keeps a job from running now, as a store tells it: the words of `explain`. Plain data; spans
 * in milliseconds, instants since the Unix epoch. What each gate is, is said in `job/book/gates.ts`.
 */
import type { Counts, FinalState, Instant, JobRef, Millis, State } from './job.js'

/** `opensIn`: by itself, after so long; 0: at the next claim; null: when something happens. */
export type Gate =
  | { readonly kind: 'final'; readonly state: FinalState; readonly since: Instant }
  /** `until`: it is lost if its node gives no sign of life before. */
  | {
      readonly kind: 'running'
      readonly worker: string
      readonly attempt: number
      readonly since: Instant
      readonly until: Instant
    }
  /** `first`: the first ten of them that keep it waiting. */
  | {
      readonly kind: 'parents'
      readonly unfinished: number
      readonly failed: number
      readonly first: readonly JobRef[]
    }
  | {
      readonly kind: 'not-due'
      readonly state: 'scheduled' | 'retryable'
      readonly opensIn: Millis
    }
  /** It will not run: the next sweep ends it. */
  | { readonly kind: 'ending'; readonly reason: 'expired' | 'attempts-spent' }
  | {
      readonly kind: 'paused'
      readonly what: 'all' | 'queue' | 'group'
      readonly where: 'everywhere'
      readonly since: Instant
      readonly by: string
    }
  /** Nothing of it starts here: it is on its way to, or from, another store. */
  | {
      readonly kind: 'moving'
      readonly what: 'queue' | 'group'
      readonly side: 'moving' | 'arriving'
      readonly with: string
      readonly since: Instant
    }
  | {
      readonly kind: 'throttled'
      readonly what: 'queue' | 'key' | 'group'
      readonly opensIn: Millis
    }
  /** `first`: ten of those that run. */
  | {
      readonly kind: 'cap'
      readonly what: 'queue' | 'group'
      readonly limit: number
      readonly running: number
      readonly first: readonly JobRef[]
    }
  /** `by` runs, or failed and holds the group, or stands before this one. */
  | {
      readonly kind: 'group-blocked'
      readonly group: string
      readonly by: JobRef
      readonly state: State
      readonly attempt: number
      readonly maxAttempts: number
      readonly opensIn: Millis | null
    }
  | {
      readonly kind: 'rate'
      readonly what: 'queue' | 'key' | 'group'
      /** The shared key, or the name of the queue or group. */
      readonly key: string
      readonly count: number
      readonly per: Millis
      readonly spent: number
      readonly opensIn: Millis
    }
  /** It was in two crashes, so it needs a worker that runs nothing else, and its turn. */
  | { readonly kind: 'alone'; readonly crashes: number; readonly busyWorkers: number }
  /** `workers`: live ones of the queue, that do not know its task, or take nothing now. */
  | { readonly kind: 'no-worker'; readonly task: string; readonly workers: number }

/** No gates and `ahead` below k: a claim of k, by a worker that knows its task, takes it. */
export interface Explained {
  readonly state: State
  /** In the order in which they are asked. */
  readonly gates: readonly Gate[]
  /** Jobs that go first; exact up to `AHEAD_LIMIT`, beyond that at least that. */
  readonly ahead: number
}

export interface QueueExplained {
  readonly queue: string
  /** Those that hold the whole queue, then those that hold its next job. */
  readonly gates: readonly Gate[]
  readonly counts: Counts
  /** The job that goes next, or would if its gates were open; null: nothing waits. */
  readonly next: JobRef | null
}

/** A group of a queue, as operators see it. */
export interface GroupRow {
  readonly group: string
  readonly counts: Counts
  /** By itself: what its queue says comes on top. */
  readonly paused: boolean
  /** Blocking order: the job that holds it; null: none does. */
  readonly blockedBy: string | null
}
