/**
 * One job on its way through an isolate. Promises to end once, with what is asked for the job: the
 * first end counts, and it waits for nobody who died. Which isolate does it is left to the pool.
 */
import type { Asked, Live } from '../../engine/engine.js'
import type { Encoded } from '../../job/codec.js'
import type { Clock } from '../../time/clock.js'
import type { Handed } from './wire.js'

export class Errand {
  readonly done: Promise<Asked>
  readonly live: Live
  readonly #payload: Encoded
  readonly #deadline: number
  #resolve: (asked: Asked) => void = () => undefined
  #onAbort: () => void = () => undefined
  #isOver = false

  /** `payload`: what the handler shall get, in place of what is stored. */
  constructor(live: Live, payload: Encoded, clock: Clock) {
    this.live = live
    this.#payload = payload
    this.#deadline = clock.mono() + live.claimed.timeout
    this.done = new Promise((resolve) => (this.#resolve = resolve))
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** How much of its time is left. */
  timeLeft(clock: Clock): number {
    return Math.max(0, this.#deadline - clock.mono())
  }

  /** What crosses to the isolate: field by field, since a store may hand out more than data. */
  get handed(): Handed {
    const { claimed, settings, worker } = this.live
    const { queue, id, token, task, attempt, round, maxAttempts, priority, group } = claimed
    const { tags, meta, history, origin, timeout, waited, crashes, steps } = claimed
    return {
      claimed: {
        ...{ queue, id, token, task, attempt, round, maxAttempts, priority, group },
        ...{ tags, meta, history, origin, timeout, waited, crashes, payload: this.#payload },
        ...(steps === undefined ? {} : { steps }),
      },
      settings,
      worker,
    }
  }

  /** Calls once when its signal aborts, unless it is over by then. */
  onAbort(run: () => void): void {
    const { signal } = this.live
    if (signal.aborted) return run()
    this.#onAbort = run
    signal.addEventListener('abort', run, { once: true })
  }

  end(asked: Asked): void {
    if (this.#isOver) return
    this.#isOver = true
    this.live.signal.removeEventListener('abort', this.#onAbort)
    this.#resolve(asked)
  }

  fail(error: unknown): void {
    this.end({ kind: 'fail', error })
  }
}
