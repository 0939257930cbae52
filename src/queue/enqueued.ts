/**
 * What a producer holds of a job: where it is, and a way to its result from any process. The
 * waiting itself is the engine's; here is what an end means to the one who asked.
 */
import { millraceError } from '../job/errors.js'
import type { MillraceError } from '../job/errors.js'
import type { Found, JobRef, Millis, Receipt } from '../job/job.js'
import { onlyKnown, record } from '../job/check.js'
import { resultOf } from '../job/view.js'
import type { Parts } from '../parts.js'
import { millis } from '../time/duration.js'
import type { Duration } from '../time/duration.js'

export interface Enqueued<R = unknown> extends JobRef {
  readonly status: 'enqueued' | 'duplicate' | 'replaced'
  /**
   * What the handler returned, from any process; waits at most `timeout` [Infinity]. A job that is
   * gone within the queue's receipt period (10 minutes by default) completed and returned nothing;
   * later nobody can tell. JOB_DISCARDED JOB_CANCELLED RESULT_TIMEOUT RESULT_GONE
   */
  result(options?: { timeout?: Duration; signal?: AbortSignal }): Promise<R>
}

/** How many polls a receipt must live for a waiter never to miss one. */
const POLLS_OF_RECEIPT = 2

export class EnqueuedJob implements Enqueued<unknown> {
  readonly queue: string
  readonly id: string
  readonly status: Enqueued['status']
  readonly #parts: Parts
  /** By the monotonic clock: when this process knew that the job was there. */
  readonly #since: number

  constructor(parts: Parts, ref: JobRef, status: Enqueued['status'], since: number) {
    this.queue = ref.queue
    this.id = ref.id
    this.status = status
    this.#parts = parts
    this.#since = since
  }

  async result(options: unknown = {}): Promise<unknown> {
    const { timeout, signal } = waitOf(options)
    const watched = await this.#watched()
    const ref = { queue: this.queue, id: this.id }
    const end = await this.#parts.engine.awaitEnd(ref, signal ? { timeout, signal } : { timeout })
    if (end === 'timeout') throw tooSlow(ref, timeout)
    if (end !== null) return outcome(end)
    if (watched || (await this.#isRecent())) return undefined
    throw gone(ref)
  }

  /**
   * Whether nothing can escape this wait: the job, or a receipt of its end, is still there when the
   * wait begins, and receipts outlive the waiter's looks. If it is then gone, it left nothing.
   */
  async #watched(): Promise<boolean> {
    const { declared, engine, poll } = this.#parts
    const recent = await this.#isRecent()
    const { receipts } = await declared.settings(this.queue)
    if (receipts < POLLS_OF_RECEIPT * poll) return false
    if (recent) return true
    const [found] = await engine.store.get([{ queue: this.queue, id: this.id }])
    return found !== null
  }

  /** Whether a receipt of its end would still be there, however soon it ended. */
  async #isRecent(): Promise<boolean> {
    const { clock, declared } = this.#parts
    const { receipts } = await declared.settings(this.queue)
    return clock.mono() - this.#since <= receipts
  }
}

interface Wait {
  readonly timeout: Millis
  readonly signal: AbortSignal | undefined
}

function waitOf(options: unknown): Wait {
  const given = record(options, 'result')
  onlyKnown(given, ['timeout', 'signal'], 'result')
  const signal = given.signal as AbortSignal | undefined // as: the engine listens to it, or throws
  if (given.timeout === undefined) return { timeout: Infinity, signal }
  return { timeout: millis(given.timeout, 'result.timeout', { infinite: true }), signal }
}

/** The result of a job that ended; throws when it ended without one. */
function outcome(found: Found): unknown {
  const end = found.kind === 'job' ? found.job : found.receipt
  switch (end.state) {
    case 'completed':
      return resultOf(end.result)
    case 'cancelled':
      throw ended('JOB_CANCELLED', found)
    default:
      throw ended('JOB_DISCARDED', found)
  }
}

function ended(code: 'JOB_CANCELLED' | 'JOB_DISCARDED', found: Found): MillraceError {
  const end = found.kind === 'job' ? found.job : found.receipt
  const last = found.kind === 'job' ? found.job.history.at(-1)?.error : undefined
  return millraceError({
    code,
    subject: named(end),
    expected: 'a job that completed',
    received: end.reason ?? end.state,
    remedy: found.kind === 'job' ? LOOK : whereNow(found.receipt),
    cause: last ?? undefined,
  })
}

const LOOK = 'look at it: queue.get(id) has its history, queue.retry(id) runs it again'

/** Of a job that is not there any more, though something knows of its end. */
function whereNow({ state, movedTo }: Receipt): string {
  if (movedTo === null) {
    return 'it was deleted, or `keep` keeps no such job: enqueue it anew if it is still wanted'
  }
  const what = state === 'discarded' ? 'it is a dead letter now' : 'it was retried, under a new id'
  return `${what}: ${named(movedTo)}`
}

function tooSlow(ref: JobRef, timeout: Millis): MillraceError {
  return millraceError({
    code: 'RESULT_TIMEOUT',
    subject: named(ref),
    expected: `an end within ${timeout} ms`,
    remedy: 'the job is not affected: ask again, or wait longer',
  })
}

function gone(ref: JobRef): MillraceError {
  return millraceError({
    code: 'RESULT_GONE',
    subject: named(ref),
    expected: 'a job or a receipt of it',
    remedy: 'ask sooner, or keep receipts longer: the queue option `receipts`',
  })
}

function named(ref: JobRef): string {
  return `job ${JSON.stringify(ref.id)} of queue ${JSON.stringify(ref.queue)}`
}
