/**
 * How handles on one file hear of each other: those of one process by a bell, told what changed;
 * those of other processes by the file system, which tells that something did. A bell that is not
 * heard costs a poll.
 */
import { basename, dirname } from 'node:path'
import { realDisk } from '../../disk/real-disk.js'
import type { Hint } from '../../store.js'
import type { Timer } from '../../time/clock.js'
import { systemClock, turn } from '../../time/system.js'
import type { Connection } from './connection.js'

type Listener = (hints: readonly Hint[]) => void

/**
 * The system tells of a write, and the commit that it belongs to is seen some microseconds later, or
 * when its process goes on: so long after the last write that was told, others are looked for again.
 */
const SEEN_AFTER = [2, 20] as const

/** By file and scope. */
const bells = new Map<string, Set<Listener>>()

/** What another process did is not told: anything may have changed. */
const ANYTHING: readonly Hint[] = [
  { what: 'jobs', queue: null },
  { what: 'ends', queue: null },
  { what: 'control', queue: null },
  { what: 'schedules', queue: null },
]

export class Bell {
  readonly #name: string
  readonly #listener: Listener
  readonly #onOther: () => void
  #unwatch: (() => void) | null = null
  #version = 0
  #isLooking = false
  /** How many looks have followed the last write, and the next one. */
  #looks = 0
  #again: Timer | null = null

  /** `file`: the same for all handles on one database. `onOther`: another one has committed. */
  constructor(file: string, scope: string, listener: Listener, onOther: () => void) {
    this.#onOther = onOther
    this.#name = `${file}\0${scope}`
    this.#listener = listener
    const known = bells.get(this.#name) ?? new Set()
    bells.set(this.#name, known.add(listener))
  }

  /** Told after the call that brought it, never within. */
  ring(hints: readonly Hint[]): void {
    if (hints.length === 0) return
    queueMicrotask(() => {
      for (const listener of bells.get(this.#name) ?? []) listener(hints)
    })
  }

  /** Hears other processes, too. What cannot be watched is polled, as every store is. */
  async hear(path: string, connection: Connection): Promise<void> {
    this.#version = await connection.version()
    const log = `${basename(path)}-wal`
    this.#unwatch = realDisk().watch(dirname(path), (name) => {
      if (name === log) this.#told(connection)
    })
  }

  #told(connection: Connection): void {
    // The long wait was for the write before: this one is followed by all its looks.
    if (this.#looks > 1) {
      this.#again?.cancel()
      this.#again = null
    }
    this.#looks = 0
    void this.#look(connection)
  }

  /** Of its own commits it is told as well: what they brought about goes first. */
  async #look(connection: Connection): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    await turn()
    if (this.#unwatch === null) return
    const [looked] = await Promise.allSettled([connection.version()])
    this.#isLooking = false
    this.#lookAgain(connection)
    if (looked.status === 'rejected' || looked.value === this.#version) return
    this.#version = looked.value
    this.#onOther()
    if (this.#unwatch !== null) this.#listener(ANYTHING)
  }

  #lookAgain(connection: Connection): void {
    if (this.#again !== null || this.#unwatch === null) return
    const wait = SEEN_AFTER.at(this.#looks++)
    if (wait === undefined) return
    const look = (): void => {
      this.#again = null
      void this.#look(connection)
    }
    this.#again = systemClock.after(wait, look, { ref: false })
  }

  close(): void {
    this.#unwatch?.()
    this.#unwatch = null
    this.#again?.cancel()
    const known = bells.get(this.#name)
    known?.delete(this.#listener)
    if (known?.size === 0) bells.delete(this.#name)
  }
}
