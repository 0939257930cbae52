/**
 * Runnable jobs in the order of their places: those of one group with one priority. Nearly all
 * arrive in order and stand in a plain run; the few that do not (a retry, a past `at`) stand in a
 * heap beside it. Entries are never removed from the middle: a job that leaves changes its stamp,
 * and its old entry is passed over when it comes to the front.
 */
import type { Columns } from './columns.js'
import { Fifo } from './fifo.js'
import { Heap } from './heap.js'

export class Line {
  readonly #columns: Columns
  readonly #run = new Fifo<number>()
  #lastPlace = -Infinity
  #lastSeq = -1
  readonly #strays = new Heap()

  constructor(columns: Columns) {
    this.#columns = columns
  }

  add(slot: number): void {
    const place = this.#columns.place.get(slot)
    const seq = this.#columns.seq.get(slot)
    const entry = this.#columns.entry(slot)
    if (place > this.#lastPlace || (place === this.#lastPlace && seq > this.#lastSeq)) {
      this.#run.push(entry)
      this.#lastPlace = place
      this.#lastSeq = seq
    } else {
      this.#strays.push(place, seq, entry)
    }
  }

  /** The first entry that still means something; -1 when there is none. */
  first(): number {
    const run = this.#firstOfRun()
    const stray = this.#firstStray()
    if (run < 0) return stray
    if (stray < 0) return run
    return this.#runIsFirst(run) ? run : stray
  }

  /** Takes out what `first` answers now. */
  shift(): number {
    const run = this.#firstOfRun()
    const stray = this.#firstStray()
    if (stray >= 0 && (run < 0 || !this.#runIsFirst(run))) {
      this.#strays.pop()
      return stray
    }
    if (run >= 0) this.#passRun()
    return run
  }

  #runIsFirst(run: number): boolean {
    const slot = this.#columns.slotOf(run)
    const place = this.#columns.place.get(slot)
    if (place !== this.#strays.key) return place < this.#strays.key
    return this.#columns.seq.get(slot) < this.#strays.tie
  }

  #firstOfRun(): number {
    for (;;) {
      const entry = this.#run.first
      if (entry === undefined) return -1
      if (this.#columns.isCurrent(entry)) return entry
      this.#passRun()
    }
  }

  #firstStray(): number {
    while (this.#strays.size > 0) {
      const entry = this.#strays.value
      if (this.#columns.isCurrent(entry)) return entry
      this.#strays.pop()
    }
    return -1
  }

  #passRun(): void {
    this.#run.shift()
    if (this.#run.length > 0) return
    this.#lastPlace = -Infinity
    this.#lastSeq = -1
  }
}
