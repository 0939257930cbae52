/**
 * How an attempt or a job ends, once for every command that ends one: a verdict, a sweep, an
 * operator. Keeps the promises that a discarded job is in its dead-letter queue or in its own,
 * never in both or neither; that whoever may still ask finds a receipt; and that a plain job which
 * completed and returned nothing leaves nothing. Of every other end something stays for the receipt
 * period, so within it the absence of a job says that it completed and returned nothing.
 */
import { delayAfter } from '../backoff.js'
import { HISTORY_KEPT } from '../defaults.js'
import type { Chance } from '../../time/clock.js'
import { derivedId } from './derived-id.js'
import type {
  AttemptError,
  AttemptOutcome,
  DiscardReason,
  FinalState,
  JobRef,
  Millis,
} from '../job.js'
import type { Settled } from '../verdict.js'
import type { BackoffPlan, Kept } from '../settings.js'
import {
  BY_SETTINGS,
  CANCEL_ASKED,
  FRESH,
  OWN_ID,
  RECEIPT,
  RETRYABLE,
  SCHEDULED,
} from './columns.js'
import type { Extra, Paper, Past, PastOrigin } from './extra.js'
import { parentBuried, parentEnded } from './kin.js'
import type { Ledger } from './ledger.js'
import type { QueueBook } from './queue.js'

export interface Done {
  readonly status: 'done'
  readonly state: Extract<Settled, { status: 'done' }>['state']
  readonly deadLetter: JobRef | null
}

/** What is to be written into the history. */
export interface Ended {
  readonly outcome: AttemptOutcome
  readonly duration: Millis
  readonly error: AttemptError | null
  /** Where the error's text lies; null when `error` holds it. */
  readonly paper: Paper | null
}

/** Adds the attempt that runs now to the history. */
export function record(ledger: Ledger, slot: number, ended: Ended): void {
  const columns = ledger.columns
  const extra = ledger.extra(slot)
  const done = newSteps(extra)
  const past: Past = {
    attempt: columns.attempt.get(slot),
    round: ledger.roundOf(slot),
    outcome: ended.outcome,
    worker: ledger.holds.get(slot)?.worker ?? '',
    startedAt: ledger.now - ended.duration,
    duration: ended.duration,
    error: ended.error,
    paper: ended.paper,
    ...(done === null ? {} : { steps: done }),
  }
  extra.history.push(past)
  if (extra.history.length > HISTORY_KEPT) extra.history.shift()
}

/** The names of the steps that no attempt in the history has told; from now on one has. */
function newSteps(extra: Extra): readonly string[] | null {
  const { steps } = extra
  if (steps === null || steps.told === steps.kept.length) return null
  const names = steps.kept.slice(steps.told).map(({ name }) => name)
  steps.told = steps.kept.length
  return names
}

/** The attempt counts as it was before: nobody ran it. `delay` undefined: at its old place, now. */
export function giveBack(ledger: Ledger, slot: number, delay?: Millis): Done {
  const columns = ledger.columns
  ledger.letGo(slot)
  if (columns.has(slot, CANCEL_ASKED)) return cancel(ledger, slot, null)
  columns.attempt.set(slot, columns.attempt.get(slot) - 1)
  // One that failed before goes on holding its group: a worker that stops breaks no order.
  if (columns.attempt.get(slot) === 0) ledger.freeGroup(slot)
  if (delay === undefined) {
    ledger.wait(slot, Math.min(columns.place.get(slot), ledger.now), SCHEDULED)
  } else {
    ledger.place(slot, ledger.now + delay)
    ledger.wait(slot, ledger.now + delay, SCHEDULED)
  }
  return done(ledger, slot)
}

/** The attempt failed: again after `delay`, unless it was the last, or was asked to cancel. */
export function retry(ledger: Ledger, slot: number, delay: Millis): Done {
  const columns = ledger.columns
  ledger.letGo(slot)
  if (columns.has(slot, CANCEL_ASKED)) return cancel(ledger, slot, null)
  if (columns.attempt.get(slot) >= ledger.maxAttempts(slot)) {
    return discard(ledger, slot, 'attempts-spent', null, deadIdOf(ledger, slot))
  }
  ledger.wait(slot, ledger.now + delay, RETRYABLE)
  return done(ledger, slot)
}

