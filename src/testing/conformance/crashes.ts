/**
 * Jobs that take their worker with them: each crash counts an attempt, who was in two crashes is
 * claimed alone, so that only the poison one ends discarded. And at-most-once, where a crash is
 * reported and not repeated.
 */
import assert from 'node:assert/strict'
import { COMPLETE, discardAs, idsOf, RELEASE, retryIn, snoozeFor } from './build.js'
import type { Group, Laws } from './law.js'
import type { ClaimWords } from './played-node.js'
import { LEASE } from './played-node.js'
import type { Rig } from './rig.js'

/** A node claims, is killed, and is swept by the next; answers what it had claimed. */
async function crash(rig: Rig, words: ClaimWords = {}): Promise<string[]> {
  const doomed = await rig.node()
  const { jobs } = await doomed.claim(words)
  await rig.clock.advance(LEASE + 1)
  await (await rig.node()).sweepAll()
  return idsOf(jobs)
}

const laws: Laws = {
  'a job that was in one crash is given like any other': async (rig) => {
    const ids = await rig.putMany(3)
    await crash(rig)
    const { jobs } = await (await rig.node()).claim()
    assert.deepEqual(idsOf(jobs), ids)
    assert.deepEqual(
      jobs.map((job) => job.crashes),
      [1, 1, 1],
    )
  },

  'a job that was in two crashes is given only to a claim that is alone': async (rig) => {
    const ref = await rig.put()
    await crash(rig)
    await crash(rig)
    const node = await rig.node()
    const busy = await node.claim({ alone: false })
    assert.deepEqual([busy.jobs, busy.nextIn], [[], null])
    assert.equal((await node.claim({ alone: true, limit: 0 })).nextIn, 0)
    const held = await node.take({ alone: true })
    assert.deepEqual([held.id, held.attempt, held.crashes], [ref.id, 3, 2])
  },

  'it is given all by itself, whatever the limit': async (rig) => {
    await rig.putMany(3)
    await crash(rig)
    await crash(rig)
    const innocent = await rig.putMany(2, () => ({ priority: -1 }))
    const node = await rig.node()
    for (let turn = 0; turn < 3; turn++) {
      const { jobs } = await node.claim({ alone: true, limit: 10 })
      assert.deepEqual(
        jobs.map((job) => job.crashes),
        [2],
      )
      await node.settle(jobs[0], COMPLETE)
    }
    const { jobs } = await node.claim({ alone: true, limit: 10 })
    assert.deepEqual(idsOf(jobs), innocent)
  },

  'whoever gets one of two that must run alone hears of the other, of whatever task': async (
    rig,
  ) => {
    await rig.putMany(2, (at) => ({ task: `t${at}` }))
    await crash(rig)
    await crash(rig)
    const node = await rig.node()
    const { jobs, nextIn } = await node.claim({ alone: true })
    assert.deepEqual([jobs.length, nextIn], [1, 0])
    await node.settle(jobs[0], COMPLETE)
    assert.equal((await node.claim({ alone: true })).nextIn, null)
  },

  'a job in two crashes holds up none of those behind it': async (rig) => {
    await rig.put({ priority: 9 })
    await crash(rig)
    await crash(rig)
    const ids = await rig.putMany(3)
    assert.deepEqual(idsOf((await (await rig.node()).claim({ alone: false })).jobs), ids)
  },

  'crashes are counted in a row: an attempt that ended otherwise begins anew': async (rig) => {
    await rig.put()
    await crash(rig)
    await crash(rig)
    const node = await rig.node()
    await node.settle(await node.take({ alone: true }), retryIn(0))
    const held = await node.take({ alone: false })
    assert.deepEqual([held.attempt, held.crashes], [4, 0])
  },

  'what gave its attempt back changes no count of crashes': async (rig) => {
    await rig.put()
    await crash(rig)
    const node = await rig.node()
    await node.settle(await node.take(), RELEASE)
    await node.settle(await node.take(), snoozeFor(0))
    assert.equal((await node.take()).crashes, 1)
  },

  'a poison job ends discarded after its attempts; its neighbours complete': async (rig) => {
    await rig.declare({ attempts: 4 })
    const ids = await rig.putMany(4)
    const poison = ids[1]
    const done: string[] = []
    for (let round = 0; round < 20; round++) {
      const node = await rig.node()
      const { jobs } = await node.claim({ alone: true, limit: 10 })
      if (jobs.length === 0) break
      if (!idsOf(jobs).includes(poison)) {
        for (const job of jobs) await node.settle(job, COMPLETE)
        done.push(...idsOf(jobs))
        await node.leave()
        continue
      }
      await rig.clock.advance(LEASE + 1)
      await (await rig.node()).sweepAll()
    }
    assert.deepEqual(new Set(done), new Set(ids.filter((id) => id !== poison)))
    const job = await rig.view({ queue: 'q', id: poison })
    assert.deepEqual([job.state, job.reason, job.attempt], ['discarded', 'attempts-spent', 4])
    assert.deepEqual(
      job.history.map((one) => one.outcome),
      ['lost', 'lost', 'lost', 'lost'],
    )
  },

  'a dead letter of a poison job begins without crashes': async (rig) => {
    await rig.declare({ attempts: 2, deadLetter: 'dead' })
    await rig.put()
    await crash(rig)
    await crash(rig)
    const held = await (await rig.node()).take({ queue: 'dead', alone: false })
    assert.equal(held.crashes, 0)
  },

  'an operator’s retry forgives the crashes': async (rig) => {
    await rig.put({ attempts: 2 })
    await crash(rig)
    await crash(rig)
    await rig.control({ kind: 'retry', queue: 'q', which: {} })
    const held = await (await rig.node()).take({ alone: false })
    assert.deepEqual([held.attempt, held.round, held.crashes], [1, 2, 0])
  },

  'at-most-once: one attempt, whatever the settings say of attempts': async (rig) => {
    await rig.declare({ delivery: 'at-most-once', attempts: 9 })
    await rig.put()
    const answer = await (await rig.node()).claim()
    assert.equal(answer.frugal, true)
    assert.deepEqual([answer.jobs[0].maxAttempts, answer.settings.attempts], [1, 1])
  },

  'at-most-once: the job of a lost worker is discarded, reason unknown, and not given again':
    async (rig) => {
      await rig.declare({ delivery: 'at-most-once' })
      const ref = await rig.put()
      await crash(rig)
      const job = await rig.view(ref)
      assert.deepEqual([job.state, job.reason, job.attempt], ['discarded', 'unknown', 1])
      assert.deepEqual((await (await rig.node()).claim({ alone: true })).jobs, [])
    },

  'at-most-once: its dead letter says unknown, too': async (rig) => {
    await rig.declare({ delivery: 'at-most-once', deadLetter: 'dead' })
    await rig.put()
    await crash(rig)
    const [letter] = await rig.list('dead')
    assert.equal(letter.origin?.reason, 'unknown')
  },

  'at-most-once: a retry brings nothing back': async (rig) => {
    await rig.declare({ delivery: 'at-most-once' })
    const ref = await rig.put({ attempts: 5 })
    const node = await rig.node()
    const settled = await node.settle(await node.take(), retryIn(0))
    assert.deepEqual(settled, { status: 'done', state: 'discarded', deadLetter: null })
    assert.equal(await rig.stateOf(ref), 'discarded')
  },

  'at-most-once: verdicts count as ever': async (rig) => {
    await rig.declare({ delivery: 'at-most-once' })
    const node = await rig.node()
    await rig.putMany(2)
    const { jobs } = await node.claim()
    assert.equal((await node.settle(jobs[0], COMPLETE)).status, 'done')
    assert.equal((await node.settle(jobs[1], discardAs('d'))).status, 'done')
  },
}

export const crashes: Group = { title: 'crashes', laws }
