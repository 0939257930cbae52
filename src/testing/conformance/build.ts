/**
 * The material of the laws: jobs, lots and verdicts with everything filled in, so that a test shows
 * only what it is about. Plain data; it talks to no store.
 */
import type { Claimed } from '../../job/claim.js'
import type { Encoded } from '../../job/codec.js'
import type { AttemptError, DiscardReason, JobRef, Millis } from '../../job/job.js'
import type { NewJob, UniqueKey } from '../../job/lot.js'
import type { Ran, Settlement, Verdict } from '../../job/verdict.js'

/** The queue of a test that needs only one. */
export const QUEUE = 'q'
/** The task of a plain queue. */
export const TASK = 'default'

/** A payload or result as it crosses the seam. */
export function json(value: unknown): Encoded {
  return { text: JSON.stringify(value), codec: 'json' }
}

/** What a test says of a job; the rest is as plain as it can be. */
export type JobWords = Partial<Omit<NewJob, 'id'>>

export function newJob(id: string, words: JobWords = {}): NewJob {
  return {
    queue: QUEUE,
    id,
    ownId: false,
    task: TASK,
    payload: json({ of: id }),
    priority: 0,
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
    origin: null,
    ...words,
  }
}

export function unique(key: string, words: Partial<UniqueKey> = {}): UniqueKey {
  return { key, while: 'unfinished', for: 0, onConflict: 'keep', ...words }
}

export const RELEASE: Verdict = { kind: 'release' }
export const COMPLETE: Verdict = { kind: 'complete', result: null }

export function completeWith(value: unknown): Verdict {
  return { kind: 'complete', result: json(value) }
}

export function retryIn(delay: Millis): Verdict {
  return { kind: 'retry', delay }
}

export function snoozeFor(delay: Millis): Verdict {
  return { kind: 'snooze', delay }
}

export function cancelFor(reason: string | null = null): Verdict {
  return { kind: 'cancel', reason }
}

export function discardAs(
  deadId: string,
  reason: DiscardReason = 'given-up',
  message: string | null = null,
): Verdict {
  return { kind: 'discard', reason, message, deadId }
}

export const FAILURE: AttemptError = { name: 'Error', message: 'it did not work' }

/** What a run was, as the engine would say it beside this verdict. */
export function ranFor(verdict: Verdict, duration: Millis = 5): Ran | null {
  switch (verdict.kind) {
    case 'complete':
      return { outcome: 'completed', error: null, duration }
    case 'retry':
      return { outcome: 'failed', error: FAILURE, duration }
    case 'cancel':
      return { outcome: 'cancelled', error: null, duration }
    case 'discard':
      return verdict.reason === 'attempts-spent'
        ? { outcome: 'failed', error: FAILURE, duration }
        : { outcome: 'discarded', error: null, duration }
    case 'snooze':
    case 'release':
      return null
  }
}

export function settlement(
  held: Pick<Claimed, 'queue' | 'id' | 'token'>,
  verdict: Verdict,
  ran: Ran | null = ranFor(verdict),
): Settlement {
  return { queue: held.queue, id: held.id, token: held.token, verdict, ran }
}

export function refOf(job: JobRef): JobRef {
  return { queue: job.queue, id: job.id }
}

export function idsOf(jobs: readonly { readonly id: string }[]): string[] {
  return jobs.map((job) => job.id)
}

/** 0, 1, 2 … */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
