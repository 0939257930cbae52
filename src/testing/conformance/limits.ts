/**
 * What a store refuses by the limits of a queue: a backlog that is full and a payload that is too
 * large. A refusal is an answer, not a throw; the lot that holds it is not there at all, and lots
 * beside it are.
 */
import assert from 'node:assert/strict'
import { COMPLETE, discardAs, json, retryIn, RELEASE, unique, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import { countsOf } from './rig.js'
import type { Rig } from './rig.js'

/** A lot of so many, and what each of it came to. */
async function tryLot(rig: Rig, size: number): Promise<string[]> {
  const answers = await rig.insert(upTo(size).map(() => rig.job()))
  return answers.map((answer) => answer.status)
}

const laws: Laws = {
  'a full backlog refuses, and names its limit': async (rig) => {
    await rig.declare({ limits: { backlog: 3 } })
    await rig.putMany(3)
    const answers = await rig.insert([rig.job()])
    assert.deepEqual(answers, [{ status: 'refused', code: 'QUEUE_FULL', limit: 3 }])
    assert.deepEqual(await rig.counts(), countsOf({ available: 3 }))
  },

  'a lot that would pass the limit is refused whole; one that just fits is taken': async (rig) => {
    await rig.declare({ limits: { backlog: 5 } })
    await rig.putMany(2)
    const statuses = new Set(await tryLot(rig, 4))
    assert.ok(statuses.has('refused'))
    assert.ok(!statuses.has('inserted'))
    assert.deepEqual(await rig.counts(), countsOf({ available: 2 }))
    assert.deepEqual(await tryLot(rig, 3), ['inserted', 'inserted', 'inserted'])
  },

  'lots in one call are refused one by one': async (rig) => {
    await rig.declare({ limits: { backlog: 3 } })
    const lots = [2, 2, 1, 1].map((size) => ({ jobs: upTo(size).map(() => rig.job()) }))
    const answers = await rig.insertLots(lots)
    const taken = answers.map((lot) => lot.every((answer) => answer.status === 'inserted'))
    assert.deepEqual(taken, [true, false, true, false])
  },

  'the backlog counts what is unfinished and not running': async (rig) => {
    await rig.declare({ limits: { backlog: 2 } })
    const node = await rig.node()
    await rig.putMany(2)
    const { jobs } = await node.claim()
    assert.ok(!(await tryLot(rig, 3)).includes('inserted'))
    assert.deepEqual(await tryLot(rig, 2), ['inserted', 'inserted'])
    await node.settle(jobs[0], COMPLETE)
    assert.deepEqual(await tryLot(rig, 1), ['refused'])
    await node.claim({ limit: 1 })
    assert.deepEqual(await tryLot(rig, 1), ['inserted'])
  },

  'scheduled and retryable jobs are part of the backlog, finished ones are not': async (rig) => {
    await rig.declare({ limits: { backlog: 2 } })
    const node = await rig.node()
    await rig.put()
    await node.settle(await node.take(), retryIn(60_000))
    await rig.put({ delay: 60_000 })
    assert.deepEqual(await tryLot(rig, 1), ['refused'])
    await rig.control({ kind: 'cancel', queue: 'q', which: {}, reason: null })
    assert.deepEqual(await tryLot(rig, 2), ['inserted', 'inserted'])
  },

  'what comes back to a full queue is never refused': async (rig) => {
    await rig.declare({ limits: { backlog: 2 } })
    const node = await rig.node()
    await rig.putMany(2)
    const { jobs } = await node.claim()
    await rig.putMany(2)
    await node.settle(jobs[0], retryIn(0))
    await node.settle(jobs[1], RELEASE)
    assert.deepEqual(await rig.counts(), countsOf({ available: 4 }))
    assert.deepEqual(await tryLot(rig, 1), ['refused'])
  },

  'a full dead-letter queue neither loses a dead letter nor doubles it': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    await rig.declare({ limits: { backlog: 1 } }, 'dead')
    await rig.put({ queue: 'dead' })
    await rig.put()
    const node = await rig.node()
    await node.settle(await node.take(), discardAs('d'))
    const here = await rig.list('q')
    const there = await rig.list('dead', { ids: ['d'] })
    assert.equal(here.length + there.length, 1)
  },

  'a duplicate and a replacement need no room': async (rig) => {
    await rig.declare({ limits: { backlog: 1 } })
    const holder = await rig.put({ unique: unique('k') })
    const answers = await rig.insertLots([
      { jobs: [rig.job({ id: holder.id })] },
      { jobs: [rig.job({ unique: unique('k') })] },
      { jobs: [rig.job({ unique: unique('k', { onConflict: 'replace' }) })] },
    ])
    const statuses = answers.map(([answer]) => answer.status)
    assert.deepEqual(statuses, ['duplicate', 'duplicate', 'replaced'])
  },

  'a backlog of zero takes nothing, Infinity takes everything': async (rig) => {
    await rig.declare({ limits: { backlog: 0 } })
    assert.deepEqual(await tryLot(rig, 1), ['refused'])
    await rig.declare({ limits: { backlog: Infinity } })
    assert.deepEqual(await tryLot(rig, 2), ['inserted', 'inserted'])
  },

  'a refusal in one queue withdraws the lot in every queue': async (rig) => {
    await rig.declare({ limits: { backlog: 0 } }, 'full')
    const answers = await rig.insert([rig.job(), rig.job({ queue: 'full' }), rig.job()])
    assert.deepEqual(answers, [
      { status: 'withdrawn' },
      { status: 'refused', code: 'QUEUE_FULL', limit: 0 },
      { status: 'withdrawn' },
    ])
    assert.deepEqual(await rig.list(), [])
    assert.deepEqual(await rig.list('full'), [])
  },

  'a lower limit says no to what comes, and touches nothing that is there': async (rig) => {
    await rig.putMany(5)
    await rig.declare({ limits: { backlog: 3 } })
    assert.deepEqual(await tryLot(rig, 1), ['refused'])
    assert.deepEqual(await rig.counts(), countsOf({ available: 5 }))
  },

  'a payload of exactly the limit is taken, one byte more is refused with both sizes': async (
    rig,
  ) => {
    await rig.declare({ limits: { payloadBytes: 10 } })
    await rig.put({ payload: json('é'.repeat(4)) })
    const answers = await rig.insert([rig.job({ payload: json('é'.repeat(4) + 'x') })])
    const refusal = { status: 'refused', code: 'PAYLOAD_TOO_LARGE', limit: 10, bytes: 11 }
    assert.deepEqual(answers, [refusal])
    assert.deepEqual(await rig.counts(), countsOf({ available: 1 }))
  },

  'a queue that is not there yet has the default limit': async (rig) => {
    const large = rig.job({ queue: 'new', payload: json('x'.repeat(1_048_575)) })
    const refusal = { status: 'refused', code: 'PAYLOAD_TOO_LARGE', limit: 1_048_576 }
    assert.deepEqual(await rig.insert([large]), [{ ...refusal, bytes: 1_048_577 }])
    assert.deepEqual(await rig.list('new'), [])
  },

  'one payload that is too large withdraws its lot': async (rig) => {
    await rig.declare({ limits: { payloadBytes: 10 } })
    const large = rig.job({ payload: json('x'.repeat(50)) })
    const answers = await rig.insert([rig.job({ payload: json(1) }), large])
    assert.deepEqual(
      answers.map((answer) => answer.status),
      ['withdrawn', 'refused'],
    )
    assert.deepEqual(await rig.list(), [])
  },

  'an id that is there already is a duplicate before any limit is asked': async (rig) => {
    const ref = await rig.put({ payload: json('x'.repeat(50)) })
    await rig.declare({ limits: { payloadBytes: 10, backlog: 0 } })
    const again = rig.job({ id: ref.id, payload: json('x'.repeat(50)) })
    assert.deepEqual(await rig.insert([again]), [{ status: 'duplicate', id: ref.id }])
  },
}

export const limits: Group = { title: 'limits', laws }
