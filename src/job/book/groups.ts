/**
 * The groups of one queue: how many jobs each has, how many of them run, which hold it, where each
 * stands in the rotation, and which are parked because a gate is closed. What a gate is, is said
 * in `gates.ts`.
 *
 * `jobs`, `running` and `held` follow from the jobs and are the same in every replica. The rest is
 * how this replica finds the next job, and nothing that applying a frame reads depends on it.
 */
import type { Millis } from '../job.js'
import { HOLDS } from './columns.js'
import type { Columns } from './columns.js'
import { Heap } from './heap.js'
import { Numbered } from './numbered.js'
import type { Level, Rotation, Turn } from './pool.js'
import { Ranks } from './ranks.js'
import { OPEN } from './window.js'
import type { GrantWindow } from './window.js'

export class Group implements Turn {
  pass = 0
  weight: number
  /** All jobs of it, receipts included: it is forgotten with the last. */
  jobs = 0
  running = 0
  /** Jobs that hold it; see `HOLDS`. */
  held = 0
  /** The slot that began to hold it last; it may hold it no more. */
  holder = -1
  /** Blocking order: its due jobs, and the entry of the one that it shows the pools; -1: none. */
  ranks: Ranks | null = null
  head = -1
  /** Where it left the turns. */
  parked: Level[] | null = null
  /** Its grants, as they were last looked for; undefined: they were not, null: there are none. */
  grants: GrantWindow | null | undefined = undefined

  constructor(weight: number) {
    this.weight = weight
  }
}

/** When a group's gates open: `OPEN` now, a time, or `Infinity`: when something happens. */
export type Keeper = (group: number) => Millis

/** For groups that have no job: never changed. */
const NO_TURN: Turn = { pass: 0, weight: 1 }

export class Groups implements Rotation {
  readonly #columns: Columns
  readonly #all = new Numbered<Group>()
  /** Who was asked for last: a job's end asks for its group three times. */
  #lastNumber = -1
  #last: Group | undefined = undefined
  pass = 0
  /** Within a group one at a time, in order. */
  isBlocking = false
  /** Asked while someone looks for a job; null: all groups are open. */
  keeper: Keeper | null = null
  /** When parked groups open by themselves. */
  readonly #openings = new Heap()

  constructor(columns: Columns) {
    this.#columns = columns
  }

  get(group: number): Group | undefined {
    if (group === this.#lastNumber) return this.#last
    const known = this.#all.get(group)
    if (known !== undefined) {
      this.#lastNumber = group
      this.#last = known
    }
    return known
  }

  entries(): Iterable<[number, Group]> {
    return this.#all.entries()
  }

  // ── Jobs come and go ─────────────────────────────────────────────────────────────────────────

  /** One more job of the group; `weigh` tells the weight of one that begins. */
  join(group: number, weigh: (group: number) => number): void {
    let known = this.get(group)
    if (known === undefined) {
      known = new Group(weigh(group))
      this.#all.set(group, known)
    }
    known.jobs++
  }

  /** From an image, after `join`. */
  restored(group: number, slot: number, isRunning: boolean): void {
    const known = this.get(group)
    if (known === undefined) return
    if (isRunning) known.running++
    if (!this.#columns.has(slot, HOLDS)) return
    known.held++
    known.holder = slot
  }

  part(group: number): void {
    const known = this.get(group)
    if (known === undefined || --known.jobs > 0) return
    this.unpark(group)
    this.#all.delete(group)
    this.#lastNumber = -1
    this.#last = undefined
  }

  /** A job of the group begins to run, and holds it from now on: the rotation moves on. */
  started(group: number, slot: number): void {
    const known = this.get(group)
    if (known === undefined) return
    known.running++
    known.head = -1
    this.#hold(known, slot)
    this.pass = Math.max(this.pass, known.pass)
    known.pass = this.pass + 1 / known.weight
  }

  stopped(group: number): void {
    const known = this.get(group)
    if (known === undefined) return
    known.running--
    this.unpark(group)
  }

  #hold(group: Group, slot: number): void {
    if (this.#columns.has(slot, HOLDS)) return
    this.#columns.raise(slot, HOLDS)
    group.held++
    group.holder = slot
  }

  /** The job holds its group no more. */
  free(group: number, slot: number): void {
    const known = this.get(group)
    if (known === undefined || !this.#columns.has(slot, HOLDS)) return
    this.#columns.lower(slot, HOLDS)
    known.held--
  }

  // ── Rotation ─────────────────────────────────────────────────────────────────────────────────

  turn(group: number): Turn {
    return this.get(group) ?? NO_TURN
  }

  shows(group: number, slot: number): boolean {
    return !this.isBlocking || this.get(group)?.head === this.#columns.entry(slot)
  }

  admits(group: number, level: Level): boolean {
    if (this.keeper === null) return true
    const known = this.get(group)
    const opens = this.keeper(group)
    if (opens === OPEN || known === undefined) return true
    known.parked ??= []
    known.parked.push(level)
    if (opens !== Infinity) this.#openings.push(opens, 0, group)
    return false
  }

  /** Its gate may be open again. `wasMistake`: it was never closed, but to a claim that came to nothing. */
  unpark(group: number, wasMistake = false): void {
    const known = this.get(group)
    if (known?.parked == null) return
    const { parked } = known
    known.parked = null
    for (const level of parked) level.unpark(group, wasMistake)
  }

  unparkAll(): void {
    for (const [group] of this.#all.entries()) this.unpark(group)
  }

  /** Those whose time has come take their turns again. */
  advance(now: Millis): void {
    const openings = this.#openings
    while (openings.size > 0 && openings.key <= now) this.unpark(openings.pop())
  }

  /** When the first parked group opens by itself; null: none does. */
  nextOpening(): Millis | null {
    const openings = this.#openings
    while (openings.size > 0) {
      if (this.get(openings.value)?.parked != null) return openings.key
      openings.pop()
    }
    return null
  }

  // ── Blocking order ───────────────────────────────────────────────────────────────────────────

  /** A job is due: it takes its rank. */
  rank(group: number, slot: number): void {
    const known = this.get(group)
    if (known === undefined) return
    known.ranks ??= new Ranks(this.#columns)
    known.ranks.add(slot)
  }

  /** The slot that the group is to show from now on; -1: none, or the one that it shows already. */
  show(group: number): number {
    const known = this.get(group)
    if (known?.ranks == null) return -1
    const slot = known.running > 0 ? -1 : known.ranks.head(known.held > 0)
    const head = slot < 0 ? -1 : this.#columns.entry(slot)
    if (head === known.head) return -1
    known.head = head
    return slot
  }

  /** What the group shows was taken; `late`: it is not to be shown again. */
  taken(group: number, late: boolean): void {
    const known = this.get(group)
    if (known === undefined) return
    known.head = -1
    if (late) known.ranks?.shift(known.held > 0)
  }

  /** Another order begins: every due job is offered anew. */
  reorder(isBlocking: boolean): void {
    this.isBlocking = isBlocking
    for (const [, known] of this.#all.entries()) {
      known.ranks = null
      known.head = -1
      known.parked = null
    }
  }
}
