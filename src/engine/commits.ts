/**
 * Completions that are committed together with what the user writes. Promises: an answer is the
 * store's last word; while the store cannot be reached, or what became of a commit is unknown, it is
 * asked again, which is safe, since a commit that took effect is answered as the first time; what the
 * user's function threw is thrown, and never repeated. What the job says meanwhile is kept with its
 * completion. Who may commit, and when, is the attempt's.
 */
import { MillraceError } from '../job/errors.js'
import type { Settled, Settlement } from '../job/verdict.js'
import type { Events } from '../observe/events.js'
import type { Store, Write } from '../store.js'
import { sleep } from '../time/clock.js'
import type { Chance, Clock } from '../time/clock.js'
import type { Notes } from './notes.js'
import { repeatAfter } from './outage.js'
import type { Outage } from './outage.js'
import type { Doing } from './steps.js'
import { tellHappened } from './telling.js'

export interface CommitsOptions {
  readonly store: Store
  readonly clock: Clock
  readonly chance: Chance
  readonly events: Events
  readonly outage: Outage
  readonly notes: Notes
  /** Whether what was claimed then is certainly given to others by now. */
  readonly leaseGone: (claimedAt: number) => boolean
}

export interface Committing {
  readonly of: Doing
  readonly settlement: Settlement
  readonly write: Write
  readonly commit: Commit
}

/** What an attempt has of its commit. */
export class Commit {
  readonly #controller = new AbortController()
  /** The store's, once it took effect. */
  answer: Settled | null = null
  /** The job's row is locked, or may have been changed: any other verdict waits for what becomes of it. */
  hasRow = false
  readonly #whenOver: (() => void)[] = []
  #isOver = false

  /** Aborts when the attempt is over. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** It has its answer, or came to nothing. */
  over(): void {
    this.#isOver = true
    for (const run of this.#whenOver.splice(0)) run()
  }

  whenOver(run: () => void): void {
    if (this.#isOver) run()
    else this.#whenOver.push(run)
  }

  /** The attempt is over: what is not yet committed is taken back. */
  giveUp(why: MillraceError): void {
    this.#controller.abort(why)
  }
}

export class Commits {
  readonly #options: CommitsOptions

  constructor(options: CommitsOptions) {
    this.#options = options
  }

  /** Rejects with what `write` threw, with the signal's reason, or when the outcome stays unknown. */
  async put(committing: Committing): Promise<Settled> {
    const { notes } = this.#options
    const { token } = committing.of.claimed
    notes.hold(token)
    let isKept = false
    try {
      const settled = await this.#put(committing)
      isKept = settled.status === 'done'
      return settled
    } finally {
      if (isKept) notes.kept(token)
      else notes.release(token)
    }
  }

  async #put({ of, settlement, write, commit }: Committing): Promise<Settled> {
    const { notes, store, clock, chance, events, outage, leaseGone } = this.#options
    const { signal } = commit
    const thrown = new Set<unknown>()
    const guarded: Write = async (client) => {
      commit.hasRow = true
      try {
        await write(client)
      } catch (error) {
        thrown.add(error)
        throw error
      }
    }
    const terms = { signal, said: () => notes.said(of.claimed.token) }
    let unknown: unknown = null
    for (let failures = 1; ; failures++) {
      try {
        const { settled, happened } = await store.commit(settlement, guarded, terms)
        outage.answered()
        tellHappened(events, happened)
        return settled
      } catch (error) {
        // What the signal says comes of a commit that was not made: it is looked for first.
        if (thrown.has(error) || error === signal.reason) throw error
        if (MillraceError.is(error, 'OUTCOME_UNKNOWN')) unknown = error
        commit.hasRow = unknown !== null
        if (signal.aborted && unknown === null) throw error
        if (!isRepeatable(error) || leaseGone(of.claimedAt)) throw unknown ?? error
        const pause = repeatAfter(failures, chance)
        outage.failed(error, pause)
        await sleep(clock, pause, unknown === null ? signal : undefined)
      }
    }
  }
}

function isRepeatable(error: unknown): boolean {
  return MillraceError.is(error, 'STORE_UNREACHABLE') || MillraceError.is(error, 'OUTCOME_UNKNOWN')
}
