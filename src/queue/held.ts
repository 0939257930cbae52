/**
 * A job that was pulled by hand: its data, and one method for each way to end it. Promises that a
 * verdict is durable when it answers, that a dead token throws LEASE_LOST, and that what is disposed
 * unsettled is given back. Holding it alive and ending it past its timeout are the engine's.
 */
import type { Asked, Held } from '../engine/engine.js'
import { onlyOnce } from '../engine/judge.js'
import { MillraceError } from '../job/errors.js'
import type { Schema } from '../job/schema.js'
import { historyOf, metaOf, originOf } from '../job/view.js'
import type { Attempt, Origin } from '../job/view.js'
import { fractionOf, throttling, tokenOf } from '../job-face.js'
import type { LiveJob, ResultArgs, Token } from '../job-face.js'
import { parentsOf } from '../parents.js'
import type { ParentView } from '../parents.js'
import { resultFor } from '../perform.js'
import { JobSteps, leaseLost } from '../steps.js'
import type { Duration } from '../time/duration.js'
import { discarding, snoozing } from '../verdict.js'

/**
 * Pulled by hand. Each verdict answers when it is durable; a dead token throws LEASE_LOST.
 * Disposed unsettled: released, or, on an at-most-once queue, discarded with the reason 'unknown'.
 * Past the timeout: a failed attempt.
 */
export interface HeldJob<P = unknown, Ret = unknown> extends LiveJob<P>, AsyncDisposable {
  /** A result that does not fit fails the attempt, and throws RESULT_INVALID. */
  complete(...result: ResultArgs<Ret>): Promise<void>
  fail(error: unknown): Promise<void>
  /** Again later, at a new place. On an at-most-once queue OPTION_INVALID; the job stays held. */
  snooze(delay: Duration): Promise<void>
  /** Again at once, at its old place. On an at-most-once queue OPTION_INVALID; the job stays held. */
  release(): Promise<void>
  discard(reason: string): Promise<void>
  cancel(reason?: string): Promise<void>
}

/** Told once, when it is no longer held: settled, timed out, or lost. */
export type OnLetGo = (job: PulledJob) => void

/** An at-most-once job whose taker let go of it without a word. */
const FORGOTTEN: Asked = {
  kind: 'discard',
  reason: 'unknown',
  message: 'who had taken it let go of it without a verdict',
}

export class PulledJob implements HeldJob<unknown, unknown> {
  readonly id: string
  readonly queue: string
  readonly task: string
  readonly payload: unknown
  readonly attempt: number
  readonly maxAttempts: number
  readonly priority: number
  readonly group: string
  readonly tags: readonly string[]
  readonly token: Token
  readonly #held: Held
  readonly #output: Schema | null
  readonly #onLetGo: OnLetGo | null
  /** 'settling': a verdict is on its way; its failure to arrive makes it 'held' again. */
  #state: 'held' | 'settling' | 'let go' = 'held'
  #meta: Readonly<Record<string, unknown>> | null = null
  #history: readonly Attempt[] | null = null
  #origin: Origin | null = null
  #steps: JobSteps | null = null

  constructor(held: Held, payload: unknown, output: Schema | null, onLetGo: OnLetGo | null) {
    const { claimed } = held.live
    this.id = claimed.id
    this.queue = claimed.queue
    this.task = claimed.task
    this.payload = payload
    this.attempt = claimed.attempt
    this.maxAttempts = claimed.maxAttempts
    this.priority = claimed.priority
    this.group = claimed.group
    this.tags = claimed.tags
    this.token = tokenOf(claimed)
    this.#held = held
    this.#output = output
    this.#onLetGo = onLetGo
    if (onLetGo !== null) this.signal.addEventListener('abort', () => this.#letGo(), { once: true })
  }

  get meta(): Readonly<Record<string, unknown>> {
    return (this.#meta ??= metaOf(this.#held.live.claimed.meta))
  }
  get history(): readonly Attempt[] {
    return (this.#history ??= historyOf(this.#held.live.claimed.history))
  }
  get origin(): Origin | null {
    return (this.#origin ??= originOf(this.#held.live.claimed.origin))
  }
  get signal(): AbortSignal {
    return this.#held.live.signal
  }

  parents(): Promise<readonly ParentView[]> {
    return parentsOf(this.#held.live)
  }

  progress(fraction: number): void {
    this.#held.live.progress(fractionOf(fraction))
  }
  log(line: string): void {
    this.#held.live.log(String(line))
  }
  step<T>(name: string, run: () => T | Promise<T>): Promise<T> {
    this.#steps ??= new JobSteps(this.#held.live)
    return this.#steps.do(name, run) as Promise<T> // as: the caller names the type, as with any stored data
  }
  throttle(delay: Duration, what: unknown = 'queue'): void {
    this.#held.live.throttle(throttling(this.#held.live, delay, what))
  }

  complete(result?: unknown): Promise<void> {
    return this.#verdict(async () => {
      const encoded = await resultFor(this.#held.live, result, this.#output).catch(
        async (error: unknown) => {
          await this.#held.settle({ kind: 'fail', error })
          this.#letGo()
          throw error
        },
      )
      await this.#held.settle({ kind: 'complete', result: encoded })
    })
  }
  fail(error: unknown): Promise<void> {
    return this.#settle({ kind: 'fail', error })
  }
  async snooze(delay: Duration): Promise<void> {
    await this.#settle(snoozing(delay))
  }
  release(): Promise<void> {
    return this.#settle({ kind: 'release' })
  }
  discard(reason: string): Promise<void> {
    return this.#settle(discarding(reason))
  }
  cancel(reason?: string): Promise<void> {
    return this.#settle({ kind: 'cancel', reason: reason ?? null })
  }

  /**
   * Gives it back, unless it was settled, timed out or lost: then there is nothing to give. What may
   * not come back is gone, and nobody said how it went.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'held' || this.signal.aborted) return
    try {
      await this.#settle(this.#isOnce ? FORGOTTEN : { kind: 'release' })
    } catch (error) {
      // It was lost on the way: then somebody else has it, which is what a release is for.
      if (!MillraceError.is(error, 'LEASE_LOST')) throw error
    }
  }

  get #isOnce(): boolean {
    return this.#held.live.settings.delivery === 'at-most-once'
  }

  async #settle(asked: Asked): Promise<void> {
    const isAgain = asked.kind === 'snooze' || asked.kind === 'release'
    if (this.#state === 'held' && isAgain && this.#isOnce) throw onlyOnce(this, asked.kind)
    await this.#verdict(() => this.#held.settle(asked))
  }

  /** The first verdict counts from its call on: who disposes of the job meanwhile takes nothing back. */
  async #verdict(say: () => Promise<void>): Promise<void> {
    if (this.#state !== 'held') throw leaseLost(this)
    this.#state = 'settling'
    try {
      await say()
    } catch (error) {
      if (this.#state === 'settling') this.#state = 'held'
      throw error
    }
    this.#letGo()
  }

  #letGo(): void {
    if (this.#state === 'let go') return
    this.#state = 'let go'
    this.#onLetGo?.(this)
  }
}
