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
  /** Few lines have any, and there may be a line for each of very many groups. */
  #strays: Heap | null = null
  /** Where it stands in the turns of its level; an entry there that says otherwise is void. */
  pass = Infinity
  /** Where it stood when it was parked. */
  parkedPass = 0
  parkedTie = 0

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
      this.#strays ??= new Heap()
      this.#strays.push(place, seq, entry)
    }
  }

  /** The first entry that still means something; -1 when there is none. */
  first(): number {
    const run = this.#firstOfRun()
    const strays = this.#currentStrays()
    if (strays === null) return run
    return run < 0 || !this.#runIsFirst(run, strays) ? strays.value : run
  }

  /** Takes out what `first` answers now. */
  shift(): number {
    const run = this.#firstOfRun()
    const strays = this.#currentStrays()
    if (strays !== null && (run < 0 || !this.#runIsFirst(run, strays))) return strays.pop()
    if (run >= 0) this.#passRun()
    return run
  }

  #runIsFirst(run: number, strays: Heap): boolean {
    const slot = this.#columns.slotOf(run)
    const place = this.#columns.place.get(slot)
    if (place !== strays.key) return place < strays.key
    return this.#columns.seq.get(slot) < strays.tie
  }

  #firstOfRun(): number {
    for (;;) {
      const entry = this.#run.first
      if (entry === undefined) return -1
      if (this.#columns.isCurrent(entry)) return entry
      this.#passRun()
    }
  }

  /** The strays, with one that still means something in front; null when there is none. */
  #currentStrays(): Heap | null {
    const strays = this.#strays
    if (strays === null) return null
    while (strays.size > 0) {
      if (this.#columns.isCurrent(strays.value)) return strays
      strays.pop()
    }
    return null
  }

  #passRun(): void {
    this.#run.shift()
    if (this.#run.length > 0) return
    this.#lastPlace = -Infinity
    this.#lastSeq = -1
  }
}
