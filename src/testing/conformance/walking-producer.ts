/**
 * The producer of a random walk: lots of every sort of job. Some have ids of their own, some of those
 * that were there before; some come after others, of the same lot or of before, of whatever queue,
 * however these stand or ended, gone ones too. Nobody waits in a circle: the faces refuse that.
 */
import { circleIn } from '../../job/graph.js'
import type { Instant, JobRef } from '../../job/job.js'
import type { NewJob } from '../../job/lot.js'
import { refOf, upTo } from './build.js'
import type { Dice } from './dice.js'
import { throwJob } from './dice.js'
import type { Rig } from './rig.js'
import type { Tale } from './tale.js'

/** How many jobs are remembered to come after, most of them ended or gone by then. */
const REMEMBERED = 40

export class WalkingProducer {
  readonly #rig: Rig
  readonly #dice: Dice
  readonly #groups: readonly string[]
  readonly #tale: Tale
  /** Ids of its own. */
  readonly #own: string[] = []
  /** What was there at some time, a few of them. */
  #past: JobRef[] = []
  #live: readonly JobRef[] = []

  constructor(rig: Rig, dice: Dice, groups: readonly string[], tale: Tale) {
    this.#rig = rig
    this.#dice = dice
    this.#groups = groups
    this.#tale = tale
  }

  /** What it may come after from now on. */
  saw(live: readonly JobRef[]): void {
    this.#live = live
  }

  lot(now: Instant): readonly NewJob[] {
    const jobs: NewJob[] = []
    for (const _ of upTo(1 + this.#dice.below(4))) jobs.push(this.#job(now, jobs))
    // Parents may stand later in the lot.
    if (this.#dice.maybe(0.5)) jobs.reverse()
    return circleIn(jobs) === null ? jobs : jobs.map((job) => ({ ...job, after: [] }))
  }

  #job(now: Instant, before: readonly NewJob[]): NewJob {
    const ownId = this.#dice.maybe(0.2)
    const again = ownId && this.#own.length > 0 && this.#dice.maybe(0.5)
    const id = again ? this.#dice.pick(this.#own) : this.#tale.own(this.#rig.newId())
    if (ownId && !again) this.#own.push(id)
    const job = throwJob(this.#dice, now, { id, ownId, group: this.#dice.pick(this.#groups) })
    const onParentFailed = this.#dice.pick(['wait', 'discard', 'run'] as const)
    return this.#dice.maybe(0.35) ? { ...job, after: this.#parents(before), onParentFailed } : job
  }

  #parents(before: readonly NewJob[]): JobRef[] {
    const parents: JobRef[] = []
    for (const _ of upTo(1 + this.#dice.below(3))) {
      const from = this.#dice.choose<readonly JobRef[]>([
        [4, before],
        [6, this.#live],
        [1, this.#past],
      ])
      if (from.length > 0) parents.push(refOf(this.#dice.pick(from)))
    }
    this.#past = [...this.#past, ...parents].slice(-REMEMBERED)
    return parents
  }
}
