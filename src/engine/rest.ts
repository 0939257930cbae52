/**
 * What is paused in this process alone: everything, queues, groups of queues. Each is a layer of its
 * own, as with pauses everywhere, which are the store's. Pure state: who takes jobs asks it, and
 * whoever changes it wakes them.
 */

import type { Instant } from '../job/job.js'
import type { Clock } from '../time/clock.js'

/** What a pause is of. `queue` null: everything; `group` null: the whole queue. */
export interface PauseAim {
  readonly queue: string | null
  readonly group: string | null
}

/** A pause of this process, as it is told. */
export interface Resting {
  readonly what: 'all' | 'queue' | 'group'
  readonly group: string | null
  readonly since: Instant
}

const NONE: readonly string[] = []

export class Rest {
  readonly #clock: Clock
  /** Since when, by wall time. */
  #all: Instant | null = null
  readonly #queues = new Map<string, Instant>()
  readonly #groups = new Map<string, Map<string, Instant>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Nothing of the queue is taken here. */
  isPaused(queue: string): boolean {
    return this.#all !== null || this.#queues.has(queue)
  }

  /** The groups of the queue of which nothing is taken here. */
  without(queue: string): readonly string[] {
    const groups = this.#groups.get(queue)
    return groups === undefined ? NONE : [...groups.keys()]
  }

  /** All that is paused here and concerns the queue. */
  of(queue: string): readonly Resting[] {
    const since = this.#queues.get(queue)
    const groups = this.#groups.get(queue) ?? []
    return [
      ...(this.#all === null ? [] : [{ what: 'all', group: null, since: this.#all } as const]),
      ...(since === undefined ? [] : [{ what: 'queue', group: null, since } as const]),
      ...Array.from(groups, ([group, since]) => ({ what: 'group', group, since }) as const),
    ]
  }

  /** False: it was so before. */
  set({ queue, group }: PauseAim, isPaused: boolean): boolean {
    const since = isPaused ? this.#clock.wall() : null
    if (queue === null) {
      const changed = (this.#all !== null) !== isPaused
      if (changed) this.#all = since
      return changed
    }
    return group === null ? change(this.#queues, queue, since) : this.#setGroup(queue, group, since)
  }

  #setGroup(queue: string, group: string, since: Instant | null): boolean {
    const groups = this.#groups.get(queue) ?? new Map<string, Instant>()
    const changed = change(groups, group, since)
    if (groups.size === 0) this.#groups.delete(queue)
    else this.#groups.set(queue, groups)
    return changed
  }
}

/** A pause keeps the moment at which it began. */
function change(paused: Map<string, Instant>, name: string, since: Instant | null): boolean {
  if (since === null) return paused.delete(name)
  if (paused.has(name)) return false
  paused.set(name, since)
  return true
}
