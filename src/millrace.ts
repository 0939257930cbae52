/**
 * Millrace itself: names a store, opens it at the first use, hands out queues, and owns start and
 * close. What a queue, a task or a worker does is in their own files; the work behind them is the
 * engine's.
 */
import { Declared } from './declared.js'
import { drainNoMore, drainOn } from './drain-signals.js'
import { Engine } from './engine/engine.js'
import { EventStream } from './event-stream.js'
import { invalid, name, onlyKnown, record } from './job/check.js'
import { declarationOf } from './job/declare.js'
import type { QueueOptions } from './job/declare.js'
import { MillraceError, millraceError } from './job/errors.js'
import type { ScheduleOptions } from './job/schedule-options.js'
import type { InputOf, OutputOf, Schema } from './job/schema.js'
import { millraceTerms } from './millrace-options.js'
import type { DrainSignal, MillraceOptions, Terms } from './millrace-options.js'
import type { EventName, Listener, MillraceEvent } from './observe/events.js'
import { healthOf, queuesOf, workersOf } from './overview.js'
import type { Health, QueueInfo, WorkerInfo } from './overview.js'
import type { Parts, Transactions } from './parts.js'
import type { Middleware } from './perform.js'
import { NamedQueue } from './queue.js'
import type { Queue } from './queue.js'
import type { Enqueued } from './queue/enqueued.js'
import { explainQueue } from './queue/explain.js'
import type { QueueExplanation } from './queue/explain.js'
import { pageAsk } from './queue/page.js'
import { pause, resume } from './queue/pause.js'
import type { PauseOptions, ResumeOptions } from './queue/pause.js'
import type { Page, PageOptions } from './queue/page.js'
import { enqueueMany, enqueueOne } from './queue/produce.js'
import type { EnqueueOptions, ManyOptions } from './queue/produce.js'
import { declareSchedule } from './queue/schedule.js'
import type { ScheduleInfo } from './queue/schedule.js'
import { storeByUrl } from './store-url.js'
import type { StoreOf, StoreUrl } from './store-url.js'
import type { Store } from './store.js'
import { aimOf, dutiesOf } from './task.js'
import type { TaskHandler, TaskRef } from './task.js'
import type { Chance, Clock } from './time/clock.js'
import type { Duration } from './time/duration.js'
import { systemChance, systemClock } from './time/system.js'
import type { Lot, TxOf } from './transaction.js'
import { QueueWorker, concurrencyOf, handlersHere, stopTimeout } from './worker.js'
import type { IsolateOptions, Worker, WorkOptions } from './worker.js'
import { isolated } from './worker/isolate/isolation.js'

/** `S` is the store's name, or `string` when only run time knows it. */
export interface Millrace<S extends string = string> extends AsyncDisposable {
  /** Opens now, to fail early: STORE_UNREACHABLE, DRIVER_MISSING, FORMAT_UNSUPPORTED. */
  open(): Promise<void>
  /**
   * Drains workers for at most `timeout` ['30s'], then aborts and releases what runs; carries out
   * what was asked for before, awaited or not. Closing twice is fine.
   */
  close(options?: { timeout?: Duration }): Promise<void>

  /**
   * Declares, with types from schemas. Input: checked at enqueue and before each run, stored raw;
   * producers give its input type, handlers get its output type. Result: checked, stored as the
   * schema gives it out; RESULT_INVALID fails the attempt.
   */
  queue<I extends Schema, O extends Schema = Schema>(
    name: string,
    options: QueueOptions & { readonly input: I; readonly output?: O },
  ): Queue<OutputOf<I>, OutputOf<O>, S, InputOf<I>, InputOf<O>>
  /** Refers by name alone; with options it declares: stored when changed, the last one wins. */
  queue<P = unknown, R = unknown>(name: string, options?: QueueOptions): Queue<P, R, S>

  /** Payload and result typed by the task; options: call > task > queue > default. */
  enqueue<In, R>(
    task: TaskRef<In, R>,
    payload: NoInfer<In>,
    options?: EnqueueOptions<S>,
  ): Promise<Enqueued<R>>
  enqueueMany<In, R>(
    task: TaskRef<In, R>,
    payloads: readonly NoInfer<In>[],
    options?: ManyOptions<In, S>,
    lot?: Lot<TxOf[S]>,
  ): Promise<readonly Enqueued<R>[]>
  /** As `queue.schedule`, for jobs of this task, in its queue. */
  schedule<In>(
    task: TaskRef<In>,
    name: string,
    options: ScheduleOptions<NoInfer<In>>,
  ): Promise<ScheduleInfo>
  /** One worker, many tasks. A task that it does not know stays, for a worker that does. */
  work(queue: string, handlers: readonly TaskHandler<S>[], options?: WorkOptions): Worker
  /** The module's default export is an array of `task.handle(…)`, which run in isolates. */
  work(queue: string, module: URL, options: IsolateOptions): Worker
  /** Wraps every run of this process, first added outermost. */
  use(middleware: Middleware<S>): this

