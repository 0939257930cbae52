/**
 * Law 4: a unique key has at most one holder, in its queue. Whom a conflict answers with, when a
 * key is held and when it is freed, and that it is freed in the very step that ends its holder.
 */
import assert from 'node:assert/strict'
import type { JobRef } from '../../job/job.js'
import type { Inserted } from '../../job/lot.js'
import type { JobWords } from './build.js'
import {
  cancelFor,
  COMPLETE,
  completeWith,
  discardAs,
  idsOf,
  json,
  RELEASE,
  retryIn,
  snoozeFor,
  unique,
} from './build.js'
import type { Group, Laws } from './law.js'
import { LEASE } from './played-node.js'
import type { Rig } from './rig.js'
import { countsOf } from './rig.js'

const HOUR = 3_600_000

/** Inserts one job with this key and answers what came of it. */
async function tryKey(rig: Rig, words: Partial<ReturnType<typeof unique>> = {}): Promise<Inserted> {
  const [answer] = await rig.insert([rig.job({ unique: unique('k', words), payload: json('new') })])
  return answer
}

/** How many jobs it changed. */
async function retry(rig: Rig, { queue, id }: JobRef): Promise<number> {
  return (await rig.control({ kind: 'retry', queue, which: { ids: [id] } })).changed
}

async function isFree(rig: Rig): Promise<void> {
  assert.equal((await tryKey(rig)).status, 'inserted')
}

