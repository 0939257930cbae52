/**
 * A random walk that holds `explain` to its word: before every claim of k by a worker that knows one
 * task, each job of that task is explained; afterwards, exactly those were taken that had no gates
 * and fewer than k ahead. The queue's gates change on the way; some jobs come after others, of this
 * queue and of another, which complete, fail and come back.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import { FINAL_STATES, STATES } from '../../job/job.js'
import type { JobRecord } from '../../job/job.js'
import type { SettingsLayer } from '../../job/settings.js'
import {
  cancelFor,
  COMPLETE,
  discardAs,
  QUEUE,
  refOf,
  RELEASE,
  retryIn,
  snoozeFor,
  upTo,
} from './build.js'
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
const LIVE = STATES.filter((state) => !FINAL_STATES.some((final) => final === state))
/** Where some parents are. */
const OTHER = 'other'

export async function explainWalk(rig: Rig, seed: number, steps: number): Promise<void> {
  const dice = new Dice(seed)
  let held: Claimed[] = []
  let node = await rig.node()
  let taken = 0
  let left = 0
  let kept = 0
  let letters = 0

  const claim = async (): Promise<void> => {
    const task = dice.pick(['t', 'u'])
    const limit = 1 + dice.below(6)
    const before = (await rig.list(QUEUE, { task, states: LIVE })).filter(isWaiting)
    const told = await rig.store.explain(before.map(refOf))
    const { jobs } = await node.claim({ tasks: [task], limit })
    held.push(...jobs)
    for (const [at, job] of before.entries()) {
      const answer = told[at]
      const isPromised = answer !== null && answer.gates.length === 0 && answer.ahead < limit
      const waits = answer?.gates.some(({ kind }) => kind === 'parents') ?? false
      assert.equal(waits, job.state === 'waiting', `${job.id} is ${job.state}`)
      if (waits) kept++
      const isTaken = jobs.some(({ id }) => id === job.id)
      const why = JSON.stringify(answer)
      assert.equal(isTaken, isPromised, `${job.id} of ${task}, by a claim of ${limit}: ${why}`)
    }
    taken += jobs.length
    left += before.length - jobs.length
  }

  const insert = async (): Promise<void> => {
    const open = await rig.list(QUEUE, { states: LIVE })
    if (open.length - held.length > CROWDED) return
    const parents = [...open, ...(await rig.list(OTHER))].map(refOf)
    const jobs = upTo(5).map(() => {
      const isLate = parents.length > 0 && dice.maybe(0.25)
      return rig.job({
        task: dice.pick(['t', 'u']),
        group: dice.pick(['a', 'b', 'c']),
        priority: dice.pick([0, 0, 0, 4]),
        delay: dice.pick([0, 0, 0, 150]),
        expiresIn: dice.maybe(0.1) ? 60 : null,
        after: isLate ? upTo(1 + dice.below(2)).map(() => dice.pick(parents)) : [],
        onParentFailed: dice.pick(['wait', 'discard', 'run'] as const),
      })
    })
    await rig.insert(jobs)
  }

  const settle = async (): Promise<void> => {
    if (held.length === 0) return
    const job = dice.pick(held)
    held = held.filter((one) => one !== job)
    const again = dice.pick([retryIn(70), RELEASE, snoozeFor(30)])
    const end = dice.pick([cancelFor(), discardAs(`letter-${++letters}`)])
    const verdict = dice.choose([
      [5, COMPLETE],
      [5, again],
      [1, end],
    ] as const)
    await node.settle(job, verdict)
  }

  /** Elsewhere a job comes, or one ends, well or badly. */
  const actElsewhere = async (): Promise<void> => {
    const waiting = await rig.list(OTHER, { states: ['available'] })
    if (waiting.length < 3) return void (await rig.put({ queue: OTHER }))
    const { jobs } = await node.claim({ queue: OTHER, limit: 1 })
    for (const job of jobs) await node.settle(job, dice.pick([COMPLETE, cancelFor()]))
  }

  /** What failed comes back, what waits for it goes on without it, or is given up. */
  const operate = async (): Promise<void> => {
    const [kind, queue, states] = dice.pick([
      ['retry', QUEUE, ['waiting']],
      ['retry', QUEUE, ['cancelled', 'discarded']],
      ['retry', OTHER, ['cancelled']],
      ['delete', QUEUE, ['cancelled', 'discarded', 'waiting']],
    ] as const)
    await rig.control({ kind, queue, which: { states } })
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
      [2, actElsewhere],
      [1, operate],
      [2, () => rig.declare(dice.pick(SETTINGS))],
      [1, async () => void (await node.sweep(dice.below(3)))],
      [1, async () => void (node = await leave())],
    ])()
  }
  const seen = `${taken} taken, ${left} left, ${kept} that waited for others`
  assert.ok(taken > steps / 10 && left > steps / 5 && kept > steps / 20, seen)
}

function isWaiting({ worker, finishedAt }: JobRecord): boolean {
  return worker === null && finishedAt === null
}
