/**
 * What is paused in this process alone: everything, queues, groups of queues. Each is a layer of its
 * own, as with pauses everywhere, which are the store's. Pure state: who takes jobs asks it, and
 * whoever changes it wakes them.
 */

/** What a pause is of. `queue` null: everything; `group` null: the whole queue. */
export interface PauseAim {
  readonly queue: string | null
  readonly group: string | null
}

const NONE: readonly string[] = []

export class Rest {
  #all = false
  readonly #queues = new Set<string>()
  readonly #groups = new Map<string, Set<string>>()

  /** Nothing of the queue is taken here. */
  isPaused(queue: string): boolean {
    return this.#all || this.#queues.has(queue)
  }

  /** The groups of the queue of which nothing is taken here. */
  without(queue: string): readonly string[] {
    const groups = this.#groups.get(queue)
    return groups === undefined ? NONE : [...groups]
  }

  /** False: it was so before. */
  set({ queue, group }: PauseAim, isPaused: boolean): boolean {
    if (queue === null) {
      const before = this.#all
      this.#all = isPaused
      return before !== isPaused
    }
    return group === null
      ? change(this.#queues, queue, isPaused)
      : this.#setGroup(queue, group, isPaused)
  }

  #setGroup(queue: string, group: string, isPaused: boolean): boolean {
    const groups = this.#groups.get(queue) ?? new Set()
    const changed = change(groups, group, isPaused)
    if (groups.size === 0) this.#groups.delete(queue)
    else this.#groups.set(queue, groups)
    return changed
  }
}

function change(set: Set<string>, name: string, isIn: boolean): boolean {
  const before = set.has(name)
  if (isIn) set.add(name)
  else set.delete(name)
  return before !== isIn
}