/**
 * Its worker is gone: again at once, at its old place. Or it did not answer past the timeout: again
 * after the backoff that is stored. An at-most-once job is not run again.
 */
export function lose(ledger: Ledger, slot: number, why: 'lost' | 'timeout'): Done {
  const columns = ledger.columns
  const settings = ledger.queueOf(slot).settings
  record(ledger, slot, {
    outcome: why,
    duration: Math.max(0, ledger.now - columns.since.get(slot)),
    error: why === 'lost' ? WORKER_LOST : LOOP_BLOCKED,
    paper: null,
  })
  const crashes = why === 'lost' ? Math.min(columns.crashes.get(slot) + 1, 255) : 0
  columns.crashes.set(slot, crashes)
  if (settings.delivery === 'at-least-once') {
    const delay = why === 'lost' ? 0 : steadyDelay(settings.backoff, columns.attempt.get(slot))
    return retry(ledger, slot, delay)
  }
  const deadId = deadIdOf(ledger, slot)
  ledger.letGo(slot)
  return discard(ledger, slot, 'unknown', null, deadId)
}

/** Without jitter, so that every replica of the book gets the same. */
function steadyDelay(plan: BackoffPlan, attempt: number): Millis {
  return delayAfter(plan, attempt, MIDDLE, { error: null, job: null })
}

const MIDDLE: Chance = { next: () => 0.5, bytes: (n) => new Uint8Array(n) }

const WORKER_LOST: AttemptError = {
  name: 'WorkerLost',
  message: 'the worker that ran this attempt is gone; what the attempt did is unknown',
}

const LOOP_BLOCKED: AttemptError = {
  name: 'AttemptTimeout',
  message: 'the attempt ran past its timeout and its worker’s event loop did not answer',
}

export function complete(ledger: Ledger, slot: number, result: Paper | null): Done {
  const queue = ledger.queueOf(slot)
  ledger.letGo(slot)
  if (result !== null) ledger.extra(slot).result = result
  parentEnded(ledger, slot, 'completed', result)
  const holdsPeriod = leaveKey(ledger, queue, slot)
  if (isKept(queue.settings.keep.completed)) {
    ledger.end(slot, 'completed')
  } else if (result !== null || holdsPeriod || ledger.columns.has(slot, OWN_ID)) {
    leaveReceipt(ledger, queue, slot, 'completed')
  } else {
    ledger.remove(slot)
  }
  return COMPLETED_PLAINLY
}

const COMPLETED_PLAINLY: Done = { status: 'done', state: 'completed', deadLetter: null }

export function cancel(ledger: Ledger, slot: number, reason: string | null): Done {
  const queue = ledger.queueOf(slot)
  ledger.letGo(slot)
  const extra = ledger.extra(slot)
  extra.reason = reason ?? extra.reason
  parentEnded(ledger, slot, 'cancelled', null)
  leaveKey(ledger, queue, slot)
  if (isKept(queue.settings.keep.cancelled)) ledger.end(slot, 'cancelled')
  else leaveReceipt(ledger, queue, slot, 'cancelled')
  return { status: 'done', state: 'cancelled', deadLetter: null }
}

/** `message` says more than the reason. `deadId`: what it is called in its dead-letter queue. */
export function discard(
  ledger: Ledger,
  slot: number,
  reason: DiscardReason,
  message: string | null,
  deadId: string,
): Done {
  const queue = ledger.queueOf(slot)
  ledger.letGo(slot)
  const extra = ledger.extra(slot)
  extra.discarded = reason
  extra.reason = message ?? reason
  parentEnded(ledger, slot, 'discarded', null)
  leaveKey(ledger, queue, slot)
  const grave = queue.settings.deadLetter
  const deadLetter =
    grave === null || grave === queue.name || extra.origin !== null
      ? null
      : bury(ledger, slot, grave, deadId, reason)
  extra.movedTo = deadLetter
  if (deadLetter === null && isKept(queue.settings.keep.discarded)) ledger.end(slot, 'discarded')
  else leaveReceipt(ledger, queue, slot, 'discarded')
  return { status: 'done', state: 'discarded', deadLetter }
}

