/**
 * THE SEAM. What the engine may ask of a store, and what a store promises. Everything above it is
 * the same for every store; everything below it is one store's own affair.
 *
 * Arrays in, one answer per item out, in the same order. A throw means "the store could not be
 * reached" (STORE_UNREACHABLE), "is closed" (STORE_CLOSED) or "what became of it is unknown"
 * (OUTCOME_UNKNOWN); it never means "item 7 was refused". Nothing is answered before it is as
 * durable as the traits say. Spans cross the seam, instants stay behind it: the store adds its own
 * now. The one instant that comes from above is the user's own `at`.
 *
 * Who holds jobs is a *node*: one Millrace in one process, named by an id that is never used
 * again. It holds them by living: while it beats, or is provably alive, nobody else gets them.
 * A *worker* is one set of handlers in a node.
 */
import type { ClaimAnswer, ClaimAsk, TokenText } from './job/claim.js'
import type { Counts, Found, Happening, Instant, JobRecord, JobRef, Millis } from './job/job.js'
import type { ParentRow } from './job/job.js'
import type { Explained, GroupRow, QueueExplained } from './job/gate.js'
import type { Inserted, Lot } from './job/lot.js'
import type { Loaded, Part, Portable } from './job/portable.js'
import type { Planned, ScheduleAsk, ScheduleChange, ScheduleRow } from './job/schedule.js'
import type { Tick, Ticked } from './job/schedule.js'
import type { PageAsk, Paged, Selector } from './job/selector.js'
import type { SettingsLayer, StoredSettings } from './job/settings.js'
import type { TransitWords } from './job/transit.js'
import type { Note, Noted, Settled, Settlement } from './job/verdict.js'
import type { Encoded } from './job/codec.js'

/** What differs between stores, in words that docs and tests share. */
export interface Traits {
  /** What an answered write survives; 'server': as the server is set. */
  readonly survives: 'nothing' | 'process' | 'power' | 'server'
  /** Where processes can be that work on it together. */
  readonly reach: 'process' | 'host' | 'network'
  readonly transactions: boolean
  /** False: news travels by polling only. */
  readonly hints: boolean
  /** 'loop': a handler that blocks the event loop for a whole lease loses its jobs. */
  readonly beat: 'thread' | 'loop'
}

export interface Store<S extends string = string> {
  readonly name: S
  /** Exact once open; before that, what the store aims at. */
  readonly traits: Traits

  /** Opening twice is opening once. FORMAT_UNSUPPORTED, STORE_UNREACHABLE, DRIVER_MISSING. */
  open(ask: OpenAsk): Promise<void>
  /** Sends what is pending, then answers STORE_CLOSED to everything. Closing twice is fine. */
  close(): Promise<void>

  /**
   * A lot is all or none; lots are independent. The same id twice is one job, while the job or its
   * receipt exists: the second answers `duplicate`. So an insert may be repeated. Null: the lot meets an
   * id or a unique key that somebody has taken in a transaction which is open still, or was not tried
   * behind others that do. Nothing was done, and it is to be asked again, apart from what should not wait.
   */
  insert(lots: readonly Lot[]): Promise<readonly (readonly Inserted[] | null)[]>

  /**
   * Verdicts out, jobs in, one trip; either part may be empty. Verdicts take effect first. A claim
   * gives at most `limit` jobs that are due and whose gates are open: higher priority first, then
   * groups in rotation, within a group by place, then insertion. The attempt is counted here.
   */
  exchange(ask: ExchangeAsk): Promise<Exchanged>

  /**
   * A completion and what `write` does, in one transaction that is fenced by the token: `write` is
   * called while the job is certainly held and nobody else can end it, and its rejection, handed on
   * as it is, takes everything back. Of a repeat only one takes effect; a settlement that has is
   * answered as the first time, without `write`. TX_UNSUPPORTED without `traits.transactions`.
   */
  commit(settlement: Settlement, write: Write, given: CommitTerms): Promise<Committed>

  /**
   * Fenced by token; a note whose token is dead changes nothing. With a step among them, the notes
   * are durable when it answers; else they may be lost with the power.
   */
  note(notes: readonly Note[]): Promise<readonly Noted[]>

  /** Makes a node and its workers known; again whenever they change. Before a node's first claim. */
  enlist(card: NodeCard): Promise<void>
  /** The node is gone for good; what it still holds goes back, the attempts with it. */
  leave(node: string): Promise<void>
  /** "I live." Every beat interval while it holds anything; see `Beat`. */
  beat(beat: Beat): Promise<BeatAnswer>
  /** Which of these are lost, and which were asked to cancel. Reads only. */
  check(ask: CheckAsk): Promise<Checked>
  /** Plain data from which a thread can beat by itself; null: beats run on the event loop. */
  beatRecipe(): BeatRecipe | null

  /** Bounded, repeatable, safe side by side: frees what the dead hold, expires, prunes. */
  sweep(ask: SweepAsk): Promise<Swept>

