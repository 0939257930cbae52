/**
 * Lots that meet an id or a unique key which somebody has taken in a transaction that is open still: only
 * its end decides. They are asked again, one by one, beside all others, so that nobody who enqueues
 * meanwhile waits for it. Promises: each is answered, or rejected when it has waited for `HELD_MOST`;
 * nothing of one that was rejected is there. What a refusal is called is left to `inserts.ts`.
 */
import { HELD_MOST } from '../job/defaults.js'
import type { Inserted, Lot } from '../job/lot.js'
import { sleep } from '../time/clock.js'
import type { Chance, Clock } from '../time/clock.js'
import { repeatAfter } from './outage.js'

export interface HeldLotsOptions {
  readonly clock: Clock
  readonly chance: Chance
  /** Null: it is held still. */
  readonly send: (lot: Lot) => Promise<readonly Inserted[] | null>
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

/** Beyond that the pauses between two rounds do not grow: under a second. */
const ROUNDS_GROWING = 5

export class HeldLots {
  readonly #options: HeldLotsOptions
  readonly #waiting = new Set<Waiting>()
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
      this.#waiting.add({ lot, since: this.#options.clock.mono(), resolve, reject })
      if (!this.#isGoing) void this.#go()
    })
  }

  /** Answers when none waits. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.size === 0) resolve()
      else this.#idle.push(resolve)
    })
  }

  /** Rejects all that wait; what is under way goes on. */
  close(error: Error): void {
    this.#closing.abort(error)
    for (const one of this.#waiting) this.#over(one, () => one.reject(error))
  }

  /** Never rejects: whatever happens is told to those who wait. */
  async #go(): Promise<void> {
    const { clock, chance } = this.#options
    this.#isGoing = true
    for (let rounds = 1; this.#waiting.size > 0; rounds++) {
      const pause = repeatAfter(Math.min(rounds, ROUNDS_GROWING), chance)
      await sleep(clock, pause, this.#closing.signal).catch(() => undefined) // all were rejected
      for (const one of this.#waiting) await this.#ask(one)
    }
    this.#isGoing = false
  }

  async #ask(one: Waiting): Promise<void> {
    const { clock, send, tooLong } = this.#options
    if (clock.mono() - one.since >= HELD_MOST) {
      return this.#over(one, () => one.reject(tooLong(one.lot)))
    }
    try {
      const answers = await send(one.lot)
      if (answers !== null) this.#over(one, () => one.resolve(answers))
    } catch (error) {
      this.#over(one, () => one.reject(error))
    }
  }

  #over(one: Waiting, tell: () => void): void {
    this.#waiting.delete(one)
    tell()
    if (this.#waiting.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}
