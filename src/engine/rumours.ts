/**
 * Hints that say only that anything may have changed: a store that hears of other processes by its
 * file, or by a line that was cut, knows no more. While others work such a rumour comes with each of
 * their commits, and to look after all that one holds each time would cost more than the work.
 * Promises: the first rumour is followed by a look in the next turn of the loop, behind the claims
 * that it brought about; further ones by one look for each `RUMOUR_SPAN`, and the last one by a look
 * that began after it.
 */
import { RUMOUR_SPAN } from '../job/defaults.js'
import type { Clock, Timer } from '../time/clock.js'

export class Rumours {
  readonly #clock: Clock
  readonly #look: () => void
  /** No look before it is over. */
  #rest: Timer | null = null
  /** A rumour came while we rested. */
  #heard = false
  #isClosed = false

  constructor(clock: Clock, look: () => void) {
    this.#clock = clock
    this.#look = look
  }

  hear(): void {
    this.#heard = true
    if (this.#rest === null) this.#follow()
  }

  close(): void {
    this.#rest?.cancel()
    this.#rest = null
    this.#heard = false
    this.#isClosed = true
  }

  #follow(): void {
    this.#rest = null
    if (!this.#heard) return
    this.#heard = false
    this.#rest = this.#clock.after(RUMOUR_SPAN, () => this.#follow(), { ref: false })
    this.#clock.soon(() => {
      if (!this.#isClosed) this.#look()
    })
  }
}
