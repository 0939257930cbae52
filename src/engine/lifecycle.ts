/**
 * A worker's life: its slots, what it fetched ahead, and its end.
 *
 *     working ⇄ paused
 *        └──── draining ── all ended, or time is up: abort and give back ──▶ stopped
 *
 * Promises: never more runs at once than `concurrency`; a slot that is free takes the next job, or
 * batch, once it is ready; what was fetched ahead and finds no slot soon goes back to others; pause
 * and stop give back what was not started (a batch that still waits to fill, too) and answer when
 * that is done; a stop ends within its time (and what the store needs to hear of it); a worker that
 * has stopped runs nothing.
 * When to claim is left to the poller, what a run is to `runner.ts`.
 */
import type { ClaimAnswer } from '../job/claim.js'
import { CRASHES_UNTIL_ALONE, OUTAGE_TOLD_EVERY, SETTLE_WAIT } from '../job/defaults.js'
import { TURN_SPAN, TURN_STARTS } from '../job/defaults.js'
import type { Millis } from '../job/job.js'
import type { Settled } from '../job/verdict.js'
import type { WorkerCard } from '../store.js'
import { startedLate } from './allowance.js'
import type { Sent } from './allowance.js'
import { Gatherer } from './gatherer.js'
import type { BackoffFunction } from './judge.js'
import type { OpenClaim } from './ledger.js'
import { Poller } from './poller.js'
import type { Host, PollerOptions } from './poller.js'
import type { Rest } from './rest.js'
import { Attempt } from './runner.js'
import type { Employer, Live, Perform } from './runner.js'
import type { Neighbour, Solitude } from './solitude.js'
import type { Workshop } from './workshop.js'

export interface WorkSpec {
  readonly queue: string
  /** The tasks that it knows; null: any. */
  readonly tasks: readonly string[] | null
  /** Runs at once; a batch is one. */
  readonly concurrency: number
  readonly perform: Perform | Batching
  /** For queues whose backoff is a function. */
  readonly backoff: BackoffFunction | null
}

/** How jobs are run together. */
export interface Batching {
  /** So many jobs of one task at most. */
  readonly size: number
  /** How long a batch waits until it is full, since its first job came. */
  readonly wait: Millis
  /** What each of these is run by. All of them begin before the next turn of the loop. */
  together(lives: readonly Live[]): Perform
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
  readonly rest: Rest
  /** Somebody waits until nothing is left to run: batches wait for no company. */
  readonly hurried: () => boolean
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
  readonly #batching: Batching | null
  /** Claimed and not started. */
  readonly #gatherer: Gatherer
  readonly #running = new Map<Attempt, Run>()
  readonly #whenFewer: (() => void)[] = []
  #state: WorkerState = 'working'
  /** Runs at once, now. */
  #slots = 0
  /** Known to the store: before that it must not claim. */
  #enlisted = false
  /** Not settled yet, in whatever state. */
  #held = 0
  #released = 0
  /** Starts in this turn of the loop, and when the first of them was. */
  #starts = 0
  #turnedAt = 0
  #stopping: Promise<void> | null = null
  /** When it was last told that jobs of a rate could not be started in time. */
  #lateTold = -Infinity
  #found: 'unknown' | 'nothing' | 'something' = 'unknown'

