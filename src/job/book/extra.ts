/**
 * What few jobs have: a key, a history, a result, an origin. One object for each job that has any
 * of it. What is long stays with the store; here lies only the *paper*, by which the store finds
 * it again: an address in a log, or the thing itself.
 */
import type {
  AttemptError,
  AttemptOutcome,
  DiscardReason,
  FinalState,
  Instant,
  JobRef,
  Millis,
} from '../job.js'
import type { NewJob, ParentPolicy } from '../lot.js'
import type { ControlItem, NoteItem, SettleItem } from './frame.js'

/** Opaque to the book: made and read by the store's shelf. */
export type Paper = object

/** The items that papers are made of. */
export type Item = NewJob | SettleItem | NoteItem | ControlItem

/** Where the items of the frame that is being applied lie. Opaque to the book. */
export type Filing = unknown

/** The store's side: keeps what is long, by slot or by paper. */
export interface Shelf {
  /** The job in this slot is described by that item of the frame. */
  put(slot: number, filing: Filing, item: number): void
  /** `to` is described by what describes `from`. */
  share(from: number, to: number): void
  /** The slot needs its description no more. */
  drop(slot: number): void
  paper(filing: Filing, item: number): Paper
  /**
   * The token of a claim's item: greater than every one before, below 2^53. Where frames are kept it
   * is where the item landed, so that a replica which lost a line still agrees on all others.
   */
  token(filing: Filing, item: number): number
  /** The descriptions of these jobs, in order. */
  jobs(slots: readonly number[]): readonly NewJob[]
  read(paper: Paper): Item
}

/** One attempt that ended, but for its error's text, which is on paper. */
export interface Past {
  readonly attempt: number
  readonly round: number
  readonly outcome: AttemptOutcome
  readonly worker: string
  readonly startedAt: Instant
  readonly duration: Millis
  readonly error: AttemptError | null
  readonly paper: Paper | null
  /** The names of the steps that were done in it. Left out: none. */
  readonly steps?: readonly string[]
}

/** What its attempts have done so far. */
export interface Steps {
  readonly kept: { readonly name: string; readonly paper: Paper }[]
  /** How many of them the history tells. */
  told: number
}

/** What a job said of its unique key, for as long as it or a dead letter of it may come back. */
export interface OwnKey {
  readonly name: string
  readonly while: 'unfinished' | 'waiting'
}

export interface PastOrigin extends JobRef {
  readonly history: readonly Past[]
  readonly reason: DiscardReason
  /** What it said of its attempts, for its way back. */
  readonly maxAttempts: number
  /** The key that it takes back there. */
  readonly key: OwnKey | null
}

/** A job that this one comes after. A row that changes is replaced. */
export interface Parent extends JobRef {
  /** How it ended; null: it has not. */
  readonly end: FinalState | null
  readonly result: Paper | null
  /** Where it stands, or its dead letter, while that may still change; -1: it will not. */
  readonly slot: number
  /** It failed, and an operator let this one go on without it. */
  readonly isWaived: boolean
}

export interface Kin {
  readonly policy: ParentPolicy
  readonly parents: Parent[]
  /** How many have not ended. */
  unfinished: number
  /** How many were cancelled, discarded or deleted, but for those that are waived. */
  failed: number
}

export interface Extra {
  /** When it is due, if that is not its place: after a retry's delay. */
  dueAt: Millis | null
  /** From 1; an operator's retry, a burial and the way back each begin the next. */
  round: number
  key: OwnKey | null
  /** Its own span, from when it is due. */
  expiresIn: Millis | null
  /** An updated payload. */
  payload: Paper | null
  history: Past[]
  origin: PastOrigin | null
  /** What it comes after, for as long as it lives. */
  kin: Kin | null
  result: Paper | null
  progress: number | null
  log: { readonly paper: Paper; readonly lines: number }[]
  /** Lines on the papers of `log`. */
  lines: number
  steps: Steps | null
  discarded: DiscardReason | null
  reason: string | null
  movedTo: JobRef | null
  /** An operator deleted it: its receipt is for those who wait, its id is free. */
  isDeleted: boolean
  /** It was moved to another store: its receipt is for those who wait, and for its children. */
  isAway: boolean
  /** The state that a receipt tells. */
  final: 'completed' | 'cancelled' | 'discarded' | null
}

/** For reading, too. */
export type KinView = Readonly<Omit<Kin, 'parents'>> & { readonly parents: readonly Parent[] }

/** For reading: what is to be changed is asked for by `Ledger.extra`. */
export type ExtraView = Readonly<Omit<Extra, 'history' | 'log' | 'steps' | 'kin'>> & {
  readonly kin: KinView | null
  readonly history: readonly Past[]
  readonly log: Readonly<Extra['log']>
  readonly steps: { readonly kept: Readonly<Steps['kept']>; readonly told: number } | null
}

export function copyExtra(extra: Extra): Extra {
  const steps = extra.steps && { ...extra.steps, kept: [...extra.steps.kept] }
  const kin = extra.kin && { ...extra.kin, parents: [...extra.kin.parents] }
  return { ...extra, kin, history: [...extra.history], log: [...extra.log], steps }
}

export function emptyExtra(): Extra {
  return {
    dueAt: null,
    round: 1,
    key: null,
    expiresIn: null,
    payload: null,
    history: [],
    origin: null,
    kin: null,
    result: null,
    progress: null,
    log: [],
    lines: 0,
    steps: null,
    discarded: null,
    reason: null,
    movedTo: null,
    isDeleted: false,
    isAway: false,
    final: null,
  }
}
