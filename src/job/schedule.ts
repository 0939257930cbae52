/**
 * The words of schedules: what is planned, when the next slot is, what is asked of a store and what
 * it answers. Plain data. A *slot* is one moment of a plan; it gets a job at most once, for ever,
 * because the next slot of a schedule only ever moves forward. Which moments a plan has is in
 * `slots.ts`, what users may say in `schedule-options.ts`.
 */
import type { Instant, JobRef, Millis } from './job.js'
import type { Inserted, NewJob } from './lot.js'
import type { PageAsk } from './selector.js'

/** Moments of wall time. */
export type Plan =
  | { readonly kind: 'cron'; readonly line: string; readonly timeZone: string }
  /** At every multiple of the span since the Unix epoch. */
  | { readonly kind: 'every'; readonly span: Millis }
  | { readonly kind: 'at'; readonly at: Instant }

/** `due`: when it fires; later than `at` by its jitter, and before the next slot. */
export interface Slot {
  readonly at: Instant
  readonly due: Instant
}

export interface ScheduleSpec {
  readonly plan: Plan
  readonly jitter: Millis
  /** What becomes of slots that passed while nobody ran the schedule. */
  readonly missed: 'skip' | 'once' | 'all'
  /** What becomes of a slot while the job of the one before is unfinished. */
  readonly overlap: 'skip' | 'queue'
  /** What each slot's job is made of; its id is empty. */
  readonly job: NewJob
}

/** A schedule as it is kept. */
export interface Schedule {
  readonly name: string
  /** Grows with every change, but not with slots. */
  readonly revision: number
  readonly spec: ScheduleSpec
  readonly paused: boolean
  /** Null: none comes any more. */
  readonly next: Slot | null
  /** The last slot that is over; all that come are later. */
  readonly passed: Instant | null
  /** The last job that a slot brought, and when that slot was due. */
  readonly last: { readonly at: Instant; readonly job: JobRef } | null
}

/** What is remembered of one that was removed, so that no slot of it comes again. */
export interface RetiredSchedule {
  readonly revision: number
  readonly passed: Instant | null
  /** In store time. */
  readonly until: Millis
  /** It went to another store. */
  readonly isAway?: true
}

export interface ScheduleRow extends Schedule {
  readonly queue: string
  /** Until the next slot is due by the store's clock; negative: it was; null: none, or paused. */
  readonly dueIn: Millis | null
}

/** `revision`: the one that was seen, 0 for none; with another one nothing is changed. */
export type ScheduleChange =
  | (OfSchedule & {
      readonly kind: 'put'
      readonly revision: number
      readonly spec: ScheduleSpec
      readonly next: Slot | null
    })
  | (OfSchedule & { readonly kind: 'remove' })
  /** It stands in another store now; unlike one that was removed, it may come back from there. */
  | (OfSchedule & { readonly kind: 'depart' })
  | (OfSchedule & { readonly kind: 'pause' })
  | (OfSchedule & {
      readonly kind: 'resume'
      readonly revision: number
      /** What came while it was paused is over. */
      readonly next: Slot | null
    })

interface OfSchedule {
  readonly queue: string
  readonly name: string
}

/** `changed`: false when it was so already, or was not there. */
export type Planned =
  | { readonly status: 'done'; readonly changed: boolean; readonly revision: number }
  /** Look again: it has this revision, and its next slot must come after `after`. */
  | { readonly status: 'stale'; readonly revision: number; readonly after: Instant | null }
  | { readonly status: 'full'; readonly limit: number }

/**
 * "The next slot of revision r is still s": then `run` gets its job, and `next` is the next. With
 * `run` null the slots up to `next` pass without one.
 */
export interface Tick extends OfSchedule {
  readonly revision: number
  readonly slot: Instant
  readonly run: { readonly slot: Slot; readonly job: NewJob } | null
  readonly next: Slot | null
}

export type Ticked =
  | { readonly status: 'fired'; readonly id: string }
  /** It moved on without a new job: as asked, or because the one before is unfinished. */
  | { readonly status: 'passed' }
  /** Nothing changed: the job was refused, as an insert of it would be. */
  | { readonly status: 'refused'; readonly answer: Extract<Inserted, { status: 'refused' }> }
  /** Nothing changed: somebody else was first, or the schedule is another one by now. */
  | { readonly status: 'stale' }
  /** Nothing changed: by the store's clock the slot is not due. */
  | { readonly status: 'early' }

export interface ScheduleAsk {
  /** Null: of all queues. */
  readonly queue: string | null
  /** Null: all; with a name, which needs its queue, only that one. */
  readonly name: string | null
  /** 'due': only those with a slot to come, the first first. */
  readonly by: 'name' | 'due'
  readonly page: PageAsk
}
