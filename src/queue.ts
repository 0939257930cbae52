/**
 * One queue, for producers, workers and operators: the face, and which part of `queue/` does what.
 * Naming a queue costs nothing and asks nothing of the store; each operation sees to it that the
 * store is open and this process's declaration written.
 */
import { batchHandlersHere, batchOptions } from './batch.js'
import type { BatchHandler, BatchOptions } from './batch.js'
import { DEFAULT_TASK } from './job/defaults.js'
import type { Counts, State } from './job/job.js'
import type { Overrides } from './job/declare.js'
import { PLAIN_TERMS } from './job/options.js'
import type { ScheduleOptions, PlanOptions } from './job/schedule-options.js'
import type { JobOptions, When } from './job/options.js'
import type { JobView } from './job/view.js'
import type { ParentView } from './parents.js'
import type { Parts } from './parts.js'
import type { Handler } from './perform.js'
import type { Enqueued } from './queue/enqueued.js'
import * as explained from './queue/explain.js'
import type { Explanation, GroupInfo } from './queue/explain.js'
import type { HeldJob } from './queue/held.js'
import * as operate from './queue/operate.js'
import type { Changed } from './queue/operate.js'
import type { Page, PageOptions } from './queue/page.js'
import { pause, resume } from './queue/pause.js'
import type { PauseOptions, ResumeOptions } from './queue/pause.js'
import { enqueueMany, enqueueOne } from './queue/produce.js'
import type { Aim, EnqueueOptions, ManyOptions } from './queue/produce.js'
import { stream, takeBy } from './queue/pull.js'
import * as planned from './queue/schedule.js'
import type { ScheduleInfo } from './queue/schedule.js'
import type { TakeOptions } from './queue/pull.js'
import type { Selector } from './queue/select.js'
import type { SettingsView } from './queue/settings-view.js'
import { dutyFor } from './task.js'
import type { Lot, TxOf } from './transaction.js'
import { QueueWorker, concurrencyOf, handlersHere } from './worker.js'
import type { Assignment, IsolateOptions, Worker, WorkOptions } from './worker.js'
import { isolated } from './worker/isolate/isolation.js'

/**
 * `P` what handlers get, `R` what `result()` gives, `In` what producers give, `Ret` what handlers
 * return.
 */
export interface Queue<P = unknown, R = unknown, S extends string = string, In = P, Ret = R> {
  readonly name: string
  /**
   * Answered means durable. QUEUE_FULL PAYLOAD_INVALID PAYLOAD_TOO_LARGE DUPLICATE PARENT_UNKNOWN
   * OUTCOME_UNKNOWN
   */
  enqueue(payload: In, options?: EnqueueOptions<S>): Promise<Enqueued<R>>
  /** All or none; [] is fine; an error names the index. Over 10,000 jobs or 32 MiB: LOT_TOO_LARGE. */
  enqueueMany(
    payloads: readonly In[],
    options?: ManyOptions<In, S>,
    lot?: Lot<TxOf[S]>,
  ): Promise<readonly Enqueued<R>[]>

  /**
   * Starts at once, for the plain jobs of the queue, and, where it is a dead-letter queue, for the
   * letters of any task; other jobs of tasks stay for `mill.work`. Return: the result. Throw: a
   * failed attempt.
   */
  work(handler: Handler<P, Ret, S>, options?: WorkOptions): Worker
  /**
   * The module's default export is a `Handler`, which runs in isolates: a timeout kills it.
   * `commit` is not there.
   */
  work(module: URL, options: IsolateOptions): Worker
  /**
   * Up to `size` plain jobs [100] in one call, which waits at most `wait` ['200ms'] for them. Return
   * nothing: all are completed. An array: one result or verdict per job. A throw: all failed.
   */
  workBatch(handler: BatchHandler<P, Ret, S>, options?: BatchOptions): Worker

  /** One of any task, or `null` when nothing is runnable within `wait` [0]. */
  take(options?: TakeOptions & { limit?: undefined }): Promise<HeldJob<P, Ret> | null>
  /** Up to `limit`, maybe none. */
  take(options: TakeOptions & { limit: number }): Promise<readonly HeldJob<P, Ret>[]>
  /**
   * Pull for ever; the next comes while fewer than `concurrency` [1] are unsettled; leaving the
   * loop, also by the signal, releases them.
   */
  jobs(options?: { signal?: AbortSignal; concurrency?: number }): AsyncIterable<HeldJob<P, Ret>>

  /**
   * Nothing more of it starts, on any node or in this process; what runs goes on. Paused again is
   * paused once; each place, and each group, is resumed by itself. With `wait` it answers when
   * nothing of it runs; when that takes longer than `timeout`, the pause is taken back, if it was
   * this call that set it: PAUSE_TIMEOUT.
   */
  pause(options?: PauseOptions): Promise<void>
  /** Ends the pause of the same place and group; resumed again is fine. */
  resume(options?: ResumeOptions): Promise<void>

