/**
 * Law 5, the order of claims: higher priority first, then groups in rotation, within a group by
 * place, then insertion. Which jobs may be claimed at all is in `claim.ts`. The weights of groups,
 * caps, rates and blocking order are laws of their own, for a later suite.
 */
import assert from 'node:assert/strict'
import { idsOf, RELEASE, retryIn, snoozeFor, upTo } from './build.js'
import type { Group, Laws } from './law.js'

const laws: Laws = {
  'thousands inserted in one millisecond come in the order of insertion': async (rig) => {
    const ids: string[] = []
    for (const size of [1, 1_999, 500, 1]) ids.push(...(await rig.putMany(size)))
    const lots = upTo(500).map(() => ({ jobs: [rig.job()] }))
    await rig.store.insert(lots)
    ids.push(...lots.map((lot) => lot.jobs[0].id))
    assert.deepEqual(await (await rig.node()).drain(), ids)
  },

  'one at a time is the same order as many at once': async (rig) => {
    const ids = await rig.putMany(30)
    assert.deepEqual(await (await rig.node()).drain({ limit: 1 }), ids)
  },

  'jobs of several handles come in the order in which they were answered': async (rig) => {
    const other = await rig.connect()
    const ids: string[] = []
    for (const turn of upTo(20)) {
      const job = rig.job()
      await rig.insert([job], turn % 2 === 0 ? rig.store : other)
      ids.push(job.id)
    }
    assert.deepEqual(await (await rig.node()).drain(), ids)
  },

  'every priority from 100 to -100 comes before the next lower one': async (rig) => {
    const priorities = upTo(201).map((index) => ((index * 83) % 201) - 100)
    const ids = await rig.putMany(201, (index) => ({ priority: priorities[index] }))
    const sorted = upTo(201).sort((a, b) => priorities[b] - priorities[a])
    assert.deepEqual(
      await (await rig.node()).drain(),
      sorted.map((index) => ids[index]),
    )
  },

  'a later job of higher priority comes first, its equals stay in order': async (rig) => {
    const low = await rig.putMany(2, () => ({ priority: -10 }))
    const normal = await rig.putMany(2)
    const high = await rig.putMany(2, () => ({ priority: 10 }))
    assert.deepEqual(await (await rig.node()).drain(), [...high, ...normal, ...low])
  },

  'priority stands above groups': async (rig) => {
    await rig.putMany(3, () => ({ group: 'a' }))
    const [urgent] = await rig.putMany(1, () => ({ group: 'b', priority: 1 }))
    const [more] = await rig.putMany(1, () => ({ group: 'a', priority: 1 }))
    const order = await (await rig.node()).drain()
    assert.deepEqual(new Set(order.slice(0, 2)), new Set([urgent, more]))
  },

  'the place of a job is when it became due, not when it was inserted': async (rig) => {
    const late = await rig.put({ delay: 5_000 })
    const early = await rig.put({ delay: 1_000 })
    await rig.clock.advance(2_000)
    const middle = await rig.put()
    await rig.clock.advance(10_000)
    const last = await rig.put()
    assert.deepEqual(await (await rig.node()).drain(), idsOf([early, middle, late, last]))
  },

  'a retry keeps its place': async (rig) => {
    const node = await rig.node()
    const first = await rig.put()
    await rig.clock.advance(10)
    const second = await rig.put()
    await node.settle(await node.take(), retryIn(1_000))
    await rig.clock.advance(2_000)
    const third = await rig.put()
    assert.deepEqual(await node.drain(), idsOf([first, second, third]))
  },

  'a release keeps its place': async (rig) => {
    const node = await rig.node()
    const ids = await rig.putMany(4)
    const { jobs } = await node.claim({ limit: 2 })
    for (const job of [...jobs].reverse()) await node.settle(job, RELEASE)
    assert.deepEqual(await node.drain(), ids)
  },

  'a snooze takes a new place': async (rig) => {
    const node = await rig.node()
    const first = await rig.put()
    await rig.clock.advance(10)
    const second = await rig.put()
    await node.settle(await node.take(), snoozeFor(1_000))
    await rig.clock.advance(500)
    const third = await rig.put()
    await rig.clock.advance(1_000)
    const fourth = await rig.put()
    assert.deepEqual(await node.drain(), idsOf([second, third, first, fourth]))
  },

  'groups take turns: each round of claims serves every group once': async (rig) => {
    const groups = ['', 'a', 'b', 'c']
    for (const group of groups) await rig.putMany(6, () => ({ group }))
    const served = await groupsServed(rig, 24)
    for (const round of upTo(6)) {
      const turn = served.slice(round * 4, round * 4 + 4)
      assert.deepEqual([...turn].sort(), groups, `round ${round}`)
    }
  },

  'one claim of many takes turns too': async (rig) => {
    for (const group of ['a', 'b', 'c']) await rig.putMany(50, () => ({ group }))
    const { jobs } = await (await rig.node()).claim({ limit: 9 })
    for (const group of ['a', 'b', 'c']) {
      assert.equal(jobs.filter((job) => job.group === group).length, 3, group)
    }
  },

  'a thousand jobs of one group do not hold up the one job of another': async (rig) => {
    await rig.putMany(1_000, () => ({ group: 'large' }))
    const [small] = await rig.putMany(1, () => ({ group: 'small' }))
    const { jobs } = await (await rig.node()).claim({ limit: 2 })
    assert.ok(idsOf(jobs).includes(small))
  },

  'a group that comes late shares from then on, and does not catch up': async (rig) => {
    await rig.putMany(30, () => ({ group: 'a' }))
    await groupsServed(rig, 10)
    await rig.putMany(10, () => ({ group: 'b' }))
    const served = await groupsServed(rig, 10)
    for (const length of upTo(11)) {
      const part = served.slice(0, length)
      const ahead = part.filter((group) => group === 'a').length * 2 - part.length
      assert.ok(Math.abs(ahead) <= 1, `${length} served: ${part.join(' ')}`)
    }
  },

  'within a group the order is by place, whatever the rotation': async (rig) => {
    const groups = ['a', 'b', 'c']
    const ids = await rig.putMany(30, (index) => ({ group: groups[(index * 7) % 3] }))
    const order = await (await rig.node()).drain({ limit: 4 })
    for (const group of upTo(3)) {
      const own = ids.filter((_, index) => (index * 7) % 3 === group)
      assert.deepEqual(
        order.filter((id) => own.includes(id)),
        own,
        groups[group],
      )
    }
  },
}

export const ordering: Group = { title: 'the order of claims', laws }

/** The groups of the next claims, one job at a time. */
async function groupsServed(rig: Parameters<Laws[string]>[0], count: number): Promise<string[]> {
  const node = await rig.node()
  const served: string[] = []
  for (const turn of upTo(count)) {
    const held = await node.take()
    served.push(held.group)
    assert.equal(served.length, turn + 1)
  }
  return served
}
