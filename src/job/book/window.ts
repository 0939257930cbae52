/**
 * What a rate remembers: when grants were given, so that anyone can ask how many lie within the
 * last so many milliseconds. The last thousand moments are exact. Older ones are gathered in steps
 * of at most a 1,024th of their age, and a step counts in full until all of it has left: so an
 * answer is never too low, and for whoever asks about a span at most a 1,024th of it too old. Moments
 * of several grants are one entry, so what is kept does not grow with how many are granted at once.
 *
 * Part of the replicated state: it changes with `charge` alone, by what its arguments say.
 */
import type { Millis } from '../job.js'

/** How many of the newest moments stay exact. */
const EXACT = 1024
/** Older ones are gathered in steps of at most this part of their age. */
const STEP = 1 / 1024
/** Gathering waits for so many, so that each charge pays a constant for it. */
const GATHER_AT = 4 * EXACT

/** It may be granted at once. */
export const OPEN: Millis = -Infinity

export interface WindowImage {
  readonly at: readonly Millis[]
  readonly sums: readonly number[]
  readonly keep: Millis
  readonly gatherAt: number
}

export class GrantWindow {
  /** The moments, rising, and the sum of all grants up to each. Those before `#from` have left. */
  #at: Millis[] = []
  #sums: number[] = []
  #from = 0
  #gatherAt = GATHER_AT
  /** Grants older than this say the same as none, whether or not they were forgotten. */
  #keep: Millis = 0

  /** One grant, now; `keep`: how long anyone will ask for it. */
  charge(now: Millis, keep: Millis): void {
    this.#leave(now)
    this.#keep = keep
    const last = this.#at.length - 1
    const sum = last < 0 ? 0 : this.#sums[last]
    if (last >= 0 && this.#at[last] === now) {
      this.#sums[last] = sum + 1
    } else if (last < 0) {
      // As literals, so that the many windows that see one grant are small.
      this.#at = [now]
      this.#sums = [sum + 1]
    } else {
      this.#at.push(now)
      this.#sums.push(sum + 1)
    }
    if (this.#at.length - this.#from > this.#gatherAt) this.#gather(now)
  }

  /** How many were granted within the last `span`, of those that were kept for so long. */
  used(now: Millis, asked: Millis): number {
    const span = Math.min(asked, this.#keep)
    const last = this.#at.length - 1
    if (last < 0 || this.#at[last] + span <= now) return 0
    let low = this.#from
    let high = last
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#at[middle] + span > now) high = middle
      else low = middle + 1
    }
    return this.#sums[last] - (low === 0 ? 0 : this.#sums[low - 1])
  }

  /** When one more is within `count` in `span`, if `more` were granted now; `OPEN`: it is. */
  opensAt(now: Millis, count: number, asked: Millis, more: number): Millis {
    if (more >= count) return now + asked
    const span = Math.min(asked, this.#keep)
    const last = this.#at.length - 1
    const mustLeave = (last < 0 ? 0 : this.#sums[last]) + more + 1 - count
    if (mustLeave <= (this.#from === 0 ? 0 : this.#sums[this.#from - 1])) return OPEN
    let low = this.#from
    let high = last
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#sums[middle] >= mustLeave) high = middle
      else low = middle + 1
    }
    const opens = this.#at[low] + span
    return opens <= now ? OPEN : opens
  }

  /** Nothing of it counts any more. */
  isOver(now: Millis): boolean {
    const last = this.#at.length - 1
    return last < 0 || this.#at[last] + this.#keep <= now
  }

  /** The entries that still count, for comparing replicas. */
  *entries(now: Millis): Generator<readonly [Millis, number]> {
    for (let entry = this.#from; entry < this.#at.length; entry++) {
      const before = entry === 0 ? 0 : this.#sums[entry - 1]
      if (this.#at[entry] + this.#keep > now) yield [this.#at[entry], this.#sums[entry] - before]
    }
  }

  image(): WindowImage {
    const base = this.#from === 0 ? 0 : this.#sums[this.#from - 1]
    return {
      at: this.#at.slice(this.#from),
      sums: this.#sums.slice(this.#from).map((sum) => sum - base),
      keep: this.#keep,
      gatherAt: this.#gatherAt,
    }
  }

  static of(image: WindowImage): GrantWindow {
    const window = new GrantWindow()
    window.#at = [...image.at]
    window.#sums = [...image.sums]
    window.#keep = image.keep
    window.#gatherAt = image.gatherAt
    return window
  }

  #leave(now: Millis): void {
    const length = this.#at.length
    while (this.#from < length && this.#at[this.#from] + this.#keep <= now) this.#from++
    if (this.#from === length) {
      // As if it were new, for a replica that forgot it is.
      this.#at = []
      this.#sums = []
      this.#from = 0
      this.#gatherAt = GATHER_AT
      return
    }
    if (this.#from <= EXACT || this.#from * 2 <= this.#at.length) return
    const base = this.#sums[this.#from - 1]
    this.#at = this.#at.slice(this.#from)
    this.#sums = this.#sums.slice(this.#from).map((sum) => sum - base)
    this.#from = 0
  }

  /** A step reaches from the entry before it, so steps that are gathered again stay as narrow. */
  #gather(now: Millis): void {
    const at = this.#at
    const sums = this.#sums
    const exactFrom = at.length - EXACT
    const base = this.#from === 0 ? 0 : sums[this.#from - 1]
    let kept = 0
    for (let entry = this.#from; entry < at.length; entry++) {
      const next = entry + 1
      const isLast = entry >= exactFrom - 1
      const isWithin = kept > 0 && at[next] - at[kept - 1] <= (now - at[next]) * STEP
      if (!isLast && isWithin) continue
      at[kept] = at[entry]
      sums[kept] = sums[entry] - base
      kept++
    }
    at.length = kept
    sums.length = kept
    this.#from = 0
    this.#gatherAt = Math.max(GATHER_AT, 2 * kept)
  }
}
