/**
 * A job that was in two crashes runs alone: nothing else runs in this node until it is settled, so
 * that it takes no neighbour along when it kills the process again. Promises: while it waits to
 * begin and while it runs, nobody in the node claims; what the others had not started goes back;
 * it begins when it is the only thing that the node holds. When such a job waits for a node that
 * is never idle by itself, the node runs dry for it now and then. Counting crashes is left to the
 * store.
 *
 *     open ── wish ──▶ drying ── nothing is held, or it takes too long ──▶ open
 *     open ── enter ──▶ alone ── settled ──▶ open
 */
import { DRY_EVERY, DRY_MOST } from '../job/defaults.js'
import type { Clock, Timer } from '../time/clock.js'
import type { Asker } from './exchanger.js'
import type { Ledger } from './ledger.js'
import type { Attempt } from './runner.js'

/** Who holds jobs that have not begun, and can give them back. */
export interface Neighbour {
  makeRoom(): void
}

export interface SolitudeOptions {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly neighbours: () => Iterable<Neighbour>
  /** Others may claim again. */
  readonly onOpen: () => void
}

export class Solitude {
  readonly #options: SolitudeOptions
  #lonely: { readonly attempt: Attempt; readonly begin: () => void; begun: boolean } | null = null
  #drying: Timer | null = null
  #driedAt = -Infinity
  /** Who heard of a job that must run alone, and so asks first once the node is dry. */
  #wisher: Asker | null = null

  constructor(options: SolitudeOptions) {
    this.#options = options
    options.ledger.onFewer(() => this.#look())
  }

  /** Nobody may claim now. */
  get shut(): boolean {
    return this.#lonely !== null || this.#drying !== null
  }

  /** Who must be the first to ask; forgotten once told. */
  takeFirst(): Asker | null {
    const first = this.#wisher
    this.#wisher = null
    return first
  }

  /** `begin` is called when it is alone. When another one is alone already, it goes back. */
  enter(attempt: Attempt, begin: () => void): void {
    if (this.#lonely !== null) return attempt.giveBack()
    this.#lonely = { attempt, begin, begun: false }
    for (const neighbour of this.#options.neighbours()) neighbour.makeRoom()
    this.#look()
  }

  /** A job waits for somebody who is alone, and the node is busy: let it run dry, not too often. */
  wish(asker: Asker): void {
    const { clock, ledger, neighbours } = this.#options
    if (this.shut || ledger.idle || clock.mono() - this.#driedAt < DRY_EVERY) return
    this.#wisher = asker
    this.#drying = clock.after(DRY_MOST, () => this.#dried(), { ref: false })
    for (const neighbour of neighbours()) neighbour.makeRoom()
    this.#look()
  }

  /** The asker will not ask any more. */
  unwish(asker: Asker): void {
    if (this.#wisher === asker) this.#wisher = null
  }

  close(): void {
    this.#drying?.cancel()
  }

  #dried(): void {
    this.#drying?.cancel()
    this.#drying = null
    this.#driedAt = this.#options.clock.mono()
    this.#options.onOpen()
  }

  #look(): void {
    const { ledger, onOpen } = this.#options
    if (this.#drying !== null && ledger.held.size === 0 && ledger.claiming === 0) this.#dried()
    const lonely = this.#lonely
    if (lonely === null) return
    if (!ledger.held.has(lonely.attempt.token)) {
      this.#lonely = null
      return onOpen()
    }
    if (lonely.begun || ledger.held.size > 1) return
    lonely.begun = true
    lonely.begin()
  }
}
