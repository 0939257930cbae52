/**
 * A node holds its jobs by living. Silent beyond its lease it may be swept: its jobs go back, the
 * attempt counted, or are discarded when it was the last (law 7); it finds out by its next beat.
 * The living are never swept. How sweeping itself behaves is in `sweep.ts`, claims lost on the way in
 * `lost-claims.ts`, jobs that kill their workers in `crashes.ts`.
 */
import assert from 'node:assert/strict'
import { COMPLETE, idsOf, RELEASE, retryIn, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import { BEAT, LEASE, workerOf } from './played-node.js'

const laws: Laws = {
  'a node that was silent up to its lease keeps its jobs; beyond it they go back': async (rig) => {
    const ref = await rig.put({ task: 't', group: 'g' })
    const silent = await rig.node()
    const held = await silent.take()
    const node = await rig.node()
    await rig.clock.advance(LEASE - 1)
    assert.equal((await node.sweepAll()).freed, 0)
    assert.equal(await rig.stateOf(ref), 'running')
    await rig.clock.advance(2)
    const swept = await node.sweepAll()
    assert.deepEqual([swept.freed, swept.discarded], [1, 0])
    assert.deepEqual(swept.happened, [
      {
        kind: 'lost',
        ...ref,
        task: 't',
        group: 'g',
        attempt: 1,
        worker: silent.worker,
        state: 'available',
        late: 0,
        deadLetter: null,
      },
    ])
    assert.deepEqual(
      swept.lostNodes.map((card) => card.node),
      [silent.id],
    )
    const again = await node.take()
    assert.deepEqual([again.id, again.attempt, again.crashes], [held.id, 2, 1])
  },

  'silence counts as far as whoever sweeps could have heard it': async (rig) => {
    const ref = await rig.put()
    await (await rig.node()).take()
    const node = await rig.node()
    await rig.clock.advance(LEASE + 1)
    const sweep = { node: node.id, limit: 1_000 }
    assert.equal((await rig.store.sweep({ ...sweep, calm: LEASE })).freed, 0)
    assert.equal(await rig.stateOf(ref), 'running')
    assert.equal((await rig.store.sweep({ ...sweep, calm: LEASE + 1 })).freed, 1)
  },

  'the lease is the node’s own': async (rig) => {
    await rig.putMany(2)
    const hasty = await rig.node(rig.store, { lease: 1_000 })
    const patient = await rig.node(rig.store, { lease: 100_000 })
    const [first] = (await hasty.claim({ limit: 1 })).jobs
    await patient.take()
    await rig.clock.advance(1_001)
    const node = await rig.node()
    assert.deepEqual(idsOf((await node.sweepAll()).happened), [first.id])
    await rig.clock.advance(90_000)
    assert.equal((await node.sweepAll()).freed, 0)
  },

  'a lost attempt is told in the history, with who held it': async (rig) => {
    const ref = await rig.put()
    const silent = await rig.node()
    await silent.take()
    await rig.clock.advance(LEASE + 1)
    await (await rig.node()).sweepAll()
    const job = await rig.view(ref)
    const [attempt, ...more] = job.history
    assert.deepEqual(more, [])
    assert.deepEqual([attempt.outcome, attempt.attempt, attempt.worker], ['lost', 1, silent.worker])
    assert.deepEqual([job.state, job.worker, job.attempt], ['available', null, 1])
  },

  'a lost job keeps its place': async (rig) => {
    const ids = await rig.putMany(3)
    await (await rig.node()).take()
    await rig.clock.advance(LEASE + 1)
    const node = await rig.node()
    await rig.put()
    await node.sweepAll()
    assert.deepEqual(idsOf((await node.claim({ limit: 3 })).jobs), ids)
  },

  'a node that beats keeps its jobs for ever': async (rig) => {
    const ref = await rig.put()
    const living = await rig.node()
    const held = await living.take()
    const node = await rig.node()
    for (const _ of upTo(40)) {
      await rig.clock.advance(BEAT)
      assert.deepEqual(await living.beat(), { gone: false })
      const swept = await node.sweepAll()
      assert.deepEqual([swept.freed, swept.lostNodes], [0, []])
    }
    assert.deepEqual(await living.settle(held, RELEASE), {
      status: 'done',
      state: 'available',
      deadLetter: null,
    })
    assert.equal(await rig.stateOf(ref), 'available')
  },

  'a claim is a sign of life: the lease counts from it, however long the node was idle': async (
    rig,
  ) => {
    const idle = await rig.node()
    const node = await rig.node()
    await rig.clock.advance(10 * LEASE)
    await node.sweepAll()
    await rig.put()
    await idle.take()
    await rig.clock.advance(LEASE - 1)
    assert.equal((await node.sweepAll()).freed, 0)
    assert.deepEqual(await idle.beat(), { gone: false })
  },

  'a node never frees its own jobs': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await node.take()
    await rig.clock.advance(3 * LEASE)
    assert.equal((await node.sweepAll()).freed, 0)
    assert.equal(await rig.stateOf(ref), 'running')
  },

  'a swept node is told that it is gone, and what it lost': async (rig) => {
    await rig.putMany(2)
    const silent = await rig.node()
    const { jobs } = await silent.claim()
    assert.deepEqual(await silent.check(jobs), { gone: false, lost: [], cancelling: [] })
    await rig.clock.advance(LEASE + 1)
    await (await rig.node()).sweepAll()
    assert.deepEqual(await silent.beat(), { gone: true })
    const { gone, lost, cancelling } = await silent.check(jobs)
    assert.deepEqual([gone, cancelling], [true, []])
    assert.deepEqual(new Set(lost), new Set(jobs.map((job) => job.token)))
  },

  'a beat that comes after the sweep brings nothing back': async (rig) => {
    const ref = await rig.put()
    const silent = await rig.node()
    const held = await silent.take()
    await rig.clock.advance(LEASE + 1)
    const node = await rig.node()
    await node.sweepAll()
    await silent.beat()
    assert.deepEqual(await silent.settle(held, COMPLETE), { status: 'lost' })
    assert.equal(await rig.stateOf(ref), 'available')
    assert.equal((await node.take()).id, ref.id)
  },

  'a node that was swept gets nothing: it must go on under a new id': async (rig) => {
    await rig.put()
    const silent = await rig.node()
    await silent.take()
    await rig.clock.advance(LEASE + 1)
    const node = await rig.node()
    await node.sweepAll()
    assert.deepEqual((await silent.claim({ alone: true })).jobs, [])
    assert.equal((await node.claim()).jobs.length, 1)
  },

  'nobody knows a node that never enlisted: its beat answers gone': async (rig) => {
    const beat = { node: 'stranger', upTo: 0, open: [], overdue: [] }
    assert.deepEqual(await rig.store.beat(beat), { gone: true })
  },

  'check reads only, and tells which tokens are dead and which are to cancel': async (rig) => {
    await rig.putMany(3)
    const node = await rig.node()
    const { jobs } = await node.claim()
    await node.settle(jobs[0], retryIn(0))
    const which = { ids: [jobs[1].id] }
    await rig.control({ kind: 'cancel', queue: 'q', which, reason: null })
    const expected = { gone: false, lost: [jobs[0].token], cancelling: [jobs[1].token] }
    assert.deepEqual(await node.check(jobs), expected)
    assert.deepEqual(await node.check(jobs), expected)
    assert.deepEqual(await node.check([]), { gone: false, lost: [], cancelling: [] })
  },

  'a check tells by another text that something else holds of a queue': async (rig) => {
    await rig.put()
    const other = await rig.node(await rig.connect())
    const node = await rig.node()
    const { jobs } = await node.claim()
    const before = await other.rules()
    await node.settle(jobs[0], COMPLETE)
    await rig.put()
    assert.equal(await other.rules(), before)
    const queue = 'q'
    const changes = [
      () => rig.declare({ attempts: 7 }),
      () => rig.control({ kind: 'pause', queue, group: null, by: 'the test' }),
      () => rig.control({ kind: 'resume', queue, group: null, by: 'the test' }),
      () => rig.control({ kind: 'pause', queue, group: 'g', by: 'the test' }),
    ]
    let last = before
    for (const change of changes) {
      await change()
      const now = await other.rules()
      assert.notEqual(now, last)
      last = now
    }
  },

  'a check is no sign of life': async (rig) => {
    await rig.put()
    const silent = await rig.node()
    const held = await silent.take()
    await rig.clock.advance(LEASE - 1)
    await silent.check([held])
    await rig.clock.advance(2)
    assert.equal((await (await rig.node()).sweepAll()).freed, 1)
  },

  'a lost last attempt ends the job: discarded, attempts spent': async (rig) => {
    const ref = await rig.put({ attempts: 1 })
    const silent = await rig.node()
    await silent.take()
    await rig.clock.advance(LEASE + 1)
    const swept = await (await rig.node()).sweepAll()
    assert.equal(swept.discarded, 1)
    assert.deepEqual(
      swept.happened.map((one) => [one.kind, one.id, one.state]),
      [['lost', ref.id, 'discarded']],
    )
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.reason], ['discarded', 'attempts-spent'])
    assert.deepEqual(
      job.history.map((one) => one.outcome),
      ['lost'],
    )
  },

  'a cancel that was asked of a lost worker’s job ends it': async (rig) => {
    const ref = await rig.put()
    await (await rig.node()).take()
    await rig.control({ kind: 'cancel', queue: 'q', which: {}, reason: 'enough' })
    await rig.clock.advance(LEASE + 1)
    await (await rig.node()).sweepAll()
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.reason], ['cancelled', 'enough'])
  },

  'a node that leaves gives back what it holds, the attempts with it': async (rig) => {
    const refs = [await rig.put({ attempts: 1 }), await rig.put()]
    const node = await rig.node()
    const { jobs } = await node.claim()
    await node.leave()
    for (const ref of refs) {
      const job = await rig.view(ref)
      assert.deepEqual([job.state, job.attempt, job.history], ['available', 0, []])
    }
    assert.deepEqual(await node.settle(jobs[0], COMPLETE), { status: 'lost' })
    const { items } = await rig.store.nodes({ limit: 10, cursor: null })
    assert.deepEqual(
      items.filter((row) => row.node === node.id),
      [],
    )
  },

  'leaving twice, or never having come, is fine': async (rig) => {
    const node = await rig.node()
    await node.leave()
    await node.leave()
    await rig.store.leave('stranger')
  },

  'enlisting again changes the card, and keeps what is held': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const workers = [...node.card.workers, workerOf('second', { queue: 'other' })]
    await rig.store.enlist({ ...node.card, workers })
    assert.equal(await rig.stateOf(ref), 'running')
    assert.equal((await node.settle(held, RELEASE)).status, 'done')
    const { items } = await rig.store.nodes({ limit: 10, cursor: null })
    assert.deepEqual(items[0].workers, workers)
  },
}

export const leases: Group = { title: 'leases', laws }
