/**
 * Lots that meet an id or a unique key which somebody has taken in a transaction that is open still: only
 * its end decides. They are asked again beside all others, so that nobody who enqueues meanwhile waits
 * for it, but for who wants the same: that stands behind it, in the order of the calls. Promises: each is
 * answered, or rejected when it has waited for `HELD_MOST` and nothing moved; nothing of one that was
 * rejected is there. What a refusal is called is left to `inserts.ts`.
 */
import { BATCH_BYTES, HELD_MOST, HELD_TRIED, INSERT_ITEMS, WAITING_ITEMS } from '../job/defaults.js'
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
  /** The how many-th call it was. */
  readonly number: number
  /** By `mono`. */
  readonly since: number
  readonly resolve: (answers: readonly Inserted[]) => void
  readonly reject: (error: unknown) => void
  /** Of those that were asked together last it was found held. */
  isHeld: boolean
}

/** Beyond that the pauses between two rounds do not grow: under a second. */
const ROUNDS_GROWING = 5

export class HeldLots {
  readonly #options: HeldLotsOptions
  #waiting: Waiting[] = []
  #jobs = 0
  readonly #closing = new AbortController()
  readonly #idle: (() => void)[] = []
  #isGoing = false

  constructor(options: HeldLotsOptions) {
    this.#options = options
  }

  /** Whether one that waits wants any of this. */
  meets(wants: readonly string[]): boolean {
    if (this.#waiting.length === 0 || wants.length === 0) return false
    return this.#waiting.some((one) => one.wants.some((want) => wants.includes(want)))
  }

  wait(lot: Lot, number: number): Promise<readonly Inserted[]> {
    return new Promise((resolve, reject) => {
      const { signal } = this.#closing
      if (signal.aborted) return reject(signal.reason as Error) // as: what `close` was told
      if (this.#jobs + lot.jobs.length > WAITING_ITEMS) return reject(this.#options.overfull(lot))
      const since = this.#options.clock.mono()
      const wants = wantsOf(lot)
      this.#waiting.push({ lot, wants, number, since, resolve, reject, isHeld: false })
      this.#jobs += lot.jobs.length
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
      while ((await this.#rounds()) > 0) rounds = 1
      this.#refuseOld()
    }
    this.#isGoing = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Answers how many got an answer. What wants nothing of its own waits for a lock, all of it for the same. */
  async #rounds(): Promise<number> {
    const plain = this.#waiting.filter(({ wants }) => wants.length === 0)
    const answered = await this.#round(this.#cut(plain), Infinity)
    return answered + (await this.#round(this.#cut(this.#leading()), HELD_TRIED))
  }

  /** Those that want something; of those that want what one was held for, the first. */
  #leading(): readonly Waiting[] {
    const held = new Set(this.#waiting.flatMap(({ isHeld, wants }) => (isHeld ? wants : [])))
    const first = new Map<string, number>()
    for (const { wants, number } of this.#waiting) {
      for (const want of wants) first.set(want, Math.min(number, first.get(want) ?? Infinity))
    }
    const leads = ({ wants, number }: Waiting): boolean =>
      wants.every((want) => !held.has(want) || first.get(want) === number)
    return this.#waiting.filter((one) => one.wants.length > 0 && leads(one))
  }

  /** As many as fit one call, at least one; in the order of the calls. */
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

  /** Answers how many got an answer. `tried`: how many of those that are held the store will have tried. */
  async #round(asked: readonly Waiting[], tried: number): Promise<number> {
    if (asked.length === 0) return 0
    const { send, failure } = this.#options
    const done = new Set<Waiting>()
    const held = new Set<Waiting>()
    try {
      const answers = await send(asked.map(({ lot }) => lot))
      asked.forEach((one, at) => {
        const answer = answers[at]
        if (answer === null && held.size < tried) held.add(one)
        if (answer === null) return
        done.add(one)
        one.resolve(answer)
      })
    } catch (error) {
      for (const one of asked) {
        done.add(one)
        one.reject(failure(one.lot, error))
      }
    }
    for (const one of asked) one.isHeld = held.has(one)
    this.#gone(done)
    // Others are tried first the next time.
    const others = this.#waiting.filter((one) => !held.has(one))
    this.#waiting = [...others, ...this.#waiting.filter((one) => held.has(one))]
    return done.size
  }

  #refuseOld(): void {
    const { clock, tooLong } = this.#options
    const old = this.#waiting.filter(({ since }) => clock.mono() - since >= HELD_MOST)
    for (const { lot, reject } of old) reject(tooLong(lot))
    this.#gone(new Set(old))
  }

  #gone(these: ReadonlySet<Waiting>): void {
    if (these.size === 0) return
    this.#waiting = this.#waiting.filter((one) => !these.has(one))
    this.#jobs = this.#waiting.reduce((sum, { lot }) => sum + lot.jobs.length, 0)
  }
}
