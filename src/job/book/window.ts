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

/** Grants, given at `now`. */
export interface Charge {
  readonly now: Millis
  /** From when they count: later, where whoever got them may take until then to start [now]. */
  readonly at?: Millis
  /** How long anyone will ask for them. */
  readonly keep: Millis
  /** How many [1]. */
  readonly count?: number
}

/** The grants of one name. Most groups see one moment and no second, and theirs are small. */
export class GrantWindow {
  /** The last moment and its grants, while there is no other. */
  #at: Millis = OPEN
  #count = 0
  #moments: Moments | null = null
  /** Grants older than this say the same as none, whether or not they were forgotten. */
  #keep: Millis = 0
  #isForgotten = false

  /** Moments only rise: one that is before the last counts from there. */
  charge({ now, at = now, keep, count = 1 }: Charge): void {
    if (this.isOver(now)) {
      // As if it were new, for a replica that forgot it is.
      this.#moments = null
      this.#at = at
      this.#count = count
    } else if (this.#moments === null && this.#at >= at) {
      this.#count += count
    } else {
      this.#moments ??= Moments.of({ at: [this.#at], sums: [this.#count], gatherAt: GATHER_AT })
      this.#at = Math.max(this.#at, at)
      this.#moments.charge({ now, at: this.#at, keep: this.#keep, count })
    }
    this.#keep = keep
  }

  /** How many were granted within the last `span`, of those that were kept for so long. */
  used(now: Millis, asked: Millis): number {
    const span = Math.min(asked, this.#keep)
    if (this.#at + span <= now) return 0
    return this.#moments === null ? this.#count : this.#moments.used(now, span)
  }

  /** When one more is within `count` in `span`, if `more` were granted now; `OPEN`: it is. */
  opensAt(now: Millis, count: number, asked: Millis, more: number): Millis {
    if (more >= count) return now + asked
    const span = Math.min(asked, this.#keep)
    if (this.#moments !== null) return this.#moments.opensAt(now, count, span, more)
    if (this.#count + more < count) return OPEN
    return this.#at + span <= now ? OPEN : this.#at + span
  }

  /** Nothing of it counts any more. */
  isOver(now: Millis): boolean {
    return this.#at + this.#keep <= now
  }

  /** Whoever keeps it forgets it, if nothing of it counts any more. */
  leaves(now: Millis): boolean {
    this.#isForgotten = this.isOver(now)
    return this.#isForgotten
  }

  /** The next grant of its name is counted in another one. */
  get isForgotten(): boolean {
    return this.#isForgotten
  }

  /** The entries that still count, for comparing replicas. */
  *entries(now: Millis): Generator<readonly [Millis, number]> {
    for (const [at, count] of this.#moments?.entries() ?? [[this.#at, this.#count]]) {
      if (at + this.#keep > now) yield [at, count]
    }
  }

  image(): WindowImage {
    const lone = { at: [this.#at], sums: [this.#count], gatherAt: GATHER_AT }
    return { ...(this.#moments?.image() ?? lone), keep: this.#keep }
  }

  static of({ keep, ...image }: WindowImage): GrantWindow {
    const window = new GrantWindow()
    window.#keep = keep
    window.#at = image.at.at(-1) ?? OPEN
    window.#count = image.sums.at(-1) ?? 0
    const isPlain = image.at.length <= 1 && image.gatherAt === GATHER_AT
    if (!isPlain) window.#moments = Moments.of(image)
    return window
  }
}

/** The moments of a window with more than one. */
class Moments {
  /** Rising, and the sum of all grants up to each. Those before `#from` have left. */
  #at: Millis[] = []
  #sums: number[] = []
  #from = 0
  #gatherAt = GATHER_AT

  /** `keep`: how long anyone has asked for those that are here; `at` is not before the last. */
  charge({ now, at, keep, count }: Required<Charge>): void {
    this.#leave(now, keep)
    const last = this.#at.length - 1
    const sum = this.#sums[last]
    if (this.#at[last] === at) {
      this.#sums[last] = sum + count
    } else {
      this.#at.push(at)
      this.#sums.push(sum + count)
    }
    if (this.#at.length - this.#from > this.#gatherAt) this.#gather(now)
  }

  used(now: Millis, span: Millis): number {
    const last = this.#at.length - 1
    let low = this.#from
    let high = last
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#at[middle] + span > now) high = middle
      else low = middle + 1
    }
    return this.#sums[last] - (low === 0 ? 0 : this.#sums[low - 1])
  }

  opensAt(now: Millis, count: number, span: Millis, more: number): Millis {
    const last = this.#at.length - 1
    const mustLeave = this.#sums[last] + more + 1 - count
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

  *entries(): Generator<readonly [Millis, number]> {
    for (let entry = this.#from; entry < this.#at.length; entry++) {
      const before = entry === 0 ? 0 : this.#sums[entry - 1]
      yield [this.#at[entry], this.#sums[entry] - before]
    }
  }

  image(): Omit<WindowImage, 'keep'> {
    const base = this.#from === 0 ? 0 : this.#sums[this.#from - 1]
    return {
      at: this.#at.slice(this.#from),
      sums: this.#sums.slice(this.#from).map((sum) => sum - base),
      gatherAt: this.#gatherAt,
    }
  }

  static of(image: Omit<WindowImage, 'keep'>): Moments {
    const moments = new Moments()
    moments.#at = [...image.at]
    moments.#sums = [...image.sums]
    moments.#gatherAt = image.gatherAt
    return moments
  }

  /** The last one stays: a window of which nothing counts begins anew. */
  #leave(now: Millis, keep: Millis): void {
    while (this.#at[this.#from] + keep <= now) this.#from++
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