  constructor(id: string, spec: WorkSpec, options: WorkingOptions) {
    this.id = id
    this.#spec = spec
    this.#options = options
    this.#poller = new Poller(options, this)
    this.#batching = typeof spec.perform === 'function' ? null : spec.perform
    const { size, wait } = this.#batching ?? { size: 1, wait: 0 }
    const { clock } = options
    this.#gatherer = new Gatherer({
      ...{ clock, size, wait },
      onReady: () => this.#pump(),
      onStale: () => this.#loosen(),
    })
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
    return this.#slots
  }
  get buffered(): number {
    return this.#gatherer.count
  }
  /** Jobs, not runs: a slot has room for a whole batch, however full it was when it started. */
  get capacity(): number {
    return this.concurrency * (this.#batching?.size ?? 1)
  }
  get occupied(): number {
    return this.#slots * (this.#batching?.size ?? 1)
  }
  /** A worker of batches holds many jobs as it is. */
  get prefetches(): boolean {
    return this.#batching === null
  }
  get state(): WorkerState {
    return this.#state
  }
  get open(): boolean {
    const isWanted = this.#enlisted && this.#state === 'working'
    return isWanted && !this.#options.rest.isPaused(this.queue)
  }
  get without(): readonly string[] {
    return this.#options.rest.without(this.queue)
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
      for (const attempt of [...this.#running.keys()]) attempt.cutShort()
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

  received(answer: ClaimAnswer, claim: OpenClaim, sent: Sent): void {
    const { shop, solitude } = this.#options
    const { jobs, settings } = answer
    const at = shop.clock.mono()
    const without = jobs.length > 0 ? this.without : []
    if (jobs.length > 0) this.#found = 'something'
    for (const claimed of jobs) {
      const attempt = new Attempt(shop, this, { claimed, settings, claim, sent, at })
      this.#held++
      if (!this.open || solitude.shut || without.includes(claimed.group)) attempt.giveBack()
      else if (claimed.crashes < CRASHES_UNTIL_ALONE) this.#gatherer.add(attempt)
      else solitude.enter(attempt, () => this.#startAlone(attempt))
    }
    this.#pump()
    this.#gatherer.watch()
  }

  foundNothing(): void {
    this.#found = 'nothing'
    if (this.#batching !== null && this.#options.hurried()) {
      this.#gatherer.hurry()
      this.#pump()
    }
    this.#options.onStill()
  }

  /** Something else must run alone. */
  makeRoom(): void {
    this.#giveAllBack(this.#gatherer.drain())
  }

  /** What waits in vain goes to others: its slots are taken, and come free too seldom for all of it. */
  #loosen(): void {
    if (this.#slots < this.concurrency) return
    this.#giveAllBack(this.#gatherer.stale(this.#poller.worth))
  }

  #giveAllBack(attempts: readonly Attempt[]): void {
    for (const attempt of attempts) attempt.giveBack()
  }

  /** Starts what it has while slots are free; after a while it lets others have their turn. */
  #pump(): void {
    if (this.#options.halted()) return
    while (this.#gatherer.count > 0 && this.#slots < this.concurrency) {
      if (this.#turnIsUp()) return
      const next = this.#gatherer.next(this.occupied + this.buffered < this.capacity)
      if (next.length === 0) return
      this.#start(next)
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

  #startAlone(attempt: Attempt): void {
    if (this.#options.halted()) attempt.giveBack()
    else this.#start([attempt])
  }

  /** One run: of a lone job, or of a batch. */
  #start(attempts: readonly Attempt[]): void {
    for (const late of attempts.filter(({ isLate }) => isLate)) this.#tooLate(late)
    const held = attempts.filter(({ state }) => state === 'held')
    if (held.length === 0) return
    if (this.#slots === 0) this.#poller.busy()
    this.#slots++
    const run = { left: held.length }
    for (const attempt of held) this.#running.set(attempt, run)
    const { perform } = this.#spec
    const each = typeof perform === 'function' ? perform : perform.together(held)
    for (const attempt of held) void attempt.run(each)
  }

  /** Its grant of a rate may be over: it goes back, and the rate is slower for that. */
  #tooLate(attempt: Attempt): void {
    const { clock, events } = this.#options.shop
    attempt.giveBack()
    // A first one only says how much more time the next claims must ask for.
    const wasExpected = attempt.grant?.margin === 0
    if (wasExpected || clock.mono() - this.#lateTold < OUTAGE_TOLD_EVERY) return
    this.#lateTold = clock.mono()
    const late = this.#lateTold - (attempt.grant?.until ?? 0)
    events.fault(startedLate(attempt, attempt.settings, late))
  }

  /** Its slot is free when none of its run goes on. */
  freed(attempt: Attempt): void {
    const run = this.#running.get(attempt)
    this.#running.delete(attempt)
    this.#options.onRan()
    if (run === undefined || --run.left > 0) return
    this.#slots--
    this.#poller.ended()
    this.#pump()
    this.#poller.free()
  }

  settled(attempt: Attempt, answer: Settled): void {
    this.#held--
    if (attempt.wasGivenBack && answer.status === 'done') this.#released++
    // It may have been lost before it began.
    if (answer.status === 'lost') this.#gatherer.forget(attempt)
    if (this.#whenFewer.length > 0 || this.#held === 0) this.rested()
  }
}

/** What stands in one slot: how many of its jobs have not ended. */
interface Run {
  left: number
}
