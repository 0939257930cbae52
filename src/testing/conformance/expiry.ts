/**
 * Jobs that were not started in time: by their own `expiresIn` or by the queue's age limit, both
 * counted from when they were due. A claim never gives one, and sweep ends it, also on a queue that
 * nobody works.
 */
import assert from 'node:assert/strict'
import { idsOf, json, RELEASE, retryIn, unique, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import { countsOf } from './rig.js'

const MINUTE = 60_000

const laws: Laws = {
  'a job is claimed up to its expiry, and not after it': async (rig) => {
    const node = await rig.node()
    const ids = await rig.putMany(2, () => ({ expiresIn: 1_000 }))
    await rig.clock.advance(999)
    const held = await node.take()
    assert.equal(held.id, ids[0])
    await rig.clock.advance(2)
    const answer = await node.claim()
    assert.deepEqual([answer.jobs, answer.nextIn], [[], null])
    assert.deepEqual((await node.settle(held, RELEASE)).status, 'done')
  },

  'what was not started in time is nothing to wait for': async (rig) => {
    const node = await rig.node()
    await rig.put()
    await rig.put({ expiresIn: 1_000 })
    await rig.clock.advance(1_001)
    const answer = await node.claim({ limit: 1 })
    assert.deepEqual([answer.jobs.length, answer.nextIn], [1, null])
    await rig.put({ expiresIn: 1_000 })
    await rig.put({ delay: 5_000 })
    assert.equal((await node.claim({ limit: 0 })).nextIn, 0)
    await rig.clock.advance(1_001)
    assert.equal((await node.claim({ limit: 0 })).nextIn, 3_999)
  },

  'what was not started in time and is replaced begins anew, with the age of the new one': async (
    rig,
  ) => {
    const words = { unique: unique('k', { onConflict: 'replace' }) } as const
    const holder = await rig.put({ ...words, expiresIn: 1_000 })
    await rig.clock.advance(1_001)
    const node = await rig.node()
    assert.deepEqual((await node.claim()).jobs, [])
    await rig.insert([rig.job({ ...words, expiresIn: 2_000 })])
    assert.equal((await node.sweepAll()).expired, 0)
    await rig.clock.advance(1_500)
    await rig.insert([rig.job({ ...words, expiresIn: 4_000, payload: json('newer') })])
    await rig.clock.advance(1_500)
    assert.equal((await node.sweepAll()).expired, 0)
    const held = await node.take()
    assert.deepEqual([held.id, held.payload], [holder.id, json('newer')])
  },

  'nor is the head of a group that blocks': async (rig) => {
    await rig.declare({ order: 'blocking' })
    const node = await rig.node()
    await rig.put({ group: 'a' })
    await rig.put({ group: 'b', expiresIn: 1_000 })
    await rig.put({ group: 'b' })
    await rig.put({ group: 'c', expiresIn: 1_000 })
    await rig.clock.advance(1_001)
    assert.equal((await node.claim({ limit: 1 })).nextIn, 0)
    const answer = await node.claim({ limit: 1 })
    assert.deepEqual([answer.jobs.length, answer.nextIn], [1, null])
  },

  'what was late is in time again under a longer age, though it was asked for meanwhile': async (
    rig,
  ) => {
    const node = await rig.node()
    for (const [queue, words] of [
      ['plain', {}],
      ['capped', { concurrency: 50 }],
      ['grouped', {}],
    ] as const) {
      const settings = { ...words, limits: { age: 100 } }
      await rig.declare(settings, queue)
      const group = queue === 'grouped' ? 'g' : ''
      for (const _ of upTo(3)) await rig.put({ queue, group })
      await rig.clock.advance(111)
      assert.equal((await node.claim({ queue })).jobs.length, 0, queue)
      await rig.declare(words, queue)
      assert.equal((await node.claim({ queue })).jobs.length, 3, queue)
    }
  },

  'sweep discards what expired, and tells by how much it was late': async (rig) => {
    const ref = await rig.put({ task: 't', group: 'g', expiresIn: 1_000 })
    await rig.clock.advance(1_250)
    const node = await rig.node()
    const swept = await node.sweepAll()
    assert.deepEqual([swept.expired, swept.freed], [1, 0])
    assert.deepEqual(swept.happened, [
      {
        kind: 'expired',
        ...ref,
        task: 't',
        group: 'g',
        attempt: 0,
        worker: '',
        state: 'discarded',
        late: 250,
        deadLetter: null,
      },
    ])
    const job = await rig.view(ref)
    assert.deepEqual([job.state, job.reason, job.attempt], ['discarded', 'expired', 0])
    assert.equal(job.finishedAt, rig.clock.wall())
  },

  'what is not yet too old is not swept': async (rig) => {
    await rig.put({ expiresIn: 1_000 })
    await rig.clock.advance(999)
    const swept = await (await rig.node()).sweepAll()
    assert.deepEqual([swept.expired, swept.happened], [0, []])
  },

  'expiry counts from when the job was due, not from its insertion': async (rig) => {
    const ref = await rig.put({ delay: 10 * MINUTE, expiresIn: MINUTE })
    const node = await rig.node()
    await rig.clock.advance(5 * MINUTE)
    assert.equal((await node.sweepAll()).expired, 0)
    await rig.clock.advance(5 * MINUTE + 1_000)
    assert.equal(await rig.stateOf(ref), 'available')
    await rig.clock.advance(MINUTE)
    assert.equal((await node.sweepAll()).expired, 1)
  },

  'a past instant counts: such a job may be too old from the first': async (rig) => {
    const ref = await rig.put({ at: rig.clock.wall() - 2 * MINUTE, expiresIn: MINUTE })
    const node = await rig.node()
    assert.deepEqual((await node.claim()).jobs, [])
    await node.sweepAll()
    assert.equal((await rig.view(ref)).reason, 'expired')
  },

  'the age limit of the queue holds for every job of it': async (rig) => {
    await rig.declare({ limits: { age: MINUTE } })
    const old = await rig.putMany(3)
    await rig.clock.advance(MINUTE - 1_000)
    const [young] = await rig.putMany(1)
    await rig.clock.advance(2_000)
    const node = await rig.node()
    assert.deepEqual(idsOf((await node.claim()).jobs), [young])
    const swept = await node.sweepAll()
    assert.equal(swept.expired, 3)
    assert.deepEqual(new Set(swept.happened.map((one) => one.id)), new Set(old))
  },

  'a limit that is set later holds for jobs that are there already': async (rig) => {
    await rig.put()
    await rig.clock.advance(2 * MINUTE)
    await rig.declare({ limits: { age: MINUTE } })
    const node = await rig.node()
    assert.deepEqual((await node.claim()).jobs, [])
    assert.equal((await node.sweepAll()).expired, 1)
  },

  'a job’s own expiry stands in place of the age limit, be it shorter or longer': async (rig) => {
    await rig.declare({ limits: { age: MINUTE } })
    const patient = await rig.put({ expiresIn: 10 * MINUTE })
    const hasty = await rig.put({ expiresIn: 1_000 })
    await rig.clock.advance(1_001)
    const node = await rig.node()
    assert.deepEqual(idsOf((await node.sweepAll()).happened), [hasty.id])
    await rig.clock.advance(5 * MINUTE)
    assert.equal((await node.sweepAll()).expired, 0)
    await rig.clock.advance(5 * MINUTE)
    assert.deepEqual(idsOf((await node.sweepAll()).happened), [patient.id])
  },

  'a job that was started in time does not expire while it waits for its retry': async (rig) => {
    await rig.put({ expiresIn: 1_000 })
    const node = await rig.node()
    await node.settle(await node.take(), retryIn(5_000))
    await rig.clock.advance(6_000)
    assert.equal((await node.sweepAll()).expired, 0)
    assert.equal((await node.take()).attempt, 2)
  },

  'an expired job goes to the dead letters, with fresh age, and is given to its handler': async (
    rig,
  ) => {
    await rig.declare({ deadLetter: 'dead' })
    const ref = await rig.put({ expiresIn: 1_000, payload: json('old') })
    await rig.clock.advance(MINUTE)
    const swept = await (await rig.node()).sweepAll()
    const letter = swept.happened[0].deadLetter
    assert.equal(letter?.queue, 'dead')
    assert.deepEqual((await rig.found(ref))?.kind, 'receipt')
    await rig.clock.advance(MINUTE)
    const worker = await rig.node()
    assert.equal((await worker.sweepAll()).expired, 0)
    const held = await worker.take({ queue: 'dead' })
    assert.deepEqual([held.id, held.payload], [letter.id, json('old')])
    assert.deepEqual([held.origin?.reason, held.origin?.id], ['expired', ref.id])
  },

  'the age limit of a dead-letter queue counts from the move': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    await rig.declare({ limits: { age: 2 * MINUTE } }, 'dead')
    await rig.put({ expiresIn: 1_000 })
    await rig.clock.advance(10 * MINUTE)
    const node = await rig.node()
    await node.sweepAll()
    await rig.clock.advance(MINUTE)
    assert.equal((await node.sweepAll()).expired, 0)
    assert.equal((await rig.counts('dead')).available, 1)
    await rig.clock.advance(MINUTE + 1)
    assert.equal((await node.sweepAll()).expired, 1)
  },

  'a running job does not expire': async (rig) => {
    const ref = await rig.put({ expiresIn: 1_000 })
    const node = await rig.node()
    await node.take()
    await rig.clock.advance(20_000)
    const swept = await (await rig.node()).sweepAll()
    assert.equal(swept.expired, 0)
    assert.equal(await rig.stateOf(ref), 'running')
  },

  'sweeping what expired is bounded, and says that there is more': async (rig) => {
    await rig.putMany(10, () => ({ expiresIn: 1_000 }))
    await rig.clock.advance(2_000)
    const node = await rig.node()
    let expired = 0
    for (let round = 0; round < 20; round++) {
      const swept = await node.sweep(3)
      assert.ok(swept.expired <= 3)
      expired += swept.expired
      if (!swept.more) break
    }
    assert.equal(expired, 10)
    assert.deepEqual(await rig.counts(), countsOf({ discarded: 10 }))
  },
}

export const expiry: Group = { title: 'expiry', laws }