  /** Jobs that are unfinished and not running: what `limits.backlog` counts. */
  length(): Promise<number>
  counts(selector?: Selector): Promise<Counts>
  /** Payload as it was stored, so before the input schema's own changes. */
  get(id: string): Promise<JobView<In, R> | null>
  /** Newest first. */
  list(selector?: Selector, page?: PageOptions): Promise<Page<JobView<In, R>>>
  /** What a job comes after, with their results; `null` when it is not there. */
  parents(id: string): Promise<readonly ParentView[] | null>
  /** Why is this job not running? `null`: unknown id. */
  explain(id: string): Promise<Explanation | null>
  /** By name. */
  groups(page?: PageOptions): Promise<Page<GroupInfo>>
  /** Ends what waits, asks what runs. An empty selector is refused. */
  cancel(which: string | Selector): Promise<Changed>
  /**
   * Available again, attempts from 0, history kept; a dead letter moves back to its origin queue,
   * under a new id.
   */
  retry(which: string | Selector): Promise<Changed>
  /** Not the running ones: cancel them first. */
  delete(which: string | Selector): Promise<Changed>
  /** False: unknown, running or final. */
  update(
    id: string,
    change: { payload?: In; priority?: JobOptions['priority'] } & When,
  ): Promise<boolean>
  /** Deletes all in these states [the final ones]. */
  purge(states?: readonly Exclude<State, 'running'>[]): Promise<Changed>
  /** Operator's override; stands above declarations until `null`. */
  set(overrides: Overrides): Promise<SettingsView>
  settings(): Promise<SettingsView>

  /**
   * Declares; answers when it is stored. The same again changes nothing, another one of the same
   * name replaces it. OPTION_INVALID: a line that never comes, a zone that does not exist, an
   * interval under '1s', an instant that is over. PAYLOAD_TOO_LARGE: over 64 KiB.
   */
  schedule(name: string, options: ScheduleOptions<In>): Promise<ScheduleInfo>
  /** By name. */
  schedules(page?: PageOptions): Promise<Page<ScheduleInfo>>
  /** False: there was none. */
  unschedule(name: string): Promise<boolean>
  /** No slot fires until it is resumed, from whatever process. False: there is none. */
  pauseSchedule(name: string): Promise<boolean>
  /** From the next slot on: what came while it was paused is over. False: there is none. */
  resumeSchedule(name: string): Promise<boolean>
  /** One run now, beside the plan. OPTION_INVALID: there is no such schedule. */
  runNow(name: string): Promise<Enqueued<R>>
  /**
   * When a schedule would fire, paused or not, the next `count` times [5], at most 1000. Given a plan
   * that is not declared, its jitter is left out.
   */
  preview(which: string | PlanOptions, count?: number): Promise<readonly Date[]>
}

/** How a queue tells of the workers that it starts. */
export type OnWorker = (worker: QueueWorker) => void

/** The face without the user's types. */
export class NamedQueue implements Queue {
  readonly name: string
  readonly #parts: Parts
  readonly #onWorker: OnWorker
  #aim: Aim

  constructor(name: string, parts: Parts, onWorker: OnWorker) {
    this.name = name
    this.#parts = parts
    this.#onWorker = onWorker
    const subject = `queue(${JSON.stringify(name)})`
    this.#aim = { queue: name, task: DEFAULT_TASK, base: PLAIN_TERMS, input: null, subject }
  }

