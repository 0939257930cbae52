/**
 * What the engine tells while a store does not answer, and how long it waits before it asks again.
 * Promises: one `store.error` when trouble begins, one now and then while it lasts, one
 * `store.recovered` when it is over; never one for every call that failed. Trouble that comes back
 * at once was not over: some kind of call fails, while others succeed. Who repeats what is left to
 * those who call.
 */
import { MillraceError, millraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Events } from '../observe/events.js'
import type { Chance, Clock } from '../time/clock.js'
import { OUTAGE_BACK_WITHIN, OUTAGE_TOLD_EVERY, REPEAT_MAX, REPEAT_MIN } from '../job/defaults.js'

export class Outage {
  readonly #clock: Clock
  readonly #events: Events
  /** When trouble began, by `mono`; null: all is well. */
  #since: number | null = null
  #toldAt = -Infinity
  /** It was told of trouble since the last time that it was told to be over. */
  #isTold = false
  /** When the last trouble was over, by `mono`; null: there was none. */
  #overAt: number | null = null

  constructor(clock: Clock, events: Events) {
    this.#clock = clock
    this.#events = events
  }

  /** For how long it has answered without a break; Infinity: since it was opened. */
  get calm(): Millis {
    if (this.#since !== null) return 0
    return this.#overAt === null ? Infinity : this.#clock.mono() - this.#overAt
  }

  failed(cause: unknown, retryIn: Millis | null): void {
    const now = this.#clock.mono()
    if (this.#since === null && this.calm > OUTAGE_BACK_WITHIN) this.#toldAt = -Infinity
    this.#since ??= now
    const lasts = !this.#isTold && now - this.#since > OUTAGE_BACK_WITHIN
    if (!lasts && now - this.#toldAt < OUTAGE_TOLD_EVERY) return
    this.#toldAt = now
    this.#isTold = true
    this.#events.fault(asStoreError(cause), retryIn)
  }

  answered(): void {
    if (this.#since === null) return
    const after = this.#clock.mono() - this.#since
    this.#since = null
    this.#overAt = this.#clock.mono()
    if (!this.#isTold) return
    this.#isTold = false
    this.#events.emit('store.recovered', { after })
  }
}

/** Before repeat number `failures` (from 1): doubling, capped, and half of it by chance. */
export function repeatAfter(failures: number, chance: Chance): Millis {
  const whole = Math.min(REPEAT_MAX, REPEAT_MIN * 2 ** Math.min(failures - 1, 20))
  return whole * (0.5 + chance.next() / 2)
}

/** Whatever a store threw, as an error of ours. */
export function asStoreError(cause: unknown): MillraceError {
  if (MillraceError.is(cause)) return cause
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'store',
    expected: 'an answer',
    received: cause,
    remedy: 'see the cause; what was asked is repeated where that is safe',
    cause,
  })
}

export function storeClosed(what: string): MillraceError<'STORE_CLOSED'> {
  return millraceError({
    code: 'STORE_CLOSED',
    subject: what,
    expected: 'an open Millrace',
    remedy: 'it was closed; open a new one',
  })
}
