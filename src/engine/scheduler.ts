/**
 * Fires the slots of schedules, beside the workers of this node. Every node tries and none leads: a
 * slot is one compare-and-set in the store, so it fires at most once whoever is first.
 *
 *     look ──▶ due? ── tick ──▶ look again
 *       └──── nothing is due ──▶ sleep until the next slot, a hint, or a look now and then
 *
 * Promises: it sleeps exactly; all that is due at one look is fired in order, in bounded batches; a
 * slot that its queue refuses is tried again until it fires, or was missed and its schedule leaves
 * missed ones out. What fails is told like any trouble with the store, and tried again. When the
 * wall's clock is set, the next look (within two beats) goes by what it shows. Which slots a plan
 * has is `job/slots.ts`.
 */
import { SLOT_SLACK, SWEEP_ROUNDS, TICKS } from '../job/defaults.js'
import type { Instant, JobRef, Millis } from '../job/job.js'
import type { ScheduleRow, Tick, Ticked } from '../job/schedule.js'
import { jobOfSlot } from '../job/slot-job.js'
import { firing, timingOf } from '../job/slots.js'
import type { Events } from '../observe/events.js'
import type { Store } from '../store.js'
import type { Chance, Clock, Timer } from '../time/clock.js'
import { repeatAfter } from './outage.js'
import type { Outage } from './outage.js'

export interface SchedulerOptions {
  readonly store: Store
  readonly clock: Clock
  readonly chance: Chance
  readonly events: Events
  readonly outage: Outage
  /** When a slot that was refused is tried again. */
  readonly beat: Millis
  /** The longest sleep between two looks, at least; nodes differ by up to as much again. */
  readonly refresh: Millis
  /** Opens the store, or finds it open. */
  readonly ready: () => Promise<void>
  /** Whether this node runs schedules; else it rests until it is started again. */
  readonly wanted: () => boolean
  /** Awaited with the jobs that slots brought. */
  readonly onFired: (jobs: readonly JobRef[]) => Promise<void>
}

