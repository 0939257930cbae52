/**
 * The engine: one node. It turns claims into verdicts and gathers everything that goes to the store
 * into batches. Here its parts are put together, opened and closed; each lives in a file of its
 * own. Promises: nothing is sent before the store is open, nothing after `close` answered; `close`
 * ends within its timeout (and what the store needs to hear of it), and leaves no timer or thread
 * behind, so that the process ends by itself. Whoever works (`staff.ts`) keeps the process alive, and
 * so does whoever waits for a result or a job. Payloads, options and what
 * users see are left to the faces.
 */
import { makeIds } from '../job/id.js'
import type { JobRef, Millis } from '../job/job.js'
import type { Inserted, Lot } from '../job/lot.js'
import type { Planned, ScheduleChange } from '../job/schedule.js'
import { Events } from '../observe/events.js'
import type { Command, Hint, Store, Swept } from '../store.js'
import { atMost } from '../time/clock.js'
import type { Chance, Clock } from '../time/clock.js'
import { LEAVE_WAIT, SETTLE_WAIT } from '../job/defaults.js'
import { Commits } from './commits.js'
import { Lateness } from './allowance.js'
import { Deadlines } from './deadlines.js'
import { Door } from './door.js'
import { Exchanger } from './exchanger.js'
import { Heart } from './heart.js'
import { Inserts } from './inserts.js'
import { Ledger } from './ledger.js'
import { Working } from './lifecycle.js'
import type { WorkSpec, WorkerHandle } from './lifecycle.js'
import { Notes } from './notes.js'
import { Outage, storeClosed } from './outage.js'
import { Pausing } from './pausing.js'
import type { Resting } from './rest.js'
import type { PauseSpec, ResumeSpec } from './pausing.js'
import { Roster } from './roster.js'
import { Rumours } from './rumours.js'
import { Solitude } from './solitude.js'
import { Staff } from './staff.js'
import { Steps } from './steps.js'
import { Taker } from './take.js'
import type { Held, TakeSpec } from './take.js'
import { tellHappened } from './telling.js'
import { Upkeep } from './upkeep.js'
import { Waiter } from './waiter.js'
import type { Ended } from './waiter.js'
import type { Workshop } from './workshop.js'

export type { Asked, BackoffFunction } from './judge.js'
export type { Batching, WorkSpec, WorkerHandle, WorkerState } from './lifecycle.js'
export type { Live, Perform } from './runner.js'
export type { PauseSpec, ResumeSpec } from './pausing.js'
export type { Held, TakeSpec } from './take.js'
export type { Ended } from './waiter.js'

export interface EngineOptions {
  readonly store: Store
  readonly scope: string
  readonly clock: Clock
  readonly chance: Chance
  /** How long a silent node keeps its jobs. */
  readonly lease: Millis
  /** How often it says that it lives. */
  readonly beat: Millis
  /** The longest sleep between two looks when no hint comes. */
  readonly poll: Millis
  /** Whether this node sweeps and runs schedules beside its workers. */
  readonly upkeep: boolean
  /**
   * For tests of users: awaited with the jobs that schedules bring. With it they fire also where
   * nobody works.
   */
  readonly onFired?: ((jobs: readonly JobRef[]) => Promise<void>) | null
}

