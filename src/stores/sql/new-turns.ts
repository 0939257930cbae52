/**
 * The lines that jobs stand in from now on: each has a turn, and no job of it before its floor.
 */
import type { Value } from './port.js'
import type { JobRow } from './row.js'

type Standing = Pick<JobRow, 'queue' | 'grp' | 'priority' | 'seq' | 'place'> & {
  readonly lane: number
}

export class NewTurns {
  readonly #lines = new Map<string, { readonly row: readonly Value[]; floor: number }>()

  add({ lane, queue, grp, priority, seq, place }: Standing, pass: number): void {
    const name = `${lane}/${priority}/${grp}`
    const known = this.#lines.get(name)
    if (known === undefined) {
      this.#lines.set(name, { row: [lane, queue, grp, priority, pass, seq], floor: place })
    } else known.floor = Math.min(known.floor, place)
  }

  /** What `turn.add` is asked, in the order in which everybody writes them. */
  rows(): Value[][] {
    const sorted = [...this.#lines].sort(([a], [b]) => (a < b ? -1 : 1))
    return sorted.map(([, { row, floor }]) => [...row, floor])
  }
}