export class Scheduler {
  readonly #options: SchedulerOptions
  /** The slot whose refusal was told, by schedule, so that it is told once. */
  readonly #refused = new Map<string, Instant>()
  #timer: Timer | null = null
  #looking: Promise<Millis> | null = null
  #running = false
  #again = false
  #failures = 0

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#begin()
  }

  stop(): void {
    this.#running = false
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Schedules were changed: look now, or once more after the look that is under way. */
  nudge(): void {
    if (!this.#running) return
    this.#again = this.#looking !== null
    if (this.#again) return
    this.#timer?.cancel()
    this.#begin()
  }

  async close(): Promise<void> {
    this.stop()
    await this.#looking
  }

  /** Fires what is due; answers when the next slot is, or when to look again at one that is refused. */
  async round(): Promise<Millis> {
    const held = new Set<string>()
    for (let passes = 0; passes < SWEEP_ROUNDS; passes++) {
      const { wake, moved } = await this.#pass(held)
      if (!moved) return wake
    }
    return 0
  }

  #begin(): void {
    this.#timer = null
    if (!this.#options.wanted()) return this.stop()
    this.#looking = this.#look()
    void this.#looking.then((wake) => {
      this.#looking = null
      this.#sleep(this.#again ? 0 : wake)
      this.#again = false
    })
  }

  #sleep(wake: Millis): void {
    if (!this.#running) return
    const { clock, chance, refresh } = this.#options
    const most = refresh * (1 + chance.next())
    this.#timer = clock.after(Math.min(wake, most), () => this.#begin(), { ref: false })
  }

  /** Never rejects: what fails is told, and tried again. */
  async #look(): Promise<Millis> {
    const { outage, chance, ready } = this.#options
    try {
      await ready()
      const wake = await this.round()
      outage.answered()
      this.#failures = 0
      return wake
    } catch (error) {
      const again = repeatAfter(++this.#failures, chance)
      if (this.#running) outage.failed(error, again) // what fails at the end fails because it ends
      return again
    }
  }

  /** Goes through what is due, once. `held`: those that were refused, which are not asked again. */
  async #pass(held: Set<string>): Promise<{ readonly wake: Millis; readonly moved: boolean }> {
    const { store, beat } = this.#options
    let wake = Infinity
    let moved = false
    let cursor: string | null = null
    do {
      const page = { limit: TICKS, cursor }
      const rows = await store.schedules({ queue: null, name: null, by: 'due', page })
      cursor = rows.cursor
      let ticks: Tick[] = []
      for (const row of rows.items) {
        const wait = this.#waitFor(row)
        if (wait > 0) {
          wake = Math.min(wake, wait)
          cursor = null // those behind it are due later
          break
        }
        if (held.has(keyOf(row))) continue
        ticks.push(...(await this.#ticksOf(row)))
        if (ticks.length < TICKS) continue
        moved = (await this.#fire(ticks, held)) || moved
        ticks = []
      }
      moved = (await this.#fire(ticks, held)) || moved
    } while (cursor !== null)
    return { wake: held.size > 0 ? Math.min(wake, beat) : wake, moved }
  }

  /**
   * Until its slot is due: by the store's clock, and where that is a little ahead of the wall's here,
   * until this one shows it too, since a job may well ask what day it is.
   */
  #waitFor({ next, dueIn }: ScheduleRow): Millis {
    if (next === null || dueIn === null) return Infinity
    if (dueIn > 0) return dueIn
    const ahead = next.due - this.#options.clock.wall()
    return ahead >= 1 && ahead <= SLOT_SLACK ? ahead : 0
  }

  /** What is to be done of a schedule whose slot is due. */
  async #ticksOf(row: ScheduleRow): Promise<Tick[]> {
    const { queue, name, revision, spec, next: from, dueIn } = row
    if (from === null || dueIn === null) return []
    const steps = firing(timingOf(queue, name, spec), spec.missed, from, from.due - dueIn)
    let step = steps.next()
    while (step.done !== true) {
      await new Promise<void>((resolve) => this.#options.clock.soon(resolve))
      step = steps.next()
    }
    const { run, next } = step.value
    const of = { queue, name, revision }
    if (run.length === 0) return [{ ...of, slot: from.at, run: null, next }]
    return run.map((slot, at): Tick => {
      const job = jobOfSlot(row, slot.at)
      const expected = at === 0 ? from.at : slot.at
      return { ...of, slot: expected, run: { slot, job }, next: run[at + 1] ?? next }
    })
  }

  /** Whether anything moved on, here or elsewhere. */
  async #fire(ticks: readonly Tick[], held: Set<string>): Promise<boolean> {
    let moved = false
    for (let from = 0; from < ticks.length; from += TICKS) {
      const some = ticks.slice(from, from + TICKS)
      const ticked = await this.#options.store.tick(some)
      const fired = some.filter((_, at) => ticked[at].status === 'fired')
      const jobs = fired.flatMap(({ run }) => (run === null ? [] : [run.job]))
      if (jobs.length > 0) await this.#options.onFired(jobs.map(({ queue, id }) => ({ queue, id })))
      some.forEach((tick, at) => this.#tell(tick, ticked[at]))
      some.forEach((tick, at) => {
        if (ticked[at].status === 'refused') held.add(keyOf(tick))
        else moved = true
      })
    }
    return moved
  }

  #tell(tick: Tick, ticked: Ticked): void {
    const { events } = this.#options
    const { queue, run } = tick
    if (run === null) return
    const { id, task, group } = run.job
    if (ticked.status === 'refused') {
      if (this.#refused.get(keyOf(tick)) === tick.slot) return
      this.#refused.set(keyOf(tick), tick.slot)
      events.emit('job.refused', { queue, task, code: ticked.answer.code })
    } else {
      this.#refused.delete(keyOf(tick))
      if (ticked.status !== 'fired') return
      events.emit('job.enqueued', { queue, id, task, group, state: 'available', dueIn: 0 })
    }
  }
}

function keyOf({ queue, name }: { readonly queue: string; readonly name: string }): string {
  return `${queue}\0${name}`
}
