/**
 * Dice for random walks, and what a walk throws with them: jobs, verdicts and commands of every
 * sort that the seam knows, mild enough that most steps have something to do. The same seed throws
 * the same.
 */
import type { Instant, JobRecord, State } from '../../job/job.js'
import type { NewJob } from '../../job/lot.js'
import type { Selector } from '../../job/selector.js'
import type { Verdict } from '../../job/verdict.js'
import type { Chance } from '../../time/clock.js'
import { seededChance } from '../../time/virtual.js'
import { json, newJob, unique } from './build.js'

export class Dice {
  readonly #chance: Chance

  constructor(seed: number) {
    this.#chance = seededChance(seed)
  }

  /** A whole number from 0 to below this. */
  below(end: number): number {
    return Math.floor(this.#chance.next() * end)
  }

  maybe(probability: number): boolean {
    return this.#chance.next() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]
  }

  /** By weight. */
  choose<T>(from: readonly (readonly [number, T])[]): T {
    let rest = this.#chance.next() * from.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, choice] of from) {
      rest -= weight
      if (rest < 0) return choice
    }
    return from[from.length - 1][1]
  }
}

export function throwJob(
  dice: Dice,
  now: Instant,
  words: Pick<NewJob, 'id' | 'ownId' | 'group'>,
): NewJob {
  const kept = dice.maybe(0.25)
  const onConflict = dice.pick(['keep', 'replace', 'reject'] as const)
  const key = unique(`k${dice.below(4)}`, {
    while: dice.pick(['unfinished', 'waiting'] as const),
    for: dice.pick([0, 0, 5_000]),
    onConflict,
  })
  return newJob(words.id, {
    ownId: words.ownId,
    queue: dice.pick(['a', 'a', 'b']),
    task: dice.pick(['t', 'u', 'u']),
    payload: json(dice.below(1_000)),
    priority: dice.pick([0, 0, 0, 5, -5]),
    group: words.group,
    delay: dice.pick([0, 0, 0, 500, 20_000]),
    at: dice.maybe(0.1) ? now + dice.pick([-5_000, -1, 700]) : null,
    unique: kept ? key : null,
    attempts: dice.pick([null, null, 1, 2, 5]),
    expiresIn: dice.maybe(0.1) ? 10_000 : null,
    tags: dice.maybe(0.2) ? ['x'] : [],
  })
}

export function throwVerdict(dice: Dice, deadId: string): Verdict {
  const delay = dice.pick([0, 0, 800, 15_000])
  return dice.choose<Verdict>([
    [8, { kind: 'complete', result: null }],
    [2, { kind: 'complete', result: json(delay) }],
    [8, { kind: 'retry', delay }],
    [3, { kind: 'snooze', delay }],
    [3, { kind: 'release' }],
    [1, { kind: 'cancel', reason: 'walked' }],
    [3, { kind: 'discard', reason: 'given-up', message: null, deadId }],
  ])
}

const RETRIED: readonly State[] = ['retryable', 'waiting', 'discarded', 'cancelled']

/** A command over some of these jobs. Only what has failed, ended, died or waits for others is retried. */
export function throwCommand(dice: Dice, jobs: readonly JobRecord[]) {
  const kind = dice.pick(['cancel', 'retry', 'delete'] as const)
  const some = jobs.filter(() => dice.maybe(0.2)).map((job) => job.id)
  const picked = dice.choose<Selector>([
    [3, { ids: some }],
    [1, { group: 'g', task: 't' }],
    [1, { tag: 'x' }],
  ])
  const which: Selector = kind === 'retry' ? { ...picked, states: RETRIED } : picked
  return { kind, which }
}
