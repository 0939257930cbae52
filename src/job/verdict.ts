/**
 * How a run ends. The engine decides (retry or discard, after which delay), the store applies.
 */
import type { Encoded } from './codec.js'
import type { AttemptError, AttemptOutcome, DiscardReason, JobRef, Millis } from './job.js'
import type { State, Step } from './job.js'
import type { TokenText } from './claim.js'

export type Verdict =
  | { readonly kind: 'complete'; readonly result: Encoded | null }
  /** The attempt failed; again after `delay`, at its old place. */
  | { readonly kind: 'retry'; readonly delay: Millis }
  /** Again after `delay`, at a new place; the attempt is given back. */
  | { readonly kind: 'snooze'; readonly delay: Millis }
  /** Again at once, at its old place; the attempt is given back. */
  | { readonly kind: 'release' }
  | { readonly kind: 'cancel'; readonly reason: string | null }
  /** `deadId`: the id that it gets in its dead-letter queue, if it has one. */
  | {
      readonly kind: 'discard'
      readonly reason: DiscardReason
      readonly message: string | null
      readonly deadId: string
    }

/** What the run was; null in a settlement that gives the attempt back. */
export interface Ran {
  readonly outcome: AttemptOutcome
  readonly error: AttemptError | null
  readonly duration: Millis
}

export interface Settlement extends JobRef {
  readonly token: TokenText
  readonly verdict: Verdict
  readonly ran: Ran | null
}

/**
 * `lost`: the token was dead; nothing changed. Repeating a settlement answers as the first time.
 * `state` may differ from what was asked: a cancel that was asked for turns what would bring the
 * job back into `cancelled`; a retry beyond the last attempt is `discarded`.
 */
export type Settled =
  | { readonly status: 'done'; readonly state: State; readonly deadLetter: JobRef | null }
  | { readonly status: 'lost' }

/** What a handler tells on its way; fenced by the token. */
export interface Note extends JobRef {
  readonly token: TokenText
  /** 0 to 1; null: unchanged. */
  readonly progress: number | null
  /** Lines to add. */
  readonly log: readonly string[]
  /** A step that was done; one of a name that is kept already changes nothing. */
  readonly step?: Step
  /** What the other side wants a rest from. */
  readonly throttles?: readonly Throttle[]
}

/**
 * Nothing starts for so long of the job's queue, of all queues that share its rate's key (without
 * one: of the queue), or of its group. The longest that was asked for counts.
 */
export interface Throttle {
  readonly what: 'queue' | 'key' | 'group'
  readonly delay: Millis
}

export type Noted = 'done' | 'lost'
