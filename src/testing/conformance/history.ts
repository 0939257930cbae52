/**
 * What stays with a job of its runs: the last twenty attempts that ended, marked by round, and what
 * handlers told on the way: progress and the last hundred lines of their log.
 */
import assert from 'node:assert/strict'
import type { Note } from '../../job/verdict.js'
import {
  cancelFor,
  COMPLETE,
  discardAs,
  FAILURE,
  RELEASE,
  retryIn,
  snoozeFor,
  upTo,
} from './build.js'
import type { Claimed } from '../../job/claim.js'
import type { Group, Laws } from './law.js'

function noteOf(held: Claimed, words: Partial<Note>): Note {
  return { queue: held.queue, id: held.id, token: held.token, progress: null, log: [], ...words }
}

const laws: Laws = {
  'an attempt that ended is told with all that is known of it': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await rig.clock.advance(100)
    const claimedAt = rig.clock.wall()
    const held = await node.take()
    await rig.clock.advance(70)
    await node.settle(held, retryIn(0), { outcome: 'failed', error: FAILURE, duration: 66 })
    const attempt = { attempt: 1, round: 1, outcome: 'failed', error: FAILURE, duration: 66 }
    const { history: told } = await rig.view(ref)
    const { startedAt } = told[0]
    assert.deepEqual(told, [{ ...attempt, worker: node.worker, startedAt }])
    assert.ok(startedAt >= claimedAt && startedAt <= rig.clock.wall() - 66, 'within the claim')
    assert.deepEqual((await node.take()).history, told)
  },

  'history is told oldest first, and gives way after twenty': async (rig) => {
    const ref = await rig.put({ attempts: 40 })
    const node = await rig.node()
    for (const _ of upTo(26)) await node.settle(await node.take(), retryIn(0))
    const expected = upTo(20).map((index) => index + 7)
    assert.deepEqual(
      (await rig.view(ref)).history.map((one) => one.attempt),
      expected,
    )
    assert.deepEqual(
      (await node.take()).history.map((one) => one.attempt),
      expected,
    )
  },

  'every way for a run to end has its outcome': async (rig) => {
    const FOR_EVER = { count: Infinity, for: Infinity }
    await rig.declare({ keep: { completed: FOR_EVER } })
    const node = await rig.node()
    const endings = [
      [COMPLETE, 'completed'],
      [cancelFor(), 'cancelled'],
      [discardAs('d'), 'discarded'],
      [discardAs('d', 'attempts-spent'), 'failed'],
      [retryIn(50), 'failed'],
    ] as const
    for (const [verdict, outcome] of endings) {
      const ref = await rig.put()
      await node.settle(await node.take(), verdict)
      assert.deepEqual(
        (await rig.view(ref)).history.map((one) => one.outcome),
        [outcome],
      )
    }
  },

  'a timeout is told as such': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const error = { name: 'MillraceError', message: 'ATTEMPT_TIMEOUT', stack: 'at x' }
    await node.settle(await node.take(), retryIn(0), { outcome: 'timeout', error, duration: 5_000 })
    const [attempt] = (await rig.view(ref)).history
    assert.deepEqual([attempt.outcome, attempt.error, attempt.duration], ['timeout', error, 5_000])
  },

  'what gave its attempt back is not told': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await node.settle(await node.take(), RELEASE)
    await node.settle(await node.take(), snoozeFor(0))
    await node.settle(await node.take(), retryIn(0))
    const job = await rig.view(ref)
    assert.deepEqual(
      job.history.map((one) => one.attempt),
      [1],
    )
  },

  'an operator’s retry begins the next round, and keeps the history': async (rig) => {
    const ref = await rig.put({ attempts: 2 })
    const node = await rig.node()
    const spend = async () => {
      await node.settle(await node.take(), retryIn(0))
      await node.settle(await node.take(), retryIn(0))
    }
    await spend()
    await rig.control({ kind: 'retry', queue: 'q', which: { ids: [ref.id] } })
    assert.equal((await rig.view(ref)).attempt, 0)
    await spend()
    const history = (await rig.view(ref)).history.map((one) => [one.round, one.attempt])
    assert.deepEqual(history, [
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ])
    await rig.control({ kind: 'retry', queue: 'q', which: { ids: [ref.id] } })
    const held = await node.take()
    assert.deepEqual([held.round, held.attempt, held.history.length], [3, 1, 4])
  },

  'no notes get no answers': async (rig) => {
    assert.deepEqual(await rig.store.note([]), [])
  },

  'progress and log lines are seen from everywhere': async (rig) => {
    const ref = await rig.put()
    const held = await (await rig.node()).take()
    const note = noteOf(held, { progress: 0.25, log: ['one', 'žwei\u2028🐕', ''] })
    assert.deepEqual(await rig.store.note([note]), ['done'])
    const job = await rig.view(ref, await rig.connect())
    assert.deepEqual([job.progress, job.log], [0.25, ['one', 'žwei\u2028🐕', '']])
  },

  'the last progress counts, and none leaves it as it is': async (rig) => {
    const ref = await rig.put()
    const held = await (await rig.node()).take()
    const notes = [0.1, 0.5, null].map((progress) => noteOf(held, { progress, log: ['x'] }))
    assert.deepEqual(await rig.store.note(notes), ['done', 'done', 'done'])
    const job = await rig.view(ref)
    assert.deepEqual([job.progress, job.log], [0.5, ['x', 'x', 'x']])
  },

  'notes are answered one by one, in order; a dead one harms no other': async (rig) => {
    await rig.putMany(3)
    const { jobs } = await (await rig.node()).claim()
    const notes = jobs.map((job) => noteOf(job, { progress: 1 }))
    const dead = { ...notes[1], token: notes[0].token }
    assert.deepEqual(await rig.store.note([notes[0], dead, notes[2]]), ['done', 'lost', 'done'])
    const seen = await Promise.all(jobs.map((job) => rig.view(job)))
    assert.deepEqual(
      seen.map((job) => job.progress),
      [1, null, 1],
    )
  },

  'the last hundred lines stay, over notes and over attempts': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const lines = upTo(250).map((line) => `line ${line}`)
    const held = await node.take()
    await rig.store.note([noteOf(held, { log: lines.slice(0, 150) })])
    assert.deepEqual((await rig.view(ref)).log, lines.slice(50, 150))
    await node.settle(held, retryIn(0))
    await rig.store.note([noteOf(await node.take(), { log: lines.slice(150, 180) })])
    assert.deepEqual((await rig.view(ref)).log, lines.slice(80, 180))
  },

  'what was told stays with a job that is kept': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    const held = await node.take()
    await rig.store.note([noteOf(held, { progress: 0.75, log: ['said'] })])
    await node.settle(held, cancelFor())
    const job = await rig.view(ref)
    assert.deepEqual([job.progress, job.log], [0.75, ['said']])
  },
}

export const history: Group = { title: 'history and notes', laws }
