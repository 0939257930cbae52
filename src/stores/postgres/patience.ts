/**
 * How long a server may take. What does not answer in time is given up, and so is whatever else has
 * not answered since: connections to one server break together, and trying each of them in turn
 * would cost the patience as often as there are connections. The spans are such that within a lease
 * (30 s) the loss is noticed, a new connection is made, and a beat gets through.
 */
import type { Millis } from '../../job/job.js'
import type { Clock } from '../../time/clock.js'

export interface Patience {
  /** Until a connection is there, or one of the pool is free. */
  readonly connects: Millis
  /** For the answer to a statement that a job waits for. */
  readonly answers: Millis
  /** The same of what is only shown: counting millions of jobs takes its time. */
  readonly shows: Millis
  /** For any answer when the store closes. */
  readonly atEnd: Millis
  /** How often a connection that only listens is asked whether it is there. */
  readonly silence: Millis
  /** For the one session of a PGlite, while its owner has a transaction open. */
  readonly turns: Millis
}

export const PATIENCE: Patience = {
  connects: 5_000,
  answers: 10_000,
  shows: 20_000,
  atEnd: 2_000,
  silence: 10_000,
  turns: 30_000,
}

/** When connections answered last, and since when that is not enough. */
export class Trust {
  readonly #clock: Clock
  readonly #heard = new WeakMap<object, Millis>()
  #doubtedAt = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  answered(connection: object): void {
    this.#heard.set(connection, this.#clock.mono())
  }

  /** One of them did not answer: those that were heard before may be as it is. */
  doubt(): void {
    this.#doubtedAt = this.#clock.mono()
  }

  isDoubtful(connection: object): boolean {
    return (this.#heard.get(connection) ?? Infinity) <= this.#doubtedAt
  }
}
