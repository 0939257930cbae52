/**
 * A worker's life: its slots, what it fetched ahead, and its end.
 *
 *     working ⇄ paused
 *        └──── draining ── all ended, or time is up: abort and give back ──▶ stopped
 *
 * Promises: never more runs at once than `concurrency`; a slot that is free takes the next job at
 * once; pause and stop give back what was not started and answer when that is done; a stop ends
 * within its time (and what the store needs to hear of it); a worker that has stopped runs nothing.
 * When to claim is left to the poller, what a run is to `runner.ts`.
 */
import type { ClaimAnswer } from '../job/claim.js'
import { CRASHES_UNTIL_ALONE, SETTLE_WAIT, TURN_SPAN, TURN_STARTS } from '../job/defaults.js'
import type { Millis } from '../job/job.js'
import type { Settled } from '../job/verdict.js'
import type { WorkerCard } from '../store.js'
import type { BackoffFunction } from './judge.js'
import type { OpenClaim } from './ledger.js'
import { Poller } from './poller.js'
import type { Host, PollerOptions } from './poller.js'
import { Attempt } from './runner.js'
import type { Employer, Perform, Workshop } from './runner.js'
import type { Neighbour, Solitude } from './solitude.js'

export interface WorkSpec {
  readonly queue: string
  /** The tasks that it knows; null: any. */
  readonly tasks: readonly string[] | null
  readonly concurrency: number
  readonly perform: Perform
  /** For queues whose backoff is a function. */
  readonly backoff: BackoffFunction | null
}

export type WorkerState = 'working' | 'paused' | 'draining' | 'stopped'

export interface WorkerHandle {
  readonly id: string
  readonly queue: string
  readonly running: number
  readonly state: WorkerState
  /** Takes no more; answers when what it fetched ahead went back. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Drains for at most `timeout`, then aborts and gives back. */
  stop(options: { readonly timeout: Millis }): Promise<void>
}

export interface WorkingOptions extends PollerOptions {
  readonly shop: Workshop
  readonly solitude: Solitude
  /** The node must look first what it still holds: nothing may start. */
  readonly halted: () => boolean
  /** Its card changed. */
  readonly onChange: (worker: Working) => void
  /** A run ended, whatever became of it. */
  readonly onRan: () => void
  /** It may be idle now. */
  readonly onStill: () => void
}

export class Working implements WorkerHandle, Employer, Host, Neighbour {
  readonly id: string
  readonly #spec: WorkSpec
  readonly #options: WorkingOptions
  readonly #poller: Poller
  /** Claimed and not started, in the order of the claims. */
  readonly #buffer: Attempt[] = []
  readonly #running = new Set<Attempt>()
  readonly #whenFewer: (() => void)[] = []
  #state: WorkerState = 'working'
  /** Known to the store: before that it must not claim. */
  #enlisted = false
  /** Not settled yet, in whatever state. */
  #held = 0
  #released = 0
  /** Starts in this turn of the loop, and when the first of them was. */
  #starts = 0
  #turnedAt = 0
  #stopping: Promise<void> | null = null
  #found: 'unknown' | 'nothing' | 'something' = 'unknown'

  constructor(id: string, spec: WorkSpec, options: WorkingOptions) {
    this.id = id
    this.#spec = spec
    this.#options = options
    this.#poller = new Poller(options, this)
  }

  // ── How it looks from outside ─────────────────────────────────────────────────────────────────

  get queue(): string {
    return this.#spec.queue
  }
  get worker(): string {
    return this.id
  }
  get tasks(): readonly string[] | null {
    return this.#spec.tasks
  }
  get concurrency(): number {
    return this.#spec.concurrency
  }
  get backoff(): BackoffFunction | null {
    return this.#spec.backoff
  }
  get running(): number {
    return this.#running.size
  }
  get buffered(): number {
    return this.#buffer.length
  }
  get state(): WorkerState {
    return this.#state
  }
  get open(): boolean {
    return this.#enlisted && this.#state === 'working'
  }

  get card(): WorkerCard {
    const { id: worker, queue, tasks, concurrency, state } = this
    return { worker, queue, tasks, concurrency, state }
  }

