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
import type { BookTransit, Pause, QueueBook } from './queue.js'
import { groupName, keyName, opensAt, queueName } from './rates.js'
import { NEWS_CONTROL } from './register.js'
import { OPEN } from './window.js'
import type { GrantWindow } from './window.js'
import { LOOKED_AT } from './windows.js'

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
  if (isClosed(queue.transit)) return true
  return queue.pausedGroups.size > 0 || ledger.rates.throttles.size > 0
}

/** Whether a gate could be closed for some groups of it and not for others. */
export function gatesGroups(ledger: Ledger, queue: QueueBook): boolean {
  if (queue.transit !== null && (queue.transit.groups?.size ?? 0) > 0) return true
  return queue.gatesGroups || queue.pausedGroups.size > 0 || ledger.rates.throttles.size > 0
}

/** Whether nothing of the queue, or of some groups of it, may start on this side of its way. */
function isClosed(transit: BookTransit | null): transit is BookTransit {
  return transit !== null && transit.side !== 'arrived' && transit.groups?.size !== 0
}

/** Its way to or from another store closes the whole queue. */
export function queueTransit({ transit }: QueueBook): BookTransit | null {
  return isClosed(transit) && transit.groups === null ? transit : null
}

/** Its way closes this group of it, and not the whole queue. */
export function groupTransit(
  ledger: Ledger,
  { transit }: QueueBook,
  group: number,
): BookTransit | null {
  if (!isClosed(transit) || transit.groups === null) return null
  return transit.groups.has(ledger.groupNames.text(group)) ? transit : null
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
  if (queueTransit(queue) !== null) return Infinity
  if (capRoom(queue, tally) <= 0) return Infinity
  return Math.max(
    queueThrottledUntil(ledger, queue, now),
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

export function queueThrottledUntil(ledger: Ledger, queue: QueueBook, now: Millis): Millis {
  if (ledger.rates.throttles.size === 0) return OPEN
  return ledger.rates.throttledUntil(queueName(queue.name), now)
}

export function keyThrottledUntil(ledger: Ledger, queue: QueueBook, now: Millis): Millis {
  if (ledger.rates.throttles.size === 0) return OPEN
  const key = queue.settings.rate?.key ?? null
  return key === null ? OPEN : ledger.rates.throttledUntil(keyName(key), now)
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
  if (groupTransit(ledger, queue, group) !== null) return Infinity
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
  const name = groupName(queue.name, ledger.groupNames.text(group))
  return ledger.rates.throttledUntil(name, now)
}

export function groupRateOpens(
  ledger: Ledger,
  queue: QueueBook,
  group: number,
  now: Millis,
  tally: Tally | null,
): Millis {
  if (queue.groupRate === null) return OPEN
  const more = tally?.ofGroup(queue, group) ?? 0
  return opensAt(grantsOf(ledger, queue, group), queue.groupRate, now, more)
}

/**
 * What was granted to a group. Looked for once while the group has jobs, since nothing else is counted
 * under its name; one that was forgotten since says the same as none, as long as nothing is added.
 */
export function grantsOf(ledger: Ledger, queue: QueueBook, group: number): GrantWindow | undefined {
  const known = queue.groups.get(group)
  if (known === undefined) return queue.grants.get(ledger.groupNames.text(group))
  if (known.grants === undefined) {
    known.grants = queue.grants.get(ledger.groupNames.text(group)) ?? null
  }
  return known.grants ?? undefined
}

/** Blocking order: nobody holds the group, or this job does. */
export function mayLead(ledger: Ledger, queue: QueueBook, slot: number): boolean {
  if (queue.settings.order !== 'blocking' || ledger.columns.has(slot, HOLDS)) return true
  return (queue.groups.get(ledger.columns.group.get(slot))?.held ?? 0) === 0
}

// ── For applying ────────────────────────────────────────────────────────────────────────────────

/**
 * The gates of one queue while a claim is applied, at the time of its frame. Whether the whole queue
 * is open is asked once: each grant takes one of the room that there was, and nothing else changes it
 * before `close`, which counts them all at once.
 */
export class Door {
  readonly queue: QueueBook
  readonly #ledger: Ledger
  readonly #asksGroups: boolean
  #room: number
  #granted = 0
  /** The longest that a part of the claim asked for. */
  #margin: Millis = 0

  constructor(ledger: Ledger, queue: QueueBook) {
    this.queue = queue
    this.#ledger = ledger
    ledger.rates.forget(ledger.now)
    queue.grants.forget(LOOKED_AT, ledger.now)
    this.#asksGroups = gatesGroups(ledger, queue)
    this.#room = isGated(ledger, queue) ? queueRoom(ledger, queue, ledger.now, null) : Infinity
  }

  /** Every gate of a job that is due. */
  admits(slot: number): boolean {
    if (this.#room <= 0) return false
    if (!this.#asksGroups) return true
    const { queue } = this
    const ledger = this.#ledger
    const group = ledger.columns.group.get(slot)
    return (
      groupOpens(ledger, queue, group, ledger.now, null) === OPEN && mayLead(ledger, queue, slot)
    )
  }

  /** A job was given: it counts in every rate that concerns it, from `margin` later. */
  granted(slot: number, margin: Millis): void {
    this.#room--
    this.#granted++
    this.#margin = Math.max(this.#margin, margin)
    const { groupRate, grants } = this.queue
    if (groupRate === null) return
    const { columns, groupNames, now } = this.#ledger
    const group = columns.group.get(slot)
    this.#grantsFor(group).charge({ now, at: now + margin, keep: groupRate.span })
    grants.told?.(groupNames.text(group))
  }

  /** No more jobs of this queue are given by this part of the claim. */
  close(): void {
    const { rate, settings } = this.queue
    if (rate === null || this.#granted === 0) return
    const { now, rates } = this.#ledger
    const key = settings.rate?.key ?? null
    rates.charge(rate, key, { now, at: now + this.#margin, count: this.#granted })
  }

  #grantsFor(group: number): GrantWindow {
    const ledger = this.#ledger
    const found = grantsOf(ledger, this.queue, group)
    if (found !== undefined && !found.isForgotten) return found
    const window = this.queue.grants.open(ledger.groupNames.text(group), ledger.now)
    const known = this.queue.groups.get(group)
    if (known !== undefined) known.grants = window
    return window
  }
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
