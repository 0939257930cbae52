/**
 * A random walk that holds `explain` to its word: before every claim of k by a worker that knows one
 * task, each job of that task is explained; afterwards, exactly those were taken that had no gates
 * and fewer than k ahead. The queue's gates change on the way.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { JobRecord } from '../../job/job.js'
import type { SettingsLayer } from '../../job/settings.js'
import { COMPLETE, QUEUE, refOf, RELEASE, retryIn, snoozeFor } from './build.js'
import { Dice } from './dice.js'
import type { PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'

const SETTINGS: readonly SettingsLayer[] = [
  {},
  { order: 'blocking' },
  { concurrency: 4 },
  { groups: { concurrency: 2, rate: null, weights: { a: 3 } } },
  { rate: { count: 5, per: 300, key: null } },
  { rate: { count: 4, per: 200, key: 'k' }, groups: { rate: { count: 2, per: 150 } } },
  { order: 'blocking', concurrency: 3, groups: { rate: { count: 1, per: 90 } } },
]
/** Enough to choose from, and few enough that each look is quick. */
const CROWDED = 40

export async function explainWalk(rig: Rig, seed: number, steps: number): Promise<void> {
  const dice = new Dice(seed)
  let held: Claimed[] = []
  let node = await rig.node()
  let taken = 0
  let left = 0

  const claim = async (): Promise<void> => {
    const task = dice.pick(['t', 'u'])
    const limit = 1 + dice.below(6)
    const before = (await rig.list()).filter((job) => job.task === task && isWaiting(job))
    const told = await rig.store.explain(before.map(refOf))
    const { jobs } = await node.claim({ tasks: [task], limit })
    held.push(...jobs)
    for (const [at, job] of before.entries()) {
      const answer = told[at]
      const isPromised = answer !== null && answer.gates.length === 0 && answer.ahead < limit
      const isTaken = jobs.some(({ id }) => id === job.id)
      const why = JSON.stringify(answer)
      assert.equal(isTaken, isPromised, `${job.id} of ${task}, by a claim of ${limit}: ${why}`)
    }
    taken += jobs.length
    left += before.length - jobs.length
  }

  const insert = async (): Promise<void> => {
    const { available, scheduled, retryable } = await rig.counts()
    if (available + scheduled + retryable > CROWDED) return
    await rig.putMany(5, () => ({
      task: dice.pick(['t', 'u']),
      group: dice.pick(['a', 'b', 'c']),
      priority: dice.pick([0, 0, 0, 4]),
      delay: dice.pick([0, 0, 0, 150]),
      expiresIn: dice.maybe(0.1) ? 60 : null,
    }))
  }

  const settle = async (): Promise<void> => {
    if (held.length === 0) return
    const job = dice.pick(held)
    held = held.filter((one) => one !== job)
    await node.settle(job, dice.pick([COMPLETE, COMPLETE, retryIn(70), RELEASE, snoozeFor(30)]))
  }

  /** Something, for a while; or everything goes on. */
  const pauseSome = async (): Promise<void> => {
    const by = 'the walk'
    if (dice.maybe(0.25)) {
      const queue = dice.pick([QUEUE, QUEUE, null])
      const group = queue === null ? null : dice.pick(['a', 'b', null])
      await rig.control({ kind: 'pause', queue, group, by })
    } else {
      await rig.control({ kind: 'resume', queue: null, group: null, by })
      for (const group of [null, 'a', 'b']) {
        await rig.control({ kind: 'resume', queue: QUEUE, group, by })
      }
    }
  }

  /** All that it holds goes back, and the next node plays on. */
  const leave = async (): Promise<PlayedNode> => {
    await node.leave()
    held = []
    return rig.node()
  }

  for (let step = 0; step < steps; step++) {
    await dice.choose<() => Promise<void>>([
      [6, insert],
      [10, claim],
      [12, settle],
      [6, () => rig.clock.advance(dice.pick([0, 1, 25, 110]))],
      [4, pauseSome],
      [2, () => rig.declare(dice.pick(SETTINGS))],
      [1, async () => void (await node.sweep(dice.below(3)))],
      [1, async () => void (node = await leave())],
    ])()
  }
  assert.ok(taken > steps / 5 && left > steps / 5, `both were seen: ${taken} taken, ${left} left`)
}

function isWaiting({ worker, finishedAt }: JobRecord): boolean {
  return worker === null && finishedAt === null
}
