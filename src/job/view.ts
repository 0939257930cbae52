/**
 * A job as users see it: payload, meta and result decoded, instants as `Date`. Plain data and how
 * it is made of what the seam carries. Decoding gives every reader a copy of its own, so what one
 * does to a payload reaches nobody else.
 */
import type { Claimed } from './claim.js'
import { decode } from './codec.js'
import type { Encoded } from './codec.js'
import type * as stored from './job.js'
import type { AttemptError, AttemptOutcome, DiscardReason, JobRef, Millis, State } from './job.js'

/** The plain data of a job. */
export interface JobData<P = unknown> extends JobRef {
  /** 'default' on a plain queue. */
  readonly task: string
  readonly payload: P
  /** The current or last one, from 1; 0 before the first. */
  readonly attempt: number
  readonly maxAttempts: number
  readonly priority: number
  readonly group: string
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, unknown>>
  /** The last 20 that ended, oldest first. */
  readonly history: readonly Attempt[]
  /** Where a dead letter comes from. */
  readonly origin: Origin | null
}

export interface Origin extends JobRef {
  readonly history: readonly Attempt[]
  readonly reason: DiscardReason
}

/** One run that ended. */
export interface Attempt {
  /** From 1 in each `round`; an operator's retry begins the next, and so does becoming a dead letter. */
  readonly attempt: number
  readonly round: number
  readonly outcome: AttemptOutcome
  /** At most 2 KB. */
  readonly error: AttemptError | null
  readonly worker: string
  readonly startedAt: Date
  readonly duration: Millis
  /** The names of the steps that were done in it. Left out: none. */
  readonly steps?: readonly string[]
}

/** As an operator sees it. */
export interface JobView<P = unknown, R = unknown> extends JobData<P> {
  readonly state: State
  readonly worker: string | null
  readonly enqueuedAt: Date
  readonly dueAt: Date
  readonly finishedAt: Date | null
  readonly progress: number | null
  readonly log: readonly string[]
  readonly result: R | undefined
  /** Why it was cancelled or discarded. */
  readonly reason: string | null
}

export function viewOf<P, R>(job: stored.JobRecord): JobView<P, R> {
  return {
    id: job.id,
    queue: job.queue,
    task: job.task,
    state: job.state,
    payload: decode(job.payload) as P, // as: the caller names the type, as with any stored data
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    priority: job.priority,
    group: job.group,
    tags: job.tags,
    meta: metaOf(job.meta),
    history: historyOf(job.history),
    origin: originOf(job.origin),
    worker: job.worker,
    enqueuedAt: new Date(job.enqueuedAt),
    dueAt: new Date(job.dueAt),
    finishedAt: job.finishedAt === null ? null : new Date(job.finishedAt),
    progress: job.progress,
    log: job.log,
    result: resultOf(job.result) as R | undefined, // as: see above
    reason: job.reason,
  }
}

/** What a user's backoff function is told of the job whose attempt failed. */
export function dataOf(claimed: Claimed): JobData {
  return {
    id: claimed.id,
    queue: claimed.queue,
    task: claimed.task,
    payload: decode(claimed.payload),
    attempt: claimed.attempt,
    maxAttempts: claimed.maxAttempts,
    priority: claimed.priority,
    group: claimed.group,
    tags: claimed.tags,
    meta: metaOf(claimed.meta),
    history: historyOf(claimed.history),
    origin: originOf(claimed.origin),
  }
}

/** Nothing stored reads as an empty record. */
export function metaOf(meta: Encoded | null): Readonly<Record<string, unknown>> {
  if (meta === null) return {}
  return decode(meta, 'meta') as Readonly<Record<string, unknown>> // as: options let only records in
}

/** Nothing stored reads as undefined, which is what a handler without a result returned. */
export function resultOf(result: Encoded | null): unknown {
  return result === null ? undefined : decode(result, 'result')
}

export function historyOf(history: readonly stored.Attempt[]): readonly Attempt[] {
  return history.map((each) => ({ ...each, startedAt: new Date(each.startedAt) }))
}

export function originOf(origin: stored.Origin | null): Origin | null {
  return origin === null ? null : { ...origin, history: historyOf(origin.history) }
}
