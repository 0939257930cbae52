/**
 * The gates: what keeps a job that is due from running now. Pure questions to the replicated state
 * and a time, asked by whoever decides a claim, by `apply-claim` for every item again, and by
 * `explain`, so that the three cannot disagree. A gate answers when it opens: `OPEN` is now,
 * `Infinity` when something happens, anything else a moment in store time.
 *
 * Whoever decides a claim hands in a `Tally` of what that very claim has picked so far; applying
 * needs none, because each item that is given changes the state for the next.
 */
import type { Millis } from '../job.js'
import { HOLDS } from './columns.js'
import type { Ledger } from './ledger.js'
import type { Pause, QueueBook } from './queue.js'
import { groupName, groupRate, keyName, queueName } from './rates.js'
import { NEWS_CONTROL } from './register.js'
import { OPEN } from './window.js'

/** What one claim has picked and not been given yet. */
export class Tally {
  readonly #queues = new Map<QueueBook, { picked: number; readonly groups: Map<number, number> }>()
  readonly #keys = new Map<string, number>()

  pick(queue: QueueBook, group: number): void {
    const known = this.#queues.get(queue) ?? { picked: 0, groups: new Map<number, number>() }
    known.picked++
    known.groups.set(group, (known.groups.get(group) ?? 0) + 1)
    this.#queues.set(queue, known)
    const key = queue.settings.rate?.key ?? null
    if (key !== null) this.#keys.set(key, (this.#keys.get(key) ?? 0) + 1)
  }

  of(queue: QueueBook): number {
    return this.#queues.get(queue)?.picked ?? 0
  }

  ofGroup(queue: QueueBook, group: number): number {
    return this.#queues.get(queue)?.groups.get(group) ?? 0
  }

