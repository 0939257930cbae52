/**
 * Law 16 for caps: never more of a queue, or of one of its groups, than its cap allows, at every
 * instant, over all nodes; counted from what is held, so that no cap leaks when a holder dies.
 */
import assert from 'node:assert/strict'
import { COMPLETE, idsOf, QUEUE, RELEASE, retryIn, settlement, snoozeFor, upTo } from './build.js'
import { Dice } from './dice.js'
import { Ear } from './ear.js'
import type { Group, Laws } from './law.js'
import { LEASE } from './played-node.js'
import type { PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'
import type { Claimed } from '../../job/claim.js'

const laws: Laws = {
  'a queue gives no more than its cap, and says that only an end opens it': async (rig) => {
    await rig.declare({ concurrency: 3 })
    const ids = await rig.putMany(10)
    const node = await rig.node()
    const first = await node.claim()
    assert.deepEqual([idsOf(first.jobs), first.nextIn, first.frugal], [ids.slice(0, 3), null, true])
    assert.deepEqual((await node.claim()).jobs, [])
  },

  'each end of a run makes room for one, whatever the verdict': async (rig) => {
    await rig.declare({ concurrency: 1 })
    const ids = await rig.putMany(5)
    const node = await rig.node()
    const verdicts = [
      COMPLETE,
      retryIn(60_000),
      snoozeFor(60_000),
      { kind: 'cancel', reason: null },
    ]
    for (const [at, verdict] of verdicts.entries()) {
      const held = await node.take()
      assert.equal(held.id, ids[at])
      assert.deepEqual((await node.claim()).jobs, [])
      await node.settle(held, verdict as typeof COMPLETE)
    }
    assert.equal((await node.take()).id, ids[4])
  },

  'nodes share one cap, in one claim and in many': async (rig) => {
    await rig.declare({ concurrency: 5 })
    await rig.putMany(20)
    const nodes = await severalNodes(rig, 3)
    const given: number[] = []
    for (const node of nodes) given.push((await node.claim({ limit: 3 })).jobs.length)
    assert.deepEqual(given, [3, 2, 0])
  },

  'two asks of one exchange share it too': async (rig) => {
    await rig.declare({ concurrency: 3 })
    await rig.putMany(10)
    const node = await rig.node()
    const claim = [node.ask({ limit: 2 }), node.ask({ limit: 2 })]
    const { claimed } = await rig.store.exchange({ node: node.id, settle: [], claim })
    assert.deepEqual(
      claimed.map(({ jobs }) => jobs.length),
      [2, 1],
    )
  },

  'a verdict makes room for the claim that comes with it': async (rig) => {
    await rig.declare({ concurrency: 1 })
    const [, second] = await rig.putMany(2)
    const node = await rig.node()
    const settle = [settlement(await node.take(), COMPLETE)]
    const { claimed } = await rig.store.exchange({ node: node.id, settle, claim: [node.ask()] })
    assert.deepEqual(idsOf(claimed[0].jobs), [second])
  },

  'a new cap holds from the next claim on: a higher one gives, a lower one waits': async (rig) => {
    await rig.declare({ concurrency: 2 })
    await rig.putMany(20)
    const node = await rig.node()
    assert.equal((await node.claim()).jobs.length, 2)
    await rig.declare({ concurrency: 6 })
    const { jobs } = await node.claim()
    assert.equal(jobs.length, 4)
    await rig.declare({ concurrency: 3 })
    for (const job of jobs.slice(0, 3)) {
      assert.deepEqual((await node.claim()).jobs, [])
      await node.settle(job, COMPLETE)
    }
    assert.deepEqual((await node.claim()).jobs, [])
    await node.settle(jobs[3], COMPLETE)
    assert.equal((await node.claim()).jobs.length, 1)
  },

  'a dead holder’s place is free again once it was swept': async (rig) => {
    await rig.declare({ concurrency: 2 })
    const ids = await rig.putMany(3)
    const [dead, alive] = await severalNodes(rig, 2)
    await dead.claim()
    await rig.clock.advance(LEASE + 1)
    assert.deepEqual((await alive.claim()).jobs, [])
    await alive.sweepAll()
    assert.deepEqual(idsOf((await alive.claim()).jobs), ids.slice(0, 2))
  },

  'a claim that was lost on the way gives its place back': async (rig) => {
    await rig.declare({ concurrency: 1 })
    const [first] = await rig.putMany(2)
    const node = await rig.node()
    await node.claimAndLose()
    await node.beat()
    assert.equal((await node.take()).id, first)
  },

  'a group gives no more than its cap, and the others go on': async (rig) => {
    await rig.declare({ groups: { concurrency: 2 } })
    const a = await rig.putMany(5, () => ({ group: 'a' }))
    const b = await rig.putMany(1, () => ({ group: 'b' }))
    const node = await rig.node()
    const { jobs, nextIn } = await node.claim()
    assert.deepEqual(new Set(idsOf(jobs)), new Set([a[0], a[1], b[0]]))
    assert.equal(nextIn, null)
    const [held] = jobs.filter(({ group }) => group === 'a')
    await node.settle(held, RELEASE)
    assert.deepEqual(idsOf((await node.claim()).jobs), [held.id])
  },

  'a group’s cap counts its jobs of every task and priority': async (rig) => {
    await rig.declare({ groups: { concurrency: 2 } })
    const words = (at: number) => ({ group: 'a', task: `t${at % 3}`, priority: at % 2 })
    await rig.putMany(12, words)
    const node = await rig.node()
    let held = 0
    for (const tasks of [['t0'], ['t1'], ['t2'], ['t0', 't1', 't2']]) {
      held += (await node.claim({ tasks, limit: 5 })).jobs.length
    }
    assert.equal(held, 2)
  },

  'whoever waits for room hears of it': async (rig) => {
    await rig.declare({ concurrency: 1 })
    await rig.putMany(2)
    const [first, second] = await severalNodes(rig, 2)
    const held = await first.take()
    assert.deepEqual((await second.claim()).jobs, [])
    const ear = new Ear(rig, second.store)
    await first.settle(held, COMPLETE)
    if (second.store.traits.hints) await ear.hears('jobs', QUEUE)
    ear.stop()
    assert.equal((await second.claim()).jobs.length, 1)
  },

  'thousands of jobs of a group at its cap do not hold up the next group': async (rig) => {
    await rig.declare({ groups: { concurrency: 1 } })
    for (const _ of upTo(rig.long(10))) await rig.putMany(2_000, () => ({ group: 'large' }))
    const node = await rig.node()
    await node.take()
    const [small] = await rig.putMany(1, () => ({ group: 'small' }))
    assert.equal((await node.take()).id, small)
  },

  'at every instant of a long run no cap is passed, though nodes die': async (rig) => {
    await longRun(rig, 11, rig.long(1_500))
  },
}

export const caps: Group = { title: 'caps', laws }

async function severalNodes(rig: Rig, count: number): Promise<PlayedNode[]> {
  const nodes: PlayedNode[] = []
  for (const at of upTo(count))
    nodes.push(await rig.node(at === 0 ? rig.store : await rig.connect()))
  return nodes
}

const CAP = 7
const GROUP_CAP = 2

/** Three nodes at work on a capped queue; what is held is counted after every step. */
async function longRun(rig: Rig, seed: number, steps: number): Promise<void> {
  const dice = new Dice(seed)
  await rig.declare({ concurrency: CAP, groups: { concurrency: GROUP_CAP }, attempts: 100 })
  const nodes = await severalNodes(rig, 3)
  /** What runs as the store sees it: what the dead hold counts until it is swept. */
  const held = new Map<string, { readonly job: Claimed; readonly at: number }>()
  let most = 0
  for (const step of upTo(steps)) {
    const at = dice.below(nodes.length)
    const mine = [...held.values()].filter((one) => one.at === at)
    await dice.choose<() => Promise<void>>([
      [
        3,
        async () =>
          void (await rig.putMany(4, () => ({ group: dice.pick(['a', 'b', 'c', 'd', 'e']) }))),
      ],
      [
        6,
        async () => {
          const { jobs } = await nodes[at].claim({ limit: 1 + dice.below(5) })
          for (const job of jobs) held.set(job.id, { job, at })
        },
      ],
      [
        5,
        async () => {
          if (mine.length === 0) return
          const { job } = dice.pick(mine)
          await nodes[at].settle(job, dice.pick([COMPLETE, COMPLETE, retryIn(40), RELEASE]))
          held.delete(job.id)
        },
      ],
      [
        1,
        async () => {
          // Killed: nobody plays this node any more, and another one sweeps.
          for (const { id } of mine.map(({ job }) => job)) held.delete(id)
          nodes[at] = await rig.node(nodes[at].store)
          await rig.clock.advance(LEASE + 1)
          for (const node of nodes) await node.beat()
          for (const node of nodes) await node.sweepAll()
        },
      ],
      [2, () => rig.clock.advance(dice.below(100))],
    ])()
    const counted = new Map<string, number>()
    for (const { job } of held.values()) counted.set(job.group, (counted.get(job.group) ?? 0) + 1)
    assert.ok(held.size <= CAP, `step ${step}: ${held.size} run of ${CAP}`)
    for (const [group, count] of counted) {
      assert.ok(count <= GROUP_CAP, `step ${step}: ${count} of group ${group} run`)
    }
    most = Math.max(most, held.size)
  }
  assert.equal(most, CAP, 'the cap was reached')
  const { running } = await rig.counts()
  assert.equal(running, held.size)
}
