/**
 * Where an isolate lives, whichever kind it is: a thread (`thread-cell.ts`) or a process
 * (`process-cell.ts`). Promises that what was heard comes before the end, and that the end is told
 * once. What is said and when to end it is left to `isolate.ts`.
 */
import type { Clock } from '../../time/clock.js'
import type { Order } from './wire.js'

export type Kind = 'thread' | 'process'

export interface Cell {
  /** Harmless when it has ended. */
  send(order: Order): void
  /** Ends it by force, with all that it can end. */
  kill(): void
  /** Whether it keeps this process alive; at first it does not. */
  keepAlive(alive: boolean): void
}

/** Who is told. */
export interface CellListener {
  /** A message, ours or not. */
  heard(message: unknown): void
  ended(ending: Ending): void
}

/** `failure`: it could not start, or broke. `lastWords`: the end of what it wrote to stderr. */
export type Ending =
  | { readonly by: 'exit'; readonly code: number; readonly lastWords: string }
  | { readonly by: 'signal'; readonly signal: string; readonly lastWords: string }
  | { readonly by: 'memory' }
  | { readonly by: 'failure'; readonly error: unknown }

/** Never before it answers does it tell of an end. May throw: then there is none. */
export type OpenCell = (program: URL, listener: CellListener, clock: Clock) => Cell
