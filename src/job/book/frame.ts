/**
 * The language of the book: every change of a queue is one frame. A frame carries outcomes, not
 * intents: who decides looks at its own book, and whoever applies checks that what the frame
 * expected still holds. So the rules for deciding may change between versions, while the rules for
 * applying are frozen by the format number of the store that keeps the frames.
 *
 * A frame takes effect item by item, each item wholly or not at all, but for a claim whose guard
 * no longer holds: that is void as a whole. `time` is the store's time, which never goes back.
 */
import type { Attempt, Instant, JobRef, Millis, Step } from '../job.js'
import type { NewJob } from '../lot.js'
import type { PortableFact, PortableJob, PortableOrigin, PortableParent } from '../portable.js'
import type { ScheduleChange, Tick } from '../schedule.js'
import type { SettingsLayer } from '../settings.js'
import type { Encoded } from '../codec.js'
import type { TransitWords } from '../transit.js'
import type { Ran, Throttle, Verdict } from '../verdict.js'

export type Frame =
  | InsertFrame
  | ClaimFrame
  | SettleFrame
  | NoteFrame
  | ControlFrame
  | PauseFrame
  | SweepFrame
  | DropFrame
  | BeatFrame
  | HelloFrame
  | LeaveFrame
  | SettingsFrame
  | ClockFrame
  | ScheduleFrame
  | TickFrame
  | LoadFrame
  | TransitFrame

export type FrameKind = Frame['kind']

/** `lots`: how many of the items belong to the first lot, to the second, and so on. */
export interface InsertFrame {
  readonly kind: 'insert'
  readonly lots: readonly number[]
  readonly items: readonly NewJob[]
}

/** Void unless every guard is current and the node is known. Items are grouped by `asks`. */
export interface ClaimFrame {
  readonly kind: 'claim'
  readonly node: string
  readonly asks: readonly ClaimPart[]
  readonly guards: readonly Guard[]
  readonly items: readonly ClaimItem[]
}

export interface ClaimPart {
  readonly queue: string
  readonly worker: string
  readonly claim: number
  /** How many of the items are this ask's. */
  readonly count: number
  /** Grants of rates count from so much later [0]. */
  readonly margin?: Millis
}

/** A domain and the version of it that was read. */
export interface Guard {
  readonly queue: string
  readonly version: number
}

/** `attempt` is the one that begins: the job must stand at the one before. */
export interface ClaimItem extends JobRef {
  readonly attempt: number
}

export interface SettleItem extends JobRef {
  readonly token: number
  readonly verdict: Verdict
  readonly ran: Ran | null
}

export interface SettleFrame {
  readonly kind: 'settle'
  readonly items: readonly SettleItem[]
}

export interface NoteItem extends JobRef {
  readonly token: number
  readonly progress: number | null
  readonly log: readonly string[]
  readonly step?: Step
  readonly throttles?: readonly Throttle[]
}

export interface NoteFrame {
  readonly kind: 'note'
  readonly items: readonly NoteItem[]
}

/** What an operator does to one job. */
export type ControlItem = JobRef &
  (
    | { readonly action: 'cancel'; readonly reason: string | null }
    | { readonly action: 'retry' }
    | { readonly action: 'delete' }
    /** It was loaded elsewhere; takes effect while its queue moves. */
    | { readonly action: 'depart'; readonly to: string }
    | {
        readonly action: 'update'
        readonly payload: Encoded | null
        readonly priority: number | null
        readonly delay: Millis | null
        readonly at: Instant | null
      }
  )

export interface ControlFrame {
  readonly kind: 'control'
  readonly items: readonly ControlItem[]
}

/** An operator's pause, or its end. `queue` null: of everything; `group` null: of the whole queue. */
export interface PauseFrame {
  readonly kind: 'pause'
  readonly action: 'pause' | 'resume'
  readonly queue: string | null
  readonly group: string | null
  /** Who said it. */
  readonly by: string
}

/**
 * What a store does alone. `lost` and `timeout` name the token that they end; `expired` and
 * `spent` name a job that waits. With a node the frame first declares it gone, if its beat number
 * is still `beats`; otherwise no item of it takes effect.
 */