  /** Whether it holds nothing, and was told since it last looked that nothing is due. */
  get isIdle(): boolean {
    if (this.#held > 0 || this.#poller.asking) return false
    if (!this.#enlisted && this.#state === 'working') return this.concurrency === 0
    return !this.open || this.concurrency === 0 || this.#found === 'nothing'
  }

  // ── Its life ──────────────────────────────────────────────────────────────────────────────────

  /** The store knows it: now it may claim. */
  enlisted(): void {
    if (this.#enlisted) return
    this.#enlisted = true
    this.look()
  }

  /** A hint, or somebody who wants to know: look now. */
  look(): void {
    this.#found = 'unknown'
    this.#pump()
    this.#poller.wake()
  }

  async pause(): Promise<void> {
    if (this.#state !== 'working') return
    this.#become('paused')
    this.makeRoom()
    await this.#until(() => {
      const quiet = !this.#poller.asking && this.#held <= this.#running.size
      return quiet || this.#state !== 'paused'
    })
  }

  async resume(): Promise<void> {
    if (this.#state !== 'paused') return
    this.#become('working')
    this.look()
  }

  stop({ timeout }: { readonly timeout: Millis }): Promise<void> {
    this.#stopping ??= this.#stop(timeout)
    return this.#stopping
  }

  async #stop(timeout: Millis): Promise<void> {
    const { clock, events } = this.#options.shop
    this.#become('draining')
    this.makeRoom()
    const cut = clock.after(timeout, () => {
      for (const attempt of [...this.#running]) attempt.cutShort()
    })
    // What the store does not hear of by then it learns from the end of our beats.
    let patient = true
    const enough = clock.after(timeout + SETTLE_WAIT, () => {
      patient = false
      this.rested()
    })
    await this.#until(() => !patient || (!this.#poller.asking && this.#held === 0))
    cut.cancel()
    enough.cancel()
    this.#options.solitude.unwish(this.#poller)
    this.#become('stopped')
    const { id: worker, queue } = this
    events.emit('worker.stopped', { worker, queue, released: this.#released })
  }

  #become(state: WorkerState): void {
    this.#state = state
    if (state !== 'working') this.#poller.rest()
    this.#options.onChange(this)
  }

  /** Answers when `done` holds, which is looked at on every change. */
  async #until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => this.#whenFewer.push(resolve))
    }
  }

  /** The poller asks no more, or something was settled. */
  rested(): void {
    for (const resolve of this.#whenFewer.splice(0)) resolve()
    this.#options.onStill()
  }

  // ── Its jobs ──────────────────────────────────────────────────────────────────────────────────

  received(answer: ClaimAnswer, claim: OpenClaim): void {
    const { shop, solitude } = this.#options
    const { jobs, settings } = answer
    const at = shop.clock.mono()
    if (jobs.length > 0) this.#found = 'something'
    for (const claimed of jobs) {
      const attempt = new Attempt(shop, this, { claimed, settings, claim, at })
      this.#held++
      if (!this.open || solitude.shut) this.#giveBack(attempt)
      else if (claimed.crashes < CRASHES_UNTIL_ALONE) this.#buffer.push(attempt)
      else solitude.enter(attempt, () => this.#start(attempt))
    }
    this.#pump()
  }

  foundNothing(): void {
    this.#found = 'nothing'
    this.#options.onStill()
  }

  /** Something else must run alone. */
  makeRoom(): void {
    for (const attempt of this.#buffer.splice(0)) this.#giveBack(attempt)
  }

  #giveBack(attempt: Attempt): void {
    this.#released++
    attempt.giveBack()
  }

  /** Starts what it has while slots are free; after a while it lets others have their turn. */
  #pump(): void {
    if (this.#options.halted()) return
    while (this.#buffer.length > 0 && this.#running.size < this.concurrency) {
      if (this.#turnIsUp()) return
      const next = this.#buffer.shift()
      if (next !== undefined) this.#start(next)
    }
  }

  /** Many starts, or some that took long, are enough for one turn of the loop. */
  #turnIsUp(): boolean {
    const { clock } = this.#options.shop
    if (this.#starts === 0) {
      this.#turnedAt = clock.mono()
      clock.soon(() => this.#nextTurn())
    }
    this.#starts++
    if (clock.mono() - this.#turnedAt > TURN_SPAN) this.#starts = TURN_STARTS + 1
    return this.#starts > TURN_STARTS
  }

  #nextTurn(): void {
    const held = this.#starts > TURN_STARTS
    this.#starts = 0
    if (!held) return
    this.#pump()
    this.#poller.wake()
  }

  #start(attempt: Attempt): void {
    if (attempt.state !== 'held') return
    if (this.#running.size === 0) this.#poller.busy()
    this.#running.add(attempt)
    void attempt.run(this.#spec.perform)
  }

  freed(attempt: Attempt): void {
    this.#running.delete(attempt)
    this.#poller.ended()
    this.#options.onRan()
    this.#pump()
    this.#poller.wake()
  }

  settled(attempt: Attempt, answer: Settled): void {
    this.#held--
    if (answer.status === 'lost') this.#forget(attempt)
    if (this.#whenFewer.length > 0 || this.#held === 0) this.rested()
  }

  /** It may have been lost before it began. */
  #forget(attempt: Attempt): void {
    const at = this.#buffer.indexOf(attempt)
    if (at >= 0) this.#buffer.splice(at, 1)
  }
}
