/**
 * The port to whatever keeps the frames of a book: nothing, a log, a folder of letters. What is
 * durable when, who is alive, and how others are followed is its own affair.
 */
import type { Answers, Book, FrameOf } from '../../job/book/book.js'
import type { Liveness } from '../../job/book/decide-sweep.js'
import type { Card, Frame } from '../../job/book/frame.js'
import type { Millis } from '../../job/job.js'
import type { BeatRecipe, Traits } from '../../store.js'

/** What changed, by queue, as bits of `NEWS_*`. */
export type News = ReadonlyMap<string, number>

/** What keeps the frames. All but `open`, `close` and `durable` is synchronous. */
export interface Medium {
  readonly traits: Traits
  readonly book: Book
  /** News is told after the call that brought it, never within. */
  open(scope: string, onNews: (news: News) => void): Promise<void>
  close(): Promise<void>
  /** The store's time now. */
  now(): Millis
  /** Brings the book up to what others committed. */
  refresh(): void
  /** Puts a frame behind all others and applies it, others' before it included. */
  commit<K extends Frame['kind']>(frame: FrameOf[K] & { readonly kind: K }): Answers[K]
  /** All that was committed or seen until now is as durable as the traits say. */
  durable(): Promise<void>
  /** What there is to do beside a sweep; bounded. */
  tend(): Promise<void>
  liveness(card: Card): Liveness
  /** For how long it could hear everybody without a break; Infinity: always. */
  calm(): Millis
  proof(): string | null
  beatRecipe(): BeatRecipe | null
}
