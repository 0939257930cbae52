/**
 * What can be seen: jobs by reference, lists newest first with filters, search and pages that stay
 * stable while jobs come in, counts, queues and nodes. Looking changes nothing.
 */
import assert from 'node:assert/strict'
import type { Selector } from '../../job/selector.js'
import { COMPLETE, discardAs, FAILURE, idsOf, json, retryIn, upTo } from './build.js'
import type { Group, Laws } from './law.js'
import { cardOf, LEASE, workerOf } from './played-node.js'
import type { Rig } from './rig.js'
import { countsOf } from './rig.js'

/** What every law of filters looks for. */
async function mixture(rig: Rig): Promise<readonly string[]> {
  const node = await rig.node()
  const failed = await rig.put({ id: 'failed-one', task: 'a', tags: ['red'] })
  const error = { name: 'Timeout', message: 'no ANSWER from host' }
  await node.settle(await node.take(), retryIn(60_000), { outcome: 'failed', error, duration: 1 })
  const b = await rig.put({ id: 'b', task: 'a', group: 'g', payload: json({ to: 'ada@example' }) })
  const c = await rig.put({ id: 'c', task: 'b', group: 'g', tags: ['red', 'blue'] })
  const d = await rig.put({ id: 'd', task: 'b', delay: 1_000, payload: json('100%_sure [a-z]*') })
  return idsOf([failed, b, c, d])
}

async function pages<T>(
  ask: (cursor: string | null) => Promise<{ items: readonly T[]; cursor: string | null }>,
) {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const page: { items: readonly T[]; cursor: string | null } = await ask(cursor)
    items.push(...page.items)
    cursor = page.cursor
    assert.ok(items.length < 1_000, 'pages come to an end')
  } while (cursor !== null)
  return items
}

