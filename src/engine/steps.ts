/**
 * Steps on their way to the store. Those that come together leave together. Promises: `keep` answers
 * when the step is durable, or its token certainly dead; while the store cannot be reached it is
 * tried again, since a step that is not kept would be done twice. What a step is, and that none is
 * done twice in one run, is left to the faces.
 */
import type { Claimed, TokenText } from '../job/claim.js'
import { NOTE_ITEMS } from '../job/defaults.js'
import { MillraceError } from '../job/errors.js'
import type { Step } from '../job/job.js'
import type { Note, Noted } from '../job/verdict.js'
import type { Store } from '../store.js'
import { sleep } from '../time/clock.js'
import type { Chance, Clock } from '../time/clock.js'
import { asStoreError, repeatAfter, storeClosed } from './outage.js'
import type { Outage } from './outage.js'

export interface StepsOptions {
  readonly store: Store
  readonly clock: Clock
  readonly chance: Chance
  readonly outage: Outage
  /** Whether what was claimed then is certainly given to others by now. */
  readonly leaseGone: (claimedAt: number) => boolean
}

/** Whose step it is. */
export interface Doing {
  readonly claimed: Claimed
  /** By `mono`. */
  readonly claimedAt: number
}

interface Pending {
  readonly of: Doing
  readonly step: Step
  readonly done: Promise<Noted>
  readonly resolve: (noted: Noted) => void
  readonly reject: (error: unknown) => void
}

export class Steps {
  readonly #options: StepsOptions
  readonly #pending = new Map<TokenText, Set<Pending>>()
  #waiting: Pending[] = []
  #sending = false
  #closed = false

  constructor(options: StepsOptions) {
    this.#options = options
  }

  /** 'lost': the token is dead, and nothing was kept. Rejects when the Millrace closes. */
  keep(of: Doing, step: Step): Promise<Noted> {
    if (this.#closed) return Promise.reject(storeClosed('job.step'))
    let [resolve, reject]: [Pending['resolve'], Pending['reject']] = [() => {}, () => {}]
    const done = new Promise<Noted>((...settle) => ([resolve, reject] = settle))
    const pending = { of, step, done, resolve, reject }
    const { token } = of.claimed
    const others = this.#pending.get(token)
    if (others === undefined) this.#pending.set(token, new Set([pending]))
    else others.add(pending)
    this.#waiting.push(pending)
    if (!this.#sending) void this.#sendAll()
    return done
  }

  /** Whether a step of this job is on its way. */
  has(token: TokenText): boolean {
    return this.#pending.has(token)
  }

  /** Answers when none of this job is on its way any more. */
  async flush(token: TokenText): Promise<void> {
    const pending = this.#pending.get(token) ?? []
    await Promise.allSettled([...pending].map(({ done }) => done))
  }

  /** The token is dead. */
  forget(token: TokenText): void {
    for (const pending of this.#pending.get(token) ?? []) this.#answer(pending, 'lost')
  }

  close(): void {
    this.#closed = true
    for (const all of [...this.#pending.values()]) {
      for (const pending of all) this.#fail(pending, storeClosed('job.step'))
    }
  }

  /** One call at a time; what comes meanwhile is the next. Never rejects. */
  async #sendAll(): Promise<void> {
    this.#sending = true
    await new Promise<void>((resolve) => this.#options.clock.soon(resolve))
    for (let failures = 0; this.#waiting.length > 0;) {
      const batch = this.#waiting.splice(0, NOTE_ITEMS)
      if (await this.#send(batch)) {
        failures = 0
        continue
      }
      const { clock, chance } = this.#options
      this.#waiting = [...batch.filter((one) => this.#isPending(one)), ...this.#waiting]
      if (this.#waiting.length > 0) await sleep(clock, repeatAfter(++failures, chance))
    }
    this.#sending = false
  }

  /** False: those of it that are still pending must be sent again. */
  async #send(batch: readonly Pending[]): Promise<boolean> {
    const { store, outage, leaseGone } = this.#options
    try {
      const noted = await store.note(batch.map(asNote))
      outage.answered()
      batch.forEach((pending, at) => this.#answer(pending, noted[at]))
      return true
    } catch (error) {
      const isOver = !MillraceError.is(error) || MillraceError.is(error, 'STORE_CLOSED')
      for (const pending of batch) {
        if (isOver) this.#fail(pending, asStoreError(error))
        else if (leaseGone(pending.of.claimedAt)) this.#answer(pending, 'lost')
      }
      if (!isOver) outage.failed(error, null)
      return isOver
    }
  }

  #isPending(pending: Pending): boolean {
    return this.#pending.get(pending.of.claimed.token)?.has(pending) ?? false
  }

  #answer(pending: Pending, noted: Noted): void {
    this.#forget(pending)
    pending.resolve(noted)
  }

  #fail(pending: Pending, error: unknown): void {
    this.#forget(pending)
    pending.reject(error)
  }

  #forget(pending: Pending): void {
    const { token } = pending.of.claimed
    const others = this.#pending.get(token)
    if (others?.delete(pending) === true && others.size === 0) this.#pending.delete(token)
  }
}

function asNote({ of, step }: Pending): Note {
  const { queue, id, token } = of.claimed
  return { queue, id, token, progress: null, log: [], step }
}
