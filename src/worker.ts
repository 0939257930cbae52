/**
 * A worker: handlers for the tasks of one queue, so many at once. Promises to start at once, yet to
 * take nothing before the queue's declaration is written, since retries and timeouts follow it; a
 * store that cannot be reached is tried again until it can. The work itself is the engine's.
 */
import type { BackoffFunction, WorkerHandle } from './engine/engine.js'
import { onlyKnown, record, whole } from './job/check.js'
import { CONCURRENCY, CONCURRENCY_LIMIT, STOP_TIMEOUT } from './job/defaults.js'
import { MillraceError, millraceError } from './job/errors.js'
import { dataOf } from './job/view.js'
import type { Parts } from './parts.js'
import { performer } from './perform.js'
import type { Duty } from './perform.js'
import { millis } from './time/duration.js'
import type { Duration } from './time/duration.js'
import type { Timer } from './time/clock.js'

export interface WorkOptions {
  /** Runs at once in this worker; 0 runs nothing [10]. */
  readonly concurrency?: number
}

export interface Worker extends AsyncDisposable {
  readonly id: string
  readonly queue: string
  /** How many run now. */
  readonly running: number
  readonly state: 'working' | 'paused' | 'draining' | 'stopped'
  /** Takes no more; gives back what it prefetched; answers when that is done. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Drains for at most `timeout` ['30s'], then aborts and releases. */
  stop(options?: { timeout?: Duration }): Promise<void>
}

/** What a worker does: each task's duty. */
export interface Assignment {
  readonly queue: string
  readonly duties: ReadonlyMap<string, Duty>
  readonly concurrency: number
}

/** The options of a worker, checked. */
export function concurrencyOf(options: unknown, subject: string): number {
  if (options === undefined) return CONCURRENCY
  const given = record(options, subject)
  onlyKnown(given, ['concurrency'], subject, ['isolate', 'size', 'wait'])
  if (given.concurrency === undefined) return CONCURRENCY
  const bounds = { least: 0, most: CONCURRENCY_LIMIT }
  return whole(given.concurrency, `${subject}.concurrency`, bounds)
}

/** The backoff function that this process declared of a queue, as the engine calls it. */
export function backoffOf(parts: Parts, queue: string): BackoffFunction | null {
  const backoff = parts.declared.of(queue)?.backoff ?? null
  if (backoff === null) return null
  return (attempt, error, claimed) => millis(backoff(attempt, error, dataOf(claimed)), 'backoff')
}

export class QueueWorker implements Worker {
  readonly queue: string
  readonly #parts: Parts
  readonly #handle: WorkerHandle
  /** What the user wants; the engine's worker follows once the declaration is written. */
  #wanted: 'working' | 'paused' | 'stopped' = 'working'
  #declared = false
  #retry: Timer | null = null
  #beginning: Promise<void> = Promise.resolve()
  #onStopped: () => void = () => undefined

  constructor(parts: Parts, assignment: Assignment) {
    const { queue, duties, concurrency } = assignment
    this.queue = queue
    this.#parts = parts
    const committer = parts.transactions.kind === 'pretended' ? parts.transactions.committer : null
    this.#handle = parts.engine.start({
      queue,
      tasks: [...duties.keys()],
      concurrency: parts.workers === 'idle' ? 0 : concurrency,
      perform: performer((task) => duties.get(task), { middlewares: parts.middlewares, committer }),
      backoff: backoffOf(parts, queue),
    })
    this.#begin()
  }

  get id(): string {
    return this.#handle.id
  }
  get running(): number {
    return this.#handle.running
  }
  get state(): Worker['state'] {
    if (this.#declared || this.#wanted !== 'working') return this.#handle.state
    return this.#handle.state === 'paused' ? 'working' : this.#handle.state
  }

  async pause(): Promise<void> {
    if (this.#wanted === 'working') this.#wanted = 'paused'
    await this.#handle.pause()
  }

  async resume(): Promise<void> {
    if (this.#wanted === 'paused') this.#wanted = 'working'
    if (this.#declared) await this.#handle.resume()
  }

  async stop(options: unknown = {}): Promise<void> {
    const timeout = stopTimeout(options, 'stop')
    this.giveUpWaiting()
    await this.#handle.stop({ timeout })
    this.#onStopped()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Settles when the declaration is written, or this try of it has failed. */
  async declared(): Promise<void> {
    await this.#beginning
  }

  /** It shall not start any more, if it has not yet. */
  giveUpWaiting(): void {
    this.#wanted = 'stopped'
    this.#retry?.cancel()
  }

  /** Told once, when it has been stopped. */
  onStopped(told: () => void): void {
    this.#onStopped = told
  }

  /** Holds the engine's worker back while the declaration is on its way; most often it is not. */
  #begin(): void {
    const ready = this.#parts.declared.ready(this.queue)
    if (ready === null && this.#handle.state === 'working') {
      this.#declared = true
      return
    }
    this.#beginning = Promise.all([ready, this.#handle.pause()])
      .then(() => this.#go())
      .catch((error: unknown) => this.#again(error))
  }

  async #go(): Promise<void> {
    this.#declared = true
    if (this.#wanted === 'working') await this.#handle.resume()
  }

  /** The declaration could not be written: says so, and tries again after a poll. */
  #again(error: unknown): void {
    if (this.#wanted === 'stopped' || MillraceError.is(error, 'STORE_CLOSED')) return
    const { clock, poll } = this.#parts
    this.#tell(error, poll)
    this.#retry = clock.after(poll, () => this.#begin())
  }

  #tell(cause: unknown, retryIn: number | null): void {
    const error = MillraceError.is(cause)
      ? cause
      : millraceError({
          code: 'STORE_UNREACHABLE',
          subject: `worker of queue ${JSON.stringify(this.queue)}`,
          expected: 'a store that takes the declaration',
          received: cause,
          remedy: 'look at the cause',
          cause,
        })
    this.#parts.engine.events.fault(error, retryIn)
  }
}

export function stopTimeout(options: unknown, subject: string): number {
  const given = record(options, subject)
  onlyKnown(given, ['timeout'], subject)
  if (given.timeout === undefined) return STOP_TIMEOUT
  return millis(given.timeout, `${subject}.timeout`, { infinite: true })
}
