/**
 * A worker: handlers for the tasks of one queue, so many at once. Promises to start at once, yet to
 * take nothing before the queue's declaration is written, since retries and timeouts follow it; a
 * store that cannot be reached is tried again until it can. The work itself is the engine's; who
 * does it, handlers here or isolates (`worker/isolate/`), is the crew's.
 */
import type { BackoffFunction, Batching, Perform, WorkerHandle } from './engine/engine.js'
import { invalid, onlyKnown, record, whole } from './job/check.js'
import { CONCURRENCY, CONCURRENCY_LIMIT, STOP_TIMEOUT } from './job/defaults.js'
import { MillraceError, millraceError } from './job/errors.js'
import { dataOf } from './job/view.js'
import { committerOf } from './parts.js'
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

/** How a module is worked: each slot has an isolate of its own, which a timeout kills. */
export interface IsolateOptions extends WorkOptions {
  /** A thread stops at the next JavaScript line, a process for certain. */
  readonly isolate: 'thread' | 'process'
}

export interface Worker extends AsyncDisposable {
  readonly id: string
  readonly queue: string
  /** How many run now; a batch is one. */
  readonly running: number
  readonly state: 'working' | 'paused' | 'draining' | 'stopped'
  /** Takes no more; gives back what it prefetched; answers when that is done. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Drains for at most `timeout` ['30s'], then aborts and releases. */
  stop(options?: { timeout?: Duration }): Promise<void>
}

/** What a worker does. */
export interface Assignment {
  readonly queue: string
  readonly crew: Crew
  readonly concurrency: number
}

/** Who does it. */
export interface Crew {
  /** None before it is ready. */
  readonly tasks: readonly string[]
  readonly perform: Perform | Batching
  /** Null when it can begin; else it is asked until it can. */
  ready(): Promise<void> | null
  /** The worker runs nothing any more. */
  close(): Promise<void>
}

/** Handlers in this process. */
export function handlersHere(parts: Parts, duties: ReadonlyMap<string, Duty>): Crew {
  const { middlewares } = parts
  const committer = committerOf(parts)
  return {
    tasks: [...duties.keys()],
    perform: performer((task) => duties.get(task), { middlewares, committer }),
    ready: () => null,
    close: () => Promise.resolve(),
  }
}

/** The options of a worker, checked. */
export function concurrencyOf(options: unknown, subject: string): number {
  if (options === undefined) return CONCURRENCY
  const given = record(options, subject)
  if ('isolate' in given) {
    const remedy = 'give the URL of a module that has the handler as its default export'
    throw invalid(`${subject}.isolate`, 'a module to isolate', 'a handler of this process', remedy)
  }
  for (const option of ['size', 'wait']) {
    if (option in given)
      throw invalid(`${subject}.${option}`, 'an option of workBatch', given[option])
  }
  onlyKnown(given, ['concurrency'], subject)
  return slotsOf(given, subject)
}

/** How many runs at once. */
export function slotsOf(given: Readonly<Record<string, unknown>>, subject: string): number {
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
  readonly #crew: Crew
  readonly #handle: WorkerHandle
  /** What the user wants; the engine's worker follows once it can begin. */
  #wanted: 'working' | 'paused' | 'stopped' = 'working'
  #ready = false
  #retry: Timer | null = null
  #beginning: Promise<void> = Promise.resolve()
  #onStopped: () => void = () => undefined

  constructor(parts: Parts, assignment: Assignment) {
    const { queue, crew, concurrency } = assignment
    this.queue = queue
    this.#parts = parts
    this.#crew = crew
    this.#handle = parts.engine.start({
      queue,
      get tasks() {
        return crew.tasks // asked at each claim, since isolates learn them
      },
      concurrency: parts.workers === 'idle' ? 0 : concurrency,
      perform: crew.perform,
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
    if (this.#ready || this.#wanted !== 'working') return this.#handle.state
    return this.#handle.state === 'paused' ? 'working' : this.#handle.state
  }

  async pause(): Promise<void> {
    if (this.#wanted === 'working') this.#wanted = 'paused'
    await this.#handle.pause()
  }

  async resume(): Promise<void> {
    if (this.#wanted === 'paused') this.#wanted = 'working'
    if (this.#ready) await this.#handle.resume()
  }

  async stop(options: unknown = {}): Promise<void> {
    const timeout = stopTimeout(options, 'stop')
    this.giveUpWaiting()
    await this.#handle.stop({ timeout })
    await this.dismiss()
    this.#onStopped()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Settles when it can begin, or this try has failed. */
  async declared(): Promise<void> {
    await this.#beginning
  }

  /** It shall not start any more, if it has not yet. */
  giveUpWaiting(): void {
    this.#wanted = 'stopped'
    this.#retry?.cancel()
  }

  /** Lets its crew go; for when the engine has stopped it. */
  dismiss(): Promise<void> {
    return this.#crew.close()
  }

  /** Told once, when it has been stopped. */
  onStopped(told: () => void): void {
    this.#onStopped = told
  }

  /** Holds the engine's worker back while something is to be waited for; most often it is not. */
  #begin(): void {
    const written = this.#parts.declared.ready(this.queue)
    const manned = this.#crew.ready()
    if (written === null && manned === null && this.#handle.state === 'working') {
      this.#ready = true
      return
    }
    this.#beginning = Promise.all([written, manned, this.#handle.pause()])
      .then(() => this.#go())
      .catch((error: unknown) => this.#again(error))
  }

  async #go(): Promise<void> {
    this.#ready = true
    if (this.#wanted === 'working') await this.#handle.resume()
  }

  /** What it waited for failed: says so, and tries again after a poll. */
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
