/**
 * The runnable jobs of one task of one queue: by priority, then in rotation between the groups,
 * within a group by place. A group whose turn it is gives one job and goes to the back; a group
 * that was away joins where the rotation stands, so that it neither waits longer nor catches up.
 * What is blocked is not here, so it costs nothing.
 */
import type { Columns } from './columns.js'
import { Heap } from './heap.js'
import { Line } from './line.js'

/** Where a group stands in its queue's rotation: starts so far, each divided by its weight. */
export interface Turn {
  pass: number
  weight: number
}

/** What the pool needs to know of its queue's groups. */
export interface Rotation {
  /** Where the rotation stands: a group that joins starts here. */
  readonly pass: number
  turn(group: number): Turn
}

interface Level {
  readonly priority: number
  readonly lines: Map<number, Line>
  readonly turns: Heap
}

export class Pool {
  readonly #columns: Columns
  readonly #rotation: Rotation
  /** Highest priority first. */
  readonly #levels: Level[] = []

  constructor(columns: Columns, rotation: Rotation) {
    this.#columns = columns
    this.#rotation = rotation
  }

  add(slot: number): void {
    const level = this.#level(this.#columns.priority.get(slot))
    const group = this.#columns.group.get(slot)
    const known = level.lines.get(group)
    if (known !== undefined) {
      known.add(slot)
      return
    }
    const line = new Line(this.#columns)
    line.add(slot)
    level.lines.set(group, line)
    const pass = Math.max(this.#rotation.turn(group).pass, this.#rotation.pass)
    level.turns.push(pass, this.#columns.place.get(slot), group)
  }

  /** The slot that is next; -1 when the pool is empty. Stays until `shift`. */
  first(): number {
    for (;;) {
      const level = this.#levels[0]
      if (level === undefined) return -1
      const slot = this.#firstOf(level)
      if (slot >= 0) return slot
      this.#levels.shift()
    }
  }

  /** Of the slot that `first` answered: where its group stands. */
  get pass(): number {
    return this.#levels[0].turns.key
  }

  /** Takes out the slot that `first` answered, and moves the rotation on. */
  shift(): number {
    const slot = this.first()
    if (slot < 0) return -1
    const level = this.#levels[0]
    const pass = level.turns.key
    const group = level.turns.pop()
    // The line is there: `first` has just looked at it.
    const line = level.lines.get(group) as Line
    line.shift()
    const next = line.first()
    if (next < 0) {
      level.lines.delete(group)
    } else {
      const step = 1 / this.#rotation.turn(group).weight
      level.turns.push(pass + step, this.#columns.place.get(this.#columns.slotOf(next)), group)
    }
    return slot
  }

  #firstOf(level: Level): number {
    while (level.turns.size > 0) {
      const group = level.turns.value
      const line = level.lines.get(group)
      const entry = line === undefined ? -1 : line.first()
      if (entry < 0) {
        level.turns.pop()
        level.lines.delete(group)
        continue
      }
      const slot = this.#columns.slotOf(entry)
      const pass = this.#rotation.turn(group).pass
      if (pass <= level.turns.key) return slot
      level.turns.pop()
      level.turns.push(pass, this.#columns.place.get(slot), group)
    }
    return -1
  }

  #level(priority: number): Level {
    const levels = this.#levels
    let at = 0
    while (at < levels.length && levels[at].priority > priority) at++
    if (at < levels.length && levels[at].priority === priority) return levels[at]
    const level: Level = { priority, lines: new Map(), turns: new Heap() }
    levels.splice(at, 0, level)
    return level
  }
}
