/** The database beneath a store of tables: what is different from one to the next. */
import type { BeatRecipe, Hint, Traits } from '../../store.js'
import type { Clock } from '../../time/clock.js'
import type { Liveness } from './nodes.js'
import type { Database } from './port.js'

export interface SqlMedium {
  readonly traits: Traits
  /** Opens, brings the tables up to date, and answers the port. Hints come until `close`. */
  open(scope: string, onHints: (hints: readonly Hint[]) => void): Promise<Database>
  /** The store is about to close: whoever waits for others gives up soon. */
  hurry(): void
  close(): Promise<void>
  /** How `job.commit` is done. */
  readonly commits: CommitWays
  /** What can be told of a node from outside the database. */
  readonly liveness: Liveness
  readonly proof: string | null
  beatRecipe(scope: string): BeatRecipe | null
}

export interface CommitWays {
  /** So many at once, so that functions of the user's never take every connection. */
  readonly atOnce: number
  /** Whether there is room for another transaction that writes beside one. */
  readonly isApart: boolean
  /** Of real time. */
  readonly clock: Clock
}
