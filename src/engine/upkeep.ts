/**
 * What a node does beside its workers: it sweeps, and fires the slots of schedules. Both start and
 * stop together; each is in a file of its own.
 */
import type { JobRef } from '../job/job.js'
import { SWEEP_ROUNDS } from '../job/defaults.js'
import { Scheduler } from './scheduler.js'
import { Sweeper } from './sweeper.js'
import type { SweeperOptions } from './sweeper.js'

export interface UpkeepOptions extends SweeperOptions {
  /** Awaited with the jobs that schedules bring, which fire then also where nobody works; null: nobody asks. */
  readonly onFired: ((jobs: readonly JobRef[]) => Promise<void>) | null
}

export class Upkeep {
  readonly sweeper: Sweeper
  readonly scheduler: Scheduler

  constructor(options: UpkeepOptions) {
    const { onFired, wanted } = options
    this.sweeper = new Sweeper(options)
    this.scheduler = new Scheduler({
      ...options,
      wanted: () => onFired !== null || wanted(),
      onFired: onFired ?? (() => Promise.resolve()),
      // A test moves its clock by months, and every change there is a hint.
      refresh: onFired === null ? options.beat : Infinity,
    })
  }

  start(): void {
    this.sweeper.start()
    this.scheduler.start()
  }

  stop(): void {
    this.sweeper.stop()
    this.scheduler.stop()
  }

  async close(): Promise<void> {
    await this.sweeper.close()
    await this.scheduler.close()
  }

  /** All that there is to do now, within a bound. Rejects when the store does not answer. */
  async run(): Promise<void> {
    for (let round = 0; round < SWEEP_ROUNDS; round++) {
      if (!(await this.sweeper.round()).more) break
    }
    await this.scheduler.round()
  }
}
