/**
 * Upkeep beside the workers: every node sweeps now and then, so none has to lead. Promises: one
 * sweep of a node at a time; it goes on while there is more, within a bound, then lets others have
 * their turn; what a sweep did is told. What a sweep does is the store's.
 */
import { NUDGED_APART, SWEEP_JOBS, SWEEP_ROUNDS } from '../job/defaults.js'
import type { Millis } from '../job/job.js'
import type { Events } from '../observe/events.js'
import type { Store, Swept } from '../store.js'
import type { Chance, Clock, Timer } from '../time/clock.js'
import type { Heart } from './heart.js'
import type { Outage } from './outage.js'
import { tellHappened } from './telling.js'

export interface SweeperOptions {
  readonly store: Store
  readonly clock: Clock
  readonly chance: Chance
  readonly events: Events
  readonly outage: Outage
  readonly heart: Heart
  readonly node: () => string
  readonly beat: Millis
  /** Opens the store, or finds it open. */
  readonly ready: () => Promise<void>
  /** Whether anybody in this node works; else it rests until it is started again. */
  readonly wanted: () => boolean
}

export class Sweeper {
  readonly #options: SweeperOptions
  #timer: Timer | null = null
  #sweeping: Promise<void> | null = null
  #running = false
  /** When the last sweep was over, by `mono`. */
  #sweptAt = -Infinity
  /** Something came to wait for one while another was under way, which may have passed it by. */
  #isNudged = false

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#plan()
  }

  stop(): void {
    this.#running = false
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Something waits for a sweep: at once, unless there was one only just now. */
  nudge(): void {
    if (!this.#running) return
    this.#isNudged = true
    if (this.#sweeping !== null) return
    this.#timer?.cancel()
    this.#plan()
  }

  async close(): Promise<void> {
    this.stop()
    await this.#sweeping
  }

  /** One bounded round, told to observers. */
  async round(): Promise<Swept> {
    const { store, clock, events, node, heart, outage } = this.#options
    // Who sweeps must not be swept meanwhile by another who missed its beat.
    await heart.beatSoon()
    const begun = clock.mono()
    const { calm } = outage
    const ask = { node: node(), limit: SWEEP_JOBS }
    const swept = await store.sweep(calm === Infinity ? ask : { ...ask, calm })
    tellHappened(events, swept.happened)
    for (const lost of swept.lostNodes) {
      for (const { worker, queue } of lost.workers) {
        const running = swept.happened.filter((one) => one.worker === worker).length
        events.emit('worker.lost', { worker, queue, running })
      }
    }
    const { freed, expired, discarded, pruned, more } = swept
    events.emit('sweep', () => {
      return { freed, expired, discarded, pruned, more, duration: clock.mono() - begun }
    })
    return swept
  }

  /** Nodes that were started together do not sweep together: between one and two beats. */
  #plan(): void {
    if (!this.#running) return
    const { clock, chance, beat } = this.#options
    const rest = this.#sweptAt + NUDGED_APART - clock.mono()
    if (this.#isNudged && rest <= 0) return this.#begin()
    const wait = this.#isNudged ? rest : beat * (1 + chance.next())
    this.#timer = clock.after(wait, () => this.#begin(), { ref: false })
  }

  #begin(): void {
    this.#timer = null
    if (!this.#options.wanted()) return this.stop()
    this.#isNudged = false
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null
      this.#sweptAt = this.#options.clock.mono()
      this.#plan()
    })
  }

  /** Never rejects: what fails is told, and the next sweep tries again. */
  async #sweep(): Promise<void> {
    const { outage, beat, ready } = this.#options
    try {
      await ready() // opening may take longer than the first sweep is away
      for (let round = 0; round < SWEEP_ROUNDS && this.#running; round++) {
        const { more } = await this.round()
        outage.answered()
        if (!more) return
      }
    } catch (error) {
      outage.failed(error, beat)
    }
  }
}
