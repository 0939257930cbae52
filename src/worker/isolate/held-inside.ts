/**
 * A job as it is held inside an isolate: what `RunningJob` needs to be the same thing there as in
 * the worker's own process. Progress and log lines go out at once, and then at most every
 * `ISOLATE_NOTES`: also while the handler never lets the event loop turn, and never as a flood.
 */
import { cutBytes } from '../../engine/attempt-error.js'
import type { Live } from '../../engine/engine.js'
import type { Claimed } from '../../job/claim.js'
import { ISOLATE_NOTES, LOG_LINES, LOG_LINE_BYTES } from '../../job/defaults.js'
import type { Settings } from '../../job/settings.js'
import type { Clock, Timer } from '../../time/clock.js'
import type { Handed, Notes } from './wire.js'

export class HeldInside implements Live {
  readonly claimed: Claimed
  readonly settings: Settings
  readonly worker: string
  readonly #clock: Clock
  readonly #send: (notes: Notes) => void
  readonly #controller = new AbortController()
  #progress: number | null = null
  #log: string[] = []
  #sentAt = -Infinity
  #timer: Timer | null = null

  constructor(job: Handed, clock: Clock, send: (notes: Notes) => void) {
    this.claimed = job.claimed
    this.settings = job.settings
    this.worker = job.worker
    this.#clock = clock
    this.#send = send
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

  abort(reason: Error): void {
    this.#controller.abort(reason)
  }

  /** What was not sent yet goes now; for when the handler has answered. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#progress === null && this.#log.length === 0) return
    const notes = { progress: this.#progress, log: this.#log }
    this.#progress = null
    this.#log = []
    this.#sentAt = this.#clock.mono()
    this.#send(notes)
  }

  #tell(): void {
    const wait = this.#sentAt + ISOLATE_NOTES - this.#clock.mono()
    if (wait <= 0) this.flush()
    else this.#timer ??= this.#clock.after(wait, () => this.flush(), { ref: false })
  }
}
