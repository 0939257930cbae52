/**
 * One queue of the book: its settings, counts, runnable jobs, timers and keys. It holds slots and
 * entries only; what they mean is in the columns. Pools, timers and turns follow from the jobs and
 * the time, so they are rebuilt and never stored.
 */
import { NEVER_SAID, effective } from '../effective.js'
import type { Millis } from '../job.js'
import type { Schedule } from '../schedule.js'
import { gatesGroups, isGated } from '../settings.js'
import type { Settings, StoredSettings } from '../settings.js'
import type { TransitSide } from '../transit.js'
import { RUNNING } from './columns.js'
import type { Columns } from './columns.js'
import { Fifo } from './fifo.js'
import { Groups } from './groups.js'
import { Heap } from './heap.js'
import { Pool } from './pool.js'
import type { RateLimit, RateView } from './rates.js'
import { groupLimit, queueRate } from './rates.js'
import { Windows } from './windows.js'

/** Who has a unique key. `slot` is -1 when its job no longer holds it and only the period does. */
export interface KeyHold {
  slot: number
  readonly id: string
  readonly while: 'unfinished' | 'waiting'
  readonly until: number
}

/** Kinds of runnable jobs, as bits: those that must run alone, and dead letters, stand apart. */
export const ALONE = 1
export const DEAD = 2

/** In `pools`: task and kind in one number. */
export function poolKey(task: number, kind: number): number {
  return task * 4 + kind
}

export function kindOf(key: number): number {
  return key % 4
}

/** Who said that nothing starts, and when, in store time. */
export interface Pause {
  readonly since: Millis
  readonly by: string
}

/** On its way from or to another store, in store time. */
export interface BookTransit {
  readonly side: TransitSide
  readonly with: string
  readonly since: Millis
  /** The groups that are closed; null: all. */
  readonly groups: ReadonlySet<string> | null
}

export class QueueBook {
  readonly name: string
  readonly number: number
  readonly #columns: Columns
  /** By state, receipts not counted. */
  readonly counts = new Float64Array(8)
  /** All slots of this queue, receipts included. */
  slots = 0
  stored: StoredSettings = NEVER_SAID
  settings: Settings = effective(NEVER_SAID)
  /** Grows with whatever makes a claim decided before it void. */
  version = 0
  readonly groups: Groups
  readonly pools = new Map<number, Pool>()
  /** Jobs that wait for their time, by task: by due, then seq. */
  readonly timers = new Map<number, Heap>()
  /** Jobs that were never started and must be by then. */
  readonly expiries = new Heap()
  /** Entries of jobs whose attempts are spent although they wait; for sweep. */
  readonly spent = new Fifo<number>()
  readonly keys = new Map<string, KeyHold>()
  /** Keys whose job is gone, roughly by when their period ends. */
  readonly lapsing = new Fifo<{ readonly key: string; readonly until: number }>()
  /** Entries of finals in the order of their ends: completed, cancelled, discarded. */
  readonly ended = [new Fifo<number>(), new Fifo<number>(), new Fifo<number>()] as const
  readonly receipts = new Heap()
  paused: Pause | null = null
  /** By name of the group, which need not have jobs. */
  readonly pausedGroups = new Map<string, Pause>()
  /** Null: it is on no way, and never was. */
  transit: BookTransit | null = null
  /** Its rate, ready to be asked for; null: none. */
  rate: RateView | null = null
  /** What each of its groups may have; null: any. */
  groupRate: RateLimit | null = null
  /** What its groups were granted, by name: they may have no jobs any more. */
  readonly grants = new Windows()
  /** Its settings have a gate. */
  isGated = false
  /** One of its gates closes for some groups and not for others. */
  gatesGroups = false
  /** By name. */
  readonly schedules = new Map<string, Schedule>()

  constructor(name: string, number: number, columns: Columns) {
    this.name = name
    this.number = number
    this.#columns = columns
    this.groups = new Groups(columns)
  }

  /** The jobs of one task and kind. */
  pool(task: number, kind: number): Pool {
    const key = poolKey(task, kind)
    const known = this.pools.get(key)
    if (known !== undefined) return known
    const pool = new Pool(this.#columns, this.groups)
    this.pools.set(key, pool)
    return pool
  }

  /** Dead letters were ever runnable here. */
  get hasDead(): boolean {
    for (const key of this.pools.keys()) if ((kindOf(key) & DEAD) !== 0) return true
    return false
  }

  say(stored: StoredSettings): void {
    this.stored = stored
    this.settings = effective(stored)
    this.version++
    const { groups, rate } = this.settings
    this.rate = rate && queueRate(this.name, rate)
    this.groupRate = groups.rate && groupLimit(groups.rate)
    this.gatesGroups = gatesGroups(this.settings)
    this.isGated = isGated(this.settings)
  }

  /** What is due is offered anew by whoever changes the order. */
  reorder(): void {
    for (const key of this.pools.keys()) this.pools.set(key, new Pool(this.#columns, this.groups))
    this.groups.reorder(this.settings.order === 'blocking')
  }

  get running(): number {
    return this.counts[RUNNING]
  }

  /** When the first of its waiting jobs was or is due, in store time; null: none waits. */
  oldestDue(dueOf: (slot: number) => number): number | null {
    let oldest: number | null = null
    for (const pool of this.pools.values()) {
      const slot = pool.first()
      if (slot < 0) continue
      const due = dueOf(slot)
      if (oldest === null || due < oldest) oldest = due
    }
    return oldest ?? this.nextDue(null)
  }

  /** When the first job of these tasks becomes due, in store time; null: none waits for its time. */
  nextDue(tasks: readonly number[] | null): number | null {
    let next: number | null = null
    for (const task of tasks ?? this.timers.keys()) {
      const timers = this.timers.get(task)
      if (timers === undefined) continue
      while (timers.size > 0 && !this.#columns.isCurrent(timers.value)) timers.pop()
      if (timers.size === 0) this.timers.delete(task)
      else if (next === null || timers.key < next) next = timers.key
    }
    return next
  }

  timer(task: number): Heap {
    const known = this.timers.get(task)
    if (known !== undefined) return known
    const timers = new Heap()
    this.timers.set(task, timers)
    return timers
  }

  /** Jobs that are unfinished and not running. */
  get backlog(): number {
    const counts = this.counts
    return counts[0] + counts[1] + counts[3] + counts[4]
  }

  get isUnused(): boolean {
    if (this.paused !== null || this.pausedGroups.size > 0 || this.schedules.size > 0) return false
    if (this.transit !== null) return false
    return this.slots === 0 && this.keys.size === 0 && this.stored.revision === 0
  }
}
