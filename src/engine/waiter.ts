/**
 * Waiting for jobs to end, for `result()`. All who wait are looked after together: one `get` for
 * many, after a hint, after an end that this node brought about itself, and at the latest after
 * `poll`. Promises: who waits hears of the end, of the job's being gone, of its time or its signal,
 * whichever comes first; while somebody waits the process stays alive; the more wait, the longer
 * it is between looks, within a bound.
 */
import type { Found, JobRef, Millis } from '../job/job.js'
import { FINAL_STATES } from '../job/job.js'
import { MillraceError } from '../job/errors.js'
import type { Store } from '../store.js'
import type { Clock, Timer } from '../time/clock.js'
import { LOOK_GAP, LOOK_GAP_MAX, LOOK_JOBS } from '../job/defaults.js'
import type { Outage } from './outage.js'

export interface WaiterOptions {
  readonly store: Store
  readonly clock: Clock
  readonly outage: Outage
  readonly poll: Millis
}

export type Ended = Found | null | 'timeout'

interface Waiting {
  readonly ref: JobRef
  /** The number of the last hint that was known when it was looked at. */
  seen: number
  readonly done: (answer: Ended) => void
  readonly fail: (error: unknown) => void
}

export class Waiter {
  readonly #options: WaiterOptions
  readonly #waiting = new Set<Waiting>()
  /** Hints are numbered; here is each queue's last one, and the last that was about all. */
  readonly #hinted = new Map<string, number>()
  #hintedAll = 0
  #hints = 0
  #poll: Timer | null = null
  #planned = false
  #looking = false
  /** The hints that the last look knew of. */
  #cutAt = 0
  #lookedAt = -Infinity
  #closed: { readonly error: unknown } | null = null

  constructor(options: WaiterOptions) {
    this.#options = options
  }

  awaitEnd(
    ref: JobRef,
    { timeout, signal }: { readonly timeout: Millis; readonly signal?: AbortSignal },
  ): Promise<Ended> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) return reject(this.#closed.error)
      if (signal?.aborted) return reject(signal.reason)
      const { clock } = this.#options
      const timer = timeout < Infinity ? clock.after(timeout, () => end('timeout')) : null
      const abort = (): void => waiting.fail(signal?.reason)
      const over = (): void => {
        this.#waiting.delete(waiting)
        timer?.cancel()
        signal?.removeEventListener('abort', abort)
        if (this.#waiting.size === 0) this.#rest()
      }
      const end = (answer: Ended): void => {
        over()
        resolve(answer)
      }
      const fail = (error: unknown): void => {
        over()
        reject(error)
      }
      const waiting: Waiting = { ref, seen: 0, done: end, fail }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.add(waiting)
      this.hint(ref.queue)
    })
  }

  /** Jobs of this queue ended, or were changed; null: of any. */
  hint(queue: string | null): void {
    if (this.#waiting.size === 0) return
    this.#hints++
    if (queue === null) this.#hintedAll = this.#hints
    else this.#hinted.set(queue, this.#hints)
    this.#plan()
  }

  close(error: unknown): void {
    this.#closed ??= { error }
    for (const one of [...this.#waiting]) one.fail(error)
    this.#rest()
  }

  #plan(): void {
    if (this.#planned || this.#looking || this.#closed !== null) return
    this.#planned = true
    const { clock } = this.#options
    const look = (): void => {
      this.#planned = false
      void this.#look()
    }
    const gap = Math.min(LOOK_GAP_MAX, LOOK_GAP * Math.floor(this.#waiting.size / LOOK_JOBS))
    const wait = this.#lookedAt + gap - clock.mono()
    if (wait <= 0) clock.soon(look)
    else clock.after(wait, look)
  }

  /** Never rejects: what fails is told, and `poll` tries again. */
  async #look(): Promise<void> {
    const { store, clock, outage, poll } = this.#options
    const { about, more } = this.#cut()
    if (about.length > 0) {
      this.#looking = true
      try {
        const found = await store.get(about.map((one) => one.ref))
        outage.answered()
        for (let at = 0; at < about.length; at++) settle(about[at], found[at])
      } catch (error) {
        if (MillraceError.is(error, 'STORE_CLOSED')) this.close(error)
        else outage.failed(error, poll)
      }
      this.#looking = false
      this.#lookedAt = clock.mono()
    }
    if (this.#hints > this.#cutAt || more) this.#plan()
    this.#pollOn()
  }

  /** At most `LOOK_JOBS` of those that were hinted at since they were last looked at. */
  #cut(): { readonly about: readonly Waiting[]; readonly more: boolean } {
    this.#cutAt = this.#hints
    const about: Waiting[] = []
    for (const one of this.#waiting) {
      const hinted = Math.max(this.#hintedAll, this.#hinted.get(one.ref.queue) ?? 0)
      if (one.seen >= hinted) continue
      if (about.length >= LOOK_JOBS) return { about, more: true }
      one.seen = this.#hints
      about.push(one)
    }
    return { about, more: false }
  }

  #pollOn(): void {
    if (this.#poll !== null || this.#waiting.size === 0 || this.#closed !== null) return
    this.#poll = this.#options.clock.after(this.#options.poll, () => {
      this.#poll = null
      this.hint(null)
    })
  }

  /** Nobody waits. */
  #rest(): void {
    this.#poll?.cancel()
    this.#poll = null
    this.#hinted.clear()
  }
}

function settle(waiting: Waiting, found: Found | null): void {
  if (found === null || found.kind === 'receipt') waiting.done(found)
  else if (FINAL_STATES.some((state) => state === found.job.state)) waiting.done(found)
}
