/**
 * The runnable jobs of one task of one queue: by priority, then in rotation between the groups,
 * within a group by place. A group whose turn it is gives one job and goes to the back; a group
 * that was away joins where the rotation stands, so that it neither waits longer nor catches up.
 *
 * A group whose gate is closed is *parked* when it comes to the front: it leaves the turns, its
 * jobs stay where they are, and its queue puts it back when the gate may be open. So whatever is
 * blocked is looked at once, however many jobs stand behind it.
 */
import type { Columns } from './columns.js'
import { Heap } from './heap.js'
import { Line } from './line.js'
import { Numbered } from './numbered.js'

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
  /** False: the group shows another of its jobs now, and this one is to be passed over. */
  shows(group: number, slot: number): boolean
  /** False: its gate is closed; the level is told to `unpark` it when that may have changed. */
  admits(group: number, level: Level): boolean
}

/** The jobs of one priority. */
export class Level {
  readonly priority: number
  readonly lines = new Numbered<Line>()
  readonly turns = new Heap()
  readonly #columns: Columns
  readonly #rotation: Rotation

  constructor(priority: number, columns: Columns, rotation: Rotation) {
    this.priority = priority
    this.#columns = columns
    this.#rotation = rotation
  }

  add(slot: number): void {
    const group = this.#columns.group.get(slot)
    const known = this.lines.get(group)
    if (known !== undefined) {
      known.add(slot)
      return
    }
    const line = new Line(this.#columns)
    line.add(slot)
    this.lines.set(group, line)
    this.#enter(group, line, this.#joining(group), this.#columns.seq.get(slot))
  }

  /** Puts back what was taken out in vain, and its group where it stood then. */
  giveBack(slot: number, pass: number, tie: number): void {
    const group = this.#columns.group.get(slot)
    let line = this.lines.get(group)
    if (line === undefined) {
      line = new Line(this.#columns)
      this.lines.set(group, line)
    }
    line.add(slot)
    if (line.pass > pass) this.#enter(group, line, pass, tie)
  }

  /** Its gate may be open: it joins where the rotation stands, or where it stood if that was a mistake. */
  unpark(group: number, wasMistake: boolean): void {
    const line = this.lines.get(group)
    if (line === undefined || line.pass !== Infinity) return
    const entry = line.first()
    if (entry < 0) {
      this.lines.delete(group)
    } else if (wasMistake) {
      this.#enter(group, line, line.parkedPass, line.parkedTie)
    } else {
      const slot = this.#columns.slotOf(entry)
      this.#enter(group, line, this.#joining(group), this.#columns.seq.get(slot))
    }
  }

  /** The slot that is next; -1 when there is none whose gate is open. Its group's turn is in front. */
  first(): number {
    const { turns, lines } = this
    while (turns.size > 0) {
      const group = turns.value
      const line = lines.get(group)
      if (line === undefined || line.pass !== turns.key) {
        turns.pop()
        continue
      }
      const entry = line.first()
      if (entry < 0) {
        turns.pop()
        lines.delete(group)
        continue
      }
      const slot = this.#columns.slotOf(entry)
      const pass = this.#rotation.turn(group).pass
      if (pass > turns.key) {
        turns.pop()
        this.#enter(group, line, pass, this.#columns.seq.get(slot))
      } else if (!this.#rotation.shows(group, slot)) {
        line.shift()
      } else if (this.#rotation.admits(group, this)) {
        return slot
      } else {
        line.parkedPass = turns.key
        line.parkedTie = turns.tie
        line.pass = Infinity
        turns.pop()
      }
    }
    return -1
  }

  /** Takes out the slot that `first` has just answered, and moves the rotation on. */
  shift(): void {
    const pass = this.turns.key
    const group = this.turns.pop()
    // The line is there: `first` has just looked at it.
    const line = this.lines.get(group) as Line
    line.shift()
    const next = line.first()
    if (next < 0) {
      this.lines.delete(group)
      return
    }
    const step = 1 / this.#rotation.turn(group).weight
    this.#enter(group, line, pass + step, this.#columns.seq.get(this.#columns.slotOf(next)))
  }

  #joining(group: number): number {
    return Math.max(this.#rotation.turn(group).pass, this.#rotation.pass)
  }

  #enter(group: number, line: Line, pass: number, tie: number): void {
    line.pass = pass
    this.turns.push(pass, tie, group)
  }
}

export class Pool {
  readonly #columns: Columns
  readonly #rotation: Rotation
  /** Highest priority first. Those in which all groups are parked stay. */
  readonly #levels: Level[] = []
  /** What `first` answered, and the level where it stands. */
  #slot = -1
  #front: Level | null = null

  constructor(columns: Columns, rotation: Rotation) {
    this.#columns = columns
    this.#rotation = rotation
  }

  add(slot: number): void {
    this.#level(this.#columns.priority.get(slot)).add(slot)
  }

  /** Puts back what `shift` took out in vain; `pass` and `tie` as they were then. */
  giveBack(slot: number, pass: number, tie: number): void {
    this.#level(this.#columns.priority.get(slot)).giveBack(slot, pass, tie)
  }

  /** The slot that is next; -1 when the pool has none whose gate is open. Stays until `shift`. */
  first(): number {
    const levels = this.#levels
    for (let at = 0; at < levels.length;) {
      const slot = levels[at].first()
      if (slot >= 0) {
        this.#slot = slot
        this.#front = levels[at]
        return slot
      }
      if (levels[at].lines.size === 0) levels.splice(at, 1)
      else at++
    }
    this.#slot = -1
    this.#front = null
    return -1
  }

  /** What `first` has just answered. */
  get slot(): number {
    return this.#slot
  }

  /** Where its group stands. */
  get pass(): number {
    return this.#front?.turns.key ?? Infinity
  }

  /** And its place among those that stand at the same pass: the number of its first job. */
  get tie(): number {
    return this.#front?.turns.tie ?? 0
  }

  /** Takes out the slot that `first` has just answered, and moves the rotation on. */
  shift(): void {
    this.#front?.shift()
  }

  #level(priority: number): Level {
    const levels = this.#levels
    let at = 0
    while (at < levels.length && levels[at].priority > priority) at++
    if (at < levels.length && levels[at].priority === priority) return levels[at]
    const level = new Level(priority, this.#columns, this.#rotation)
    levels.splice(at, 0, level)
    return level
  }
}