/** A new job in another queue, described by the same paper, with fresh age and attempts. */
function bury(
  ledger: Ledger,
  slot: number,
  grave: string,
  id: string,
  reason: DiscardReason,
): JobRef {
  const letter = transplant(ledger, slot, grave, id, {
    queue: ledger.queueOf(slot).name,
    id: ledger.ids.text(slot),
    history: ledger.extra(slot).history,
    reason,
    maxAttempts: ledger.columns.maxAttempts.get(slot),
    key: ledger.extra(slot).key,
  })
  parentBuried(ledger, slot, letter)
  return { queue: grave, id }
}

/**
 * The same job under a new id in another queue, waiting from now. With an origin it becomes a dead
 * letter of it; without, it goes back where it came from. Either way a new round begins, so that
 * no two of its attempts have the same round and number. Answers its slot.
 */
export function transplant(
  ledger: Ledger,
  slot: number,
  queue: string,
  id: string,
  origin: PastOrigin | null,
): number {
  const columns = ledger.columns
  const task = ledger.taskNames.text(columns.task.get(slot))
  const group = ledger.groupNames.text(columns.group.get(slot))
  const copy = ledger.enter(ledger.queue(queue), id, task, group)
  columns.priority.set(copy, columns.priority.get(slot))
  const before = ledger.findExtra(slot)?.origin ?? null
  columns.maxAttempts.set(copy, before?.maxAttempts ?? BY_SETTINGS)
  if (origin !== null) {
    columns.raise(copy, FRESH)
    const extra = ledger.extra(copy)
    extra.origin = origin
    // In the words of whoever gave it up; `origin.reason` has only the kind.
    extra.reason = ledger.findExtra(slot)?.reason ?? null
  }
  ledger.extra(copy).round = ledger.roundOf(slot) + 1
  columns.place.set(copy, ledger.now)
  ledger.shelf.share(slot, copy)
  const steps = ledger.findExtra(slot)?.steps ?? null
  if (steps !== null) ledger.extra(copy).steps = { kept: [...steps.kept], told: steps.told }
  const payload = ledger.findExtra(slot)?.payload ?? null
  if (payload !== null) ledger.extra(copy).payload = payload
  ledger.wait(copy, ledger.now, SCHEDULED)
  return copy
}

/** The id of a dead letter that nobody above the seam could name: this life of the job has one. */
export function deadIdOf(ledger: Ledger, slot: number): string {
  const name = `${ledger.queueOf(slot).name}/${ledger.ids.text(slot)}`
  const life = `${ledger.columns.insertedAt.get(slot)}/${ledger.roundOf(slot)}`
  return derivedId(ledger.now + ledger.wallOffset, `${name}/${life}`)
}

/** Frees the key; true when its period still runs. */
function leaveKey(ledger: Ledger, queue: QueueBook, slot: number): boolean {
  const key = ledger.findExtra(slot)?.key?.name
  if (key == null) return false
  ledger.freeKey(queue, slot)
  return queue.keys.has(key)
}

export function leaveReceipt(
  ledger: Ledger,
  queue: QueueBook,
  slot: number,
  state: FinalState,
): void {
  if (queue.settings.receipts > 0) ledger.toReceipt(slot, state, queue.settings.receipts)
  else ledger.remove(slot)
}

export function isKept(kept: Kept): boolean {
  return kept.count > 0 && kept.for > 0
}

export function isReceipt(ledger: Ledger, slot: number): boolean {
  return ledger.columns.state.get(slot) === RECEIPT
}

function done(ledger: Ledger, slot: number): Done {
  return { status: 'done', state: ledger.state(slot), deadLetter: null }
}