  /** Grants of the queue's rate, which others that were asked in the same claim may share. */
  grants(queue: QueueBook): number {
    const key = queue.settings.rate?.key ?? null
    return key === null ? this.of(queue) : (this.#keys.get(key) ?? 0)
  }

  /** Groups that this claim alone may have closed take their turns again. */
  unpark(): void {
    for (const [queue, { groups }] of this.#queues) {
      for (const group of groups.keys()) queue.groups.unpark(group, true)
    }
  }
}

/** Whether any gate of the queue could be closed at all. */
export function isGated(ledger: Ledger, queue: QueueBook): boolean {
  if (queue.isGated || ledger.paused !== null || queue.paused !== null) return true
  return queue.pausedGroups.size > 0 || ledger.rates.throttles.size > 0
}

/** Whether a gate could be closed for some groups of it and not for others. */
export function gatesGroups(ledger: Ledger, queue: QueueBook): boolean {
  return queue.gatesGroups || queue.pausedGroups.size > 0 || ledger.rates.throttles.size > 0
}

// ── The queue's own gates ───────────────────────────────────────────────────────────────────────

/** When all gates are open that concern the whole queue. */
export function queueOpens(
  ledger: Ledger,
  queue: QueueBook,
  now: Millis,
  tally: Tally | null,
): Millis {
  if (ledger.paused !== null || queue.paused !== null) return Infinity
  if (capRoom(queue, tally) <= 0) return Infinity
  return Math.max(
    throttledUntil(ledger, queueName(queue.name), now),
    keyThrottledUntil(ledger, queue, now),
    rateOpens(ledger, queue, now, tally),
  )
}

/** How many more may start now as far as the whole queue is concerned. */
export function queueRoom(
  ledger: Ledger,
  queue: QueueBook,
  now: Millis,
  tally: Tally | null,
): number {
  if (queueOpens(ledger, queue, now, tally) !== OPEN) return 0
  const { rate } = queue
  const room = capRoom(queue, tally)
  if (rate === null) return room
  return Math.min(room, ledger.rates.room(rate, now, tally?.grants(queue) ?? 0))
}

export function capRoom(queue: QueueBook, tally: Tally | null): number {
  return queue.settings.concurrency - queue.running - (tally?.of(queue) ?? 0)
}

export function rateOpens(
  ledger: Ledger,
  queue: QueueBook,
  now: Millis,
  tally: Tally | null,
): Millis {
  if (queue.rate === null) return OPEN
  return ledger.rates.opensAt(queue.rate, now, tally?.grants(queue) ?? 0)
}

export function throttledUntil(ledger: Ledger, name: string, now: Millis): Millis {
  return ledger.rates.throttledUntil(name, now)
}

export function keyThrottledUntil(ledger: Ledger, queue: QueueBook, now: Millis): Millis {
  const key = queue.settings.rate?.key ?? null
  return key === null ? OPEN : throttledUntil(ledger, keyName(key), now)
}

// ── The gates of a group ────────────────────────────────────────────────────────────────────────

/** When all gates are open that concern this group of the queue. */
export function groupOpens(
  ledger: Ledger,
  queue: QueueBook,
  group: number,
  now: Millis,
  tally: Tally | null,
): Millis {
  if (groupPause(ledger, queue, group) !== null) return Infinity
  if (groupRoom(queue, group, tally) <= 0) return Infinity
  return Math.max(
    groupThrottledUntil(ledger, queue, group, now),
    groupRateOpens(ledger, queue, group, now, tally),
  )
}

export function groupPause(ledger: Ledger, queue: QueueBook, group: number): Pause | null {
  if (queue.pausedGroups.size === 0) return null
  return queue.pausedGroups.get(ledger.groupNames.text(group)) ?? null
}

/** In blocking order one at a time, whatever the cap. */
export function groupRoom(queue: QueueBook, group: number, tally: Tally | null): number {
  const { order, groups } = queue.settings
  const cap = order === 'blocking' ? 1 : groups.concurrency
  if (cap === Infinity) return Infinity
  return cap - (queue.groups.get(group)?.running ?? 0) - (tally?.ofGroup(queue, group) ?? 0)
}

export function groupThrottledUntil(
  ledger: Ledger,
  queue: QueueBook,
  group: number,
  now: Millis,
): Millis {
  if (ledger.rates.throttles.size === 0) return OPEN
  return throttledUntil(ledger, groupName(queue.name, ledger.groupNames.text(group)), now)
}

export function groupRateOpens(
  ledger: Ledger,
  queue: QueueBook,
  group: number,
  now: Millis,
  tally: Tally | null,
): Millis {
  const { rate } = queue.settings.groups
  if (rate === null) return OPEN
  const view = groupRate(queue.name, ledger.groupNames.text(group), rate)
  return ledger.rates.opensAt(view, now, tally?.ofGroup(queue, group) ?? 0)
}

/** Blocking order: nobody holds the group, or this job does. */
export function mayLead(ledger: Ledger, queue: QueueBook, slot: number): boolean {
  if (queue.settings.order !== 'blocking' || ledger.columns.has(slot, HOLDS)) return true
  return (queue.groups.get(ledger.columns.group.get(slot))?.held ?? 0) === 0
}

// ── For applying ────────────────────────────────────────────────────────────────────────────────

/** Every gate of a job that is due, at the time of the last frame. */
export function admits(ledger: Ledger, queue: QueueBook, slot: number): boolean {
  if (queueOpens(ledger, queue, ledger.now, null) !== OPEN) return false
  if (!gatesGroups(ledger, queue)) return true
  const group = ledger.columns.group.get(slot)
  if (groupOpens(ledger, queue, group, ledger.now, null) !== OPEN) return false
  return mayLead(ledger, queue, slot)
}

/** A job was given: it counts in every rate that concerns it. */
export function charge(ledger: Ledger, queue: QueueBook, slot: number): void {
  const { rate, groups } = queue.settings
  if (queue.rate !== null) ledger.rates.charge(queue.rate, rate?.key ?? null, ledger.now)
  if (groups.rate === null) return
  const group = ledger.groupNames.text(ledger.columns.group.get(slot))
  ledger.rates.charge(groupRate(queue.name, group, groups.rate), null, ledger.now)
}

/** See `Throttle` in the seam. Whoever fetched ahead hears of it. */
export function throttle(
  ledger: Ledger,
  slot: number,
  what: 'queue' | 'key' | 'group',
  delay: Millis,
): void {
  const queue = ledger.queueOf(slot)
  const key = what === 'key' ? (queue.settings.rate?.key ?? null) : null
  const group = ledger.groupNames.text(ledger.columns.group.get(slot))
  const name = key === null ? queueName(queue.name) : keyName(key)
  const of = what === 'group' ? groupName(queue.name, group) : name
  ledger.rates.throttle(of, ledger.now, delay)
  for (const one of key === null ? [queue] : ledger.queues.values()) {
    if (one === queue || one.settings.rate?.key === key) ledger.tell(one, NEWS_CONTROL)
  }
}
