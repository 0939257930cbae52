/** The public face. Defines nothing: each name lives with what it describes. */
export { millrace } from './millrace.js'
export type { Millrace, Swept } from './millrace.js'
export type { MillraceOptions } from './millrace-options.js'
export type { StoreName, StoreOf, StoreUrl } from './store-url.js'
export type { Store, Traits } from './store.js'
export type {
  Lot,
  PostgresClient,
  PostgresTx,
  SqliteHandle,
  SqliteTx,
  TxOf,
} from './transaction.js'

export type { Millis } from './job/job.js'
export type { Duration } from './time/duration.js'
export type { Schema } from './job/schema.js'

export type { Queue } from './queue.js'
export type {
  BackoffFunction,
  Keep,
  Overrides,
  QueueOptions,
  QueueSettings,
} from './job/declare.js'
export type { GroupOptions, Rate } from './job/declare-gates.js'
export type { Backoff } from './job/backoff.js'
export type { ItemOptions, JobOptions, Unique, When } from './job/options.js'
export type { PlanOptions, ScheduleOptions } from './job/schedule-options.js'
export type { ScheduleInfo } from './queue/schedule.js'
export type { EnqueueOptions, ManyOptions } from './queue/produce.js'
export type { Enqueued } from './queue/enqueued.js'

export type { Counts, DiscardReason, FinalState, JobRef, State } from './job/job.js'
export type { Attempt, JobData, JobView } from './job/view.js'
export type { Commit, CommitOf, Job, LiveJob, Token } from './job-face.js'
export { Cancel, Discard, Release, Snooze } from './verdict.js'
export type { Verdict } from './verdict.js'
export type { ParentView } from './parents.js'
export type { HeldJob } from './queue/held.js'
export type { TakeOptions } from './queue/pull.js'

export type { BatchAnswer, BatchHandler, BatchOptions } from './batch.js'
export type { Handler, Middleware } from './perform.js'
export type { IsolateOptions, Worker, WorkOptions } from './worker.js'
export { defineTask } from './task.js'
export type { Task, TaskHandler, TaskOptions, TaskRef } from './task.js'

export type { Selector } from './queue/select.js'
export type { Page, PageOptions } from './queue/page.js'
export type { Changed } from './queue/operate.js'
export type { PauseOptions, ResumeOptions } from './queue/pause.js'
export type { SettingsView } from './queue/settings-view.js'
export type { Explanation, Gate, GroupInfo, QueueExplanation } from './queue/explain.js'
export type { Health, QueueInfo, WorkerInfo } from './overview.js'

export type { EventMap, EventName, MillraceEvent } from './observe/events.js'
export { MillraceError } from './job/errors.js'
export type { ErrorCode } from './job/errors.js'
