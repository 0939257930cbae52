/**
 * A clock that stands still until it is told to move, and dice that fall the same way for the same
 * seed. With both, a test of days takes milliseconds and a failure can be run again.
 *
 * Between two timers the clock waits for **quiet**: it lets the real event loop turn until
 * `QUIET_TURNS` turns in a row went by in which nobody asked this clock for anything and no `soon`
 * is outstanding. A turn lets every ready promise and callback land, so plain asynchronous code is
 * through by then. Real I/O is not seen: who mixes it with virtual time awaits it before advancing.
 */
import type { Chance, Clock, Timer } from './clock.js'
import { systemClock, turn } from './system.js'

/** Enough for a promise that resolves in one turn to cause a callback in the next. */
const QUIET_TURNS = 4
/** Beyond this many turns without quiet, something calls `soon` for ever. */
const MOST_TURNS = 100_000

interface Due {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class VirtualClock implements Clock {
  #mono = 0
  /** What to add to `mono` for the wall's time; `jumpWall` changes it. */
  #offset: number
  /** By time, then by order of asking. */
  readonly #due: Due[] = []
  #order = 0
  #soon = 0
  #asked = 0
  #moving: Promise<void> = Promise.resolve()

  /** `wall`: what the calendar shows at first, in milliseconds since the epoch [2000-01-01T00:00Z]. */
  constructor(options: { readonly wall?: number } = {}) {
    this.#offset = options.wall ?? Date.UTC(2000, 0, 1)
  }

  wall(): number {
    return this.#mono + this.#offset
  }

  mono(): number {
    return this.#mono
  }

  after(delay: number, run: () => void): Timer {
    this.#asked++
    const due = { at: this.#mono + Math.max(0, delay), order: this.#order++, run }
    if (Number.isFinite(due.at)) this.#due.splice(this.#place(due), 0, due)
    return { cancel: () => this.#cancel(due) }
  }

  soon(run: () => void): void {
    this.#asked++
    this.#soon++
    void turn().then(() => {
      this.#soon--
      run()
    })
  }

  within(run: () => void): void {
    this.#asked++
    systemClock.within(run)
  }

  /**
   * Moves both hands by `ms`, stopping at every timer that falls due on the way and waiting for
   * quiet after each. Calls that overlap run one after the other.
   */
  advance(ms: number): Promise<void> {
    if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`cannot advance by ${ms} ms`)
    const moved = this.#moving.then(() => this.#advance(ms))
    this.#moving = moved.catch(() => undefined)
    return moved
  }

  /** Sets the wall apart by `ms` more (negative: back), as an administrator or a leap would. */
  jumpWall(ms: number): void {
    this.#offset += ms
  }

  /** Milliseconds until the next timer; null when none is set. */
  untilNext(): number | null {
    const next = this.#due[0]
    return next === undefined ? null : next.at - this.#mono
  }

  /** Waits for quiet without moving; see the head of this file. */
  async quiet(): Promise<void> {
    let seen = this.#asked
    let still = 0
    for (let turns = 0; still < QUIET_TURNS; turns++) {
      if (turns > MOST_TURNS) throw new Error('virtual time: something asks for "soon" for ever')
      await turn()
      still = this.#asked === seen && this.#soon === 0 ? still + 1 : 0
      seen = this.#asked
    }
  }

  async #advance(ms: number): Promise<void> {
    const end = this.#mono + ms
    await this.quiet()
    for (let next = this.#due[0]; next !== undefined && next.at <= end; next = this.#due[0]) {
      this.#due.shift()
      this.#mono = next.at
      next.run()
      await this.quiet()
    }
    this.#mono = end
  }

  #cancel(due: Due): void {
    this.#asked++
    const at = this.#place(due)
    if (this.#due[at] === due) this.#due.splice(at, 1)
  }

  /** Where it stands, or would stand, among the timers. */
  #place(due: Due): number {
    let low = 0
    let high = this.#due.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#due[middle]
      const before = other.at < due.at || (other.at === due.at && other.order < due.order)
      if (before) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Dice with a seed: the generator "mulberry32" (Tommy Ettinger, public domain). Not for secrets. */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0
  const word = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    next: () => word() / 2 ** 32,
    bytes: (n) => Uint8Array.from({ length: n }, () => word() & 0xff),
  }
}
