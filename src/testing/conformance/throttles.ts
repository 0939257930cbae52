/**
 * Throttles: a handler says that the other side wants a rest, and nothing more starts of its queue,
 * of all that share its rate's key, or of its group, on any node, until it is over by itself.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { Millis } from '../../job/job.js'
import type { Note, Throttle } from '../../job/verdict.js'
import { COMPLETE, idsOf, retryIn } from './build.js'
import type { Group, Laws } from './law.js'
import { LEASE } from './played-node.js'
import type { Rig } from './rig.js'

function restOf(held: Claimed, what: Throttle['what'], delay: Millis): Note {
  const { queue, id, token } = held
  return { queue, id, token, progress: null, log: [], throttles: [{ what, delay }] }
}

/** How many jobs of the queue a node of its own can claim now. */
async function claimable(rig: Rig, queue = 'q'): Promise<number> {
  const node = await rig.node(await rig.connect())
  const { jobs } = await node.claim({ queue })
  await node.settleAll(
    jobs.map(({ queue, id, token }) => ({
      ...{ queue, id, token, ran: null },
      verdict: { kind: 'release' },
    })),
  )
  return jobs.length
}

const shared = (count: number) => ({ rate: { count, per: 60_000, key: 'smtp' } })

const laws: Laws = {
  'nothing more of a throttled queue starts, anywhere, until it is over by itself': async (rig) => {
    await rig.putMany(5)
    await rig.put({ queue: 'other' })
    const node = await rig.node()
    const held = await node.take()
    assert.deepEqual(await rig.store.note([restOf(held, 'queue', 30_000)]), ['done'])
    const answer = await node.claim()
    assert.deepEqual([idsOf(answer.jobs), answer.nextIn], [[], 30_000])
    assert.equal(await claimable(rig), 0)
    assert.equal(await claimable(rig, 'other'), 1)
    await rig.clock.advance(29_999)
    assert.equal(await claimable(rig), 0)
    await rig.clock.advance(1)
    assert.equal(await claimable(rig), 4)
  },

  'what runs goes on, and its verdict counts': async (rig) => {
    const ids = await rig.putMany(2)
    const node = await rig.node()
    const { jobs } = await node.claim()
    await rig.store.note([restOf(jobs[0], 'queue', 30_000)])
    assert.equal((await node.settle(jobs[0], retryIn(0))).status, 'done')
    assert.equal((await node.settle(jobs[1], COMPLETE)).status, 'done')
    assert.equal(await claimable(rig), 0)
    await rig.clock.advance(30_000)
    assert.deepEqual(idsOf((await node.claim()).jobs), [ids[0]])
  },

  'a throttled group rests, and the others go on': async (rig) => {
    await rig.putMany(6, (at) => ({ group: `g${at % 3}` }))
    const node = await rig.node()
    const held = await node.take()
    await rig.store.note([restOf(held, 'group', 10_000)])
    const { jobs } = await node.claim()
    assert.deepEqual(jobs.map(({ group }) => group).sort(), ['g1', 'g1', 'g2', 'g2'])
    assert.equal(await claimable(rig), 0)
    await rig.clock.advance(10_000)
    assert.equal(await claimable(rig), 1)
  },

  'a throttled group keeps to its queue, though another one’s name begins with it': async (rig) => {
    const queues = ['a', 'ab', 'b', '\u{10ffff}', '\u{10ffff}x']
    for (const queue of queues) await rig.put({ queue, group: 'bg' })
    await rig.putMany(2, () => ({ queue: 'a', group: 'b' }))
    const node = await rig.node()
    for (const queue of ['a', '\u{10ffff}']) {
      const [held] = (await node.claim({ queue, limit: 1 })).jobs
      await rig.store.note([restOf(held, 'group', 10_000)])
    }
    const left = [1, 1, 1, 0, 1]
    for (const [at, queue] of queues.entries()) {
      assert.equal(await claimable(rig, queue), left[at] + (queue === 'a' ? 1 : 0), queue)
    }
  },

  'a throttled key rests in all queues that share it, and in no other': async (rig) => {
    await rig.declare(shared(100), 'a')
    await rig.declare(shared(50), 'b')
    await rig.declare({ rate: { count: 100, per: 60_000, key: 'other' } }, 'c')
    for (const queue of ['a', 'a', 'b', 'c']) await rig.put({ queue })
    const node = await rig.node()
    const held = await node.take({ queue: 'a' })
    await rig.store.note([restOf(held, 'key', 5_000)])
    assert.deepEqual(
      [await claimable(rig, 'a'), await claimable(rig, 'b'), await claimable(rig, 'c')],
      [0, 0, 1],
    )
    await rig.clock.advance(5_000)
    assert.deepEqual([await claimable(rig, 'a'), await claimable(rig, 'b')], [1, 1])
  },

  'the longest that was asked for counts': async (rig) => {
    await rig.putMany(3)
    const node = await rig.node()
    const { jobs } = await node.claim({ limit: 2 })
    await rig.store.note([restOf(jobs[0], 'queue', 20_000), restOf(jobs[1], 'queue', 5_000)])
    await rig.clock.advance(10_000)
    assert.equal(await claimable(rig), 0)
    await rig.clock.advance(10_000)
    assert.equal(await claimable(rig), 1)
  },

  'a dead token throttles nothing': async (rig) => {
    await rig.putMany(2)
    const node = await rig.node()
    const held = await node.take()
    await node.settle(held, COMPLETE)
    assert.deepEqual(await rig.store.note([restOf(held, 'queue', 60_000)]), ['lost'])
    assert.equal(await claimable(rig), 1)
  },

  'it outlives whoever said it': async (rig) => {
    await rig.putMany(2)
    const dying = await rig.node()
    await rig.store.note([restOf(await dying.take(), 'queue', LEASE + 60_000)])
    await rig.clock.advance(LEASE + 1)
    await (await rig.node(await rig.connect())).sweepAll()
    assert.equal(await claimable(rig), 0)
    await rig.clock.advance(60_000)
    assert.equal(await claimable(rig), 2)
  },

  'several at once, of one note': async (rig) => {
    await rig.putMany(4, (at) => ({ group: `g${at % 2}` }))
    const node = await rig.node()
    const held = await node.take()
    const note = restOf(held, 'queue', 1_000)
    const throttles: Throttle[] = [...(note.throttles ?? []), { what: 'group', delay: 3_000 }]
    await rig.store.note([{ ...note, throttles, progress: 0.5, log: ['busy'] }])
    await rig.clock.advance(1_000)
    assert.equal(await claimable(rig), 2)
    await rig.clock.advance(2_000)
    assert.equal(await claimable(rig), 3)
    assert.deepEqual((await rig.view(held)).log, ['busy'])
  },

  'claims of many groups find the open one behind a throttled crowd': async (rig) => {
    await rig.putMany(300, () => ({ group: 'crowd' }))
    const [last] = await rig.putMany(1, () => ({ group: 'few' }))
    const node = await rig.node()
    await rig.store.note([restOf(await node.take(), 'group', 1_000)])
    assert.deepEqual(idsOf((await node.claim({ limit: 5 })).jobs), [last])
    await rig.clock.advance(1_000)
    assert.equal((await node.claim({ limit: 5 })).jobs.length, 5)
  },
}

export const throttles: Group = { title: 'throttles', laws }