  enqueue(payload: unknown, options?: unknown): Promise<Enqueued> {
    return enqueueOne(this.#parts, this.#toPlain(), payload, options)
  }
  enqueueMany(
    payloads: readonly unknown[],
    options?: unknown,
    lot?: unknown,
  ): Promise<readonly Enqueued[]> {
    return enqueueMany(this.#parts, this.#toPlain(), payloads, options, lot)
  }

  work(handler: unknown, options?: WorkOptions): Worker {
    const worker = new QueueWorker(this.#parts, this.#assignment(handler, options))
    this.#onWorker(worker)
    return worker
  }

  workBatch(handler: unknown, options?: BatchOptions): Worker {
    const queue = this.name
    const subject = `${this.#aim.subject}.workBatch`
    const { concurrency, ...gathering } = batchOptions(options, subject)
    const { input = null, output = null } = this.#parts.declared.of(queue) ?? {}
    const duty = { handler, input, output, ...gathering }
    const crew = batchHandlersHere(this.#parts, duty, subject)
    const worker = new QueueWorker(this.#parts, { queue, crew, concurrency })
    this.#onWorker(worker)
    return worker
  }

  take(options?: TakeOptions & { limit?: undefined }): Promise<HeldJob | null>
  take(options: TakeOptions & { limit: number }): Promise<readonly HeldJob[]>
  take(options?: TakeOptions): Promise<HeldJob | null | readonly HeldJob[]> {
    return takeBy(this.#parts, this.name, options)
  }
  jobs(options?: { signal?: AbortSignal; concurrency?: number }): AsyncIterable<HeldJob> {
    return stream(this.#parts, this.name, options)
  }

  async pause(options?: PauseOptions): Promise<void> {
    await pause(this.#parts, this.name, options)
  }
  async resume(options?: ResumeOptions): Promise<void> {
    await resume(this.#parts, this.name, options)
  }

  length(): Promise<number> {
    return operate.length(this.#parts, this.name)
  }
  counts(selector?: Selector): Promise<Counts> {
    return operate.counts(this.#parts, this.name, selector)
  }
  get(id: string): Promise<JobView | null> {
    return operate.get(this.#parts, this.name, id)
  }
  list(selector?: Selector, page?: PageOptions): Promise<Page<JobView>> {
    return operate.list(this.#parts, this.name, selector, page)
  }
  parents(id: string): Promise<readonly ParentView[] | null> {
    return operate.parents(this.#parts, this.name, id)
  }
  explain(id: string): Promise<Explanation | null> {
    return explained.explain(this.#parts, this.name, id)
  }
  groups(page?: PageOptions): Promise<Page<GroupInfo>> {
    return explained.groups(this.#parts, this.name, page)
  }
  cancel(which: string | Selector): Promise<Changed> {
    return this.#change(() => operate.command(this.#parts, 'cancel', this.name, which))
  }
  retry(which: string | Selector): Promise<Changed> {
    return this.#change(() => operate.command(this.#parts, 'retry', this.name, which))
  }
  delete(which: string | Selector): Promise<Changed> {
    return this.#change(() => operate.command(this.#parts, 'delete', this.name, which))
  }
  update(id: string, change: unknown): Promise<boolean> {
    return this.#change(() => operate.update(this.#parts, this.name, id, change))
  }
  purge(states?: readonly Exclude<State, 'running'>[]): Promise<Changed> {
    return this.#change(() => operate.purge(this.#parts, this.name, states))
  }
  set(overrides: Overrides): Promise<SettingsView> {
    return this.#change(() => operate.override(this.#parts, this.name, overrides))
  }
  settings(): Promise<SettingsView> {
    return operate.settings(this.#parts, this.name)
  }

  schedule(name: string, options: unknown): Promise<ScheduleInfo> {
    return this.#change(() => planned.declareSchedule(this.#parts, this.#toPlain(), name, options))
  }
  schedules(page?: PageOptions): Promise<Page<ScheduleInfo>> {
    return planned.schedulesOf(this.#parts, this.name, page)
  }
  unschedule(name: string): Promise<boolean> {
    return this.#change(() => planned.unschedule(this.#parts, this.name, name))
  }
  pauseSchedule(name: string): Promise<boolean> {
    return this.#change(() => planned.pauseSchedule(this.#parts, this.name, name))
  }
  resumeSchedule(name: string): Promise<boolean> {
    return this.#change(() => planned.resumeSchedule(this.#parts, this.name, name))
  }
  runNow(name: string): Promise<Enqueued> {
    return this.#change(() => planned.runNow(this.#parts, this.#toPlain(), name))
  }
  preview(which: unknown, count?: number): Promise<readonly Date[]> {
    return planned.preview(this.#parts, this.name, which, count)
  }

  #assignment(handler: unknown, options: unknown): Assignment {
    const queue = this.name
    const subject = `${this.#aim.subject}.work`
    const { input = null, output = null } = this.#parts.declared.of(queue) ?? {}
    if (handler instanceof URL) {
      const handling = { shape: 'handler', task: DEFAULT_TASK, input, output } as const
      return isolated(this.#parts, { queue, module: handler, options, handling, subject })
    }
    const duty = dutyFor(handler, input, output, subject)
    const concurrency = concurrencyOf(options, subject)
    const crew = handlersHere(this.#parts, new Map([[DEFAULT_TASK, duty]]))
    return { queue, crew, concurrency }
  }

  /** What changes something is carried out although it closes meanwhile: it was asked for before. */
  #change<T>(call: () => Promise<T>): Promise<T> {
    return this.#parts.engine.door.through(call)
  }

  /** Plain jobs, checked by the schema that this process declared; a new one only when it changes. */
  #toPlain(): Aim {
    const input = this.#parts.declared.of(this.name)?.input ?? null
    if (input !== this.#aim.input) this.#aim = { ...this.#aim, input }
    return this.#aim
  }
}