  get(refs: readonly JobRef[]): Promise<readonly (Found | null)[]>
  /** What a job comes after, in the order in which it was said; null: there is no such job. */
  parents(ref: JobRef): Promise<readonly ParentRow[] | null>
  /** Newest first. A page may be empty and still have a cursor: a scan is bounded. */
  list(ask: ListAsk): Promise<Paged<JobRecord>>
  /** Bounded like `list`: counts of what was looked at, and where to go on. */
  count(ask: CountAsk): Promise<{ readonly counts: Counts; readonly cursor: string | null }>
  /** Why each of these is not running now; null: unknown. */
  explain(refs: readonly JobRef[]): Promise<readonly (Explained | null)[]>
  /** Why this queue does not move; null: never heard of it. */
  explainQueue(queue: string): Promise<QueueExplained | null>
  /** By name. A page may be empty and still have a cursor. */
  groups(queue: string, page: PageAsk): Promise<Paged<GroupRow>>
  queues(page: PageAsk): Promise<Paged<QueueRow>>
  nodes(page: PageAsk): Promise<Paged<NodeRow>>

  /** One bounded step of an operator's command; repeat with the cursor until it is null. */
  control(command: Command, cursor: string | null): Promise<Controlled>

  settings(queue: string): Promise<StoredSettings>
  /** Replaces the declared layer; written only when it differs. */
  declare(queue: string, declared: SettingsLayer): Promise<StoredSettings>
  /** Merged into the operator's layer. */
  override(queue: string, change: OverrideChange): Promise<StoredSettings>

  /**
   * Slots of schedules, each a compare-and-set with its insert: any number of nodes may try, and a
   * slot fires at most once, for ever. In order: ticks of one schedule may follow each other.
   */
  tick(ticks: readonly Tick[]): Promise<readonly Ticked[]>
  schedules(ask: ScheduleAsk): Promise<Paged<ScheduleRow>>
  /** Declares, changes or removes a schedule. */
  plan(change: ScheduleChange): Promise<Planned>

  /**
   * What is kept, for another store to take over, page by page: jobs and receipts in the order of
   * their insertion, but for those that were moved away. A page may be empty and still have a cursor.
   */
  dump(ask: DumpAsk): Promise<Paged<Portable>>
  /**
   * Takes over what another store kept, one answer for each; some `DUMP_BYTES` of it. What is here
   * stays as it is, so loading twice is loading once. Limits of the backlog and of sizes are not
   * asked: it was accepted once.
   */
  load(items: readonly Portable[]): Promise<readonly Loaded[]>

  /** Hints may be lost, late or double. Answers how to stop. */
  watch(onHint: (hint: Hint) => void): () => void
}

export interface OpenAsk {
  readonly scope: string
}

export interface ExchangeAsk {
  readonly node: string
  readonly settle: readonly Settlement[]
  readonly claim: readonly ClaimAsk[]
}

export interface Exchanged {
  readonly settled: readonly Settled[]
  readonly claimed: readonly ClaimAnswer[]
  /** What the verdicts brought about beside: jobs that fell with their parents. Left out: nothing. */
  readonly happened?: readonly Happening[]
}

/** The user's part of a commit; what it is given is good until it answers, and as the `tx` of a lot. */
export type Write = (client: unknown) => void | Promise<void>

export interface CommitTerms {
  /** Aborts when the attempt is over: what is not yet committed is taken back. */
  readonly signal: AbortSignal
  /** What the job said while it wrote: asked when `write` has answered, and kept with the completion. */
  readonly said?: () => Note | null
}

export interface Committed {
  readonly settled: Settled
  readonly happened: readonly Happening[]
}

/** One Millrace in one process. */
export interface NodeCard {
  readonly node: string
  readonly host: string
  readonly pid: number
  /** How long it may be silent before it counts as gone. */
  readonly lease: Millis
  readonly workers: readonly WorkerCard[]
}

export interface WorkerCard {
  readonly worker: string
  readonly queue: string
  /** Null: any. */
  readonly tasks: readonly string[] | null
  readonly concurrency: number
  readonly state: 'working' | 'paused' | 'draining' | 'stopped'
}

/**
 * `upTo`: the last claim call that was answered or given up. A claim at or below it that is not in
 * `open` was lost on the way: its jobs go back at once, their attempts with them. One above it is
 * left alone. `overdue`: tokens whose handlers are past their timeout while the event loop does
 * not answer; sweep ends these as timed-out attempts, which count.
 */
export interface Beat {
  readonly node: string
  readonly upTo: number
  readonly open: readonly number[]
  readonly overdue: readonly TokenText[]
}

/** `gone`: the node was swept; it holds nothing any more and must go on under a new id. */
export interface BeatAnswer {
  readonly gone: boolean
}

export interface CheckAsk {
  readonly node: string
  readonly held: readonly (JobRef & { readonly token: TokenText })[]
}