const laws: Laws = {
  'get answers each reference in order, and null for what nobody knows': async (rig) => {
    assert.deepEqual(await rig.store.get([]), [])
    const [a, b] = [await rig.put(), await rig.put({ queue: 'other' })]
    const asked = [b, { queue: 'q', id: 'nobody' }, a, { queue: 'none', id: a.id }, a]
    const found = await rig.store.get(asked)
    const ids = found.map((one) => (one?.kind === 'job' ? one.job.id : null))
    assert.deepEqual(ids, [b.id, null, a.id, null, a.id])
  },

  'a page that goes on from what no page answered is refused': async (rig) => {
    await rig.put()
    for (const cursor of ['', 'garbage', '-1', 'NaN', '1e3', '9'.repeat(30)]) {
      const asked = rig.store.list({ queue: 'q', which: {}, page: { limit: 10, cursor } })
      await assert.rejects(asked, { code: 'OPTION_INVALID' }, cursor)
    }
  },

  'a list shows the newest first, and every job once': async (rig) => {
    const ids: string[] = []
    for (const count of [3, 1, 4]) {
      ids.push(...(await rig.putMany(count, (index) => ({ priority: index }))))
      await rig.clock.advance(5)
    }
    const newest = [...ids].reverse()
    assert.deepEqual(idsOf(await rig.list()), newest)
    for (const limit of [1, 2, 3, 7, 8]) {
      assert.deepEqual(idsOf(await rig.list('q', {}, limit)), newest, `pages of ${limit}`)
    }
  },

  'pages stay stable while jobs come in': async (rig) => {
    const ids = await rig.putMany(9)
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const ask = { queue: 'q', which: {}, page: { limit: 2, cursor } }
      const page = await rig.store.list(ask)
      seen.push(...idsOf(page.items))
      cursor = page.cursor
      await rig.putMany(3)
    } while (cursor !== null)
    assert.deepEqual(seen, [...ids].reverse())
  },

  'pages stay stable while jobs run, end and go': async (rig) => {
    const ids = await rig.putMany(20)
    const node = await rig.node()
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await rig.store.list({ queue: 'q', which: {}, page: { limit: 3, cursor } })
      seen.push(...idsOf(page.items))
      cursor = page.cursor
      await node.settle(await node.take(), COMPLETE)
    } while (cursor !== null)
    assert.equal(new Set(seen).size, seen.length)
    const left = idsOf(await rig.list())
    assert.deepEqual(
      left.filter((id) => !seen.includes(id)),
      [],
    )
    assert.deepEqual([...seen].sort(), seen.filter((id) => ids.includes(id)).sort())
  },

  'lists and counts pick by state, task, group, tag and id': async (rig) => {
    const [failed, b, c, d] = await mixture(rig)
    const cases: readonly (readonly [Selector, readonly string[]])[] = [
      [{}, [d, c, b, failed]],
      [{ states: ['available'] }, [c, b]],
      [{ states: ['scheduled', 'retryable'] }, [d, failed]],
      [{ states: [] }, []],
      [{ states: ['completed'] }, []],
      [{ task: 'a' }, [b, failed]],
      [{ group: 'g' }, [c, b]],
      [{ group: '' }, [d, failed]],
      [{ tag: 'red' }, [c, failed]],
      [{ tag: 'blue', task: 'b' }, [c]],
      [{ ids: [b, 'nobody', d] }, [d, b]],
      [{ ids: [b], task: 'b' }, []],
      [{ ids: [] }, []],
    ]
    for (const [which, expected] of cases) {
      assert.deepEqual(idsOf(await rig.list('q', which)), expected, JSON.stringify(which))
      const counts = await rig.counts('q', which)
      const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
      assert.equal(total, expected.length, JSON.stringify(which))
    }
  },

  'search looks for a part of the id, the payload’s text and the last error': async (rig) => {
    const [failed, b, , d] = await mixture(rig)
    const found = async (search: string) => idsOf(await rig.list('q', { search }))
    assert.deepEqual(await found('ada@ex'), [b])
    assert.deepEqual(await found('iled-o'), [failed])
    assert.deepEqual(await found('ANSWER'), [failed])
    assert.deepEqual(await found('0%_sure [a-z]*'), [d])
    for (const special of ['%sure', '_ure', '.*', '[a-z]+', 'nowhere', 'red']) {
      assert.deepEqual(await found(special), [], special)
    }
  },

  'a state that is named twice is named once': async (rig) => {
    await rig.putMany(5)
    await rig.control({ kind: 'cancel', queue: 'q', which: {}, reason: null })
    const which = { states: ['cancelled', 'cancelled'] as const }
    assert.equal(idsOf(await rig.list('q', which)).length, 5)
    assert.deepEqual(
      await rig.counts('q', { ...which, task: 'default' }),
      countsOf({ cancelled: 5 }),
    )
  },

  'search finds dead letters by what brought them there': async (rig) => {
    await rig.declare({ deadLetter: 'graves' })
    const node = await rig.node()
    for (const reason of ['attempts-spent', 'given-up'] as const) {
      await rig.put()
      await node.settle(await node.take(), discardAs(`dead ${reason}`, reason))
    }
    const found = async (search: string) => idsOf(await rig.list('graves', { search }))
    assert.deepEqual(await found(''), ['dead given-up', 'dead attempts-spent'])
    assert.deepEqual(await found(FAILURE.message), ['dead attempts-spent'])
    assert.deepEqual(await found('given-u'), ['dead given-up'])
    assert.deepEqual(await found('elsewhere'), [])
  },

  'counts are by state, and agree with the lists': async (rig) => {
    await mixture(rig)
    assert.deepEqual(await rig.counts(), countsOf({ scheduled: 1, available: 2, retryable: 1 }))
    assert.deepEqual(await rig.counts('never'), countsOf({}))
    await (await rig.node()).take()
    const expected = countsOf({ scheduled: 1, available: 1, running: 1, retryable: 1 })
    assert.deepEqual(await rig.counts(), expected)
    assert.deepEqual(await rig.counts('q', { states: ['running'] }), countsOf({ running: 1 }))
  },

  'time alone moves what is due from scheduled and retryable to available': async (rig) => {
    await mixture(rig)
    await rig.clock.advance(1_000)
    assert.deepEqual(await rig.counts(), countsOf({ available: 3, retryable: 1 }))
    await rig.clock.advance(60_000)
    assert.deepEqual(await rig.counts(), countsOf({ available: 4 }))
    assert.equal((await rig.list('q', { states: ['available'] })).length, 4)
  },

  'queues are told with their counts, workers and the oldest that is due': async (rig) => {
    await rig.put({ queue: 'a', delay: 9_000 })
    await rig.clock.advance(100)
    const due = await rig.put({ queue: 'b' })
    const dueAt = (await rig.view(due)).dueAt
    await rig.clock.advance(100)
    await rig.put({ queue: 'b' })
    const workers = [workerOf('w1', { queue: 'b' }), workerOf('w2', { queue: 'b' })]
    await rig.node(rig.store, { workers })
    const rows = await pages((cursor) => rig.store.queues({ limit: 10, cursor }))
    const a = rows.find((row) => row.name === 'a')
    const b = rows.find((row) => row.name === 'b')
    assert.deepEqual([a?.counts, a?.workers], [countsOf({ scheduled: 1 }), 0])
    assert.deepEqual([b?.counts, b?.workers, b?.oldestDue], [countsOf({ available: 2 }), 2, dueAt])
  },

  'queues come in pages, each once': async (rig) => {
    const names = upTo(7).map((index) => `queue-${index}`)
    for (const queue of names) await rig.put({ queue })
    for (const limit of [1, 3, 7, 100]) {
      const rows = await pages((cursor) => rig.store.queues({ limit, cursor }))
      assert.deepEqual(rows.map((row) => row.name).sort(), names, `pages of ${limit}`)
    }
  },

  'nodes are told with their workers, what each holds, and when they last gave a sign': async (
    rig,
  ) => {
    const startedAt = rig.clock.wall()
    const workers = [workerOf('w1'), workerOf('w2', { tasks: ['t'], state: 'paused' })]
    const node = await rig.node(rig.store, { workers })
    await rig.putMany(3, (index) => ({ task: index === 0 ? 't' : 'u' }))
    await rig.clock.advance(1_000)
    await node.claim({ worker: 'w2', tasks: ['t'] })
    await node.claim({ worker: 'w1' })
    await rig.clock.advance(2_000)
    await node.beat()
    await rig.clock.advance(300)
    const [row] = await pages((cursor) => rig.store.nodes({ limit: 10, cursor }))
    const { running, beatAgo, lost, ...card } = row
    assert.deepEqual(card, { ...node.card, startedAt })
    assert.deepEqual([running, beatAgo, lost], [[2, 1], 300, false])
  },

  'a node that was silent beyond its lease with jobs in hand is told as lost, or is gone': async (
    rig,
  ) => {
    await rig.put()
    const silent = await rig.node()
    await silent.take()
    await rig.clock.advance(LEASE + 1)
    const rows = await pages((cursor) => rig.store.nodes({ limit: 10, cursor }))
    assert.deepEqual(
      rows.filter((row) => row.node === silent.id && !row.lost),
      [],
    )
  },

  'nodes come in pages, each once': async (rig) => {
    const names = upTo(5).map((index) => `n${index}`)
    for (const name of names) await rig.store.enlist(cardOf(name))
    for (const limit of [1, 2, 5, 100]) {
      const rows = await pages((cursor) => rig.store.nodes({ limit, cursor }))
      assert.deepEqual(rows.map((row) => row.node).sort(), names, `pages of ${limit}`)
    }
  },

  'looking changes nothing': async (rig) => {
    await mixture(rig)
    const look = async () => [
      await rig.list(),
      await rig.counts(),
      await rig.store.queues({ limit: 10, cursor: null }),
      await rig.store.nodes({ limit: 10, cursor: null }),
      await rig.store.settings('q'),
    ]
    assert.deepEqual(await look(), await look())
  },

  'however far ahead a job was put, every instant that is shown is one that a Date can be': async (
    rig,
  ) => {
    const LAST = 8_640_000_000_000_000
    const far = await rig.put({ delay: Number.MAX_SAFE_INTEGER })
    const last = await rig.put({ at: LAST })
    const first = await rig.put({ at: -LAST, queue: 'past' })
    const node = await rig.node()
    await rig.put({ queue: 'r' })
    const failed = await node.take({ queue: 'r' })
    await node.settle(failed, retryIn(Number.MAX_SAFE_INTEGER))
    for (const ref of [far, last, failed]) assert.equal((await rig.view(ref)).dueAt, LAST)
    assert.equal((await rig.view(first)).dueAt, -LAST)
    const { items } = await rig.store.queues({ limit: 10, cursor: null })
    assert.deepEqual(
      items.map((row) => [row.name, row.oldestDue]),
      [
        ['past', -LAST],
        ['q', LAST],
        ['r', LAST],
      ],
    )
    assert.deepEqual((await node.claim()).jobs, [])
    assert.equal((await node.take({ queue: 'past' })).id, first.id)
  },
}

export const views: Group = { title: 'views', laws }
