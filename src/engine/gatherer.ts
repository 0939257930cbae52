/**
 * What a worker has claimed and not started, in the order of its claims, and which of it is ready
 * to start. A plain worker starts one job at a time, at once. A worker of batches starts up to
 * `size` jobs of one task together, and lets a batch that is not full wait for company, at most
 * `wait` since its first job came. Promises: tasks are never merged; within a batch jobs stand in
 * the order of their claims; `onReady` is called when a wait is over; `onStale` is called while jobs of
 * a plain worker wait for longer than `PREFETCH_PATIENCE`. Slots are the worker's.
 */
import { PREFETCH_PATIENCE } from '../job/defaults.js'
import type { Millis } from '../job/job.js'
import type { Clock, Timer } from '../time/clock.js'
import type { Attempt } from './runner.js'

export interface GathererOptions {
  readonly clock: Clock
  /** Jobs started together at most. */
  readonly size: number
  readonly wait: Millis
  readonly onReady: () => void
  readonly onStale: () => void
}

export class Gatherer {
  readonly #options: GathererOptions
  readonly #waiting: Attempt[] = []
  /** Nobody else is expected: what is here does not wait. */
  #hurried = false
  #timer: Timer | null = null
  /** When the timer fires, by `mono`. */
  #armed = Infinity

  constructor(options: GathererOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#waiting.length
  }

  add(attempt: Attempt): void {
    this.#waiting.push(attempt)
  }

  /**
   * What is ready to start together, taken out; empty when nothing is. `mayGrow` false: there is no
   * room for company, so none is waited for.
   */
  next(mayGrow: boolean): readonly Attempt[] {
    if (this.#options.size > 1) return this.#nextBatch(mayGrow)
    const first = this.#waiting.shift()
    return first === undefined ? [] : [first]
  }

  /** What is here now need not wait any longer. */
  hurry(): void {
    this.#hurried = this.#waiting.length > 0
  }

  /** What found no slot is not to wait for one for ever. */
  watch(): void {
    const { clock, size } = this.#options
    if (size > 1 || this.#waiting.length === 0 || this.#armed !== Infinity) return
    this.#arm(clock.mono() + PREFETCH_PATIENCE, () => {
      this.#options.onStale()
      this.watch()
    })
  }

  /** Those that have waited for longer than `PREFETCH_PATIENCE`, beyond the first `kept`, taken out. */
  stale(kept: number): readonly Attempt[] {
    const since = this.#options.clock.mono() - PREFETCH_PATIENCE
    const fresh = this.#waiting.findIndex(({ claimedAt }) => claimedAt > since)
    const upTo = fresh < 0 ? this.#waiting.length : fresh
    return this.#waiting.splice(kept, Math.max(0, upTo - kept))
  }

  /** It is not to be started any more. */
  forget(attempt: Attempt): void {
    const at = this.#waiting.indexOf(attempt)
    if (at >= 0) this.#waiting.splice(at, 1)
  }

  /** Everything, taken out. */
  drain(): readonly Attempt[] {
    this.#calm()
    return this.#waiting.splice(0)
  }

  /** The first full batch, else the one whose first job has waited long enough. */
  #nextBatch(mayGrow: boolean): readonly Attempt[] {
    const { clock, size, wait } = this.#options
    const rows = new Map<string, Attempt[]>()
    for (const attempt of this.#waiting) {
      const { task } = attempt.claimed
      const row = rows.get(task) ?? []
      if (row.push(attempt) === size) return this.#take(row)
      rows.set(task, row)
    }
    // By the arrival of their first jobs, so only the first of them may have waited long enough.
    const [oldest] = rows.values()
    if (oldest === undefined) return []
    const { claimedAt, grant } = oldest[0]
    const startBy = grant?.until ?? Infinity
    // Half of what a rate allows is kept for the start itself.
    const due = claimedAt + Math.min(wait, (startBy - claimedAt) / 2)
    if (!mayGrow || this.#hurried || clock.mono() >= due) return this.#take(oldest)
    this.#arm(due, this.#options.onReady)
    return []
  }

  #take(row: readonly Attempt[]): readonly Attempt[] {
    const taken = new Set(row)
    const rest = this.#waiting.filter((attempt) => !taken.has(attempt))
    this.#waiting.splice(0, this.#waiting.length, ...rest)
    if (rest.length === 0) this.#calm()
    return row
  }

  #arm(due: number, run: () => void): void {
    if (due === this.#armed) return
    const { clock } = this.#options
    this.#timer?.cancel()
    this.#armed = due
    const ring = (): void => {
      this.#armed = Infinity
      run()
    }
    this.#timer = clock.after(Math.max(0, due - clock.mono()), ring, { ref: false })
  }

  #calm(): void {
    this.#hurried = false
    this.#timer?.cancel()
    this.#timer = null
    this.#armed = Infinity
  }
}
