/**
 * A long run of a blocking queue, beside a model of its order: three nodes that claim, settle, fail
 * and die, jobs for now and for later, of several priorities, groups and tasks. Every job that is
 * given must be the one that the model would give: nothing of its group runs, nobody else holds the
 * group, and among those that are due it stands first.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { Millis } from '../../job/job.js'
import { COMPLETE, RELEASE, retryIn, snoozeFor, upTo } from './build.js'
import { Dice } from './dice.js'
import { LEASE } from './played-node.js'
import type { PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'

/** What the model knows of a job that has not ended. */
interface Known {
  readonly id: string
  readonly group: string
  readonly priority: number
  readonly seq: number
  place: Millis
  due: Millis
  attempt: number
  runs: boolean
  holds: boolean
}

interface Held {
  readonly job: Claimed
  readonly at: number
}

const ATTEMPTS = 4

export async function walkInOrder(rig: Rig, seed: number, steps: number): Promise<void> {
  const dice = new Dice(seed)
  await rig.declare({ order: 'blocking', attempts: ATTEMPTS })
  const nodes: PlayedNode[] = []
  for (const at of upTo(3)) nodes.push(await rig.node(at === 0 ? rig.store : await rig.connect()))
  const model = new Map<string, Known>()
  let held: Held[] = []
  let seq = 0
  let grants = 0

  const check = (job: Claimed): void => {
    const known = model.get(job.id)
    assert.ok(known !== undefined, `${job.id} is there to be given`)
    const now = rig.clock.mono()
    const group = [...model.values()].filter((one) => one.group === known.group)
    assert.ok(!group.some(({ runs }) => runs), `nothing else of ${known.group} runs`)
    const holder = group.find(({ holds }) => holds)
    assert.ok(holder === undefined || holder === known, `${holder?.id} holds ${known.group}`)
    const due = group.filter((one) => one.due <= now).sort(byOrder)
    assert.equal((holder ?? due[0]).id, job.id, `${known.group}: who stands first starts first`)
    assert.ok(known.due <= now)
    known.runs = true
    known.holds = true
    known.attempt++
    grants++
  }

  const insert = async (): Promise<void> => {
    const delays = upTo(3).map(() => dice.pick([0, 0, 0, 300]))
    const words = upTo(3).map(() => ({
      group: dice.pick(['a', 'b', 'c', 'd']),
      task: dice.pick(['t', 'u']),
      priority: dice.pick([0, 0, 0, 7]),
    }))
    const ids = await rig.putMany(3, (at) => ({ ...words[at], delay: delays[at] }))
    ids.forEach((id, at) => {
      const place = rig.clock.mono() + delays[at]
      const { group, priority } = words[at]
      const rest = { attempt: 0, runs: false, holds: false }
      model.set(id, { id, group, priority, seq: ++seq, place, due: place, ...rest })
    })
  }

  const claim = async (at: number): Promise<void> => {
    const { jobs } = await nodes[at].claim({ limit: 1 + dice.below(4) })
    for (const job of jobs) {
      check(job)
      held.push({ job, at })
    }
  }

  const settle = async (at: number): Promise<void> => {
    const mine = held.filter((one) => one.at === at)
    if (mine.length === 0) return
    const { job } = dice.pick(mine)
    const delay = dice.pick([0, 50, 400])
    const verdicts = [COMPLETE, COMPLETE, retryIn(delay), retryIn(delay), RELEASE, snoozeFor(delay)]
    const verdict = dice.pick(verdicts)
    await nodes[at].settle(job, verdict)
    held = held.filter((one) => one.job !== job)
    const known = model.get(job.id) as Known // `check` has seen it
    known.runs = false
    const now = rig.clock.mono()
    const isSpent = verdict.kind === 'retry' && known.attempt >= ATTEMPTS
    if (verdict.kind === 'complete' || isSpent) {
      model.delete(job.id)
    } else if (verdict.kind === 'retry') {
      known.due = now + delay
    } else {
      known.attempt--
      known.holds = verdict.kind === 'release' && known.attempt > 0
      if (verdict.kind === 'snooze') known.place = now + delay
      known.due = verdict.kind === 'snooze' ? known.place : now
    }
  }

  /** Nobody plays this node any more; the others find that out. */
  const die = async (at: number): Promise<void> => {
    const lost = held.filter((one) => one.at === at)
    held = held.filter((one) => one.at !== at)
    nodes[at] = await rig.node(nodes[at].store)
    await rig.clock.advance(LEASE + 1)
    for (const node of nodes) await node.beat()
    for (const node of nodes) await node.sweepAll()
    for (const { job } of lost) {
      const known = model.get(job.id) as Known // `check` has seen it
      known.runs = false
      known.due = rig.clock.mono()
      if (known.attempt >= ATTEMPTS) model.delete(job.id)
    }
  }

  for (const step of upTo(steps)) {
    const at = dice.below(nodes.length)
    const turn = dice.choose<() => Promise<void>>([
      [3, insert],
      [8, () => claim(at)],
      [8, () => settle(at)],
      [1, () => (step % 3 === 0 ? die(at) : rig.clock.advance(1))],
      [5, () => rig.clock.advance(dice.pick([1, 20, 200]))],
    ])
    await turn()
  }
  assert.ok(grants > steps / 10, `the walk gave something to look at: ${grants} grants`)
  assert.equal((await rig.counts()).running, held.length)
}

/** As `Ranks` says: priority, then place, then insertion. */
function byOrder(a: Known, b: Known): number {
  return b.priority - a.priority || a.place - b.place || a.seq - b.seq
}
