/**
 * A queue on its way from one store to another, as both remember it. It is a gate: while the whole
 * queue, or a group of it, is on its way, nothing of that starts on this side.
 *
 *     source:  – ──▶ moving                         nothing starts; what is enqueued waits to be moved
 *     target:  – ──▶ arriving ──▶ arrived           nothing starts, then everything; some groups again
 *                       ▲             │             while what came behind them is brought over
 *                       └─────────────┘
 */
import type { Instant } from './job.js'

export type TransitSide = 'moving' | 'arriving' | 'arrived'

/** What is asked: to be so from now on. */
export interface TransitWords {
  readonly side: TransitSide
  /** The other store, in words for people. */
  readonly with: string
  /** Of an arriving queue: only these groups are closed; null: all of it. */
  readonly groups: readonly string[] | null
}

export interface Transit extends TransitWords {
  /** When it was first said of this side and that other store. */
  readonly since: Instant
}
