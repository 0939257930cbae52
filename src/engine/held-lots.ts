/**
 * Lots that meet an id or a unique key which somebody has taken in a transaction that is open still: only
 * its end decides. They are asked again beside all others, so that nobody who enqueues meanwhile waits
 * for it. Promises: each is answered, or rejected when it has waited for `HELD_MOST`; nothing of one that
 * was rejected is there. What a refusal is called is left to `inserts.ts`.
 */
import { BATCH_BYTES, HELD_MOST, INSERT_ITEMS } from '../job/defaults.js'
import type { Inserted, Lot } from '../job/lot.js'
import { sleep } from '../time/clock.js'
import type { Chance, Clock } from '../time/clock.js'
import { repeatAfter } from './outage.js'

export interface HeldLotsOptions {
  readonly clock: Clock
  readonly chance: Chance
  /** Null: it is held still, or was not tried behind others that are. */
  readonly send: (lots: readonly Lot[]) => Promise<readonly (readonly Inserted[] | null)[]>
  readonly bytes: (lot: Lot) => number
  /** What the caller of one hears when a round failed. */
  readonly failure: (lot: Lot, error: unknown) => unknown
  /** What the caller of one hears that was held for too long. */
  readonly tooLong: (lot: Lot) => unknown
}

interface Waiting {
  readonly lot: Lot
  /** By `mono`. */
  readonly since: number
  readonly resolve: (answers: readonly Inserted[]) => void
  readonly reject: (error: unknown) => void
}

/** A store that has found so many held may try no more of one call: others come first in the next. */
const TRIED = 3
/** Beyond that the pauses between two rounds do not grow: under a second. */
const ROUNDS_GROWING = 5

export class HeldLots {
  readonly #options: HeldLotsOptions
  #waiting: Waiting[] = []
  readonly #closing = new AbortController()
  readonly #idle: (() => void)[] = []
  #isGoing = false

  constructor(options: HeldLotsOptions) {
    this.#options = options
  }

  wait(lot: Lot): Promise<readonly Inserted[]> {
    return new Promise((resolve, reject) => {
      const { signal } = this.#closing
      if (signal.aborted) return reject(signal.reason as Error) // as: what `close` was told
      this.#waiting.push({ lot, since: this.#options.clock.mono(), resolve, reject })
      if (!this.#isGoing) void this.#go()
    })
  }

  /** Answers when none waits. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isIdle) resolve()
      else this.#idle.push(resolve)
    })
  }

  /** Rejects all that wait; what is under way goes on. */
  close(error: Error): void {
    this.#closing.abort(error)
    for (const one of this.#waiting.splice(0)) one.reject(error)
  }

  get #isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#isGoing
  }

  /** Never rejects: whatever happens is told to those who wait. */
  async #go(): Promise<void> {
    const { clock, chance } = this.#options
    this.#isGoing = true
    for (let rounds = 1; this.#waiting.length > 0; rounds++) {
      const pause = repeatAfter(Math.min(rounds, ROUNDS_GROWING), chance)
      await sleep(clock, pause, this.#closing.signal).catch(() => undefined) // all were rejected
      this.#refuseOld()
      await this.#round(this.#cut())
    }
    this.#isGoing = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #refuseOld(): void {
    const { clock, tooLong } = this.#options
    const now = clock.mono()
    this.#waiting = this.#waiting.filter(({ lot, since, reject }) => {
      const isOld = now - since >= HELD_MOST
      if (isOld) reject(tooLong(lot))
      return !isOld
    })
  }

  /** As many as fit one call, at least one. */
  #cut(): readonly Waiting[] {
    let [upTo, jobs, bytes] = [0, 0, 0]
    for (; upTo < this.#waiting.length; upTo++) {
      const { lot } = this.#waiting[upTo]
      jobs += lot.jobs.length
      bytes += this.#options.bytes(lot)
      if ((jobs > INSERT_ITEMS || bytes > BATCH_BYTES) && upTo > 0) break
    }
    return this.#waiting.splice(0, upTo)
  }

  async #round(asked: readonly Waiting[]): Promise<void> {
    if (asked.length === 0) return
    const { send, failure } = this.#options
    try {
      const answers = await send(asked.map(({ lot }) => lot))
      const held = asked.filter((_, at) => answers[at] === null)
      asked.forEach(({ resolve }, at) => {
        const answer = answers[at]
        if (answer !== null) resolve(answer)
      })
      this.#again([...held.slice(TRIED), ...held.slice(0, TRIED)])
    } catch (error) {
      for (const { lot, reject } of asked) reject(failure(lot, error))
    }
  }

  #again(held: readonly Waiting[]): void {
    const { signal } = this.#closing
    if (!signal.aborted) this.#waiting.push(...held)
    else for (const { reject } of held) reject(signal.reason)
  }
}