export class Engine {
  readonly store: Store
  readonly events: Events
  /** Makes ids that rise: of jobs, of dead letters, of nodes and workers. */
  readonly newId: () => string
  /** Who changes the store goes in by it. */
  readonly door = new Door(() => this.#open())
  readonly #options: EngineOptions
  readonly #outage: Outage
  readonly #ledger = new Ledger()
  readonly #roster: Roster
  readonly #heart: Heart
  readonly #exchanger: Exchanger
  readonly #inserts: Inserts
  readonly #notes: Notes
  readonly #steps: Steps
  readonly #deadlines: Deadlines
  readonly #upkeep: Upkeep
  readonly #waiter: Waiter
  readonly #solitude: Solitude
  readonly #shop: Workshop
  readonly #staff: Staff
  readonly #pausing: Pausing
  /** Of what we hold, and of schedules. */
  readonly #rumours: { readonly control: Rumours; readonly schedules: Rumours }
  #ran = 0
  /** Calls of `runUntilIdle` under way. */
  #hurrying = 0
  #closing: Promise<void> | null = null
  #unwatch: () => void = () => undefined

  constructor(options: EngineOptions) {
    const { store, clock, chance, lease, beat, poll } = options
    this.#options = options
    this.store = store
    const newId = (this.newId = makeIds(clock, chance))
    const node = (): string => this.#roster.node
    const events = (this.events = new Events({ clock, node }))
    const outage = (this.#outage = new Outage(clock, events))
    const ledger = this.#ledger
    const ready = (): Promise<void> => this.open()
    const roster = new Roster({ store, clock, chance, outage, lease, newId, ready })
    this.#roster = roster
    const staff = (this.#staff = new Staff(clock))
    const reach = (): Promise<void> => this.door.reach()
    this.#pausing = new Pausing({ store, clock, events, ledger, staff, ready: reach })
    const onWell = (): void => this.#lookAll()
    const onRules = (): void => staff.makeRoom(null)
    const beating = { store, clock, events, outage, ledger, roster, lease, beat }
    this.#heart = new Heart({ ...beating, onWell, onRules })
    const leaseGone = (claimedAt: number): boolean => this.#heart.leaseGone(claimedAt)
    const lateness = new Lateness()
    this.#exchanger = new Exchanger({
      ...{ store, clock, chance, events, outage, ledger, lateness, node },
      givesUp: (claimedAt) => this.#closing !== null && leaseGone(claimedAt),
      shut: () => this.#solitude.shut || this.#heart.suspect || this.#notes.throttling,
      first: () => this.#solitude.takeFirst(),
    })
    this.#inserts = new Inserts({ store, clock, chance, events, outage })
    const onThrottled = (): void => this.#exchanger.look()
    this.#notes = new Notes({ store, clock, chance, events, onThrottled })
    this.#steps = new Steps({ store, clock, chance, outage, leaseGone })
    const notes = this.#notes
    const commits = new Commits({ store, clock, chance, events, outage, notes, leaseGone })
    this.#deadlines = new Deadlines(clock)
    this.#upkeep = new Upkeep({
      ...{ store, clock, chance, events, outage, node, beat, ready },
      heart: this.#heart,
      wanted: () => staff.isActive,
      onFired: options.onFired ?? null,
    })
    this.#rumours = {
      control: new Rumours(clock, () => void this.#heart.check()),
      schedules: new Rumours(clock, () => this.#upkeep.scheduler.nudge()),
    }
    this.#waiter = new Waiter({ store, clock, outage, poll })
    this.#solitude = new Solitude({
      ...{ clock, ledger },
      neighbours: () => staff.workers,
      onOpen: () => this.#lookAll(),
    })
    this.#shop = {
      ...{ clock, chance, events, ledger, newId },
      exchanger: this.#exchanger,
      notes: this.#notes,
      steps: this.#steps,
      commits,
      deadlines: this.#deadlines,
      lateness,
      parents: (ref) => store.parents(ref),
      onSettled: (queue) => this.#waiter.hint(queue),
    }
  }

  /** Who we are to the store; it changes when the node was swept. */
  get node(): string {
    return this.#roster.node
  }

  /** Opens the store, once; when that failed, the next call tries again. */
  open(): Promise<void> {
    return this.door.open()
  }

  async #open(): Promise<void> {
    await this.store.open({ scope: this.#options.scope })
    this.#unwatch = this.store.watch((hint) => this.#hear(hint))
    if (this.#options.onFired != null && this.#closing === null) this.#upkeep.scheduler.start()
  }

  close({ timeout }: { readonly timeout: Millis }): Promise<void> {
    this.door.close()
    this.#closing ??= this.#close(timeout)
    return this.#closing
  }

  async #close(timeout: Millis): Promise<void> {
    const { clock } = this.#options
    const until = clock.mono() + timeout + SETTLE_WAIT
    this.#upkeep.stop()
    this.#rumours.control.close()
    this.#rumours.schedules.close()
    this.#waiter.close(storeClosed('waiting for a result'))
    await this.#staff.stop(timeout)
    await atMost(clock, Math.max(0, until - clock.mono()), this.#landed())
    const gone = this.#leave()
    await atMost(clock, Math.max(LEAVE_WAIT, until - clock.mono()), gone)
    // Who waits for the store still, since others keep it, is not waited for much longer.
    await this.store.close()
    await gone
  }

  /** What is left of it says nothing more, and the store hears that it is gone. */
  async #leave(): Promise<void> {
    const opened = this.door.shut()
    this.#inserts.close()
    this.#exchanger.close()
    this.#notes.close()
    this.#steps.close()
    this.#deadlines.close()
    this.#solitude.close()
    await this.#upkeep.close()
    await this.#roster.close()
    await this.#heart.close()
    this.#staff.letGo()
    this.#unwatch()
    if ((await opened) && this.#roster.known) {
      await this.store.leave(this.node).catch((error: unknown) => this.#outage.failed(error, null))
    }
  }

  /** All that was asked for, and all that was handed in, has reached the store. */
  async #landed(): Promise<void> {
    await this.door.empty()
    await this.#inserts.idle()
    await this.#notes.flushAll()
    await this.#exchanger.idle()
  }

  // ── What producers and operators ask ──────────────────────────────────────────────────────────

  /** One answer per job, in order; calls that are made together travel together. */
  insert(lot: Lot): Promise<readonly Inserted[]> {
    // No promise of its own on the hottest path: two of them cost a plain enqueue a tenth.
    if (this.door.isOpen) return this.#inserts.insert(lot)
    return this.door.reach().then(() => this.#inserts.insert(lot))
  }

  /** Until it is final or gone. */
  async awaitEnd(
    ref: JobRef,
    options: { readonly timeout: Millis; readonly signal?: AbortSignal },
  ): Promise<Ended> {
    await this.open()
    return this.#waiter.awaitEnd(ref, options)
  }

  /** The whole of a command; answers how many jobs it changed. */
  async control(command: Command): Promise<number> {
    await this.door.reach()
    let changed = 0
    let cursor: string | null = null
    do {
      const step = await this.store.control(command, cursor)
      tellHappened(this.events, step.happened)
      changed += step.changed
      cursor = step.cursor
    } while (cursor !== null)
    return changed
  }

  /** Answers when nothing more of it is taken. PAUSE_TIMEOUT. */
  pause(spec: PauseSpec): Promise<void> {
    return this.#pausing.pause(spec)
  }

  resume(spec: ResumeSpec): Promise<void> {
    return this.#pausing.resume(spec)
  }

  /** What of the queue is paused in this process alone. */
  pausedHere(queue: string): readonly Resting[] {
    return this.#staff.rest.of(queue)
  }

  /** Declares, changes or removes a schedule. */
  async plan(change: ScheduleChange): Promise<Planned> {
    await this.door.reach()
    const planned = await this.store.plan(change)
    this.#upkeep.scheduler.nudge()
    return planned
  }

  /** One bounded round. */
  async sweep(): Promise<Swept> {
    await this.open()
    return this.#upkeep.sweeper.round()
  }

  // ── What workers ask ──────────────────────────────────────────────────────────────────────────

  /** Begins at once; until the store is open and knows the worker, it waits. */
  start(spec: WorkSpec): WorkerHandle {
    if (this.#closing !== null) throw storeClosed(`worker for queue ${spec.queue}`)
    const { clock, chance, poll, upkeep } = this.#options
    const worker = new Working(this.newId(), spec, {
      ...{ clock, chance, poll },
      shop: this.#shop,
      exchanger: this.#exchanger,
      solitude: this.#solitude,
      rest: this.#staff.rest,
      hurried: () => this.#hurrying > 0,
      halted: () => this.#heart.suspect,
      onNeed: () => this.#upkeep.sweeper.nudge(),
      onAloneDue: (asker) => this.#solitude.wish(asker),
      onChange: (changed) => this.#changed(changed),
      onRan: () => this.#ran++,
      onStill: () => this.#staff.rested(),
    })
    this.#staff.add(worker)
    if (upkeep) this.#upkeep.start()
    const { queue, concurrency } = spec
    this.events.emit('worker.started', { worker: worker.id, queue, concurrency })
    this.#roster.add(worker)
    return worker
  }

  async take(spec: TakeSpec): Promise<readonly Held[]> {
    await this.open()
    if (this.#options.upkeep) this.#upkeep.start()
    return this.#takerOf(spec.queue).take(spec)
  }

  /** Runs what is runnable by the workers that are there, then answers. */
  async runUntilIdle({ maxMs }: { readonly maxMs: Millis }): Promise<{
    readonly ran: number
    readonly idle: boolean
  }> {
    await this.open()
    const before = this.#ran
    let over = false
    const timer = this.#options.clock.after(maxMs, () => {
      over = true
      this.#staff.rested()
    })
    this.#hurrying++
    try {
      for (let rested = -1; rested !== this.#ran && !over;) {
        rested = this.#ran
        await this.#upkeep.run()
        this.#lookAll()
        await this.#staff.still(() => over)
      }
    } finally {
      this.#hurrying--
      timer.cancel()
    }
    return { ran: this.#ran - before, idle: !over }
  }

  #takerOf(queue: string): Taker {
    const { poll } = this.#options
    const { rest } = this.#staff
    return this.#staff.taker(queue, () => {
      const options = { shop: this.#shop, solitude: this.#solitude, poll, rest }
      const taker = new Taker(this.newId(), queue, options)
      this.#roster.add(taker)
      return taker
    })
  }

  // ── What the parts tell ───────────────────────────────────────────────────────────────────────

  #hear({ what, queue }: Hint): void {
    switch (what) {
      case 'jobs':
        return queue === null ? this.#lookAll() : this.#staff.look(queue)
      case 'ends':
        return this.#waiter.hint(queue)
      case 'control':
        // A rumour is mostly of nothing: then what was fetched ahead stays, until a check says otherwise.
        if (queue !== null || !this.#heart.knowsRules) this.#staff.makeRoom(queue)
        this.#staff.look(queue)
        this.#waiter.hint(queue)
        return queue === null ? this.#rumours.control.hear() : void this.#heart.check()
      case 'sweep':
        return this.#upkeep.sweeper.nudge()
      case 'schedules':
        if (queue === null) this.#rumours.schedules.hear()
        else this.#upkeep.scheduler.nudge()
        return
    }
  }

  #lookAll(): void {
    this.#staff.look(null)
    this.#exchanger.look()
  }

  #changed(worker: Working): void {
    this.#staff.rested()
    if (worker.state !== 'stopped') return this.#roster.changed()
    this.#staff.remove(worker)
    this.#roster.remove(worker)
  }
}
