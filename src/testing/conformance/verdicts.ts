/**
 * What each verdict does to a job (laws 7, 10 and 12): the state that it answers is the state that
 * the job is in, attempts are counted or given back, and a job out of attempts is discarded
 * whatever was asked. Dead tokens and repeats are in `tokens.ts`.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { State } from '../../job/job.js'
import type { Verdict } from '../../job/verdict.js'
import {
  cancelFor,
  COMPLETE,
  completeWith,
  discardAs,
  json,
  RELEASE,
  retryIn,
  settlement,
  snoozeFor,
} from './build.js'
import type { Group, Laws } from './law.js'
import type { PlayedNode } from './played-node.js'

const FOR_EVER = { count: Infinity, for: Infinity }
const KEEP_ALL = { completed: FOR_EVER, cancelled: FOR_EVER, discarded: FOR_EVER }

/** Settles and sees to it that the answer is this state, and true. */
async function ends(
  node: PlayedNode,
  held: Claimed,
  verdict: Verdict,
  state: State,
): Promise<void> {
  assert.deepEqual(await node.settle(held, verdict), { status: 'done', state, deadLetter: null })
  const [found] = await node.store.get([held])
  assert.ok(found?.kind === 'job')
  assert.equal(found.job.state, state)
  assert.equal(found.job.worker, null)
}

