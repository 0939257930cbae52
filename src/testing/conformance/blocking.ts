/**
 * Law 17: within a group of a blocking queue jobs start in order, one at a time over all nodes, and
 * one that fails holds the others until it is completed, cancelled or discarded. Groups never
 * notice each other.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import {
  cancelFor,
  COMPLETE,
  discardAs,
  idsOf,
  RELEASE,
  retryIn,
  snoozeFor,
  upTo,
} from './build.js'
import type { Group, Laws } from './law.js'
import type { PlayedNode } from './played-node.js'
import { LEASE } from './played-node.js'
import type { Rig } from './rig.js'
import { walkInOrder } from './blocking-walk.js'

const BLOCKING = { order: 'blocking' } as const
const G = () => ({ group: 'g' })

/** What a node is given of everything that is there. */
async function given(node: PlayedNode): Promise<string[]> {
  return idsOf((await node.claim()).jobs)
}

async function blocked(rig: Rig, count: number): Promise<[PlayedNode, string[]]> {
  await rig.declare(BLOCKING)
  const ids = await rig.putMany(count, G)
  return [await rig.node(), ids]
}

const laws: Laws = {
  'one at a time, over all nodes, in order': async (rig) => {
    const [node, ids] = await blocked(rig, 6)
    const nodes = [node, await rig.node(await rig.connect())]
    for (const [at, id] of ids.entries()) {
      const { jobs, nextIn } = await nodes[at % 2].claim()
      assert.deepEqual([idsOf(jobs), nextIn], [[id], null])
      assert.deepEqual(await given(nodes[(at + 1) % 2]), [])
      await nodes[at % 2].settle(jobs[0], COMPLETE)
    }
  },

  'every group gives its first, whatever holds the others': async (rig) => {
    await rig.declare(BLOCKING)
    const firsts: string[] = []
    for (const group of ['', 'a', 'b', 'c']) {
      firsts.push((await rig.putMany(50, () => ({ group })))[0])
    }
    const node = await rig.node()
    const { jobs } = await node.claim()
    assert.deepEqual(new Set(idsOf(jobs)), new Set(firsts))
    assert.deepEqual(await given(node), [])
  },

  'a failing job holds its group through its backoff, and no longer': async (rig) => {
    const [node, [first, second]] = await blocked(rig, 2)
    for (const delay of [1_000, 60_000]) {
      const held = await node.take()
      assert.equal(held.id, first)
      await node.settle(held, retryIn(delay))
      const waits = await node.claim()
      assert.deepEqual([waits.jobs, waits.nextIn], [[], delay])
      await rig.clock.advance(delay - 1)
      assert.deepEqual(await given(node), [])
      await rig.clock.advance(1)
    }
    await node.settle(await node.take(), COMPLETE)
    assert.deepEqual(await given(node), [second])
  },

  'the next starts at once when the last attempt is used': async (rig) => {
    await rig.declare({ ...BLOCKING, attempts: 2 })
    const [first, second] = await rig.putMany(2, G)
    const node = await rig.node()
    await node.settle(await node.take(), retryIn(0))
    const held = await node.take()
    assert.deepEqual([held.id, held.attempt], [first, 2])
    await node.settle(held, retryIn(60_000))
    assert.deepEqual(await given(node), [second])
  },

  'every end frees the group at once': async (rig) => {
    const [node, ids] = await blocked(rig, 5)
    const ends = [COMPLETE, cancelFor(), discardAs('d1'), snoozeFor(60_000)]
    for (const [at, verdict] of ends.entries()) {
      const held = await node.take()
      assert.equal(held.id, ids[at])
      await node.settle(held, verdict)
    }
    assert.deepEqual(await given(node), [ids[4]])
  },

  'a release keeps its place at the head': async (rig) => {
    const [node, [first]] = await blocked(rig, 3)
    for (const _ of upTo(3)) {
      const held = await node.take()
      assert.equal(held.id, first)
      await node.settle(held, RELEASE)
    }
  },

  'a job that failed is passed by nobody, not even when its next run is given back': async (
    rig,
  ) => {
    const [node, [first]] = await blocked(rig, 2)
    await node.settle(await node.take(), retryIn(100))
    const urgent = await rig.put({ ...G(), priority: 50 })
    assert.deepEqual(await given(node), [])
    await rig.clock.advance(100)
    await node.settle(await node.take(), RELEASE)
    const again = await node.take()
    assert.deepEqual([again.id, again.attempt], [first, 2])
    await node.settle(again, COMPLETE)
    assert.equal((await node.take()).id, urgent.id)
  },

  'before it starts, the head is who stands first by priority, place and insertion': async (
    rig,
  ) => {
    const [node, [first, second]] = await blocked(rig, 2)
    const high = await rig.put({ ...G(), priority: 5 })
    const early = await rig.put({ ...G(), at: rig.clock.wall() - 1_000 })
    const late = await rig.put({ ...G(), delay: 10 })
    await rig.clock.advance(10)
    const order: string[] = []
    for (const _ of upTo(5)) {
      const held = await node.take()
      order.push(held.id)
      await node.settle(held, COMPLETE)
    }
    assert.deepEqual(order, [high.id, early.id, first, second, late.id])
  },

  'a job for later holds nobody': async (rig) => {
    await rig.declare(BLOCKING)
    await rig.put({ ...G(), delay: 1_000, priority: 9 })
    const now = await rig.put(G())
    assert.deepEqual(await given(await rig.node()), [now.id])
  },

  'the order holds over tasks: behind a head that a worker does not know it gets nothing': async (
    rig,
  ) => {
    await rig.declare(BLOCKING)
    const ids = await rig.putMany(4, (at) => ({ ...G(), task: `t${at % 2}` }))
    const other = await rig.put({ group: 'h', task: 't1' })
    const node = await rig.node()
    const { jobs, nextIn } = await node.claim({ tasks: ['t1'] })
    assert.deepEqual([idsOf(jobs), nextIn], [[other.id], null])
    const first = await node.take({ tasks: ['t0'] })
    assert.equal(first.id, ids[0])
    await node.settle(first, COMPLETE)
    assert.deepEqual((await node.claim({ tasks: ['t0'] })).jobs, [])
    assert.equal((await node.take({ tasks: ['t1'] })).id, ids[1])
  },

  'a head that was not started in time gives way': async (rig) => {
    await rig.declare(BLOCKING)
    await rig.putMany(2, () => ({ ...G(), expiresIn: 1_000 }))
    await rig.clock.advance(500)
    const third = await rig.put(G())
    await rig.clock.advance(1_000)
    const node = await rig.node()
    assert.deepEqual(await given(node), [third.id])
    assert.equal((await node.sweepAll()).expired, 2)
  },

  'a dead holder holds until it is swept; then the same job goes first': async (rig) => {
    await rig.declare(BLOCKING)
    const [first] = await rig.putMany(2, G)
    const dead = await rig.node(await rig.connect())
    const node = await rig.node()
    await dead.take()
    await rig.clock.advance(LEASE + 1)
    assert.deepEqual(await given(node), [])
    await node.sweepAll()
    const again = await node.take()
    assert.deepEqual([again.id, again.attempt], [first, 2])
  },

  'a claim that was lost on the way gives the group back': async (rig) => {
    const [node, [first]] = await blocked(rig, 2)
    await node.claimAndLose()
    assert.deepEqual(await given(node), [])
    await node.beat()
    assert.deepEqual(await given(node), [first])
  },

  'an operator skips, cancels, deletes or retries what blocks': async (rig) => {
    const [node, ids] = await blocked(rig, 5)
    const fail = async (id: string) => {
      const held = await node.take()
      assert.equal(held.id, id)
      await node.settle(held, retryIn(3_600_000))
      assert.deepEqual(await given(node), [])
    }
    await fail(ids[0])
    await rig.control({ kind: 'cancel', queue: 'q', which: { ids: [ids[0]] }, reason: null })
    await fail(ids[1])
    await rig.control({ kind: 'delete', queue: 'q', which: { ids: [ids[1]] } })
    await fail(ids[2])
    const change = { delay: 7_200_000 }
    await rig.control({ kind: 'update', queue: 'q', id: ids[2], change })
    await fail(ids[3])
    await rig.control({ kind: 'retry', queue: 'q', which: { ids: [ids[3]] } })
    assert.deepEqual(await given(node), [ids[3]])
  },

  'what an operator moves up or away changes the head': async (rig) => {
    const [node, ids] = await blocked(rig, 4)
    await rig.control({ kind: 'update', queue: 'q', id: ids[3], change: { priority: 9 } })
    await rig.control({ kind: 'update', queue: 'q', id: ids[0], change: { payload: undefined } })
    await rig.control({ kind: 'cancel', queue: 'q', which: { ids: [ids[1]] }, reason: null })
    const order: string[] = []
    for (const _ of upTo(3)) {
      const held = await node.take()
      order.push(held.id)
      await node.settle(held, COMPLETE)
    }
    assert.deepEqual(order, [ids[3], ids[0], ids[2]])
  },

  'an update alone hides no head': async (rig) => {
    const [node, ids] = await blocked(rig, 2)
    for (const priority of [3, -3, 0]) {
      await rig.control({ kind: 'update', queue: 'q', id: ids[0], change: { priority } })
    }
    assert.deepEqual(await given(node), [ids[0]])
  },

  'the order may be declared while jobs run, fail and wait': async (rig) => {
    const ids = await rig.putMany(4, G)
    const node = await rig.node()
    const { jobs } = await node.claim({ limit: 3 })
    await rig.declare(BLOCKING)
    assert.deepEqual(await given(node), [])
    await node.settle(jobs[0], retryIn(1_000))
    await node.settle(jobs[1], COMPLETE)
    assert.deepEqual(await given(node), [])
    await node.settle(jobs[2], COMPLETE)
    assert.deepEqual(await given(node), [])
    await rig.clock.advance(1_000)
    const held = await node.take()
    assert.equal(held.id, ids[0])
    await rig.declare({})
    assert.deepEqual(await given(node), [ids[3]])
    await node.settle(held, COMPLETE)
  },

  'groups take turns by their weights, and priority stands above': async (rig) => {
    await rig.declare({ ...BLOCKING, groups: { weights: { a: 3 } } })
    for (const group of ['a', 'b']) await rig.putMany(40, () => ({ group }))
    const node = await rig.node()
    const served: string[] = []
    for (const _ of upTo(20)) {
      const held = await node.take()
      served.push(held.group)
      await node.settle(held, COMPLETE)
    }
    assert.equal(served.filter((group) => group === 'a').length, 15)
    const urgent = await rig.put({ group: 'c', priority: 1 })
    assert.equal((await node.take()).id, urgent.id)
  },

  'thousands of jobs of a blocked group do not hold up the next group': async (rig) => {
    await rig.declare(BLOCKING)
    for (const _ of upTo(rig.long(10))) await rig.putMany(2_000, G)
    const node = await rig.node()
    const held: Claimed = await node.take()
    await node.settle(held, retryIn(3_600_000))
    const other = await rig.put({ group: 'h' })
    assert.deepEqual(await given(node), [other.id])
  },

  'in a long run every group keeps its order, though nodes die': async (rig) => {
    await walkInOrder(rig, 5, rig.long(1_200))
  },
}

export const blocking: Group = { title: 'blocking order', laws }
