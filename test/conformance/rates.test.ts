// A long history of grants under rates, with nodes that die on the way: every window of it is looked
// at. A million grants on the memory store; fewer on the file store, where each is written down.
import { describe, expect, it } from 'vitest'
import { grantSpan } from '../../src/job/rate.js'
import { RELEASE, settlement, upTo } from '../../src/testing/conformance/build.js'
import { Dice } from '../../src/testing/conformance/dice.js'
import { History } from '../../src/testing/conformance/grants.js'
import type { OpenMedium } from '../../src/testing/conformance/medium.js'
import { LEASE } from '../../src/testing/conformance/played-node.js'
import type { PlayedNode } from '../../src/testing/conformance/played-node.js'
import { Rig } from '../../src/testing/conformance/rig.js'
import { openSimulated } from './file-medium.js'
import { openMemory } from './memory-medium.js'

const KEYED = { count: 4_000, per: 1_000, key: 'k' }
const EXACT = { count: 250, per: 100, key: null }
const IN_GROUP = { count: 120, per: 100 }
const GROUPS = ['x', 'y', 'z']

/** `a` and `b` share a key with thousands in a window; `c` has a rate of its own and of its groups. */
async function grantMany(open: OpenMedium, grants: number): Promise<History> {
  return Rig.within(open, async (rig) => {
    const dice = new Dice(grants)
    const history = new History()
    await rig.declare({ rate: KEYED }, 'a')
    await rig.declare({ rate: KEYED }, 'b')
    await rig.declare({ rate: EXACT, groups: { rate: IN_GROUP, weights: { x: 3 } } }, 'c')
    const nodes: PlayedNode[] = []
    for (const at of upTo(3)) {
      nodes.push(await rig.node(at === 0 ? rig.store : await rig.connect()))
    }
    const fill = async (queue: string): Promise<void> => {
      await rig.putMany(1_000, (at) => ({ queue, group: GROUPS[at % GROUPS.length] }))
    }
    for (const queue of ['a', 'b', 'c']) await fill(queue)
    const turn = async (at: number): Promise<void> => {
      const queue = dice.pick(['a', 'a', 'b', 'b', 'c'])
      const { jobs } = await nodes[at].claim({ queue, limit: 1 + dice.below(800) })
      const now = rig.clock.mono()
      for (const { group } of jobs) {
        history.granted(queue === 'c' ? 'own' : 'shared', now)
        if (queue === 'c') history.granted(`group ${group}`, now)
      }
      if (dice.maybe(0.002)) {
        // Killed with all that it held; the jobs come back when it is swept.
        nodes[at] = await rig.node(nodes[at].store)
        await rig.clock.advance(LEASE + 1)
        for (const node of nodes) await node.beat()
        await nodes[at].sweepAll()
        await fill(queue)
      } else {
        await nodes[at].settleAll(jobs.map((job) => settlement(job, RELEASE)))
      }
    }
    while (history.size < grants) {
      await turn(dice.below(nodes.length))
      await rig.clock.advance(dice.pick([0, 0, 0.25, 1, 7, 40, 130]))
    }
    return history
  })
}

function check(history: History): void {
  expect(history.fullest('shared', grantSpan(KEYED.per))).toBeLessThanOrEqual(KEYED.count)
  expect(history.fullest('own', grantSpan(EXACT.per))).toBe(EXACT.count)
  for (const group of GROUPS) {
    expect(history.fullest(`group ${group}`, grantSpan(IN_GROUP.per))).toBeLessThanOrEqual(
      IN_GROUP.count,
    )
  }
  expect(history.fullest('group x', grantSpan(IN_GROUP.per))).toBe(IN_GROUP.count)
  // What is gathered in steps gives at most a little less than it might.
  expect(history.fullest('shared', grantSpan(KEYED.per))).toBeGreaterThan(KEYED.count * 0.99)
}

describe('rates over a long run', () => {
  it('hold in every window of a million grants on the memory store', async () => {
    check(await grantMany(openMemory, 1_000_000))
  }, 120_000)

  it('hold in every window of fifty thousand grants on the file store', async () => {
    check(await grantMany(openSimulated(), 50_000))
  }, 120_000)
})
