/**
 * The last settlements that took effect, so that a repeat of one is answered as the first time: a
 * ring, in the order in which they were folded, the same in every replica and kept in the image.
 * A repeat is rare (its answer was lost on the way), so it is looked for from end to end.
 */
import type { Settled, Verdict } from '../verdict.js'

/** A settlement that took effect. */
export interface Remembered {
  readonly verdict: Verdict['kind']
  readonly settled: Settled
}

/** How many are remembered. */
export const SETTLED_KEPT = 4096
/** Room for so many is made first: most books are the sheet of one transaction. */
const FIRST_ROOM = 16

export class SettledRing {
  #tokens = new Float64Array(0)
  readonly #answers: Remembered[] = []
  /** Where the next one goes. */
  #next = 0

  set(token: number, remembered: Remembered): void {
    if (this.#next >= this.#tokens.length) this.#grow()
    this.#tokens[this.#next] = token
    this.#answers[this.#next] = remembered
    this.#next = (this.#next + 1) % SETTLED_KEPT
  }

  get(token: number): Remembered | undefined {
    const at = this.#tokens.indexOf(token)
    return at < 0 ? undefined : this.#answers[at]
  }

  /** Oldest first. */
  entries(): [number, Remembered][] {
    const from = this.#answers.length < SETTLED_KEPT ? 0 : this.#next
    return this.#answers.map((_, at) => {
      const place = (from + at) % SETTLED_KEPT
      return [this.#tokens[place], this.#answers[place]]
    })
  }

  #grow(): void {
    const room = Math.min(SETTLED_KEPT, Math.max(FIRST_ROOM, 2 * this.#tokens.length))
    const tokens = new Float64Array(room)
    tokens.set(this.#tokens)
    this.#tokens = tokens
  }
}