export interface Checked {
  readonly gone: boolean
  readonly lost: readonly TokenText[]
  readonly cancelling: readonly TokenText[]
  /** Another text than before where something else holds of queues: pauses, throttles, settings, moves. */
  readonly rules: string
}

/**
 * `module` exports `beater(data, every, section): { beat(beat: Beat): void; close(): void }`, for use in a
 * thread that may wait for both; `every` is how often it will be asked, in milliseconds. `data` can be
 * cloned. Native code that does not bear that its thread is stopped is run between `enter` and `leave`.
 */
export interface BeatRecipe {
  readonly module: string
  readonly data: unknown
}

/** What a thread passes around calls in the midst of which it must not be stopped from outside. */
export interface Section {
  /** Does not come back once the thread is to be stopped. */
  enter(): void
  leave(): void
}

export interface SweepAsk {
  /** Who sweeps; it never frees its own. */
  readonly node: string
  /** At most so many jobs. */
  readonly limit: number
  /**
   * For how long the store has answered the asker without a break: who was silent for longer may have
   * been unable to say anything. Left out: always.
   */
  readonly calm?: Millis
}

export interface Swept {
  readonly freed: number
  readonly expired: number
  readonly discarded: number
  readonly pruned: number
  /** There is more to do now. */
  readonly more: boolean
  readonly happened: readonly Happening[]
  readonly lostNodes: readonly NodeCard[]
}

export interface ListAsk {
  readonly queue: string
  readonly which: Selector
  readonly page: PageAsk
}

export interface CountAsk {
  readonly queue: string
  readonly which: Selector
  readonly cursor: string | null
}

export interface DumpAsk {
  readonly part: Part
  /** Null: of all queues. */
  readonly queues: readonly string[] | null
  readonly page: PageAsk
}

export interface QueueRow {
  readonly name: string
  readonly counts: Counts
  /** By itself, or with everything. */
  readonly paused: boolean
  readonly workers: number
  readonly oldestDue: Instant | null
}

export interface NodeRow extends NodeCard {
  readonly startedAt: Instant
  readonly beatAgo: Millis
  readonly lost: boolean
  /** How many jobs each of its workers holds, in the order of `workers`. */
  readonly running: readonly number[]
}

/** What an operator may do. */
export type Command = JobsCommand | PauseCommand | TransitCommand

/** To jobs. Those that run are only ever asked, by `cancel`. */
export type JobsCommand =
  | {
      readonly kind: 'cancel'
      readonly queue: string
      readonly which: Selector
      readonly reason: string | null
    }
  /**
   * The same id, attempts from 0; a dead letter moves back to its origin under a new id. What had
   * ended takes its unique key back; while another job or period has it, the job is left as it is.
   */
  | { readonly kind: 'retry'; readonly queue: string; readonly which: Selector }
  | { readonly kind: 'delete'; readonly queue: string; readonly which: Selector }
  /**
   * They stand in another store now. While their queue moves, and of jobs that do not run: they go,
   * and leave receipts that say where to.
   */
  | {
      readonly kind: 'depart'
      readonly queue: string
      readonly which: Selector
      readonly to: string
    }
  | {
      readonly kind: 'update'
      readonly queue: string
      readonly id: string
      readonly change: JobChange
    }

/**
 * Nothing of it starts anywhere until its end; what runs goes on. Each is a layer of its own: the
 * end of one wakes nothing that is paused by another. It survives as the jobs do. `changed`: 1, or
 * 0 when it was so before.
 */
export interface PauseCommand {
  readonly kind: 'pause' | 'resume'
  /** Null: everything, now and later. */
  readonly queue: string | null
  /** Null: the whole queue. It need not have jobs. */
  readonly group: string | null
  /** Who says it, for those who ask why nothing moves. */
  readonly by: string
}

/** A queue begins to move, or arrives; null: it is on no way. `changed`: 1, or 0 when it was so. */
export interface TransitCommand {
  readonly kind: 'transit'
  readonly queue: string
  readonly transit: TransitWords | null
}

/** What is not given stays. */
export interface JobChange {
  readonly payload?: Encoded
  readonly priority?: number
  readonly delay?: Millis
  readonly at?: Instant
}

export interface Controlled {
  readonly changed: number
  readonly cursor: string | null
  readonly happened: readonly Happening[]
}

/** `null` is a word of some settings ("none"), so what is taken back is named. */
export interface OverrideChange {
  /** Nested records field by field. */
  readonly say: SettingsLayer
  readonly takeBack: readonly (keyof SettingsLayer)[]
}

/**
 * "Look now." `jobs`: something may be runnable in the queue; `ends`: a job of it became final or
 * changed; `control`: an operator spoke, or something was asked of a holder; `sweep`: a node that
 * holds jobs is provably dead, so a sweep would free them now; `schedules`: one of the queue's was
 * changed. `queue` null: any.
 */
export interface Hint {
  readonly what: 'jobs' | 'ends' | 'control' | 'sweep' | 'schedules'
  readonly queue: string | null
}
