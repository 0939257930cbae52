/**
 * A job that was in two crashes runs alone: nothing else runs in this node until it is settled, so
 * that it takes no neighbour along when it kills the process again. Promises: while it waits to
 * begin and while it runs, nobody in the node claims; what the others had not started goes back;
 * it begins when it is the only thing that the node holds. Counting crashes is left to the store.
 */
import type { Ledger } from './ledger.js'
import type { Attempt } from './runner.js'

/** Who holds jobs that have not begun, and can give them back. */
export interface Neighbour {
  makeRoom(): void
}

export class Solitude {
  readonly #ledger: Ledger
  readonly #neighbours: () => Iterable<Neighbour>
  readonly #onOpen: () => void
  #lonely: { readonly attempt: Attempt; readonly begin: () => void; begun: boolean } | null = null

  /** `onOpen`: others may claim again. */
  constructor(ledger: Ledger, neighbours: () => Iterable<Neighbour>, onOpen: () => void) {
    this.#ledger = ledger
    this.#neighbours = neighbours
    this.#onOpen = onOpen
    ledger.onFewer(() => this.#look())
  }

  /** Nobody may claim now. */
  get shut(): boolean {
    return this.#lonely !== null
  }

  /** `begin` is called when it is alone. When another one is alone already, it goes back. */
  enter(attempt: Attempt, begin: () => void): void {
    if (this.#lonely !== null) return attempt.giveBack()
    this.#lonely = { attempt, begin, begun: false }
    for (const neighbour of this.#neighbours()) neighbour.makeRoom()
    this.#look()
  }

  #look(): void {
    const lonely = this.#lonely
    if (lonely === null) return
    if (!this.#ledger.held.has(lonely.attempt.token)) {
      this.#lonely = null
      return this.#onOpen()
    }
    if (lonely.begun || this.#ledger.held.size > 1) return
    lonely.begun = true
    lonely.begin()
  }
}