const laws: Laws = {
  'complete ends a job with its result': async (rig) => {
    await rig.declare({ keep: KEEP_ALL })
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await rig.clock.advance(40)
    await ends(node, held, completeWith({ sent: true }), 'completed')
    const job = await rig.view(ref)
    assert.deepEqual([job.result, job.reason, job.attempt], [json({ sent: true }), null, 1])
    assert.equal(job.finishedAt, rig.clock.wall())
  },

  'retry waits its delay, then is due; the attempt stays counted': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await ends(node, await node.take(), retryIn(2_000), 'retryable')
    assert.equal((await rig.view(ref)).dueAt, rig.clock.wall() + 2_000)
    await rig.clock.advance(1_999)
    assert.deepEqual((await node.claim()).jobs, [])
    await rig.clock.advance(1)
    assert.equal(await rig.stateOf(ref), 'available')
    assert.equal((await node.take()).attempt, 2)
  },

  'retry without a delay is due at once': async (rig) => {
    await rig.put()
    const node = await rig.node()
    await ends(node, await node.take(), retryIn(0), 'available')
    assert.equal((await node.take()).attempt, 2)
  },

  'snooze waits its delay and gives the attempt back': async (rig) => {
    const ref = await rig.put({ attempts: 1 })
    const node = await rig.node()
    await ends(node, await node.take(), snoozeFor(3_000), 'scheduled')
    const job = await rig.view(ref)
    assert.deepEqual([job.attempt, job.history], [0, []])
    assert.equal(job.dueAt, rig.clock.wall() + 3_000)
    await rig.clock.advance(3_000)
    assert.equal((await node.take()).attempt, 1)
  },

  'snooze without a delay is due at once': async (rig) => {
    await rig.put()
    const node = await rig.node()
    await ends(node, await node.take(), snoozeFor(0), 'available')
  },

  'release is due at once and gives the attempt back': async (rig) => {
    const ref = await rig.put({ attempts: 1 })
    const node = await rig.node()
    await ends(node, await node.take(), RELEASE, 'available')
    const job = await rig.view(ref)
    assert.deepEqual([job.attempt, job.history], [0, []])
    assert.equal((await node.take()).attempt, 1)
  },

  'snooze and release may come as often as they like': async (rig) => {
    await rig.put({ attempts: 2 })
    const node = await rig.node()
    for (let turn = 0; turn < 30; turn++) {
      const held = await node.take()
      assert.equal(held.attempt, 1)
      await node.settle(held, turn % 2 === 0 ? RELEASE : snoozeFor(0))
    }
    await ends(node, await node.take(), retryIn(0), 'available')
    const held = await node.take()
    assert.equal(held.attempt, 2)
    await ends(node, held, RELEASE, 'available')
    assert.equal((await node.take()).attempt, 2)
  },

  'cancel ends a job on purpose, with its reason': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await ends(node, await node.take(), cancelFor('no longer wanted'), 'cancelled')
    const job = await rig.view(ref)
    assert.deepEqual([job.reason, job.finishedAt], ['no longer wanted', rig.clock.wall()])
  },

  'discard gives a job up, with its reason, or with its message where there is one': async (
    rig,
  ) => {
    const node = await rig.node()
    const silent = await rig.put()
    await ends(node, await node.take(), discardAs('d1', 'payload-invalid'), 'discarded')
    assert.equal((await rig.view(silent)).reason, 'payload-invalid')
    const told = await rig.put()
    await ends(node, await node.take(), discardAs('d2', 'given-up', 'no such address'), 'discarded')
    assert.equal((await rig.view(told)).reason, 'no such address')
  },

  'a retry beyond the last attempt reads discarded': async (rig) => {
    const ref = await rig.put({ attempts: 2 })
    const node = await rig.node()
    await ends(node, await node.take(), retryIn(0), 'available')
    await ends(node, await node.take(), retryIn(0), 'discarded')
    const job = await rig.view(ref)
    assert.deepEqual([job.reason, job.attempt, job.maxAttempts], ['attempts-spent', 2, 2])
    assert.deepEqual((await node.claim()).jobs, [])
  },

  'attempts never pass their maximum, whatever brings the job back': async (rig) => {
    await rig.put({ attempts: 3 })
    const node = await rig.node()
    const seen: number[] = []
    for (const verdict of [RELEASE, retryIn(0), snoozeFor(0), retryIn(0), RELEASE, retryIn(0)]) {
      const held = await node.take()
      seen.push(held.attempt)
      await node.settle(held, verdict)
    }
    assert.deepEqual(seen, [1, 1, 2, 2, 3, 3])
    assert.deepEqual((await node.claim()).jobs, [])
  },

  'a settings change counts for jobs that did not say their own attempts': async (rig) => {
    await rig.declare({ attempts: 5 })
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await rig.declare({ attempts: 1 })
    await ends(node, held, retryIn(0), 'discarded')
    assert.equal((await rig.view(ref)).reason, 'attempts-spent')
  },

  'a cancel that was asked turns retry, snooze and release into cancelled': async (rig) => {
    const node = await rig.node()
    for (const verdict of [retryIn(0), retryIn(9), snoozeFor(5), RELEASE]) {
      const ref = await rig.put()
      const held = await node.take()
      const which = { ids: [ref.id] }
      await rig.control({ kind: 'cancel', queue: ref.queue, which, reason: 'asked' })
      await ends(node, held, verdict, 'cancelled')
      assert.equal((await rig.view(ref)).reason, 'asked')
    }
  },

  'a cancel that was asked leaves complete and discard as they are': async (rig) => {
    await rig.declare({ keep: KEEP_ALL })
    const node = await rig.node()
    const refs = [await rig.put(), await rig.put()]
    const { jobs } = await node.claim()
    await rig.control({ kind: 'cancel', queue: 'q', which: {}, reason: null })
    await ends(node, jobs[0], COMPLETE, 'completed')
    await ends(node, jobs[1], discardAs('d'), 'discarded')
    assert.deepEqual(await Promise.all(refs.map((ref) => rig.stateOf(ref))), [
      'completed',
      'discarded',
    ])
  },

  'a batch of verdicts is answered one by one, in order; a dead one harms no other': async (
    rig,
  ) => {
    await rig.declare({ keep: KEEP_ALL })
    await rig.putMany(5)
    const node = await rig.node()
    const { jobs } = await node.claim()
    const dead = settlement(jobs[2], COMPLETE)
    const batch = [
      settlement(jobs[0], COMPLETE),
      settlement(jobs[1], retryIn(50)),
      { ...dead, id: 'nobody' },
      settlement(jobs[3], cancelFor()),
      settlement(jobs[4], RELEASE),
    ]
    const answers = await node.settleAll(batch)
    const states = answers.map((one) => (one.status === 'done' ? one.state : one.status))
    assert.deepEqual(states, ['completed', 'retryable', 'lost', 'cancelled', 'available'])
    assert.equal(await rig.stateOf(jobs[2]), 'running')
  },

  'a held job of another handle is settled by its token all the same': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    const other = await rig.connect()
    const ask = { node: node.id, settle: [settlement(held, cancelFor())], claim: [] }
    const { settled } = await other.exchange(ask)
    assert.deepEqual(settled, [{ status: 'done', state: 'cancelled', deadLetter: null }])
    assert.equal(await rig.stateOf(ref), 'cancelled')
  },
}

export const verdicts: Group = { title: 'verdicts', laws }
