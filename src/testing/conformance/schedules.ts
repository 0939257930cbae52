/**
 * Laws of schedules as they are kept: declared, listed, changed by revision, paused, removed. What
 * their slots do is in `slots.ts`.
 */
import assert from 'node:assert/strict'
import type { Plan } from '../../job/schedule.js'
import { QUEUE, json, upTo } from './build.js'
import { Ear } from './ear.js'
import type { Group, Laws } from './law.js'
import { MINUTE, STALE, dueOne, idOf, player, specOf, tickOf } from './played-scheduler.js'

const laws: Laws = {
  'a schedule is kept as it was declared': async (rig) => {
    const scheduler = player(rig)
    const job = rig.job({
      ...{ id: '', ownId: true, task: 't', group: 'g', priority: -7, attempts: 3, tags: ['a'] },
      ...{ payload: json({ text: '∞\n\t"\u001e' }), meta: json({ b: 1 }), timeout: Infinity },
    })
    const plan: Plan = { kind: 'cron', line: '0 9 * * 1-5', timeZone: 'Europe/Paris' }
    const spec = specOf({ plan, jitter: 5_000, missed: 'all', overlap: 'skip', job })
    const revision = await scheduler.put('∞', spec, rig.clock.wall())
    assert.equal(revision, 1)
    for (const store of [rig.store, await rig.connect()]) {
      const row = await player(rig, store).row('∞')
      assert.deepEqual(row.spec, spec)
      assert.equal(row.queue, QUEUE)
      assert.equal(row.revision, 1)
      assert.deepEqual([row.paused, row.last, row.passed], [false, null, null])
      assert.ok(row.next !== null)
      assert.equal(row.dueIn, row.next.due - rig.clock.wall())
    }
  },
  'they are listed by name and by when they are due, page by page, of one queue or of all': async (
    rig,
  ) => {
    const scheduler = player(rig)
    const names = upTo(12).map((n) => `s${String((n * 5) % 12).padStart(2, '0')}`)
    for (const [at, name] of names.entries()) {
      const plan: Plan = { kind: 'at', at: rig.clock.wall() + (at + 1) * 1_000 }
      await scheduler.put(name, { plan }, rig.clock.wall(), 0, at % 3 === 0 ? 'other' : QUEUE)
    }
    await scheduler.put('never', { plan: { kind: 'at', at: 0 } }, rig.clock.wall())
    await scheduler.put('paused', {}, rig.clock.wall())
    await scheduler.change({ kind: 'pause', queue: QUEUE, name: 'paused' })
    for (const limit of [1, 5, 100]) {
      const byDue = await scheduler.rows('due', limit)
      assert.deepEqual(
        byDue.map(({ name }) => name),
        names,
        'by when they are due, without those that never come',
      )
      const byName = (await scheduler.rows('name', limit)).map(
        ({ queue, name }) => `${queue} ${name}`,
      )
      assert.equal(byName.length, 14)
      assert.deepEqual(byName, [...byName].sort())
    }
    const page = { limit: 100, cursor: null }
    const ofOther = await rig.store.schedules({ queue: 'other', name: null, by: 'name', page })
    assert.equal(ofOther.items.length, 4)
    const none = await rig.store.schedules({ queue: 'none', name: null, by: 'name', page })
    assert.deepEqual(none, { items: [], cursor: null })
  },
  'a change needs the revision that was seen': async (rig) => {
    const scheduler = player(rig)
    await scheduler.put('s', {}, rig.clock.wall())
    const put = { kind: 'put', queue: QUEUE, name: 's', spec: specOf(), next: null } as const
    const stale = { status: 'stale', revision: 1, after: null }
    for (const revision of [0, 2]) {
      assert.deepEqual(await rig.store.plan({ ...put, revision }), stale)
    }
    const [one, two] = await Promise.all([
      rig.store.plan({ ...put, revision: 1 }),
      (await rig.connect()).plan({ ...put, revision: 1 }),
    ])
    assert.deepEqual([one.status, two.status].sort(), ['done', 'stale'], 'of two, one is first')
    assert.equal((await scheduler.row('s')).revision, 2)
  },
  'removing says whether there was one, and a new one goes on counting revisions': async (rig) => {
    const scheduler = player(rig)
    const remove = { kind: 'remove', queue: QUEUE, name: 's' } as const
    assert.deepEqual(await rig.store.plan(remove), { status: 'done', changed: false, revision: 0 })
    await scheduler.put('s', {}, rig.clock.wall())
    assert.deepEqual(await rig.store.plan(remove), { status: 'done', changed: true, revision: 1 })
    assert.deepEqual(await scheduler.rows(), [])
    assert.equal(await scheduler.put('s', {}, rig.clock.wall(), 1), 2)
  },
  'a queue with nothing but a schedule is there': async (rig) => {
    const scheduler = await dueOne(rig)
    await scheduler.round()
    const node = await rig.node()
    assert.equal((await node.drain()).length, 1)
    await rig.clock.advance(60 * MINUTE)
    await node.sweepAll()
    const { items } = await rig.store.queues({ limit: 10, cursor: null })
    assert.deepEqual(
      items.map(({ name }) => name),
      [QUEUE],
    )
    assert.equal(
      (await scheduler.row('s')).last?.job.id,
      idOf('s', (await scheduler.row('s')).last?.at ?? 0),
    )
    await scheduler.change({ kind: 'remove', queue: QUEUE, name: 's' })
    assert.deepEqual(await rig.store.queues({ limit: 10, cursor: null }), {
      items: [],
      cursor: null,
    })
  },
  'nothing fires while it is paused, also when it is declared anew, and what came then is over':
    async (rig) => {
      const scheduler = await dueOne(rig)
      const tick = tickOf(await scheduler.row('s'))
      const pause = { kind: 'pause', queue: QUEUE, name: 's' } as const
      assert.equal(await scheduler.change(pause), 2)
      assert.deepEqual(await rig.store.plan(pause), { status: 'done', changed: false, revision: 2 })
      assert.deepEqual(await scheduler.tick(tick, { ...tick, revision: 2 }), [STALE, STALE])
      assert.equal(await scheduler.put('s', { missed: 'all' }, rig.clock.wall() - 1, 2), 3)
      assert.deepEqual(
        [(await scheduler.row('s')).paused, (await scheduler.row('s')).dueIn],
        [true, null],
      )
      await rig.clock.advance(5 * MINUTE)
      assert.deepEqual(await scheduler.round(), [])
      const next = { at: tick.slot + 6 * MINUTE, due: tick.slot + 6 * MINUTE }
      const resume = { kind: 'resume', queue: QUEUE, name: 's', next } as const
      const stale = { status: 'stale', revision: 3, after: null }
      assert.deepEqual(await rig.store.plan({ ...resume, revision: 2 }), stale)
      assert.equal(await scheduler.change({ ...resume, revision: 3 }), 4)
      assert.deepEqual(await rig.store.plan({ ...resume, revision: 4 }), {
        ...{ status: 'done', changed: false, revision: 4 },
      })
      assert.deepEqual(await scheduler.round(), [])
      await rig.clock.advance(MINUTE)
      assert.equal((await scheduler.round())[0].status, 'fired')
    },
  'whoever watches hears of a change': async (rig) => {
    if (!rig.store.traits.hints) return
    const ear = new Ear(rig, await rig.connect())
    await player(rig).put('s', {}, rig.clock.wall())
    await ear.hears('schedules', QUEUE)
    ear.stop()
  },
}

export const schedules: Group = { title: 'schedules', laws }
