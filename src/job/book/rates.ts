/**
 * What is remembered beside the jobs: the grants of every rate, and who asked for a rest. Both by
 * name, because both outlive the jobs and the groups that they are of, and because a key is shared
 * by queues. An entry whose time has passed says the same as none, so it goes whenever someone
 * comes by; what has passed is told by the time of the frames and never by a replica's own.
 */
import type { Millis } from '../job.js'
import { grantSpan } from '../rate.js'
import type { Settings } from '../settings.js'
import { GrantWindow, OPEN } from './window.js'

/** A rate as it is asked for: its name, how many, and how long a grant counts. */
export interface RateView {
  readonly name: string
  readonly count: number
  readonly per: Millis
  readonly span: Millis
}

/** How many entries are looked at, to be forgotten, whenever a new one begins. */
const LOOKED_AT = 2

export class Rates {
  readonly windows = new Map<string, GrantWindow>()
  /** Until when nothing of that name starts, in store time, because a handler said so. */
  readonly throttles = new Map<string, Millis>()
  /** The spans of the queues that share a key, by key and queue. */
  readonly #sharers = new Map<string, Map<number, Millis>>()
  /** Who wants to know which are different; null: nobody. */
  changed: Set<string> | null = null
  readonly #windowRound = new Round(this.windows)
  readonly #throttleRound = new Round(this.throttles)

  /** A queue says which key it shares from now on, and for how long it asks; null: none. */
  share(queue: number, before: Settings['rate'], after: Settings['rate']): void {
    if (before?.key != null) {
      const sharers = this.#sharers.get(before.key)
      sharers?.delete(queue)
      if (sharers?.size === 0) this.#sharers.delete(before.key)
    }
    if (after?.key == null) return
    const sharers = this.#sharers.get(after.key) ?? new Map<number, Millis>()
    sharers.set(queue, grantSpan(after.per))
    this.#sharers.set(after.key, sharers)
  }

  /** How many more may be granted now, beside `more`. */
  room(rate: RateView, now: Millis, more: number): number {
    const used = this.windows.get(rate.name)?.used(now, rate.span) ?? 0
    return Math.max(0, rate.count - used - more)
  }

  /** When one more may be granted, beside `more`; `OPEN`: now. */
  opensAt(rate: RateView, now: Millis, more: number): Millis {
    const window = this.windows.get(rate.name)
    if (window !== undefined) return window.opensAt(now, rate.count, rate.span, more)
    return more < rate.count ? OPEN : now + rate.span
  }

  /** One grant; `key`: the key that it is shared by. */
  charge(rate: RateView, key: string | null, now: Millis): void {
    this.changed?.add(rate.name)
    let window = this.windows.get(rate.name)
    if (window === undefined) {
      this.forget(LOOKED_AT, now)
      window = new GrantWindow()
      this.windows.set(rate.name, window)
    }
    window.charge(now, key === null ? rate.span : this.#longest(key, rate.span))
  }

  /** Looks at so many entries, in turn, and forgets what is over. `now`: the last frame's. */
  forget(count: number, now: Millis): void {
    const told = (name: string): unknown => this.changed?.add(name)
    this.#windowRound.forget(count, (window) => window.isOver(now), told)
    this.#throttleRound.forget(count, (until) => until <= now, told)
  }

  /** Nothing of that name starts for so long; a longer time that was asked for stays. */
  throttle(name: string, now: Millis, delay: Millis): void {
    this.changed?.add(name)
    this.forget(LOOKED_AT, now)
    this.throttles.set(name, Math.max(this.throttles.get(name) ?? now, now + delay))
  }

  /** Until when nothing of that name starts; `OPEN`: it may. */
  throttledUntil(name: string, now: Millis): Millis {
    const until = this.throttles.get(name)
    return until === undefined || until <= now ? OPEN : until
  }

  #longest(key: string, least: Millis): Millis {
    let longest = least
    for (const span of this.#sharers.get(key)?.values() ?? []) {
      if (span > longest) longest = span
    }
    return longest
  }
}

/** Goes round the entries of a map that changes meanwhile. */
class Round<T> {
  readonly #map: Map<string, T>
  #entries: Iterator<[string, T]> | null = null

  constructor(map: Map<string, T>) {
    this.#map = map
  }

  forget(count: number, isOver: (value: T) => boolean, told: (name: string) => unknown): void {
    for (let looked = 0; looked < count; looked++) {
      this.#entries ??= this.#map.entries()
      const next = this.#entries.next()
      if (next.done === true) {
        this.#entries = null
        return
      }
      const [name, value] = next.value
      if (!isOver(value)) continue
      this.#map.delete(name)
      told(name)
    }
  }
}

export function queueRate(queue: string, rate: NonNullable<Settings['rate']>): RateView {
  const { count, per, key } = rate
  return { name: key === null ? queueName(queue) : keyName(key), count, per, span: grantSpan(per) }
}

export function groupRate(
  queue: string,
  group: string,
  rate: NonNullable<Settings['groups']['rate']>,
): RateView {
  const { count, per } = rate
  return { name: groupName(queue, group), count, per, span: grantSpan(per) }
}

export function queueName(queue: string): string {
  return `q:${queue}`
}

export function keyName(key: string): string {
  return `k:${key}`
}

/** The length stands first, so that no two pairs of names become one. */
export function groupName(queue: string, group: string): string {
  return `g:${queue.length}:${queue}${group}`
}
