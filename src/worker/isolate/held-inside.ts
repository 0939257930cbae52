/**
 * A job as it is held inside an isolate: what `RunningJob` needs to be the same thing there as in
 * the worker's own process. Progress and log lines go out at once, and then at most every
 * `ISOLATE_NOTES`: also while the handler never lets the event loop turn, and never as a flood.
 */
import { cutBytes } from '../../engine/attempt-error.js'
import type { Live } from '../../engine/engine.js'
import type { Claimed } from '../../job/claim.js'
import { ISOLATE_NOTES, LOG_LINES, LOG_LINE_BYTES } from '../../job/defaults.js'
import type { ParentRow, Step } from '../../job/job.js'
import type { Settings } from '../../job/settings.js'
import { noneInIsolates } from '../../job/no-transactions.js'
import type { Noted, Settled, Throttle } from '../../job/verdict.js'
import type { Clock, Timer } from '../../time/clock.js'
import { fromErrorText } from './wire.js'
import type { Handed, Kept, Notes, Parents } from './wire.js'

/** The way out, to the worker. */
export interface Outward {
  notes(notes: Notes): void
  step(call: number, step: Step): void
  parents(call: number): void
}

/** Who waits for a step to be kept, or for what the store knows of parents. */
interface Waiting<T> {
  readonly resolve: (answer: T) => void
  readonly reject: (error: unknown) => void
}

export class HeldInside implements Live {
  readonly claimed: Claimed
  readonly settings: Settings
  readonly worker: string
  readonly #clock: Clock
  readonly #outward: Outward
  readonly #controller = new AbortController()
  #progress: number | null = null
  #log: string[] = []
  #throttles: Throttle[] = []
  #sentAt = -Infinity
  #timer: Timer | null = null
  readonly #waiting = new Map<number, Waiting<Noted>>()
  readonly #asking = new Map<number, Waiting<readonly ParentRow[] | null>>()
  #calls = 0
  #isHeld = true

  constructor(job: Handed, clock: Clock, outward: Outward) {
    this.claimed = job.claimed
    this.settings = job.settings
    this.worker = job.worker
    this.#clock = clock
    this.#outward = outward
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  progress(fraction: number): void {
    this.#progress = fraction
    this.#tell()
  }

  log(line: string): void {
    this.#log.push(cutBytes(line, LOG_LINE_BYTES))
    if (this.#log.length > LOG_LINES) this.#log.shift()
    this.#tell()
  }

  /** Goes out at once. */
  throttle(throttle: Throttle): void {
    this.#throttles.push(throttle)
    this.flush()
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  /** It cannot. */
  readonly isCommitting = false

  /** The transaction is the worker's, and a function cannot be sent there. */
  commit(): Promise<Settled> {
    return Promise.reject(noneInIsolates('job.commit'))
  }

  keep(step: Step): Promise<Noted> {
    if (!this.#isHeld) return Promise.resolve('lost')
    return new Promise((resolve, reject) => {
      const call = ++this.#calls
      this.#waiting.set(call, { resolve, reject })
      this.#outward.step(call, step)
    })
  }

  /** The worker's answer to a step. */
  kept(call: number, kept: Kept): void {
    const waiting = this.#waiting.get(call)
    this.#waiting.delete(call)
    if ('noted' in kept) waiting?.resolve(kept.noted)
    else waiting?.reject(fromErrorText(kept.error))
  }

  parents(): Promise<readonly ParentRow[] | null> {
    if (!this.#isHeld) return Promise.resolve(null)
    return new Promise((resolve, reject) => {
      const call = ++this.#calls
      this.#asking.set(call, { resolve, reject })
      this.#outward.parents(call)
    })
  }

  /** The worker's answer about parents. */
  toldParents(call: number, told: Parents): void {
    const asking = this.#asking.get(call)
    this.#asking.delete(call)
    if ('rows' in told) asking?.resolve(told.rows)
    else asking?.reject(fromErrorText(told.error))
  }

  /** The handler has answered: what it said goes out, and what it still does counts no more. */
  end(): void {
    this.#isHeld = false
    this.flush()
    for (const { resolve } of this.#waiting.values()) resolve('lost')
    this.#waiting.clear()
    this.#asking.clear() // who asked and did not wait needs no answer
  }

  abort(reason: Error): void {
    this.#controller.abort(reason)
  }

  /** What was not sent yet goes now. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    const notes = { progress: this.#progress, log: this.#log }
    const throttles = this.#throttles
    if (notes.progress === null && notes.log.length + throttles.length === 0) return
    this.#progress = null
    this.#log = []
    this.#throttles = []
    this.#sentAt = this.#clock.mono()
    this.#outward.notes(throttles.length === 0 ? notes : { ...notes, throttles })
  }

  #tell(): void {
    const wait = this.#sentAt + ISOLATE_NOTES - this.#clock.mono()
    if (wait <= 0) this.flush()
    else this.#timer ??= this.#clock.after(wait, () => this.flush(), { ref: false })
  }
}
