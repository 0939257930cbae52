/**
 * Law 16 for rates: never more than `count` starts in any window of `per`, over all nodes and all
 * queues that share a key, and in each group. The store counts grants, so its window is longer by
 * the start allowance; what these laws measure are grants, at that length.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import { grantSpan, startAllowance } from '../../job/rate.js'
import type { SettingsLayer } from '../../job/settings.js'
import { COMPLETE, idsOf, RELEASE, settlement, upTo } from './build.js'
import { Dice } from './dice.js'
import { History } from './grants.js'
import type { Group, Laws } from './law.js'
import { LEASE } from './played-node.js'
import type { PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'

const SECOND = 1_000
/** What a window of a second is for the store. */
const SPAN = grantSpan(SECOND)

function rate(count: number, per = SECOND, key: string | null = null): SettingsLayer {
  return { rate: { count, per, key } }
}

const laws: Laws = {
  'no more than its count, and it says when the next may start': async (rig) => {
    await rig.declare(rate(3))
    const ids = await rig.putMany(10)
    const node = await rig.node()
    const first = await node.claim()
    assert.deepEqual([idsOf(first.jobs), first.nextIn, first.frugal], [ids.slice(0, 3), SPAN, true])
    await rig.clock.advance(SPAN - 1)
    const early = await node.claim()
    assert.deepEqual([early.jobs, early.nextIn], [[], 1])
    await rig.clock.advance(1)
    assert.deepEqual(idsOf((await node.claim()).jobs), ids.slice(3, 6))
  },

  'the window slides: each grant leaves by itself': async (rig) => {
    await rig.declare(rate(3))
    await rig.putMany(10)
    const node = await rig.node()
    for (const _ of upTo(3)) {
      await node.take()
      await rig.clock.advance(100)
    }
    assert.equal((await node.claim()).nextIn, SPAN - 300)
    await rig.clock.advance(SPAN - 300)
    const { jobs, nextIn } = await node.claim()
    assert.deepEqual([jobs.length, nextIn], [1, 100])
  },

  'a grant counts whatever becomes of it': async (rig) => {
    await rig.declare(rate(2))
    await rig.putMany(5)
    const node = await rig.node()
    const { jobs } = await node.claim()
    await node.settle(jobs[0], COMPLETE)
    await node.settle(jobs[1], RELEASE)
    assert.deepEqual((await node.claim()).jobs, [])
  },

  'who gets fewer than there are permits leaves the others': async (rig) => {
    await rig.declare(rate(5))
    await rig.putMany(2)
    const node = await rig.node()
    assert.equal((await node.claim()).jobs.length, 2)
    await rig.putMany(10)
    assert.equal((await node.claim()).jobs.length, 3)
  },

  'nodes share one window': async (rig) => {
    await rig.declare(rate(5))
    await rig.putMany(20)
    const nodes = await severalNodes(rig, 3)
    const given: number[] = []
    for (const node of nodes) given.push((await node.claim({ limit: 3 })).jobs.length)
    assert.deepEqual(given, [3, 2, 0])
  },

  'queues with one key share its grants, each by its own count and span': async (rig) => {
    await rig.declare(rate(4, SECOND, 'smtp'), 'a')
    await rig.declare(rate(6, 2 * SECOND, 'smtp'), 'b')
    await rig.declare(rate(4, SECOND, 'other'), 'c')
    for (const queue of ['a', 'b', 'c']) await rig.putMany(20, () => ({ queue }))
    const node = await rig.node()
    const claim = ['a', 'b', 'c'].map((queue) => node.ask({ queue, limit: 20 }))
    const { claimed } = await rig.store.exchange({ node: node.id, settle: [], claim })
    assert.deepEqual(
      claimed.map(({ jobs }) => jobs.length),
      [4, 2, 4],
    )
    await rig.clock.advance(SPAN)
    const take = async (queue: string) => (await node.claim({ queue, limit: 20 })).jobs.length
    assert.deepEqual([await take('b'), await take('a')], [0, 4])
    await rig.clock.advance(grantSpan(2 * SECOND) - SPAN)
    assert.equal(await take('b'), 2)
  },

  'each group has a window of its own': async (rig) => {
    await rig.declare({ groups: { rate: { count: 2, per: SECOND } } })
    for (const group of ['a', 'b']) await rig.putMany(5, () => ({ group }))
    const node = await rig.node()
    const served = async () => (await node.claim()).jobs.map(({ group }) => group).sort()
    assert.deepEqual(await served(), ['a', 'a', 'b', 'b'])
    assert.equal((await node.claim()).nextIn, SPAN)
    await rig.clock.advance(SPAN)
    assert.deepEqual(await served(), ['a', 'a', 'b', 'b'])
  },

  'a group’s window outlives its jobs': async (rig) => {
    await rig.declare({ groups: { rate: { count: 1, per: SECOND } }, receipts: 0 })
    const node = await rig.node()
    await rig.put({ group: 'g' })
    await node.settle(await node.take(), COMPLETE)
    assert.deepEqual(await rig.list(), [])
    await rig.put({ group: 'g' })
    assert.deepEqual((await node.claim()).jobs, [])
  },

  'thousands in one window are counted': async (rig) => {
    await rig.declare(rate(3_000))
    for (const _ of upTo(2)) await rig.putMany(2_000)
    const node = await rig.node()
    let given = 0
    for (const _ of upTo(40)) {
      given += (await node.claim({ limit: 100 })).jobs.length
      await rig.clock.advance(1)
    }
    assert.equal(given, 3_000)
  },

  'a new rate holds at once, and counts what was granted before': async (rig) => {
    await rig.declare(rate(10))
    await rig.putMany(30)
    const node = await rig.node()
    assert.equal((await node.claim({ limit: 4 })).jobs.length, 4)
    await rig.declare(rate(5))
    assert.equal((await node.claim()).jobs.length, 1)
    await rig.declare(rate(7))
    assert.equal((await node.claim()).jobs.length, 2)
  },

  'a claim with a margin is counted from so much later': async (rig) => {
    await rig.declare({ ...rate(3), groups: { rate: { count: 2, per: SECOND } } })
    await rig.putMany(4, () => ({ group: 'g' }))
    const node = await rig.node()
    assert.equal((await node.claim({ limit: 1, margin: 300 })).jobs.length, 1)
    await rig.clock.advance(100)
    assert.equal((await node.claim({ limit: 1 })).jobs.length, 1)
    await rig.put({ group: 'h' })
    await rig.clock.advance(SPAN - 1)
    assert.deepEqual(groupsOf((await node.claim()).jobs), ['h'])
    await rig.clock.advance(201)
    assert.deepEqual(groupsOf((await node.claim()).jobs), ['g', 'g'])
  },

  'what starts as late as it may keeps every window, whatever margins the nodes ask for': async (
    rig,
  ) => {
    const dice = new Dice(7)
    await rig.declare(rate(20, 400, 'shared'), 'a')
    await rig.declare(rate(20, 400, 'shared'), 'b')
    const nodes = await severalNodes(rig, 2)
    const starts: number[] = []
    for (const step of upTo(rig.long(600))) {
      const queue = dice.pick(['a', 'b'])
      if (step % 20 === 0) for (const to of ['a', 'b']) await rig.putMany(20, () => ({ queue: to }))
      const margin = dice.pick([0, 0, 5, 30, 150])
      const node = dice.pick(nodes)
      const { jobs } = await node.claim({ queue, limit: 1 + dice.below(8), margin })
      const latest = margin + startAllowance(400)
      for (const _ of jobs) starts.push(rig.clock.mono() + dice.below(latest + 1))
      await node.settleAll(jobs.map((job) => settlement(job, COMPLETE)))
      await rig.clock.advance(dice.pick([0, 1, 5, 20, 60]))
    }
    starts.sort((a, b) => a - b)
    assert.ok(starts.length > rig.long(200), `something was started: ${starts.length}`)
    const full = starts.filter((at, nth) => nth >= 20 && at - starts[nth - 20] < 400)
    assert.deepEqual(full, [], 'starts that were the 21st within 400 ms')
  },

  'every window of a long run keeps its rate, though nodes die': async (rig) => {
    const history = await longRun(rig, 3, rig.long(3_000))
    assert.ok(history.size > rig.long(1_000), `something was granted: ${history.size}`)
  },
}

