/**
 * The isolates of one worker: at most one for each of its slots, begun when a job wants one, kept
 * for the next, ended when there is nothing to do for long. Promises:
 *
 * - Who is killed is replaced at once, when somebody waits; one that dies slowly (a thread in native
 *   code) holds up nobody until there are `ISOLATES_DYING` of them.
 * - A module that does not load fails who waits for it, and is tried again after a breath that
 *   grows, one isolate at a time: no loop is kept busy by it.
 * - An attempt that is over has no isolate: at its timeout, when its lease is lost and when the
 *   stop runs out it is killed at once, since the job may run elsewhere by then. One that is asked
 *   to cancel is ours still, and has a grace.
 */
import {
  ISOLATE_GONE,
  ISOLATE_RESTART_MAX,
  ISOLATE_RESTART_MIN,
  ISOLATES_DYING,
} from '../../job/defaults.js'
import { MillraceError, millraceError } from '../../job/errors.js'
import type { Asked, Live } from '../../engine/engine.js'
import type { Encoded } from '../../job/codec.js'
import { atMost } from '../../time/clock.js'
import type { Timer } from '../../time/clock.js'
import { Errand } from './errand.js'
import { Isolate } from './isolate.js'
import type { Keeper, Mould } from './isolate.js'

/** Somebody who wants to know the module's tasks. */
interface Learner {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class Pool implements Keeper {
  readonly #mould: Mould
  readonly #size: number
  /** Starting, idle or busy: at most `size`. */
  readonly #living = new Set<Isolate>()
  readonly #starting = new Set<Isolate>()
  /** The one used last is last, and used next: the others may get their rest. */
  readonly #idle: Isolate[] = []
  readonly #dying = new Set<Isolate>()
  readonly #waiting = new Set<Errand>()
  readonly #holders = new Map<Errand, Isolate>()
  readonly #learners: Learner[] = []
  #tasks: readonly string[] | null = null
  /** Starts in a row that failed, and the breath after the last of them. */
  #failures = 0
  #breath: Timer | null = null
  #closing: Promise<void> | null = null

  constructor(mould: Mould, size: number) {
    this.#mould = mould
    this.#size = size
  }

  /** What the module handles; null until one isolate has loaded it. */
  get tasks(): readonly string[] | null {
    return this.#tasks
  }

  /** Answers when `tasks` are known; rejects when the module did not load. */
  learn(): Promise<void> {
    if (this.#closing !== null) return Promise.reject(this.#closed())
    return new Promise((resolve, reject) => {
      this.#learners.push({ resolve, reject })
      this.#serve()
    })
  }

  /** Runs a job; never rejects. */
  run(live: Live, payload: Encoded): Promise<Asked> {
    const errand = new Errand(live, payload, this.#mould.clock)
    if (this.#closing !== null) errand.fail(this.#closed())
    else {
      this.#waiting.add(errand)
      errand.onAbort(() => this.#aborted(errand))
      this.#serve()
    }
    return errand.done
  }

  /** Ends all of them; answers when they are gone, or will not go for now. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  // ── What isolates tell ────────────────────────────────────────────────────────────────────────

  ready(isolate: Isolate, tasks: readonly string[]): void {
    this.#starting.delete(isolate)
    this.#failures = 0
    this.#tasks = tasks
    for (const learner of this.#learners.splice(0)) learner.resolve()
    this.free(isolate)
  }

  free(isolate: Isolate): void {
    this.#idle.push(isolate)
    this.#serve()
  }

  unready(_isolate: Isolate, error: Error): void {
    this.#failures++
    this.#takeBreath()
    for (const learner of this.#learners.splice(0)) learner.reject(error)
    for (const errand of [...this.#waiting]) {
      this.#waiting.delete(errand)
      errand.fail(error)
    }
  }

  leaving(isolate: Isolate): void {
    this.#living.delete(isolate)
    this.#starting.delete(isolate)
    const at = this.#idle.indexOf(isolate)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#dying.add(isolate)
    this.#serve()
  }

  gone(isolate: Isolate): void {
    this.#dying.delete(isolate)
    this.#serve()
  }

  // ── Who does what ─────────────────────────────────────────────────────────────────────────────

  /** Hands errands to who is idle, and begins isolates for those that are left. */
  #serve(): void {
    if (this.#closing !== null) return
    for (const errand of this.#waiting) {
      const isolate = this.#idle.pop()
      if (isolate === undefined) break
      this.#waiting.delete(errand)
      this.#hand(errand, isolate)
    }
    while (this.#wantsMore()) {
      const isolate = new Isolate(this.#mould, this)
      this.#living.add(isolate)
      this.#starting.add(isolate)
    }
  }

  #hand(errand: Errand, isolate: Isolate): void {
    this.#holders.set(errand, isolate)
    void errand.done.then(() => this.#holders.delete(errand))
    isolate.run(errand)
  }

  #wantsMore(): boolean {
    const learning = this.#learners.length > 0 ? 1 : 0
    const wanted = Math.max(this.#waiting.size, learning)
    if (this.#starting.size >= (this.#failures > 0 ? Math.min(1, wanted) : wanted)) return false
    if (this.#breath !== null || this.#living.size >= this.#size) return false
    return this.#living.size + this.#dying.size < this.#size + ISOLATES_DYING
  }

  #takeBreath(): void {
    const breath = Math.min(ISOLATE_RESTART_MAX, ISOLATE_RESTART_MIN * 2 ** (this.#failures - 1))
    this.#breath?.cancel()
    this.#breath = this.#mould.clock.after(
      breath,
      () => {
        this.#breath = null
        this.#serve()
      },
      { ref: false },
    )
  }

  #aborted(errand: Errand): void {
    const error: unknown = errand.live.signal.reason
    const isolate = this.#holders.get(errand)
    if (isolate !== undefined && MillraceError.is(error, 'JOB_CANCELLED')) {
      return isolate.cancel(error)
    }
    if (isolate !== undefined) return isolate.kill(error)
    this.#waiting.delete(errand)
    errand.fail(error)
  }

  async #close(): Promise<void> {
    this.#breath?.cancel()
    for (const learner of this.#learners.splice(0)) learner.reject(this.#closed())
    for (const errand of this.#waiting) errand.fail(this.#closed())
    this.#waiting.clear()
    const all = [...this.#living, ...this.#dying]
    for (const isolate of [...this.#living]) {
      if (isolate.isBusy) isolate.kill(this.#closed())
      else isolate.end()
    }
    for (const isolate of all) isolate.keepAlive(true)
    const gone = Promise.all(all.map((isolate) => isolate.gone))
    await atMost(this.#mould.clock, ISOLATE_GONE, gone)
    for (const isolate of this.#dying) isolate.keepAlive(false)
  }

  #closed(): MillraceError {
    return millraceError({
      code: 'STORE_CLOSED',
      subject: `isolates of ${this.#mould.module.href}`,
      expected: 'a worker that runs',
      remedy: 'it was stopped; start another one',
    })
  }
}