  /**
   * A pause of its own over all queues, also those that come; as `queue.pause`. `resumeAll` lifts
   * only it, and wakes no queue that was paused by itself.
   */
  pauseAll(options?: Omit<PauseOptions, 'group'>): Promise<void>
  resumeAll(options?: Omit<ResumeOptions, 'group'>): Promise<void>
  /** Why does this queue not move? `null`: never heard of it. */
  explain(queue: string): Promise<QueueExplanation | null>
  queues(page?: PageOptions): Promise<Page<QueueInfo>>
  workers(page?: PageOptions): Promise<Page<WorkerInfo>>
  health(): Promise<Health>
  /** One bounded round by hand; workers do it by themselves. */
  sweep(): Promise<Swept>
  /** Runs what is runnable, schedules and sweeps included, then returns; `maxMs` in milliseconds [Infinity]. */
  runUntilIdle(options?: {
    maxMs?: number
  }): Promise<{ readonly ran: number; readonly idle: boolean }>

  /**
   * Events of this process; returns the way to stop. A listener's throw reaches `store.error`,
   * never a job.
   */
  on<K extends EventName>(type: K, listener: (event: MillraceEvent<K>) => void): () => void
  /**
   * Events from now on, best effort: of this process, since no store of this version carries those
   * of others. Ends when the signal aborts or the Millrace closes; a slow reader loses the oldest.
   */
  events<K extends EventName = EventName>(options?: {
    signal?: AbortSignal
    types?: readonly K[]
  }): AsyncIterable<MillraceEvent<K>>
}

export interface Swept {
  readonly freed: number
  readonly expired: number
  readonly discarded: number
  readonly pruned: number
  readonly more: boolean
}

/**
 * Names a store by URL or takes one; opens it at the first use. A literal URL of an unknown scheme
 * does not compile.
 */
export function millrace<const U extends string>(
  url: string extends U ? U : U extends StoreUrl ? U : StoreUrl,
  options?: MillraceOptions,
): Millrace<StoreOf<U>>
export function millrace<S extends string>(store: Store<S>, options?: MillraceOptions): Millrace<S>
export function millrace(place: unknown, options?: unknown): Millrace {
  const store = storeOf(place)
  const terms = millraceTerms(options)
  const time = { clock: systemClock, chance: systemChance }
  const transactions = { kind: 'store' } as const
  return new Mill({ store, terms, ...time, transactions, onInserted: null, workers: 'run' })
}

function storeOf(place: unknown): Store {
  if (typeof place === 'string') return storeByUrl(place)
  if (typeof place === 'object' && place !== null && 'exchange' in place) return place as Store // as: no other object has the seam's verb
  const remedy = "give 'file:./queues', 'memory:', or what fileStore(…) made"
  throw invalid('millrace store', 'a URL or a store', place, remedy)
}

/** What a Millrace is made of; tests hand in their own time. */
export interface Making {
  readonly store: Store
  readonly terms: Terms
  readonly clock: Clock
  readonly chance: Chance
  readonly transactions: Transactions
  readonly onInserted: Parts['onInserted']
  readonly workers: Parts['workers']
}

/** What `mill.work` finds in a module. */
const TASKS = { shape: 'tasks' } as const

/** The face without the user's types. */
export class Mill implements Millrace {
  readonly #engine: Engine
  readonly #parts: Parts
  readonly #workers = new Set<QueueWorker>()
  readonly #streams = new Set<EventStream>()
  readonly #signals: readonly DrainSignal[]
  #closing: Promise<void> | null = null