export const rates: Group = { title: 'rates', laws }

function groupsOf(jobs: readonly Claimed[]): string[] {
  return jobs.map(({ group }) => group)
}

async function severalNodes(rig: Rig, count: number): Promise<PlayedNode[]> {
  const nodes: PlayedNode[] = []
  for (const at of upTo(count)) {
    nodes.push(await rig.node(at === 0 ? rig.store : await rig.connect()))
  }
  return nodes
}

const KEYED = { count: 40, per: 500, key: 'shared' }
/** What the second queue allows of the same key. */
const LESS = 30
const OWN = { count: 25, per: 300, key: null }
const IN_GROUP = { count: 6, per: 400 }

/** Three nodes on two queues that share a key, and one with a rate of its own and of its groups. */
async function longRun(rig: Rig, seed: number, steps: number): Promise<History> {
  const dice = new Dice(seed)
  await rig.declare({ rate: KEYED }, 'a')
  await rig.declare({ rate: { ...KEYED, count: LESS } }, 'b')
  await rig.declare({ rate: OWN, groups: { rate: IN_GROUP } }, 'c')
  const nodes = await severalNodes(rig, 3)
  const history = new History()
  for (const step of upTo(steps)) {
    const at = dice.below(nodes.length)
    const queue = dice.pick(['a', 'b', 'c'])
    if (step % 20 === 0) {
      for (const to of ['a', 'b', 'c']) {
        const { available } = await rig.counts(to)
        if (available < 50) {
          await rig.putMany(100, () => ({ queue: to, group: `g${dice.below(5)}` }))
        }
      }
    }
    const { jobs } = await nodes[at].claim({ queue, limit: 1 + dice.below(30) })
    const now = rig.clock.mono()
    for (const job of jobs) {
      history.granted(queue === 'c' ? 'own' : 'shared', now)
      const seen = history.within('shared', grantSpan(KEYED.per), now)
      if (queue === 'b') assert.ok(seen <= LESS, `b took the ${seen}th of the key, of ${LESS}`)
      if (queue === 'c') history.granted(`group ${job.group}`, now)
    }
    await nodes[at].settleAll(jobs.map((job) => settlement(job, dice.pick([COMPLETE, RELEASE]))))
    if (dice.maybe(0.005)) {
      nodes[at] = await rig.node(nodes[at].store)
      await rig.clock.advance(LEASE + 1)
      for (const node of nodes) await node.beat()
      await nodes[at].sweepAll()
    }
    await rig.clock.advance(dice.pick([0, 1, 5, 20, 60]))
  }
  history.check('shared', KEYED.count, grantSpan(KEYED.per))
  history.check('own', OWN.count, grantSpan(OWN.per))
  for (const group of upTo(5))
    history.check(`group g${group}`, IN_GROUP.count, grantSpan(IN_GROUP.per))
  return history
}
