/**
 * What is remembered beside the jobs: the grants of every rate, and who asked for a rest. Both by
 * name, because both outlive the jobs and the groups that they are of, and because a key is shared
 * by queues. An entry whose time has passed says the same as none, so it goes whenever someone
 * comes by; what has passed is told by the time of the frames and never by a replica's own.
 */
import type { Millis } from '../job.js'
import { grantSpan } from '../rate.js'
import type { Settings } from '../settings.js'
import { OPEN } from './window.js'
import type { Charge, GrantWindow } from './window.js'
import { LOOKED_AT, Windows } from './windows.js'

/** A rate as it is asked for: how many, and how long a grant counts. */
export interface RateLimit {
  readonly count: number
  readonly per: Millis
  readonly span: Millis
}

/** And under which name grants are counted. */
export interface RateView extends RateLimit {
  readonly name: string
}

export class Rates {
  /** Of queues and keys; those of groups are with their queue, `QueueBook.grants`. */
  readonly windows = new Windows()
  /** Until when nothing of that name starts, in store time, because a handler said so. */
  readonly throttles = new Map<string, Millis>()
  /** The spans of the queues that share a key, by key and queue. */
  readonly #sharers = new Map<string, Map<number, Millis>>()
  /** Who wants to know which are different; null: nobody. */
  #changed: Set<string> | null = null
  readonly #throttleRound = new Round(this.throttles)

  /** From now on the names of those that are different are put there. */
  follow(changed: Set<string>): void {
    this.#changed = changed
    this.windows.told = (name) => changed.add(name)
  }

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
    return opensAt(this.windows.get(rate.name), rate, now, more)
  }

  /** So many grants; `key`: the key that it is shared by. */
  charge(rate: RateView, key: string | null, charge: Omit<Charge, 'keep'>): void {
    const keep = key === null ? rate.span : this.#longest(key, rate.span)
    this.windows.open(rate.name, charge.now).charge({ ...charge, keep })
    this.#changed?.add(rate.name)
  }

  /** Looks at a few entries, in turn, and forgets what is over. `now`: the last frame's. */
  forget(now: Millis): void {
    this.windows.forget(LOOKED_AT, now)
    if (this.throttles.size === 0) return
    const told = (name: string): unknown => this.#changed?.add(name)
    this.#throttleRound.forget(LOOKED_AT, (until) => until <= now, told)
  }

  /** Nothing of that name starts for so long; a longer time that was asked for stays. */
  throttle(name: string, now: Millis, delay: Millis): void {
    this.#changed?.add(name)
    this.forget(now)
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

/** When one more than `more` may be granted of what a window counts; undefined: it counts nothing. */
export function opensAt(
  window: GrantWindow | undefined,
  { count, span }: RateLimit,
  now: Millis,
  more: number,
): Millis {
  if (window !== undefined) return window.opensAt(now, count, span, more)
  return more < count ? OPEN : now + span
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

/** What each group of a queue may have. */
export function groupLimit({ count, per }: NonNullable<Settings['groups']['rate']>): RateLimit {
  return { count, per, span: grantSpan(per) }
}

/** Under which names the grants and rests of a queue are counted, but for those of its groups. */
export function rateNames(queue: string, { rate }: Pick<Settings, 'rate'>): string[] {
  const key = rate?.key ?? null
  return key === null ? [queueName(queue)] : [queueName(queue), keyName(key)]
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

/** What `groupName` named; null: it names a queue or a key. */
export function groupNamed(
  name: string,
): { readonly queue: string; readonly group: string } | null {
  const found = /^g:(\d+):(.*)$/s.exec(name)
  if (found === null) return null
  const length = Number(found[1])
  return { queue: found[2].slice(0, length), group: found[2].slice(length) }
}
