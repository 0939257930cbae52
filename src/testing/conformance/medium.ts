/**
 * What a store hands in to be tested. A *medium* is what several handles of one store share: a
 * folder, a database, or one book in memory. Each law gets a fresh one, with a clock that stands
 * still until it is moved, and dice with a seed.
 */
import type { Chance } from '../../time/clock.js'
import type { VirtualClock } from '../../time/virtual.js'
import type { Store } from '../../store.js'

/** Everything that a medium may use of time and chance. */
export interface MediumAsk {
  readonly clock: VirtualClock
  readonly chance: Chance
}

export interface Medium {
  /**
   * One more handle, opened, as if by another process. Scope ['default']. It must be a handle of
   * its own: closing it leaves the others open.
   */
  connect(ask?: { readonly scope?: string }): Promise<Store>
  /**
   * Begins a transaction of a user's beside all handles; where `traits.transactions`. Closed with the
   * medium at the latest.
   */
  begin?(): Promise<UserTransaction>
  /** Brings hints on their way, where nothing else does (a simulated disk). */
  hint?(): void
  /** Removes every trace; all handles are closed by then. */
  destroy(): Promise<void>
}

/** A transaction as a user has it. */
export interface UserTransaction {
  /** For lots. */
  readonly tx: unknown
  /** Whether everything else of the store waits for its end, since there is one session [false]. */
  readonly isAlone?: boolean
  commit(): Promise<void>
  rollBack(): Promise<void>
}

export type OpenMedium = (ask: MediumAsk) => Promise<Medium>
