/**
 * Law 21: a claim whose answer was lost strands nothing beyond two beats. The node's beat names the
 * last claim that it heard of and those that are open; what is below and not open goes back at
 * once with its attempt, since no handler ever saw it; what is above is on its way and left alone.
 */
import assert from 'node:assert/strict'
import { idsOf, RELEASE } from './build.js'
import type { Group, Laws } from './law.js'
import { BEAT } from './played-node.js'
import { countsOf } from './rig.js'

const laws: Laws = {
  'a claim that its node never heard of goes back, the attempt with it': async (rig) => {
    const ids = await rig.putMany(3, () => ({ attempts: 1 }))
    const node = await rig.node()
    const lost = await node.claimAndLose()
    assert.deepEqual(idsOf(lost), ids)
    assert.deepEqual(await node.beat(), { gone: false })
    assert.deepEqual(await rig.counts(), countsOf({ available: 3 }))
    const job = await rig.view(lost[0])
    assert.deepEqual([job.attempt, job.history], [0, []])
    const { jobs } = await node.claim()
    assert.deepEqual([idsOf(jobs), jobs[0].attempt, jobs[0].crashes], [ids, 1, 0])
  },

  'its tokens are dead then': async (rig) => {
    await rig.put()
    const node = await rig.node()
    const [lost] = await node.claimAndLose()
    await node.beat()
    assert.deepEqual(await node.settle(lost, RELEASE), { status: 'lost' })
  },

  'what is open stays held, whatever is lost beside it': async (rig) => {
    const ids = await rig.putMany(6)
    const node = await rig.node()
    await node.claim({ limit: 2 })
    await node.claimAndLose({ limit: 2 })
    await node.claim({ limit: 2 })
    assert.deepEqual(node.open, [1, 3])
    await node.beat()
    const other = await rig.node()
    assert.deepEqual(idsOf((await other.claim()).jobs), ids.slice(2, 4))
    assert.deepEqual(await rig.counts(), countsOf({ running: 6 }))
  },

  'a claim above what the beat has heard of is on its way, and left alone': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await node.claim({ limit: 0 })
    const upTo = node.claims
    await node.claimAndLose()
    for (let beat = 0; beat < 20; beat++) {
      await rig.clock.advance(BEAT)
      await node.beat({ upTo })
    }
    await (await rig.node()).sweepAll()
    assert.equal(await rig.stateOf(ref), 'running')
    await node.beat()
    assert.equal(await rig.stateOf(ref), 'available')
  },

  'claims of one trip are lost one by one': async (rig) => {
    await rig.put({ queue: 'a' })
    await rig.put({ queue: 'b' })
    const node = await rig.node()
    const claim = [node.ask({ queue: 'a' }), node.ask({ queue: 'b' })]
    await rig.store.exchange({ node: node.id, settle: [], claim })
    await node.beat({ open: [claim[1].claim] })
    assert.equal((await rig.counts('a')).available, 1)
    assert.equal((await rig.counts('b')).running, 1)
  },

  'a lost claim of one node is none of another’s business': async (rig) => {
    await rig.putMany(2)
    const one = await rig.node()
    const other = await rig.node()
    await one.claim({ limit: 1 })
    await other.claimAndLose({ limit: 1 })
    await one.beat()
    assert.deepEqual(await rig.counts(), countsOf({ running: 2 }))
    await other.beat()
    assert.deepEqual(await rig.counts(), countsOf({ running: 1, available: 1 }))
  },

  'a beat may be repeated, and may come late': async (rig) => {
    await rig.putMany(2)
    const node = await rig.node()
    const early = { upTo: 0, open: [] }
    await node.claim({ limit: 1 })
    await node.claim({ limit: 1 })
    await node.beat()
    await node.beat()
    await node.beat(early)
    assert.deepEqual(await rig.counts(), countsOf({ running: 2 }))
  },

  'a lost claim does not count as a crash, however often it comes': async (rig) => {
    await rig.put({ attempts: 2 })
    const node = await rig.node()
    for (let turn = 0; turn < 5; turn++) {
      await node.claimAndLose()
      await node.beat()
    }
    const held = await node.take()
    assert.deepEqual([held.attempt, held.crashes], [1, 0])
  },

  'a claim that was lost with its whole node goes the way of its node': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await node.claimAndLose()
    await rig.clock.advance(10 * BEAT)
    await (await rig.node()).sweepAll()
    assert.equal(await rig.stateOf(ref), 'available')
  },

  'at-most-once: a lost claim does not stay running': async (rig) => {
    await rig.declare({ delivery: 'at-most-once' })
    const ref = await rig.put()
    const node = await rig.node()
    await node.claimAndLose()
    await node.beat()
    assert.notEqual(await rig.stateOf(ref), 'running')
  },
}

export const lostClaims: Group = { title: 'claims that were lost on the way', laws }
