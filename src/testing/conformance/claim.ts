/**
 * What a claim gives and says beside its jobs: at most the limit, only what is due, only known
 * tasks, the attempt counted, the exact time until the next, and the settings in force. The order
 * is in `order.ts`, claims of several nodes at once in `sharing.ts`.
 */
import assert from 'node:assert/strict'
import {
  COMPLETE,
  completeWith,
  idsOf,
  json,
  RELEASE,
  retryIn,
  settlement,
  snoozeFor,
} from './build.js'
import type { Group, Laws } from './law.js'

const laws: Laws = {
  'an empty exchange answers with nothing': async (rig) => {
    const node = await rig.node()
    const answer = await rig.store.exchange({ node: node.id, settle: [], claim: [] })
    assert.deepEqual(answer, { settled: [], claimed: [] })
  },

  'a claim of a queue that nobody ever named gives nothing': async (rig) => {
    const answer = await (await rig.node()).claim({ queue: 'never' })
    assert.deepEqual([answer.jobs, answer.nextIn, answer.frugal], [[], null, false])
  },

  'a claim gives at most its limit, and says that there is more now': async (rig) => {
    const ids = await rig.putMany(5)
    const node = await rig.node()
    const first = await node.claim({ limit: 3 })
    assert.deepEqual([idsOf(first.jobs), first.nextIn], [ids.slice(0, 3), 0])
    const second = await node.claim({ limit: 3 })
    assert.deepEqual([idsOf(second.jobs), second.nextIn], [ids.slice(3), null])
  },

  'a claim of zero holds nothing and tells when the next is due': async (rig) => {
    const node = await rig.node()
    assert.equal((await node.claim({ limit: 0 })).nextIn, null)
    await rig.put({ delay: 700 })
    assert.equal((await node.claim({ limit: 0 })).nextIn, 700)
    const ref = await rig.put()
    const answer = await node.claim({ limit: 0 })
    assert.deepEqual([answer.jobs, answer.nextIn], [[], 0])
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.attempt], ['available', 0])
  },

  'the next is due exactly when it says: a millisecond before there is nothing': async (rig) => {
    const ref = await rig.put({ delay: 5_000 })
    await rig.put({ delay: 9_000 })
    const node = await rig.node()
    assert.equal((await node.claim()).nextIn, 5_000)
    await rig.clock.advance(2_000)
    assert.equal((await node.claim()).nextIn, 3_000)
    await rig.clock.advance(2_999)
    const before = await node.claim()
    assert.deepEqual([before.jobs, before.nextIn], [[], 1])
    await rig.clock.advance(1)
    const due = await node.claim()
    assert.deepEqual([idsOf(due.jobs), due.nextIn], [[ref.id], 4_000])
  },

  'retries and snoozes count among what is next': async (rig) => {
    const node = await rig.node()
    await rig.putMany(2)
    const { jobs } = await node.claim()
    await node.settle(jobs[0], retryIn(4_000))
    assert.equal((await node.claim()).nextIn, 4_000)
    await node.settle(jobs[1], snoozeFor(1_500))
    assert.equal((await node.claim()).nextIn, 1_500)
  },

  'only jobs of known tasks are given; the others stay, unharmed': async (rig) => {
    const strange = await rig.putMany(200, (index) => ({ task: `strange-${index % 7}` }))
    const [known] = await rig.putMany(1, () => ({ task: 'known' }))
    const node = await rig.node()
    const answer = await node.claim({ tasks: ['known', 'other'] })
    assert.deepEqual([idsOf(answer.jobs), answer.nextIn], [[known], null])
    assert.equal((await rig.counts()).available, strange.length)
    assert.equal((await node.claim({ tasks: [] })).jobs.length, 0)
    assert.deepEqual(idsOf((await node.claim({ limit: 500 })).jobs), strange)
  },

  'several known tasks come in one order, as if they were one': async (rig) => {
    const tasks = ['a', 'b', 'c']
    const ids = await rig.putMany(30, (index) => ({
      task: tasks[(index * 5) % 3],
      priority: index % 2,
    }))
    const { jobs } = await (await rig.node()).claim({ tasks: ['c', 'a'] })
    const wanted = ids.filter((_, index) => (index * 5) % 3 !== 1)
    const odd = wanted.filter((id) => ids.indexOf(id) % 2 === 1)
    const even = wanted.filter((id) => ids.indexOf(id) % 2 === 0)
    assert.deepEqual(idsOf(jobs), [...odd, ...even])
  },

  'the next of an unknown task is not the next': async (rig) => {
    await rig.put({ task: 'strange', delay: 1_000 })
    await rig.put({ task: 'known', delay: 2_000 })
    const node = await rig.node()
    assert.equal((await node.claim({ tasks: ['known'] })).nextIn, 2_000)
    assert.equal((await node.claim({ tasks: ['other'] })).nextIn, null)
    assert.equal((await node.claim({ tasks: null })).nextIn, 1_000)
  },

  'a claim shows all that the handler may ask for': async (rig) => {
    const words = { task: 't', group: 'g', priority: 3, tags: ['x'], timeout: 1_234, attempts: 4 }
    const ref = await rig.put({ ...words, payload: json([1]), meta: json({ m: 1 }) })
    await rig.clock.advance(250)
    const held = await (await rig.node()).take()
    const { queue, id, task, group, priority, tags, timeout, maxAttempts } = held
    assert.deepEqual({ queue, id }, ref)
    assert.deepEqual({ task, group, priority, tags, timeout, attempts: maxAttempts }, words)
    assert.deepEqual([held.payload, held.meta, held.origin], [json([1]), json({ m: 1 }), null])
    assert.deepEqual([held.attempt, held.round, held.history, held.crashes], [1, 1, [], 0])
    assert.equal(held.waited, 250)
  },

  'waiting is counted from when it was due': async (rig) => {
    await rig.put({ delay: 1_000 })
    await rig.clock.advance(1_400)
    assert.equal((await (await rig.node()).take()).waited, 400)
  },

  'what a job does not say is by the settings of its queue': async (rig) => {
    await rig.declare({ attempts: 7, timeout: 4_321 })
    await rig.put()
    const held = await (await rig.node()).take()
    assert.deepEqual([held.maxAttempts, held.timeout], [7, 4_321])
  },

  'no timeout is Infinity, from the job and from the queue': async (rig) => {
    await rig.put({ timeout: Infinity })
    const node = await rig.node()
    assert.equal((await node.take()).timeout, Infinity)
    await rig.declare({ timeout: Infinity })
    await rig.put()
    const answer = await node.claim()
    assert.deepEqual([answer.jobs[0].timeout, answer.settings.timeout], [Infinity, Infinity])
  },

  'a held job shows who holds it, since when and which attempt it is': async (rig) => {
    const ref = await rig.put()
    const node = await rig.node()
    await node.take()
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.worker, job.attempt], ['running', node.worker, 1])
    assert.deepEqual(await rig.counts(), { ...(await rig.counts()), running: 1, available: 0 })
  },

  'the attempt is counted at the claim, and rises by one each time': async (rig) => {
    const ref = await rig.put({ attempts: 5 })
    const node = await rig.node()
    for (const attempt of [1, 2, 3]) {
      const held = await node.take()
      assert.deepEqual([held.attempt, held.maxAttempts], [attempt, 5])
      assert.equal((await rig.view(ref)).attempt, attempt)
      await node.settle(held, retryIn(0))
    }
  },

  'verdicts take effect before claims: one trip can free a job and take it': async (rig) => {
    const node = await rig.node()
    const ref = await rig.put()
    const held = await node.take()
    const settle = [settlement(held, RELEASE)]
    const { settled, claimed } = await rig.store.exchange({
      node: node.id,
      settle,
      claim: [node.ask()],
    })
    assert.deepEqual(settled, [{ status: 'done', state: 'available', deadLetter: null }])
    assert.deepEqual(idsOf(claimed[0].jobs), [ref.id])
  },

  'many claims in one trip: an answer each, in order, and no job twice': async (rig) => {
    const a = await rig.putMany(3, () => ({ queue: 'a' }))
    const b = await rig.putMany(3, () => ({ queue: 'b' }))
    const node = await rig.node()
    const claim = ['a', 'b', 'a', 'none'].map((queue) => node.ask({ queue, limit: 2 }))
    const { claimed } = await rig.store.exchange({ node: node.id, settle: [], claim })
    const given = claimed.map((answer) => idsOf(answer.jobs))
    assert.deepEqual(given, [a.slice(0, 2), b.slice(0, 2), a.slice(2), []])
  },

  'a job of zero attempts is never claimed': async (rig) => {
    const ref = await rig.put({ attempts: 0 })
    const node = await rig.node()
    assert.deepEqual((await node.claim()).jobs, [])
    await node.sweepAll()
    assert.deepEqual((await node.claim()).jobs, [])
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.reason, job.attempt], ['discarded', 'attempts-spent', 0])
  },

  'what is finished is never claimed again': async (rig) => {
    await rig.declare({ keep: { completed: { count: Infinity, for: Infinity } } })
    await rig.putMany(3)
    const node = await rig.node()
    const { jobs } = await node.claim()
    await node.settleAll([
      settlement(jobs[0], COMPLETE),
      settlement(jobs[1], completeWith('x')),
      settlement(jobs[2], { kind: 'cancel', reason: null }),
    ])
    await rig.clock.advance(3_600_000)
    const answer = await node.claim()
    assert.deepEqual([answer.jobs, answer.nextIn], [[], null])
  },
}

export const claiming: Group = { title: 'claim', laws }
