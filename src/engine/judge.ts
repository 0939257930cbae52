/**
 * From how a run ended to its verdict: pure, and the one place that decides between retry and
 * discard. Promises: an attempt beyond the last never comes back, at-most-once never runs twice, a
 * cancel that was asked for is not answered with another run. Applying the verdict is left to the
 * store, which may know of a later cancel and then reads it as one.
 */
import type { Claimed } from '../job/claim.js'
import { delayAfter } from '../job/backoff.js'
import type { Encoded } from '../job/codec.js'
import type { MillraceError } from '../job/errors.js'
import { millraceError } from '../job/errors.js'
import type { AttemptError, AttemptOutcome, DiscardReason, JobRef, Millis } from '../job/job.js'
import type { Settings } from '../job/settings.js'
import type { Ran, Verdict } from '../job/verdict.js'
import type { Chance } from '../time/clock.js'
import { attemptError } from './attempt-error.js'

/** What a handler asks for. */
export type Asked =
  | { readonly kind: 'complete'; readonly result: Encoded | null }
  | { readonly kind: 'fail'; readonly error: unknown }
  | { readonly kind: 'snooze'; readonly delay: Millis }
  | { readonly kind: 'release' }
  | { readonly kind: 'cancel'; readonly reason: string | null }
  | { readonly kind: 'discard'; readonly reason: DiscardReason; readonly message: string | null }

/**
 * How a run ended. `timeout`: its time was up. `stopped`: its worker's stop ran out while it ran.
 * `unstarted`: it never ran, and is given back.
 */
export type End =
  | { readonly by: 'handler'; readonly asked: Asked }
  | { readonly by: 'timeout'; readonly error: MillraceError }
  | { readonly by: 'stopped' }
  | { readonly by: 'unstarted' }

/** Sync; may throw: then the cap counts. */
export type BackoffFunction = (attempt: number, error: unknown, claimed: Claimed) => Millis

export interface Case {
  readonly claimed: Claimed
  readonly settings: Settings
  readonly end: End
  readonly duration: Millis
  /** An operator asked it to stop, and we know. */
  readonly cancelling: boolean
  readonly backoff: BackoffFunction | null
  readonly chance: Chance
  readonly newId: () => string
  readonly onFault: (fault: MillraceError) => void
}

export interface Judgement {
  readonly verdict: Verdict
  readonly ran: Ran | null
}

export function judge(of: Case): Judgement {
  const { end } = of
  switch (end.by) {
    case 'handler':
      return heard(of, end.asked)
    case 'timeout':
      return failed(of, 'timeout', end.error)
    case 'stopped':
      return stopped(of)
    case 'unstarted':
      return { verdict: { kind: 'release' }, ran: null }
  }
}

function heard(of: Case, asked: Asked): Judgement {
  switch (asked.kind) {
    case 'complete':
      return { verdict: asked, ran: ran(of, 'completed', null) }
    case 'fail':
      return failed(of, 'failed', asked.error)
    case 'snooze':
    case 'release':
      if (of.settings.delivery === 'at-most-once') {
        return failed(of, 'failed', onlyOnce(of.claimed, asked.kind))
      }
      if (of.cancelling) return cancelled(of, null)
      return { verdict: asked, ran: null }
    case 'cancel':
      return { verdict: asked, ran: ran(of, 'cancelled', null) }
    case 'discard': {
      const { reason, message } = asked
      // In the history its words go along with a dead letter.
      const error = message === null ? null : { ...attemptError(message), name: 'Discard' }
      return discarded(of, { reason, message, outcome: 'discarded', error })
    }
  }
}

/**
 * With at-most-once the one attempt is all there is, so a failure has spent it: `attempts-spent`,
 * since `given-up` is a handler's word and `unknown` is for those of whom nobody knows the end.
 */
function failed(of: Case, outcome: 'failed' | 'timeout', thrown: unknown): Judgement {
  const error = attemptError(thrown)
  if (of.cancelling) return cancelled(of, error)
  const { claimed, settings, chance, onFault } = of
  if (settings.delivery === 'at-most-once' || claimed.attempt >= claimed.maxAttempts) {
    return discarded(of, { reason: 'attempts-spent', message: error.message, outcome, error })
  }
  const plan = (settings.backoff.type === 'custom' ? of.backoff : null) ?? settings.backoff
  const delay = delayAfter(plan, claimed.attempt, chance, { error: thrown, job: claimed, onFault })
  return { verdict: { kind: 'retry', delay }, ran: ran(of, outcome, error) }
}

/** It began and nobody will hear its end: given back, but where a second run is forbidden. */
function stopped(of: Case): Judgement {
  if (of.settings.delivery === 'at-most-once') {
    const message = 'its worker was stopped while it ran'
    return discarded(of, { reason: 'unknown', message, outcome: 'lost', error: null })
  }
  if (of.cancelling) return cancelled(of, null)
  return { verdict: { kind: 'release' }, ran: null }
}

/** The operator's reason is in the store already; a verdict of ours has none to add. */
function cancelled(of: Case, error: AttemptError | null): Judgement {
  return { verdict: { kind: 'cancel', reason: null }, ran: ran(of, 'cancelled', error) }
}

interface Discarding {
  readonly reason: DiscardReason
  readonly message: string | null
  readonly outcome: AttemptOutcome
  readonly error: AttemptError | null
}

/** The dead letter's id is made here, so that repeating the verdict makes no second one. */
function discarded(of: Case, { reason, message, outcome, error }: Discarding): Judgement {
  const verdict: Verdict = { kind: 'discard', reason, message, deadId: of.newId() }
  return { verdict, ran: ran(of, outcome, error) }
}

function ran(of: Case, outcome: AttemptOutcome, error: AttemptError | null): Ran {
  return { outcome, error, duration: of.duration }
}

/** Why a job of an at-most-once queue cannot come back, for whoever asks that it shall. */
export function onlyOnce(job: JobRef, asked: 'snooze' | 'release'): MillraceError {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: `queue(${JSON.stringify(job.queue)}).delivery`,
    expected: `'at-least-once', since ${asked} asks for another run of job ${JSON.stringify(job.id)}`,
    received: 'at-most-once',
    remedy: 'what was taken there is gone: complete, fail, discard or cancel it',
  })
}
