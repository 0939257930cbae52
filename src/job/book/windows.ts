/**
 * Windows of grants by name: of the queues and keys of a book, or of the groups of one queue. They
 * outlive what they are named for. A window whose grants have all passed says the same as none, so
 * whoever adds one looks at a few others, in turn, and forgets those; what has passed is told by the
 * time of the frames and never by a replica's own.
 */
import type { Millis } from '../job.js'
import { GrantWindow } from './window.js'

/** How many are looked at, to be forgotten, whenever somebody comes by: more than come to be. */
export const LOOKED_AT = 2

export class Windows {
  readonly #all = new Map<string, GrantWindow>()
  /** The same in no order, to go round. */
  readonly #names: string[] = []
  readonly #ring: GrantWindow[] = []
  /** Who is looked at next. */
  #at = 0
  /** Who wants to know which are different or gone; null: nobody. */
  told: ((name: string) => unknown) | null = null

  get size(): number {
    return this.#all.size
  }

  /** Undefined: nothing was granted that is still remembered. */
  get(name: string): GrantWindow | undefined {
    return this.#all.get(name)
  }

  entries(): IterableIterator<[string, GrantWindow]> {
    return this.#all.entries()
  }

  /** For grants of that name from now on. `now`: the last frame's. */
  open(name: string, now: Millis): GrantWindow {
    const known = this.#all.get(name)
    if (known !== undefined) return known
    this.forget(LOOKED_AT, now)
    const window = new GrantWindow()
    this.restore(name, window)
    return window
  }

  /** In place of what is remembered under that name, if anything is. */
  replace(name: string, window: GrantWindow): void {
    const at = this.#all.has(name) ? this.#names.indexOf(name) : -1
    if (at < 0) return this.restore(name, window)
    this.#all.set(name, window)
    this.#ring[at] = window
  }

  /** From an image; the name is new. */
  restore(name: string, window: GrantWindow): void {
    this.#all.set(name, window)
    this.#names.push(name)
    this.#ring.push(window)
  }

  /** Looks at so many, in turn, and forgets those of which nothing counts any more. */
  forget(count: number, now: Millis): void {
    const names = this.#names
    const ring = this.#ring
    for (let looked = 0; looked < count && ring.length > 0; looked++) {
      if (this.#at >= ring.length) this.#at = 0
      const at = this.#at
      if (!ring[at].leaves(now)) {
        this.#at++
        continue
      }
      this.#all.delete(names[at])
      this.told?.(names[at])
      const last = ring.length - 1
      ring[at] = ring[last]
      names[at] = names[last]
      ring.length = names.length = last
    }
  }
}
