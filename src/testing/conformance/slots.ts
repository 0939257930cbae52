/**
 * Laws of slots: each fires at most once, for ever, whoever tries and however clocks are set; never
 * before it is due; and its job is a job like any other. Which slots a plan has is not a store's
 * affair.
 */
import assert from 'node:assert/strict'
import type { Plan } from '../../job/schedule.js'
import { COMPLETE, QUEUE, json, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import {
  EACH_MINUTE,
  MINUTE,
  STALE,
  dueOne,
  idOf,
  player,
  specOf,
  tickOf,
} from './played-scheduler.js'
import type { Rig } from './rig.js'

const PASSED = { status: 'passed' }

/** The ids of all jobs, oldest first. */
async function ids(rig: Rig): Promise<string[]> {
  return (await rig.list()).map(({ id }) => id).reverse()
}

const laws: Laws = {
  'a slot brings a job like any other, which leaves a receipt': async (rig) => {
    const words = { priority: 7, group: 'g', tags: ['a'], meta: json({ m: 1 }), ownId: true }
    const job = rig.job({ id: '', payload: json([1]), attempts: 2, ...words })
    const scheduler = await dueOne(rig, { job })
    const { next } = await scheduler.row('s')
    assert.ok(next !== null)
    const id = idOf('s', next.at)
    assert.deepEqual(await scheduler.round(), [{ status: 'fired', id }])
    const row = await scheduler.row('s')
    assert.deepEqual(row.last, { at: next.due, job: { queue: QUEUE, id } })
    assert.deepEqual([row.passed, row.next?.at], [next.at, next.at + MINUTE])
    const node = await rig.node()
    const held = await node.take()
    assert.deepEqual(
      [held.id, held.priority, held.group, held.tags, held.maxAttempts, held.payload, held.meta],
      [id, 7, 'g', ['a'], 2, job.payload, job.meta],
    )
    await node.settle(held, COMPLETE)
    assert.equal(await rig.stateOf(held), 'receipt')
  },
  'a slot fires once, whoever tries': async (rig) => {
    const scheduler = await dueOne(rig)
    const tick = tickOf(await scheduler.row('s'))
    const stores = await Promise.all(upTo(5).map(() => rig.connect()))
    const answers = await Promise.all(stores.map((store) => store.tick([tick, tick])))
    const fired = answers.flat().filter(({ status }) => status === 'fired')
    assert.equal(fired.length, 1)
    assert.equal(answers.flat().filter(({ status }) => status === 'stale').length, 9)
    assert.equal((await ids(rig)).length, 1)
  },
  'ticks of one schedule may follow each other in one call': async (rig) => {
    const scheduler = player(rig)
    await scheduler.put('s', { missed: 'all' }, rig.clock.wall())
    await scheduler.put('t', {}, rig.clock.wall())
    await rig.clock.advance(3.5 * MINUTE)
    const answers = await scheduler.round()
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['fired', 'fired', 'fired', 'fired'],
    )
    assert.deepEqual(await scheduler.round(), [])
    const first = rig.clock.wall() - 2.5 * MINUTE
    const expected = upTo(3).map((n) => idOf('s', first + n * MINUTE))
    assert.deepEqual(
      (await ids(rig)).filter((id) => id.startsWith('s')),
      expected,
    )
  },
  'none fires before it is due by the store’s clock': async (rig) => {
    const scheduler = player(rig)
    await scheduler.put('s', { jitter: 50_000 }, rig.clock.wall())
    const row = await scheduler.row('s')
    assert.ok(row.next !== null && row.dueIn !== null)
    const tick = tickOf(row)
    assert.deepEqual(await scheduler.tick(tick), [{ status: 'early' }])
    await rig.clock.advance(row.dueIn - 1)
    assert.deepEqual(await scheduler.tick(tick), [{ status: 'early' }])
    await rig.clock.advance(1)
    const ahead = { at: row.next.at + MINUTE, due: row.next.at + MINUTE }
    assert.deepEqual(await scheduler.tick(tickOf(row, ahead)), [{ status: 'early' }])
    assert.equal((await scheduler.tick(tick))[0].status, 'fired')
  },
  'a tick that would go back or stand still changes nothing': async (rig) => {
    const scheduler = await dueOne(rig)
    const row = await scheduler.row('s')
    assert.ok(row.next !== null)
    const tick = tickOf(row)
    const back = { at: row.next.at - MINUTE, due: row.next.due - MINUTE }
    assert.deepEqual(await scheduler.tick({ ...tick, next: row.next }), [STALE])
    assert.deepEqual(await scheduler.tick({ ...tick, next: back }), [STALE])
    assert.deepEqual(await scheduler.tick(tickOf(row, back)), [STALE])
    assert.deepEqual(await scheduler.tick({ ...tick, slot: back.at }), [STALE])
    assert.deepEqual(await scheduler.tick({ ...tick, revision: 2 }), [STALE])
    assert.deepEqual(await scheduler.tick({ ...tick, name: 'none' }), [STALE])
    assert.deepEqual(await scheduler.row('s'), row)
  },
  'no slot comes again: of one that was removed, changed, or after the clock was set back': async (
    rig,
  ) => {
    const scheduler = await dueOne(rig)
    const fired = tickOf(await scheduler.row('s'))
    await scheduler.round()
    const after = fired.slot
    await rig.clock.advance(1)
    rig.clock.jumpWall(-10 * MINUTE)
    assert.deepEqual(await scheduler.tick(fired), [STALE])
    assert.deepEqual(await scheduler.round(), [], 'nothing is due until the clock is there again')
    const put = { kind: 'put', queue: QUEUE, name: 's', spec: specOf() } as const
    const before = { at: after, due: after }
    const stale = { status: 'stale', revision: 1, after }
    assert.deepEqual(await rig.store.plan({ ...put, revision: 1, next: before }), stale)
    await scheduler.change({ kind: 'remove', queue: QUEUE, name: 's' })
    assert.deepEqual(await rig.store.plan({ ...put, revision: 1, next: before }), stale)
    assert.equal(await scheduler.put('s', {}, after, 1), 2)
    await rig.clock.advance(9 * MINUTE)
    assert.deepEqual(await scheduler.round(), [])
    await rig.clock.advance(2 * MINUTE)
    assert.equal((await scheduler.round())[0].status, 'fired')
    assert.deepEqual(await ids(rig), [idOf('s', after), idOf('s', after + MINUTE)])
  },
  'when the clock is set forward, what it passed over is due': async (rig) => {
    const scheduler = player(rig)
    await scheduler.put('s', { missed: 'all' }, rig.clock.wall())
    rig.clock.jumpWall(3 * MINUTE)
    const answers = await scheduler.round()
    assert.deepEqual(
      answers.map(({ status }) => status),
      ['fired', 'fired', 'fired'],
    )
    assert.deepEqual(await scheduler.round(), [])
  },
  'while the job of the last slot is unfinished the next passes, where it shall not overlap':
    async (rig) => {
      const scheduler = await dueOne(rig, { overlap: 'skip' })
      const node = await rig.node()
      assert.equal((await scheduler.round())[0].status, 'fired')
      const [{ id }] = await rig.list()
      await rig.clock.advance(MINUTE)
      assert.deepEqual(await scheduler.round(), [PASSED], 'it waits')
      const held = await node.take()
      await rig.clock.advance(MINUTE)
      assert.deepEqual(await scheduler.round(), [PASSED], 'it runs')
      assert.equal((await scheduler.row('s')).last?.job.id, id)
      await node.settle(held, { kind: 'retry', delay: 60 * MINUTE })
      await rig.clock.advance(MINUTE)
      assert.deepEqual(await scheduler.round(), [PASSED], 'it failed, and runs again')
      await rig.control({ kind: 'cancel', queue: QUEUE, which: { ids: [id] }, reason: null })
      await rig.clock.advance(MINUTE)
      assert.equal((await scheduler.round())[0].status, 'fired', 'it is final')
    },
  'they queue up, where they may overlap': async (rig) => {
    const scheduler = await dueOne(rig, { overlap: 'queue' })
    for (const _ of upTo(3)) {
      assert.equal((await scheduler.round())[0].status, 'fired')
      await rig.clock.advance(MINUTE)
    }
    assert.equal((await rig.counts()).available, 3)
  },
  'missed slots: none, one for all, or each': async (rig) => {
    const scheduler = player(rig)
    for (const missed of ['skip', 'once', 'all'] as const) {
      await scheduler.put(missed, { missed }, rig.clock.wall())
    }
    const start = rig.clock.wall()
    await rig.clock.advance(5 * MINUTE)
    assert.deepEqual(
      (await scheduler.round()).map(({ status }) => status).sort(),
      upTo(7).map(() => 'fired'),
    )
    await scheduler.put(
      'late',
      { missed: 'skip', plan: { kind: 'every', span: 7 * MINUTE } },
      start,
    )
    await rig.clock.advance(4 * MINUTE)
    const late = (await scheduler.round()).filter(({ status }) => status === 'passed')
    assert.equal(late.length, 1, 'a slot that is late by more than a minute was missed')
  },
  'a queue that is full refuses the slot, which fires when there is room': async (rig) => {
    await rig.declare({ limits: { backlog: 1 } })
    const scheduler = await dueOne(rig)
    await rig.put()
    const before = await scheduler.row('s')
    const refused = {
      status: 'refused',
      answer: { status: 'refused', code: 'QUEUE_FULL', limit: 1 },
    }
    assert.deepEqual(await scheduler.round(), [refused])
    assert.deepEqual(await scheduler.row('s'), before)
    assert.equal((await (await rig.node()).drain()).length, 1)
    assert.equal((await scheduler.round())[0].status, 'fired')
  },
  'a payload that is too large by now is refused': async (rig) => {
    const job = rig.job({ id: '', payload: json('x'.repeat(100)) })
    const scheduler = await dueOne(rig, { job })
    await rig.declare({ limits: { payloadBytes: 50 } })
    const refused = { status: 'refused', code: 'PAYLOAD_TOO_LARGE', limit: 50, bytes: 102 }
    assert.deepEqual(await scheduler.round(), [{ status: 'refused', answer: refused }])
  },
  'a job that has the id already is that slot’s job': async (rig) => {
    const scheduler = await dueOne(rig)
    const tick = tickOf(await scheduler.row('s'))
    assert.ok(tick.run !== null)
    await rig.insert([tick.run.job])
    assert.equal((await scheduler.tick(tick))[0].status, 'fired')
    assert.deepEqual(await ids(rig), [tick.run.job.id])
  },
  'many nodes, answers lost on the way, restarts, clocks set back: every slot once': async (
    rig,
  ) => {
    const { chance, clock } = rig
    const plans: Plan[] = [EACH_MINUTE, { kind: 'every', span: 7_000 }]
    const start = clock.wall()
    for (const [at, plan] of plans.entries()) {
      await player(rig).put(`s${at}`, { plan, missed: 'all', jitter: at * 3_000 }, start)
    }
    let stores = await Promise.all(upTo(4).map(() => rig.connect()))
    let behind = 0
    for (const step of upTo(120)) {
      await clock.advance(chance.next() * 20_000)
      if (step % 10 === 9) {
        const jump = chance.next() < 0.5 ? -behind || -5_000 : 5_000 // back, or where it belongs
        behind += jump
        clock.jumpWall(jump)
      }
      if (step % 25 === 24) {
        await stores[0].close()
        stores = [...stores.slice(1), await rig.connect()]
      }
      const tries = stores.filter(() => chance.next() < 0.6)
      // Nobody listens to the answers: whoever looks next sees what took effect.
      await Promise.all(tries.map((store) => player(rig, store).round()))
    }
    await player(rig).round()
    const jobs = await rig.list()
    for (const [at, plan] of plans.entries()) {
      const row = await player(rig).row(`s${at}`)
      const span = plan.kind === 'every' ? plan.span : NaN
      const first = (Math.floor(start / span) + 1) * span
      const count = ((row.passed ?? 0) - first) / span + 1
      assert.ok(count > 10, `${count} slots`)
      const expected = upTo(count).map((n) => idOf(`s${at}`, first + n * span))
      const found = jobs.map(({ id }) => id).filter((id) => id.startsWith(`s${at}@`))
      assert.deepEqual(found.reverse(), expected)
    }
  },
}

export const slots: Group = { title: 'slots of schedules', laws }
