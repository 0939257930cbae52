/**
 * Groups in rotation: by weight, whatever each has waiting, over all nodes; a group whose gate is
 * closed leaves the rotation, and joins where it stands. Plain rotation is in `order.ts`, the caps
 * of groups in `caps.ts`.
 */
import assert from 'node:assert/strict'
import { COMPLETE, idsOf, upTo } from './build.js'
import type { JobWords } from './build.js'
import type { Group, Laws } from './law.js'
import type { PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'

const laws: Laws = {
  'a group of weight three is served three times as often': async (rig) => {
    await rig.declare({ groups: { weights: { heavy: 3 } } })
    for (const group of ['heavy', 'a', 'b']) await rig.putMany(60, () => ({ group }))
    const served = await groupsServed(rig, 50)
    assert.deepEqual(shares(served, ['heavy', 'a', 'b']), [30, 10, 10])
  },

  'any stretch of the rotation is fair to within a turn of each': async (rig) => {
    const weights = { a: 1, b: 2, c: 5 }
    await rig.declare({ groups: { weights } })
    for (const group of Object.keys(weights)) await rig.putMany(100, () => ({ group }))
    const served = await groupsServed(rig, 80)
    for (const from of [0, 7, 30, 41]) {
      for (const length of [8, 16, 37]) {
        const part = served.slice(from, from + length)
        for (const [group, weight] of Object.entries(weights)) {
          const [got] = shares(part, [group])
          const due = (length * weight) / 8
          assert.ok(Math.abs(got - due) <= 2, `${group}: ${got} of ${due} in ${part.join('')}`)
        }
      }
    }
  },

  'weights hold within one claim of many': async (rig) => {
    await rig.declare({ groups: { weights: { b: 4 } } })
    for (const group of ['a', 'b']) await rig.putMany(40, () => ({ group }))
    const { jobs } = await (await rig.node()).claim({ limit: 20 })
    assert.deepEqual(
      shares(
        jobs.map(({ group }) => group),
        ['a', 'b'],
      ),
      [4, 16],
    )
  },

  'a default weight is for the groups that are not named': async (rig) => {
    await rig.declare({ groups: { weights: { default: 4, small: 1 } } })
    for (const group of ['small', 'x', 'constructor']) await rig.putMany(40, () => ({ group }))
    const served = await groupsServed(rig, 45)
    assert.deepEqual(shares(served, ['small', 'x', 'constructor']), [5, 20, 20])
  },

  'new weights hold from the next claim on': async (rig) => {
    for (const group of ['a', 'b']) await rig.putMany(60, () => ({ group }))
    assert.deepEqual(shares(await groupsServed(rig, 20), ['a', 'b']), [10, 10])
    await rig.declare({ groups: { weights: { a: 3 } } })
    assert.deepEqual(shares(await groupsServed(rig, 40), ['a', 'b']), [30, 10])
  },

  'thousands of one tenant delay the three of another by at most a turn': async (rig) => {
    for (const _ of upTo(rig.long(5))) await rig.putMany(2_000, () => ({ group: 'large' }))
    const node = await rig.node()
    await node.claim({ limit: 1_000 })
    const small = await rig.putMany(3, () => ({ group: 'small' }))
    const { jobs } = await node.claim({ limit: 6 })
    assert.deepEqual(
      small.filter((id) => idsOf(jobs).includes(id)),
      small,
    )
  },

  'a group that was closed does not catch up': async (rig) => {
    await rig.declare({ groups: { concurrency: 1 } })
    await rig.putMany(30, () => ({ group: 'slow' }))
    await rig.putMany(60, () => ({ group: 'quick' }))
    const node = await rig.node()
    const first = await node.claim({ limit: 2 })
    const [slow] = first.jobs.filter(({ group }) => group === 'slow')
    const [quick] = first.jobs.filter(({ group }) => group === 'quick')
    await node.settle(quick, COMPLETE)
    assert.deepEqual(shares(await groupsServed(rig, 20, node), ['slow', 'quick']), [0, 20])
    await node.settle(slow, COMPLETE)
    const served = await groupsServed(rig, 20, node)
    const [got] = shares(served, ['slow'])
    assert.ok(got >= 9 && got <= 11, `${got} of 20: a turn more or less`)
  },

  'a claim that others won takes nobody’s turn away': async (rig) => {
    for (const group of ['a', 'b']) await rig.putMany(200, () => ({ group }))
    const first = await rig.node()
    const second = await rig.node(await rig.connect())
    const claims = upTo(20).map((at) => (at % 2 === 0 ? first : second).claim({ limit: 5 }))
    const jobs = (await Promise.all(claims)).flatMap((answer) => answer.jobs)
    assert.equal(new Set(idsOf(jobs)).size, 100)
    const [a, b] = shares(
      jobs.map(({ group }) => group),
      ['a', 'b'],
    )
    assert.ok(Math.abs(a - b) <= 2, `${a} of a, ${b} of b`)
  },

  'thousands of groups are served once each before any is served twice': async (rig) => {
    const lots = rig.long(5)
    for (const lot of upTo(lots)) {
      const words = (at: number): JobWords => ({ group: `g${lot * 2_000 + at}` })
      for (const _ of upTo(2)) await rig.putMany(2_000, words)
    }
    const node = await rig.node()
    const served = new Set<string>()
    for (const _ of upTo(lots * 2)) {
      const { jobs } = await node.claim({ limit: 1_000 })
      for (const { group } of jobs) served.add(group)
    }
    assert.equal(served.size, lots * 2_000)
  },

  'a group that is gone and comes again begins anew': async (rig) => {
    await rig.declare({ groups: { concurrency: 1 } })
    const node = await rig.node()
    for (const _ of upTo(3)) {
      const [first, second] = await rig.putMany(2, () => ({ group: 'g' }))
      const held = await node.take()
      assert.equal(held.id, first)
      assert.deepEqual((await node.claim()).jobs, [])
      await rig.control({ kind: 'delete', queue: 'q', which: { ids: [second] } })
      await node.settle(held, COMPLETE)
      await rig.clock.advance(11 * 60_000)
      await node.sweepAll()
      assert.deepEqual(await rig.list(), [])
    }
  },
}

export const groups: Group = { title: 'groups', laws }

function shares(served: readonly string[], of: readonly string[]): number[] {
  return of.map((group) => served.filter((one) => one === group).length)
}

/** The groups of the next claims, one job at a time, each completed at once. */
async function groupsServed(rig: Rig, count: number, by?: PlayedNode): Promise<string[]> {
  const node = by ?? (await rig.node())
  const served: string[] = []
  for (const _ of upTo(count)) {
    const held = await node.take()
    served.push(held.group)
    await node.settle(held, COMPLETE)
  }
  return served
}
