/**
 * Lots that meet an id or a unique key which somebody has taken in a transaction that is open still: only
 * its end decides. They are asked again beside all others, so that nobody who enqueues meanwhile waits
 * for it. Promises: each is answered, or rejected when it has waited for `HELD_MOST`; nothing of one that
 * was rejected is there. What a refusal is called is left to `inserts.ts`.
 */
import { BATCH_BYTES, HELD_MOST, INSERT_ITEMS, WAITING_ITEMS } from '../job/defaults.js'
import { wantsOf } from '../job/lot.js'
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
  /** What the caller of one hears that was held for too long; and when too much waits. */
  readonly tooLong: (lot: Lot) => unknown
  readonly overfull: (lot: Lot) => unknown
}

interface Waiting {
  readonly lot: Lot
  readonly wants: readonly string[]
  /** By `mono`. */
  readonly since: number
  readonly resolve: (answers: readonly Inserted[]) => void
  readonly reject: (error: unknown) => void
  /** Of those that were asked together it was found held; so is what wants the same. */
  isHeld: boolean
}

/** A store that has found so many held tries no more of one call: others come first in the next. */
const TRIED = 3
/** Beyond that the pauses between two rounds do not grow: under a second. */
const ROUNDS_GROWING = 5

export class HeldLots {
  readonly #options: HeldLotsOptions
  #waiting: Waiting[] = []
  #jobs = 0
  /** How many want it. */
  readonly #wanted = new Map<string, number>()
  readonly #closing = new AbortController()
  readonly #idle: (() => void)[] = []
  #isGoing = false

  constructor(options: HeldLotsOptions) {
    this.#options = options
  }

  /** Whether it wants what one that waits wants: it would be held as well, and stands behind it. */
  meets(lot: Lot): boolean {
    return this.#wanted.size > 0 && wantsOf(lot).some((want) => this.#wanted.has(want))
  }

  wait(lot: Lot): Promise<readonly Inserted[]> {
    return new Promise((resolve, reject) => {
      const { signal } = this.#closing
      if (signal.aborted) return reject(signal.reason as Error) // as: what `close` was told
      if (this.#jobs + lot.jobs.length > WAITING_ITEMS) return reject(this.#options.overfull(lot))
      const wants = wantsOf(lot)
      const since = this.#options.clock.mono()
      this.#waiting.push({ lot, wants, since, resolve, reject, isHeld: false })
      this.#jobs += lot.jobs.length
      for (const want of wants) this.#wanted.set(want, (this.#wanted.get(want) ?? 0) + 1)
      if (!this.#isGoing) void this.#go()
    })
  }

  /** Answers when none waits. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0 && !this.#isGoing) resolve()
      else this.#idle.push(resolve)
    })
  }

  /** Rejects all that wait; what is under way goes on. */
  close(error: Error): void {
    this.#closing.abort(error)
    for (const one of this.#waiting) one.reject(error)
    this.#gone(new Set(this.#waiting))
  }

  /** Never rejects: whatever happens is told to those who wait. */
  async #go(): Promise<void> {
    const { clock, chance } = this.#options
    this.#isGoing = true
    for (let rounds = 1; this.#waiting.length > 0; rounds++) {
      const pause = repeatAfter(Math.min(rounds, ROUNDS_GROWING), chance)
      await sleep(clock, pause, this.#closing.signal).catch(() => undefined) // all were rejected
      // What wants nothing of its own waits for a lock, all of it for the same.
      await this.#round(
        this.#cut(this.#waiting.filter(({ wants }) => wants.length === 0)),
        Infinity,
      )
      await this.#round(this.#cut(this.#leading()), TRIED)
      this.#refuseOld()
    }
    this.#isGoing = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Those that want something, but for who wants what another was held for. */
  #leading(): readonly Waiting[] {
    const held = this.#held()
    return this.#waiting.filter(({ wants, isHeld }) => {
      return wants.length > 0 && (isHeld || !wants.some((want) => held.has(want)))
    })
  }

  #held(): ReadonlySet<string> {
    return new Set(this.#waiting.flatMap(({ isHeld, wants }) => (isHeld ? wants : [])))
  }

  /** As many as fit one call, at least one. */
  #cut(of: readonly Waiting[]): readonly Waiting[] {
    let [upTo, jobs, bytes] = [0, 0, 0]
    for (; upTo < of.length; upTo++) {
      const { lot } = of[upTo]
      jobs += lot.jobs.length
      bytes += this.#options.bytes(lot)
      if ((jobs > INSERT_ITEMS || bytes > BATCH_BYTES) && upTo > 0) break
    }
    return of.slice(0, upTo)
  }

  /** `tried`: how many of those that are held the store will have tried. */
  async #round(asked: readonly Waiting[], tried: number): Promise<void> {
    if (asked.length === 0) return
    const { send, failure } = this.#options
    try {
      const answers = await send(asked.map(({ lot }) => lot))
      const done = new Set<Waiting>()
      const held = new Set<Waiting>()
      asked.forEach((one, at) => {
        const answer = answers[at]
        if (answer === null && held.size < tried) held.add(one)
        if (answer === null) return
        done.add(one)
        one.resolve(answer)
      })
      for (const one of asked) one.isHeld = held.has(one)
      this.#gone(done)
      const others = this.#waiting.filter((one) => !held.has(one))
      this.#waiting = [...others, ...this.#waiting.filter((one) => held.has(one))]
    } catch (error) {
      for (const one of asked) one.reject(failure(one.lot, error))
      this.#gone(new Set(asked))
    }
  }

  /** Nothing that was not found held after its time was up. */
  #refuseOld(): void {
    const { clock, tooLong } = this.#options
    const [now, held] = [clock.mono(), this.#held()]
    const old = this.#waiting.filter(({ since, isHeld, wants }) => {
      return now - since >= HELD_MOST && (isHeld || wants.some((want) => held.has(want)))
    })
    for (const { lot, reject } of old) reject(tooLong(lot))
    this.#gone(new Set(old))
  }

  #gone(these: ReadonlySet<Waiting>): void {
    if (these.size === 0) return
    this.#waiting = this.#waiting.filter((one) => !these.has(one))
    for (const { lot, wants } of these) {
      this.#jobs -= lot.jobs.length
      for (const want of wants) {
        const others = (this.#wanted.get(want) ?? 1) - 1
        if (others > 0) this.#wanted.set(want, others)
        else this.#wanted.delete(want)
      }
    }
  }
}