  constructor(making: Making) {
    const { store, terms, clock, chance, transactions, onInserted, workers } = making
    const { scope, lease, beat, poll, upkeep } = terms
    const time = { clock, chance, lease, beat, poll }
    const engine = new Engine({ store, scope, ...time, upkeep, onFired: onInserted })
    const declared = new Declared(engine, clock)
    const shared = { engine, clock, poll, declared, transactions, onInserted, workers }
    this.#engine = engine
    this.#parts = { ...shared, middlewares: [] }
    this.#signals = terms.drainOn
    for (const signal of this.#signals) drainOn(signal, this.#onSignal)
  }

  open(): Promise<void> {
    return this.#parts.declared.open()
  }

  close(options: unknown = {}): Promise<void> {
    const timeout = stopTimeout(options, 'close')
    this.#closing ??= this.#close(timeout)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  queue(queueName: string, options?: unknown): Queue {
    const checked = name(queueName, 'queue name')
    if (options !== undefined) this.#parts.declared.say(checked, declarationOf(checked, options))
    return new NamedQueue(checked, this.#parts, this.#keep)
  }

  enqueue<R>(task: unknown, payload: unknown, options?: unknown): Promise<Enqueued<R>> {
    return enqueueOne(this.#parts, aimOf(task), payload, options) as Promise<Enqueued<R>> // as: the task names the type of its result
  }

  enqueueMany<R>(
    task: unknown,
    payloads: readonly unknown[],
    options?: unknown,
    lot?: unknown,
  ): Promise<readonly Enqueued<R>[]> {
    const lots = enqueueMany(this.#parts, aimOf(task), payloads, options, lot)
    return lots as Promise<readonly Enqueued<R>[]> // as: the task names the type of its result
  }

  async schedule(task: unknown, name: string, options: unknown): Promise<ScheduleInfo> {
    const aim = aimOf(task)
    return this.#engine.door.through(() => declareSchedule(this.#parts, aim, name, options))
  }

  work(queueName: string, handlers: unknown, options?: WorkOptions): Worker {
    const queue = name(queueName, 'work queue')
    const subject = `work(${JSON.stringify(queue)})`
    const worker = new QueueWorker(
      this.#parts,
      handlers instanceof URL
        ? isolated(this.#parts, { queue, module: handlers, options, handling: TASKS, subject })
        : {
            queue,
            crew: handlersHere(this.#parts, dutiesOf(handlers)),
            concurrency: concurrencyOf(options, subject),
          },
    )
    this.#keep(worker)
    return worker
  }

  use(middleware: Middleware): this {
    if (typeof middleware !== 'function') {
      throw invalid('use', 'a function (job, next) => …', middleware, 'give a middleware')
    }
    this.#parts.middlewares.push(middleware)
    return this
  }

  async pauseAll(options?: Omit<PauseOptions, 'group'>): Promise<void> {
    await pause(this.#parts, null, options)
  }

  async resumeAll(options?: Omit<ResumeOptions, 'group'>): Promise<void> {
    await resume(this.#parts, null, options)
  }

  async explain(queueName: string): Promise<QueueExplanation | null> {
    return explainQueue(this.#parts, name(queueName, 'explain'))
  }

  async queues(options?: PageOptions): Promise<Page<QueueInfo>> {
    const ask = pageAsk(options, 'queues')
    await this.open()
    return queuesOf(this.#parts, ask)
  }

  async workers(options?: PageOptions): Promise<Page<WorkerInfo>> {
    const ask = pageAsk(options, 'workers')
    await this.open()
    return workersOf(this.#engine.store, ask)
  }

  health(): Promise<Health> {
    return healthOf(this.#engine, this.#parts.clock)
  }

  async sweep(): Promise<Swept> {
    await this.open()
    const { freed, expired, discarded, pruned, more } = await this.#engine.sweep()
    return { freed, expired, discarded, pruned, more }
  }

  async runUntilIdle(
    options: unknown = {},
  ): Promise<{ readonly ran: number; readonly idle: boolean }> {
    const { maxMs = Infinity, ...rest } = record(options, 'runUntilIdle')
    onlyKnown(rest, ['maxMs'], 'runUntilIdle')
    if (typeof maxMs !== 'number' || !(maxMs >= 0)) {
      throw invalid('runUntilIdle.maxMs', 'milliseconds of at least 0, or Infinity', maxMs)
    }
    await this.open()
    await Promise.all([...this.#workers].map((worker) => worker.declared()))
    return this.#engine.runUntilIdle({ maxMs })
  }

  on<K extends EventName>(type: K, listener: Listener<K>): () => void {
    return this.#engine.events.on(type, listener)
  }

  events<K extends EventName>(options?: {
    signal?: AbortSignal
    types?: readonly K[]
  }): AsyncIterable<MillraceEvent<K>> {
    const stream = new EventStream(this.#engine.events, options, (ended) => {
      this.#streams.delete(ended)
    })
    if (!stream.ended) this.#streams.add(stream)
    return stream as AsyncIterable<MillraceEvent<K>> // as: it listens to these types only
  }

  readonly #keep = (worker: QueueWorker): void => {
    this.#workers.add(worker)
    worker.onStopped(() => this.#workers.delete(worker))
  }

  /** Workers end first, so that the last events are heard; then whoever listens is let go. */
  async #close(timeout: number): Promise<void> {
    for (const signal of this.#signals) drainNoMore(signal, this.#onSignal)
    for (const worker of this.#workers) worker.giveUpWaiting()
    try {
      await this.#engine.close({ timeout })
    } finally {
      await Promise.all([...this.#workers].map((worker) => worker.dismiss()))
      for (const stream of this.#streams) stream.end()
    }
  }

  /** The first signal drains; its listener is gone by then, so a second one ends the process. */
  readonly #onSignal = (): void => {
    this.close().catch((cause: unknown) => {
      const error = MillraceError.is(cause) ? cause : unclosed(cause)
      this.#engine.events.fault(error)
    })
  }
}

function unclosed(cause: unknown): MillraceError {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'close on a signal',
    expected: 'a store that takes what is pending',
    received: cause,
    remedy: 'look at the cause; what was not sent is given back when the lease ends',
    cause,
  })
}
