/**
 * The timeouts of all that runs, on one timer. Runs of a queue mostly share one timeout, so those
 * of equal length stand in a row, the earliest first, and only the rows' heads are compared.
 * Promises: `expire` is called once, not before its time, and never after `remove`. What a
 * timeout means is left to the run.
 */
import type { Millis } from '../job/job.js'
import type { Clock, Timer } from '../time/clock.js'

export interface Timed {
  /** By `mono`. */
  readonly deadline: number
  readonly timeout: Millis
  expire(): void
}

/** Rows without anybody that are kept for the next: making one anew costs more than keeping it. */
const ROWS_KEPT = 16

export class Deadlines {
  readonly #clock: Clock
  readonly #rows = new Map<Millis, Set<Timed>>()
  #timer: Timer | null = null
  /** When the timer fires, by `mono`. */
  #armed = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(timed: Timed): void {
    if (timed.timeout === Infinity) return
    const row = this.#rows.get(timed.timeout)
    if (row !== undefined) row.add(timed)
    else this.#rows.set(timed.timeout, new Set([timed]))
    if (timed.deadline < this.#armed) this.#arm(timed.deadline)
  }

  remove(timed: Timed): void {
    const row = this.#rows.get(timed.timeout)
    if (row === undefined || !row.delete(timed)) return
    if (row.size === 0 && this.#rows.size > ROWS_KEPT) this.#rows.delete(timed.timeout)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#armed = Infinity
    this.#rows.clear()
  }

  #arm(at: number): void {
    this.#timer?.cancel()
    this.#armed = at
    const wait = Math.max(0, at - this.#clock.mono())
    this.#timer = this.#clock.after(wait, () => this.#fire(), { ref: false })
  }

  /** The timer is not moved when what it was set for ends early: it finds that out here. */
  #fire(): void {
    this.#armed = Infinity
    const now = this.#clock.mono()
    let next = Infinity
    for (const row of this.#rows.values()) {
      for (const timed of row) {
        if (timed.deadline > now) {
          next = Math.min(next, timed.deadline)
          break
        }
        row.delete(timed)
        timed.expire()
      }
    }
    if (next < this.#armed) this.#arm(next)
  }
}