export interface SweepFrame {
  readonly kind: 'sweep'
  readonly gone: { readonly node: string; readonly beats: number } | null
  readonly items: readonly SweepItem[]
}

export interface SweepItem extends JobRef {
  readonly why: 'lost' | 'timeout' | 'expired' | 'spent'
  readonly token: number
}

/** Prunes finals and receipts; `ended` names the end that is meant. */
export interface DropFrame {
  readonly kind: 'drop'
  readonly items: readonly (JobRef & { readonly ended: Millis })[]
}

/** See `Beat` in the seam. Void when the node is not known. */
export interface BeatFrame {
  readonly kind: 'beat'
  readonly node: string
  readonly upTo: number
  readonly open: readonly number[]
  readonly overdue: readonly number[]
}

/** A node and its workers, again at every change. `card` is the seam's `NodeCard`, as plain data. */
export interface HelloFrame {
  readonly kind: 'hello'
  readonly card: Card
}

export interface Card {
  readonly node: string
  readonly host: string
  readonly pid: number
  readonly lease: Millis
  readonly workers: readonly {
    readonly worker: string
    readonly queue: string
    readonly tasks: readonly string[] | null
    readonly concurrency: number
    readonly state: 'working' | 'paused' | 'draining' | 'stopped'
  }[]
  /** What proves that it is alive, in words of the store; null where nothing can. */
  readonly proof?: string | null
}

export interface LeaveFrame {
  readonly kind: 'leave'
  readonly node: string
}

/** Takes effect if `revision` is one above the queue's. */
export interface SettingsFrame {
  readonly kind: 'settings'
  readonly queue: string
  readonly revision: number
  readonly layer: 'declared' | 'overrides'
  readonly settings: SettingsLayer
}

/** From here on wall time is store time and this much. */
export interface ClockFrame {
  readonly kind: 'clock'
  readonly wallOffset: Millis
}

/** What is declared, changed and removed of schedules; each names the revision that it saw. */
export interface ScheduleFrame {
  readonly kind: 'schedule'
  readonly items: readonly ScheduleChange[]
}

/** Slots: each is a compare-and-set with its insert. */
export interface TickFrame {
  readonly kind: 'tick'
  readonly items: readonly Tick[]
}

/**
 * What another store kept. A job's item is followed by those of its papers: what is long and belongs
 * to it, as the items that such things are made of, numbered in place of a token.
 */
export interface LoadFrame {
  readonly kind: 'load'
  readonly items: readonly LoadItem[]
}

export type LoadItem =
  | { readonly as: 'job'; readonly job: NewJob; readonly facts: JobFacts }
  | { readonly as: 'paper'; readonly paper: SettleItem | NoteItem }
  | { readonly as: 'fact'; readonly fact: PortableFact }

/** What `job` does not say of it. What is long is named by the number of its paper. */
export type JobFacts = Omit<
  PortableJob,
  | ('kind' | 'queue' | 'id' | 'ownId' | 'task' | 'group' | 'priority' | 'payload' | 'tags')
  | ('meta' | 'timeout' | 'history' | 'origin' | 'result' | 'log' | 'steps' | 'parents')
  | ('holder' | 'maxAttempts')
> & {
  /** Not a receipt. */
  readonly isDescribed: boolean
  readonly history: readonly PastFacts[]
  readonly origin:
    (Omit<PortableOrigin, 'history'> & { readonly history: readonly PastFacts[] }) | null
  readonly result: number | null
  readonly log: { readonly paper: number; readonly lines: number } | null
  readonly steps: readonly { readonly name: string; readonly paper: number }[]
  readonly parents: readonly ParentFacts[]
}

export type PastFacts = Omit<Attempt, 'error'> & { readonly paper: number | null }

export type ParentFacts = Omit<PortableParent, 'result'> & { readonly result: number | null }

/** A queue begins to move, or arrives; `transit` null: it is on no way any more. */
export interface TransitFrame {
  readonly kind: 'transit'
  readonly queue: string
  readonly transit: TransitWords | null
}
