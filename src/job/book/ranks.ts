/**
 * The due jobs of one group of a queue in blocking order, over all tasks: by priority, then place,
 * then insertion. Jobs that hold the group stand before all others. Only the head is ever shown to
 * a pool, so the order holds whatever tasks the workers know.
 */
import { HOLDS } from './columns.js'
import type { Columns } from './columns.js'
import { Line } from './line.js'

interface Rank {
  readonly priority: number
  readonly line: Line
}

export class Ranks {
  readonly #columns: Columns
  /** Highest priority first. */
  readonly #free: Rank[] = []
  /** Those that hold the group: one, unless the queue was in another order before. */
  #holding: Rank[] | null = null

  constructor(columns: Columns) {
    this.#columns = columns
  }

  add(slot: number): void {
    if (this.#columns.has(slot, HOLDS)) {
      this.#holding ??= []
      this.#lineIn(this.#holding, slot).add(slot)
    } else {
      this.#lineIn(this.#free, slot).add(slot)
    }
  }

  /** The slot that is first; -1 when there is none. `held`: only those that hold the group count. */
  head(held: boolean): number {
    const ranks = held ? this.#holding : this.#free
    if (ranks === null) return -1
    while (ranks.length > 0) {
      const entry = ranks[0].line.first()
      if (entry >= 0) return this.#columns.slotOf(entry)
      ranks.shift()
    }
    return -1
  }

  /** Takes out what `head` answers. */
  shift(held: boolean): void {
    const ranks = held ? this.#holding : this.#free
    if (this.head(held) >= 0) ranks?.[0].line.shift()
  }

  #lineIn(ranks: Rank[], slot: number): Line {
    const priority = this.#columns.priority.get(slot)
    let at = 0
    while (at < ranks.length && ranks[at].priority > priority) at++
    if (at < ranks.length && ranks[at].priority === priority) return ranks[at].line
    const line = new Line(this.#columns)
    ranks.splice(at, 0, { priority, line })
    return line
  }
}
