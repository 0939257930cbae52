/**
 * The shapes of what letters say, shared by those who write and those who read them.
 */
import type { Encoded } from '../../job/codec.js'
import type { FinalState, JobRef, Millis } from '../../job/job.js'
import type { OwnKey, Past, PastOrigin } from '../../job/book/extra.js'

/** Numbers of the book, in store time. Left out: 0, none, or the first round. */
export interface BookWords {
  readonly place: Millis
  readonly seq: number
  readonly inserted: Millis
  /** When it ended. */
  readonly since?: Millis
  /** When it is due, where that is not its place. */
  readonly due?: Millis
  readonly flags?: number
  readonly crashes?: number
  readonly round?: number
}

/** An attempt, with its error's text. */
export type PastWords = Omit<Past, 'paper'>

export type OriginWords = Omit<PastOrigin, 'history'> & { readonly history: readonly PastWords[] }

/** A job that this one comes after; `at`: where it stands, while that may still change. */
export interface RowWords extends JobRef {
  readonly end: FinalState | null
  readonly isWaived: boolean
  readonly at: readonly [queue: string, id: string] | null
  readonly result: Encoded | null
}

/** `until` while it holds the key: when the period that its insertion began is over. */
export type KeyWords = OwnKey & { readonly until?: Millis }
