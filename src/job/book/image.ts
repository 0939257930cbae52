/**
 * An image of the book: all that folding the frames so far has left, as plain data and columns, so
 * that a store can write it down and begin from it. What follows from the rest (pools, timers,
 * turns, counts) is not in it. Jobs and their extras are lent, not copied, so that taking one stops
 * nobody; keys, names and holds are copied. Writing it out is the store's, in slices.
 *
 * What papers are is the store's affair: it keeps its own columns of addresses, by slot.
 */
import type { Millis } from '../job.js'
import type { RetiredSchedule, Schedule } from '../schedule.js'
import type { StoredSettings } from '../settings.js'
import type { Columns, ColumnsLoan } from './columns.js'
import { FREE, RECEIPT, RETRYABLE, RUNNING, SCHEDULED, WAITING } from './columns.js'
import type { Extra } from './extra.js'
import { restoreKin } from './kin.js'
import type { Ledger } from './ledger.js'
import { sorted } from './order.js'
import type { BookTransit, Pause } from './queue.js'
import type { Hold, NodeState } from './register.js'
import type { Remembered } from './settled.js'
import type { Sparse } from './sparse.js'
import { GrantWindow } from './window.js'
import type { WindowImage } from './window.js'

export interface ImageState {
  readonly now: number
  readonly wallOffset: number
  readonly seqs: number
  /** By number, as the columns say them. */
  readonly queues: readonly [number, ImageQueue][]
  readonly tasks: readonly [number, string][]
  readonly groups: readonly [number, string][]
  readonly nodes: readonly [string, ImageNode][]
  /** By slot. */
  readonly holds: readonly [number, Hold][]
  /** By token, oldest first: whoever begins from here answers a repeat as the others do. */
  readonly settled: readonly [number, Remembered][]
  /** What rates have granted, until when handlers asked for rest, and whether all is paused. */
  readonly windows: readonly [string, WindowImage][]
  readonly throttles: readonly [string, Millis][]
  readonly paused: Pause | null
  /** Removed schedules, oldest first. */
  readonly retired: readonly [string, RetiredSchedule][]
}

export type ImageNode = Omit<NodeState, 'overdue' | 'holds'> & {
  readonly overdue: readonly number[]
}

export interface ImageQueue {
  readonly name: string
  readonly stored: StoredSettings
  readonly version: number
  readonly keys: readonly [string, ImageKey][]
  readonly paused: Pause | null
  readonly pausedGroups: readonly [string, Pause][]
  readonly schedules: readonly Schedule[]
  readonly transit: ImageTransit | null
}

export type ImageTransit = Omit<BookTransit, 'groups'> & {
  readonly groups: readonly string[] | null
}

export interface ImageKey {
  readonly slot: number
  readonly id: string
  readonly while: 'unfinished' | 'waiting'
  readonly until: number
}

export interface Image {
  readonly state: ImageState
  readonly columns: ColumnsLoan
  /** The ids that are no numbers of ours. */
  readonly odd: Sparse<string>
  readonly extras: Sparse<Extra>
}

export function imageOfTransit(transit: BookTransit | null): ImageTransit | null {
  return transit && { ...transit, groups: transit.groups && [...transit.groups] }
}

export function takeImage(ledger: Ledger): Image {
  const state: ImageState = {
    now: ledger.now,
    wallOffset: ledger.wallOffset,
    seqs: ledger.seqs,
    queues: [...ledger.queues].map(([number, queue]) => {
      const { name, stored, version, paused } = queue
      const keys = [...queue.keys].map(([key, hold]): [string, ImageKey] => [key, { ...hold }])
      const pausedGroups = [...queue.pausedGroups]
      const schedules = [...queue.schedules.values()]
      const transit = imageOfTransit(queue.transit)
      return [number, { name, stored, version, keys, paused, pausedGroups, schedules, transit }]
    }),
    tasks: ledger.taskNames.entries(),
    groups: ledger.groupNames.entries(),
    nodes: [...ledger.nodes].map(([name, { holds: _, ...node }]) => {
      return [name, { ...node, overdue: [...node.overdue] }]
    }),
    holds: [...ledger.holds],
    settled: ledger.settled.entries(),
    windows: [...ledger.windows()].map(([name, window]) => [name, window.image()]),
    throttles: [...ledger.rates.throttles],
    paused: ledger.paused,
    retired: [...ledger.retired],
  }
  const { columns, ids, extras } = ledger
  return { state, columns: columns.lend(), odd: ids.odd.lend(), extras: extras.lend() }
}

/** The slots from `from` to before `to` that hold something, rising. */
export function rowsOf({ columns }: Image, from: number, to: number): Uint32Array {
  const slots: number[] = []
  for (let slot = from; slot < Math.min(to, columns.used); slot++) {
    if (columns.state.get(slot) !== FREE) slots.push(slot)
  }
  return Uint32Array.from(slots)
}

/** Rows that find their places before others get their turn: some 3 ms. */
const ROWS_AT_ONCE = 2_048

