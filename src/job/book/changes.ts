/**
 * What frames have changed since somebody last asked, by name: for a store that keeps the book as
 * rows and writes down again what is different. A job or a rate may be named though it is as it was,
 * never the other way round. Settings, pauses, schedules and nodes are not named: they change by
 * frames that say which.
 */
import type { JobRef } from '../job.js'

export class Changes {
  /** Slots whose row, extra or description is different, and slots that are free now. */
  readonly slots = new Set<number>()
  /** Names of rates that granted, and of rests that handlers asked for. */
  readonly rates = new Set<string>()
  /** Unique keys whose job has left while their period runs, or whose period is over. */
  readonly #keys = new Map<string, KeyRef>()

  key(queue: string, key: string): void {
    this.#keys.set(`${queue.length}:${queue}${key}`, { queue, key })
  }

  keys(): Iterable<KeyRef> {
    return this.#keys.values()
  }

  clear(): void {
    this.slots.clear()
    this.rates.clear()
    this.#keys.clear()
  }
}

export interface KeyRef extends Pick<JobRef, 'queue'> {
  readonly key: string
}