const laws: Laws = {
  'keep: the old one stays, and the new one is a duplicate of it': async (rig) => {
    const holder = await rig.put({ unique: unique('k'), payload: json('old') })
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: holder.id })
    assert.deepEqual(
      (await rig.list()).map((job) => job.payload),
      [json('old')],
    )
  },

  'reject: the lot is refused with the holder’s id': async (rig) => {
    const holder = await rig.put({ unique: unique('k') })
    const other = rig.job()
    const refused = rig.job({ unique: unique('k', { onConflict: 'reject' }) })
    assert.deepEqual(await rig.insert([other, refused]), [
      { status: 'withdrawn' },
      { status: 'refused', code: 'DUPLICATE', id: holder.id },
    ])
    assert.deepEqual(idsOf(await rig.list()), [holder.id])
  },

  'replace: a waiting holder keeps its id and its place and gets the new payload': async (rig) => {
    const holder = await rig.put({ unique: unique('k'), payload: json('old') })
    await rig.clock.advance(10)
    const other = await rig.put()
    assert.deepEqual(await tryKey(rig, { onConflict: 'replace' }), {
      status: 'replaced',
      id: holder.id,
    })
    assert.deepEqual((await rig.view(holder)).payload, json('new'))
    assert.deepEqual(await (await rig.node()).drain(), idsOf([holder, other]))
  },

  'replace: a scheduled and a retryable holder are waiting, too': async (rig) => {
    const node = await rig.node()
    const holder = await rig.put({ unique: unique('k'), delay: 500 })
    assert.equal((await tryKey(rig, { onConflict: 'replace' })).status, 'replaced')
    await rig.clock.advance(500)
    await node.settle(await node.take(), retryIn(500))
    assert.deepEqual(await tryKey(rig, { onConflict: 'replace' }), {
      status: 'replaced',
      id: holder.id,
    })
    await rig.clock.advance(500)
    assert.deepEqual((await node.take()).payload, json('new'))
  },

  'replace with a delay moves the holder, each time anew; without one it stays where it is': async (
    rig,
  ) => {
    const node = await rig.node()
    const holder = await rig.put({ unique: unique('k'), delay: 1_000 })
    const again = (words: JobWords) =>
      rig.insert([rig.job({ unique: unique('k', { onConflict: 'replace' }), ...words })])
    for (const payload of [1, 2, 3]) {
      await rig.clock.advance(900)
      await again({ delay: 1_000, payload: json(payload) })
    }
    await rig.clock.advance(999)
    await again({ payload: json('last') })
    assert.deepEqual((await node.claim()).jobs, [])
    await rig.clock.advance(1)
    const held = await node.take()
    assert.deepEqual([held.id, held.payload, held.waited], [holder.id, json('last'), 0])
  },

  'replace with an instant moves the holder there, back and forth': async (rig) => {
    const holder = await rig.put({ unique: unique('k'), delay: 1_000 })
    const again = (at: number) =>
      rig.insert([rig.job({ unique: unique('k', { onConflict: 'replace' }), at })])
    await again(rig.clock.wall() + 60_000)
    assert.equal((await rig.view(holder)).dueAt, rig.clock.wall() + 60_000)
    await again(rig.clock.wall() - 5)
    assert.equal((await (await rig.node()).take()).id, holder.id)
  },

  'replace: a running holder is not replaced, the new one is a duplicate': async (rig) => {
    const holder = await rig.put({ unique: unique('k'), payload: json('old') })
    await (await rig.node()).take()
    assert.deepEqual(await tryKey(rig, { onConflict: 'replace' }), {
      status: 'duplicate',
      id: holder.id,
    })
    assert.deepEqual((await rig.view(holder)).payload, json('old'))
  },

  'replace: a finished holder within its period is not replaced either': async (rig) => {
    const holder = await rig.put({ unique: unique('k', { for: HOUR }) })
    const node = await rig.node()
    await node.settle(await node.take(), COMPLETE)
    assert.deepEqual(await tryKey(rig, { onConflict: 'replace' }), {
      status: 'duplicate',
      id: holder.id,
    })
  },

  'a replacement is withdrawn with its lot': async (rig) => {
    const holder = await rig.put({ unique: unique('k'), payload: json('old') })
    await rig.put({ unique: unique('l') })
    const replacing = rig.job({
      unique: unique('k', { onConflict: 'replace' }),
      payload: json('new'),
    })
    const refused = rig.job({ unique: unique('l', { onConflict: 'reject' }) })
    const answers = await rig.insert([replacing, refused])
    assert.deepEqual(
      answers.map((answer) => answer.status),
      ['withdrawn', 'refused'],
    )
    assert.deepEqual((await rig.view(holder)).payload, json('old'))
  },

  'two of one key in one lot: the second is a duplicate of the first': async (rig) => {
    const jobs = [rig.job({ unique: unique('k') }), rig.job({ unique: unique('k') })]
    assert.deepEqual(await rig.insert(jobs), [
      { status: 'inserted', id: jobs[0].id },
      { status: 'duplicate', id: jobs[0].id },
    ])
    assert.equal((await rig.list()).length, 1)
  },

  'two that reject each other in one lot are both not there': async (rig) => {
    const words = { unique: unique('k', { onConflict: 'reject' as const }) }
    const jobs = [rig.job(words), rig.job(words)]
    const answers = await rig.insert(jobs)
    assert.deepEqual(answers[0], { status: 'withdrawn' })
    assert.deepEqual(answers[1], { status: 'refused', code: 'DUPLICATE', id: jobs[0].id })
    assert.deepEqual(await rig.list(), [])
    await isFree(rig)
  },

  'the key of a lot that was withdrawn is free': async (rig) => {
    await rig.put({ unique: unique('taken') })
    const jobs = [
      rig.job({ unique: unique('k') }),
      rig.job({ unique: unique('taken', { onConflict: 'reject' }) }),
    ]
    await rig.insert(jobs)
    await isFree(rig)
  },

  'a repeated insert is a duplicate of itself, whatever its key says': async (rig) => {
    for (const onConflict of ['keep', 'replace', 'reject'] as const) {
      const job = rig.job({ unique: unique(onConflict, { onConflict }) })
      await rig.insert([job])
      assert.deepEqual(await rig.insert([job]), [{ status: 'duplicate', id: job.id }], onConflict)
    }
  },

  'while unfinished: held through claims, retries, snoozes and releases': async (rig) => {
    const holder = await rig.put({ unique: unique('k') })
    const node = await rig.node()
    for (const verdict of [retryIn(0), snoozeFor(0), RELEASE, retryIn(1_000)]) {
      const held = await node.take()
      assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: holder.id })
      await node.settle(held, verdict)
      assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: holder.id }, verdict.kind)
    }
  },

  'while unfinished: freed in the very step that ends the holder': async (rig) => {
    const node = await rig.node()
    for (const verdict of [COMPLETE, completeWith(1), cancelFor(), discardAs('d')]) {
      await rig.put({ unique: unique('k') })
      await node.settle(await node.take(), verdict)
      await isFree(rig)
      await node.drain()
    }
  },

  'freed by an operator’s cancel and delete, by expiry, and by spent attempts': async (rig) => {
    const words = { unique: unique('k') }
    const one = await rig.put(words)
    await rig.control({ kind: 'cancel', queue: 'q', which: { ids: [one.id] }, reason: null })
    const two = await rig.put(words)
    await rig.control({ kind: 'delete', queue: 'q', which: { ids: [two.id] } })
    await rig.put({ ...words, expiresIn: 1_000 })
    await rig.clock.advance(1_001)
    const node = await rig.node()
    await node.sweepAll()
    await rig.put({ ...words, attempts: 1 })
    await node.take()
    await rig.clock.advance(LEASE + 1)
    await (await rig.node()).sweepAll()
    await isFree(rig)
  },

  'a dead letter does not hold its key, neither here nor there': async (rig) => {
    await rig.declare({ deadLetter: 'dead' })
    await rig.put({ unique: unique('k') })
    const node = await rig.node()
    await node.settle(await node.take(), discardAs('d'))
    await isFree(rig)
    await rig.put({ queue: 'dead', unique: unique('k') })
  },

  'while waiting: held until it first starts, and not again when it comes back': async (rig) => {
    const words = { unique: unique('k', { while: 'waiting' as const }) }
    const first = await rig.put(words)
    assert.equal((await tryKey(rig)).status, 'duplicate')
    const node = await rig.node()
    const held = await node.take()
    const second = await rig.put(words)
    await node.settle(held, retryIn(0))
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: second.id })
    assert.deepEqual(await node.drain(), idsOf([first, second]))
    await isFree(rig)
  },

  'for a period: held at least so long from the insertion, though the job is done': async (rig) => {
    const holder = await rig.put({ unique: unique('k', { for: HOUR }) })
    const node = await rig.node()
    await node.settle(await node.take(), COMPLETE)
    await rig.clock.advance(HOUR - 1_000)
    await node.sweepAll()
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: holder.id })
    await rig.clock.advance(1_001)
    await isFree(rig)
  },

  'for a period: an unfinished holder keeps its key beyond it': async (rig) => {
    const holder = await rig.put({ unique: unique('k', { for: 1_000 }) })
    await rig.clock.advance(HOUR)
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: holder.id })
  },

  'for a period while waiting: held so long though it has started': async (rig) => {
    const words = unique('k', { while: 'waiting', for: 1_000 })
    const holder = await rig.put({ unique: words })
    await (await rig.node()).take()
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: holder.id })
    await rig.clock.advance(1_001)
    await isFree(rig)
  },

  'a key belongs to its queue': async (rig) => {
    await rig.put({ queue: 'a', unique: unique('k') })
    await rig.put({ queue: 'b', unique: unique('k') })
  },

  'an operator’s retry takes the key back, until the job ends again': async (rig) => {
    const ref = await rig.put({ unique: unique('k') })
    const node = await rig.node()
    await node.settle(await node.take(), discardAs('d'))
    assert.equal(await retry(rig, ref), 1)
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: ref.id })
    await rig.control({ kind: 'cancel', queue: 'q', which: {}, reason: null })
    assert.equal(await retry(rig, ref), 1)
    const held = await node.take()
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: ref.id })
    await node.settle(held, COMPLETE)
    await isFree(rig)
  },

  'while another job has the key, an operator’s retry leaves the job as it is': async (rig) => {
    const first = await rig.put({ unique: unique('k') })
    const node = await rig.node()
    await node.settle(await node.take(), discardAs('d'))
    const second = await rig.put({ unique: unique('k') })
    assert.equal(await retry(rig, first), 0)
    assert.equal(await rig.stateOf(first), 'discarded')
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: second.id })
    assert.deepEqual(await node.drain(), [second.id])
    assert.equal(await retry(rig, first), 1)
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: first.id })
  },

  'of two ended jobs of one key one command retries one': async (rig) => {
    const node = await rig.node()
    for (const id of ['one', 'two']) {
      await rig.put({ id, unique: unique('k') })
      await node.settle(await node.take(), discardAs(`dead ${id}`))
    }
    const { changed } = await rig.control({ kind: 'retry', queue: 'q', which: {} })
    assert.equal(changed, 1)
    assert.deepEqual(await rig.counts(), countsOf({ available: 1, discarded: 1 }))
  },

  'a retry in the job’s own period takes the key back, and the period goes on': async (rig) => {
    const ref = await rig.put({ unique: unique('k', { for: HOUR }) })
    const node = await rig.node()
    await node.settle(await node.take(), discardAs('d'))
    assert.equal(await retry(rig, ref), 1)
    await node.settle(await node.take(), COMPLETE)
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: ref.id })
    await rig.clock.advance(HOUR + 1)
    await isFree(rig)
  },

  'while waiting: a retried job has the key until it starts': async (rig) => {
    const ref = await rig.put({ unique: unique('k', { while: 'waiting' }) })
    const node = await rig.node()
    await node.settle(await node.take(), cancelFor())
    assert.equal(await retry(rig, ref), 1)
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: ref.id })
    await node.take()
    await isFree(rig)
  },

  'a dead letter that goes back takes its key back there, or stays while another has it': async (
    rig,
  ) => {
    await rig.declare({ deadLetter: 'dead' })
    const ref = await rig.put({ unique: unique('k') })
    const node = await rig.node()
    await node.settle(await node.take(), discardAs('letter'))
    const other = await rig.put({ unique: unique('k') })
    const letter = { queue: 'dead', id: 'letter' }
    assert.equal(await retry(rig, letter), 0)
    assert.equal(await rig.stateOf(letter), 'available')
    assert.deepEqual(await node.drain(), [other.id])
    assert.equal(await retry(rig, letter), 1)
    const [back] = await rig.list()
    assert.notEqual(back.id, ref.id)
    assert.deepEqual(await tryKey(rig), { status: 'duplicate', id: back.id })
    await node.settle(await node.take(), COMPLETE)
    await isFree(rig)
  },

  'of two handles that race for a key one wins, and both say who': async (rig) => {
    const other = await rig.connect()
    const jobs = [rig.job({ unique: unique('k') }), rig.job({ unique: unique('k') })]
    const answers = await Promise.all([rig.insert([jobs[0]]), rig.insert([jobs[1]], other)])
    const statuses = answers.map(([answer]) => answer.status).sort()
    assert.deepEqual(statuses, ['duplicate', 'inserted'])
    const ids = answers.map(([answer]) => ('id' in answer ? answer.id : null))
    assert.deepEqual(ids, [(await rig.list())[0].id, (await rig.list())[0].id])
  },
}

export const uniqueKeys: Group = { title: 'unique keys', laws }