/** Puts an image into an empty ledger. Slots keep their numbers. */
export class Restorer {
  readonly #ledger: Ledger
  readonly #state: ImageState
  readonly #queues = new Map<number, number>()
  readonly #tasks = new Map<number, number>()
  readonly #groups = new Map<number, number>()
  constructor(ledger: Ledger, state: ImageState) {
    this.#ledger = ledger
    this.#state = state
    const { now, wallOffset, seqs, paused } = state
    Object.assign(ledger, { now, wallOffset, seqs, paused })
    for (const [name, until] of state.throttles) ledger.rates.throttles.set(name, until)
    for (const [number, said] of state.queues) {
      const queue = ledger.queue(said.name)
      ledger.say(queue, said.stored)
      queue.version = said.version
      queue.paused = said.paused
      const { transit } = said
      queue.transit = transit && { ...transit, groups: transit.groups && new Set(transit.groups) }
      for (const [group, pause] of said.pausedGroups) queue.pausedGroups.set(group, pause)
      for (const schedule of said.schedules) queue.schedules.set(schedule.name, schedule)
      this.#queues.set(number, queue.number)
    }
    for (const [name, window] of state.windows) ledger.restoreWindow(name, GrantWindow.of(window))
    for (const [key, retired] of state.retired) ledger.retired.set(key, retired)
    for (const [token, remembered] of state.settled) ledger.settled.set(token, remembered)
    // Held once here, so that jobs can be entered by number; let go in `finish`.
    for (const [number, text] of state.tasks) this.#tasks.set(number, ledger.taskNames.hold(text))
    for (const [number, text] of state.groups)
      this.#groups.set(number, ledger.groupNames.hold(text))
  }

  odd(slot: number, id: string): void {
    this.#ledger.ids.odd.set(slot, id)
  }

  /** A row whose columns and odd id have been filled in, but with the numbers of the image. */
  enter(slot: number): void {
    const { columns, ids, taskNames, groupNames, queues } = this.#ledger
    const number = this.#queues.get(columns.queue.get(slot)) ?? 0
    ids.enter(slot, number)
    const task = this.#tasks.get(columns.task.get(slot)) ?? 0
    const group = this.#groups.get(columns.group.get(slot)) ?? 0
    columns.task.set(slot, task)
    columns.group.set(slot, group)
    taskNames.again(task)
    groupNames.again(group)
    const queue = queues.get(number)
    if (queue === undefined) return
    queue.slots++
    this.#ledger.join(queue, group)
    queue.groups.restored(group, slot, columns.state.get(slot) === RUNNING)
  }

  extra(slot: number, extra: Extra): void {
    this.#ledger.extras.set(slot, extra)
  }

  /**
   * When all rows and extras are in: holds, keys, and what follows from the rest. Yields now and
   * then, so that the caller may let others run.
   */
  *finish(slots: Uint32Array): Generator<void> {
    const ledger = this.#ledger
    for (const [name, node] of this.#state.nodes) {
      ledger.nodes.set(name, { ...node, overdue: new Set(node.overdue), holds: 0 })
    }
    for (const [slot, hold] of this.#state.holds) {
      ledger.holds.set(slot, hold)
      const node = ledger.nodes.get(hold.node)
      if (node !== undefined) node.holds++
    }
    for (const [, said] of this.#state.queues) {
      const queue = ledger.queue(said.name)
      for (const [key, hold] of said.keys) {
        queue.keys.set(key, { ...hold })
        if (hold.slot < 0) queue.lapsing.push({ key, until: hold.until })
      }
    }
    restoreKin(ledger)
    const order = yield* sorted(slots, byTurn(ledger.columns))
    for (let at = 0; at < order.length; at++) {
      this.#settleIn(order[at])
      if (at % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) yield
    }
    for (const task of this.#tasks.values()) ledger.taskNames.drop(task)
    for (const group of this.#groups.values()) ledger.groupNames.drop(group)
    ledger.news = new Map()
  }

  #settleIn(slot: number): void {
    const ledger = this.#ledger
    const { columns } = ledger
    const state = columns.state.get(slot)
    const queue = ledger.queueOf(slot)
    columns.state.set(slot, FREE)
    if (state === RECEIPT || state > WAITING) {
      ledger.restoreEnded(queue, slot, state)
    } else if (state === RUNNING || state === WAITING) {
      ledger.restoreHeld(queue, slot, state)
    } else {
      const isFirst =
        state === SCHEDULED || (state !== RETRYABLE && columns.attempt.get(slot) === 0)
      ledger.wait(slot, ledger.dueOf(slot), isFirst ? SCHEDULED : RETRYABLE)
    }
  }
}

/** By place and insertion, in which order lines are cheapest; finals by their ends. */
function byTurn({ place, seq, since, state }: Columns): (a: number, b: number) => number {
  const key = (slot: number): number => {
    return state.get(slot) > WAITING ? since.get(slot) : place.get(slot)
  }
  return (a, b) => key(a) - key(b) || seq.get(a) - seq.get(b)
}
