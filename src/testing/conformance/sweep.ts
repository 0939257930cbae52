/**
 * Law 11: sweeping is bounded, repeatable and safe side by side. And what it does for a node whose
 * loop does not answer: a run past its timeout ends as an attempt that counts.
 */
import assert from 'node:assert/strict'
import { COMPLETE, idsOf } from './build.js'
import type { Group, Laws } from './law.js'
import { LEASE } from './played-node.js'
import { countsOf } from './rig.js'

const laws: Laws = {
  'a run that is overdue ends at the next sweep as a timeout, which counts': async (rig) => {
    await rig.declare({ backoff: { type: 'none' } })
    await rig.putMany(2)
    const stuck = await rig.node()
    const { jobs } = await stuck.claim()
    await stuck.beat({ overdue: [jobs[0].token] })
    const node = await rig.node()
    const swept = await node.sweepAll()
    assert.deepEqual(
      swept.happened.map((one) => [one.kind, one.id]),
      [['timeout', jobs[0].id]],
    )
    assert.deepEqual(swept.lostNodes, [])
    const job = await rig.view(jobs[0])
    assert.deepEqual([job.state, job.attempt], ['available', 1])
    assert.deepEqual(
      job.history.map((one) => one.outcome),
      ['timeout'],
    )
    assert.equal(await rig.stateOf(jobs[1]), 'running')
    assert.deepEqual(await stuck.settle(jobs[0], COMPLETE), { status: 'lost' })
    const again = await node.take()
    assert.deepEqual([again.attempt, again.crashes], [2, 0])
  },

  'an overdue last attempt is discarded, attempts spent': async (rig) => {
    const ref = await rig.put({ attempts: 1 })
    const stuck = await rig.node()
    const held = await stuck.take()
    await stuck.beat({ overdue: [held.token] })
    await (await rig.node()).sweepAll()
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.reason], ['discarded', 'attempts-spent'])
    assert.deepEqual(
      job.history.map((one) => one.outcome),
      ['timeout'],
    )
  },

  'an overdue run waits the queue’s backoff before its next attempt': async (rig) => {
    await rig.declare({ backoff: { type: 'fixed', delay: 7_000 } })
    const ref = await rig.put()
    const stuck = await rig.node()
    const held = await stuck.take()
    await stuck.beat({ overdue: [held.token] })
    await (await rig.node()).sweepAll()
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.dueAt], ['retryable', rig.clock.wall() + 7_000])
  },

  'sweeping is bounded: so many at once, and more is said until all are free': async (rig) => {
    await rig.putMany(10)
    await (await rig.node()).claim()
    await rig.clock.advance(LEASE + 1)
    const node = await rig.node()
    const first = await node.sweep(4)
    assert.ok(first.freed > 0 && first.freed <= 4)
    assert.equal(first.more, true)
    assert.equal(first.happened.length, first.freed)
    const rest = await node.sweepAll(4)
    assert.equal(first.freed + rest.freed, 10)
    assert.deepEqual(await rig.counts(), countsOf({ available: 10 }))
  },

  'sweeping again finds nothing': async (rig) => {
    await rig.putMany(3)
    await (await rig.node()).claim()
    await rig.clock.advance(LEASE + 1)
    const node = await rig.node()
    await node.sweepAll()
    const { freed, expired, discarded, pruned, more, happened, lostNodes } = await node.sweep()
    assert.deepEqual([freed, expired, discarded, pruned, more], [0, 0, 0, 0, false])
    assert.deepEqual([happened, lostNodes], [[], []])
  },

  'sweeps side by side free each job once': async (rig) => {
    const ids = await rig.putMany(60)
    const doomed = await rig.node()
    await doomed.claim()
    await rig.clock.advance(LEASE + 1)
    const sweepers = [
      await rig.node(),
      await rig.node(await rig.connect()),
      await rig.node(await rig.connect()),
    ]
    const swept = await Promise.all(sweepers.map((node) => node.sweepAll(7)))
    const told = swept.flatMap((one) => idsOf(one.happened))
    assert.deepEqual([...told].sort(), [...ids].sort())
    const lost = swept.flatMap((one) => one.lostNodes.map((card) => card.node))
    assert.deepEqual(lost, [doomed.id], 'one of them tells that the node is lost')
    assert.equal(
      swept.reduce((sum, one) => sum + one.freed, 0),
      ids.length,
    )
    for (const id of ids) assert.equal((await rig.view({ queue: 'q', id })).attempt, 1)
  },
}

export const sweeping: Group = { title: 'sweep', laws }
