// What a plain claim takes stands in one row of its own, and the rows of its jobs look as if they waited:
// nobody may be misled by that, whichever way he looks.
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Claimed } from '../../src/job/claim.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Verdict } from '../../src/job/verdict.js'
import type { Store } from '../../src/store.js'
import type { JobWords } from '../../src/testing/conformance/build.js'
import {
  COMPLETE,
  newJob,
  retryIn,
  settlement,
  unique,
} from '../../src/testing/conformance/build.js'
import { upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { signal } from '../engine/harness.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const SILENT = 60_000

interface Rows {
  readonly handfuls: number
  readonly waiting: number
  readonly running: number
}

describe.skipIf(server.isMissing)(`a handful${server.why}`, () => {
  let url: string
  let client: pg.Client
  let stores: Store[]
  let node: PlayedNode
  let now: number

  beforeEach(async () => {
    url = await server.database()
    client = new pg.Client({ connectionString: url })
    await client.connect()
    stores = []
    now = 1_000_000
    node = await enlisted('node')
    // The first claim of a queue looks at everything; those behind it know, and are plain.
    await insert(['first'])
    await complete(await claim(1))
  })
  afterEach(async () => {
    await client.end()
    for (const store of stores) await store.close()
  })

  async function enlisted(name: string): Promise<PlayedNode> {
    const store = openablePostgresStore({ url }, { now: () => now })
    stores.push(store)
    await store.open({ scope: 'default' })
    return PlayedNode.enlist(store, cardOf(name))
  }

  async function insert(ids: readonly string[], words: JobWords = {}): Promise<void> {
    await node.store.insert([{ jobs: ids.map((id) => newJob(id, words)) }])
  }

  async function claim(limit: number, by = node): Promise<readonly Claimed[]> {
    return (await by.claim({ limit })).jobs
  }

  function complete(jobs: readonly Claimed[], by = node): Promise<unknown> {
    return by.settleAll(jobs.map((job) => settlement(job, COMPLETE)))
  }

  async function rows(): Promise<Rows> {
    const { rows } = await client.query<Rows>(`
      SELECT (SELECT count(*) FROM millrace.handfuls)::int AS handfuls,
             (SELECT count(*) FROM millrace.jobs WHERE state = 1)::int AS waiting,
             (SELECT count(*) FROM millrace.jobs WHERE state = 2)::int AS running`)
    return rows[0]
  }

  const names = (count: number): string[] => upTo(count).map((n) => `job-${n}`)

  it('is one row; those of its jobs stay as they are until they are deleted', async () => {
    await insert(names(50))
    const jobs = await claim(50)
    expect(jobs.map(({ id }) => id)).toEqual(names(50))
    expect(jobs[7]).toMatchObject({ attempt: 1, crashes: 0, group: '', history: [] })
    expect(await rows()).toEqual({ handfuls: 1, waiting: 50, running: 0 })
    await complete(jobs.slice(0, 20))
    expect(await rows()).toEqual({ handfuls: 1, waiting: 30, running: 0 })
    await complete(jobs.slice(20))
    expect(await rows()).toEqual({ handfuls: 0, waiting: 0, running: 0 })
  })

  it('is no row of those that ended with a result: each leaves the receipt of the longer way', async () => {
    await insert(names(4))
    await insert(['own-4'], { ownId: true })
    await insert(['own-5'], { ownId: true })
    const jobs = await claim(6)
    const answer: Verdict = { kind: 'complete', result: { text: '"it\'s \\u0000"', codec: 'json' } }
    const answered = jobs.map((job) => settlement(job, answer))
    const done = { status: 'done', state: 'completed', deadLetter: null }
    await node.settleAll([0, 4].map((at) => answered[at]))
    expect(await rows()).toEqual({ handfuls: 1, waiting: 3, running: 1 })
    expect(await node.store.get([{ queue: 'q', id: 'job-0' }])).toMatchObject([{ kind: 'receipt' }])
    expect(await claim(1)).toEqual([])
    // Twice in one call is nothing for one trip.
    const twice = [1, 5].map((at) => answered[at])
    expect(await node.settleAll([...twice, ...twice])).toEqual(upTo(4).map(() => done))
    expect(await rows()).toEqual({ handfuls: 0, waiting: 0, running: 2 })
    await node.settleAll(answered.slice(2, 4))
    expect(await node.settleAll(answered)).toEqual(upTo(6).map(() => done))
    const receipts = await client.query<{ row: object }>(`
      SELECT to_jsonb(j) - '{seq,id}'::text[] AS row FROM millrace.jobs AS j WHERE queue > 0 ORDER BY seq`)
    const [first, ...others] = receipts.rows.map(({ row }) => row)
    expect(first).toMatchObject({ state: 8, flags: 0, attempt: 1, payload: null, lane: null })
    expect(others.slice(0, 3)).toEqual(upTo(3).map(() => first))
    const [own] = others.slice(3)
    expect(own).toEqual({ ...first, flags: 1 })
    expect(others.slice(4)).toEqual([own])
  })

  it('has what nobody else is given, however many ask at once', async () => {
    await insert(names(400))
    const others = await Promise.all(['a', 'b', 'c'].map(enlisted))
    for (const other of others) expect(await claim(1, other)).toHaveLength(1) // it knows now
    const given = await Promise.all([...others, node, ...others, node].map((by) => claim(45, by)))
    const ids = given.flat().map(({ id }) => id)
    expect(ids).toHaveLength(360)
    expect(new Set(ids).size).toBe(360)
    expect((await rows()).handfuls).toBeGreaterThan(4)
  })

  it('keeps its order where some of its jobs need their rows changed', async () => {
    await insert(['a', 'b'])
    await insert(['own'], { ownId: true })
    await insert(['keyed'], { unique: unique('k', { while: 'waiting' }) })
    await insert(['short'], { expiresIn: 9_000 })
    await insert(['z'])
    const jobs = await claim(10)
    expect(jobs.map(({ id }) => id)).toEqual(['a', 'b', 'own', 'keyed', 'short', 'z'])
    expect(jobs.map(({ token }) => Number(token) - Number(jobs[0].token))).toEqual(upTo(6))
    expect(await rows()).toEqual({ handfuls: 1, waiting: 3, running: 3 })
    // The key was held until the start.
    await insert(['again'], { unique: unique('k', { while: 'waiting', onConflict: 'reject' }) })
    expect((await claim(10)).map(({ id }) => id)).toEqual(['again'])
    await complete(jobs)
    expect(await rows()).toEqual({ handfuls: 0, waiting: 0, running: 1 })
  })

  it('is shown by get as if it were spread, and stays as it is', async () => {
    await insert([...names(3), 'free'])
    const before = await claim(1)
    now += 500
    const jobs = [...before, ...(await claim(2))]
    const refs = [...names(3), 'free', 'nobody'].map((id) => ({ queue: 'q', id }))
    const shown = await node.store.get(refs)
    expect(await rows()).toEqual({ handfuls: 2, waiting: 4, running: 0 })
    expect(shown.map((found) => found?.kind === 'job' && found.job.state)).toEqual([
      ...['running', 'running', 'running', 'available'],
      false,
    ])
    await node.store.count({ queue: 'q', which: {}, cursor: null })
    expect(await rows()).toEqual({ handfuls: 0, waiting: 1, running: 3 })
    expect(await node.store.get(refs)).toEqual(shown)
    await complete(jobs)
  })

  it.each<[string, (store: Store) => Promise<unknown>, unknown]>([
    [
      'count',
      (store) => store.count({ queue: 'q', which: {}, cursor: null }),
      { counts: { running: 3, available: 0 } },
    ],
    [
      'list',
      (store) =>
        store.list({
          queue: 'q',
          which: { states: ['running'] },
          page: { limit: 9, cursor: null },
        }),
      { items: [{ id: 'job-2' }, { id: 'job-1' }, { id: 'job-0' }] },
    ],
    [
      'queues',
      (store) => store.queues({ limit: 9, cursor: null }),
      { items: [{ counts: { running: 3 } }] },
    ],
    [
      'groups',
      (store) => store.groups('q', { limit: 9, cursor: null }),
      { items: [{ counts: { running: 3 } }] },
    ],
    ['nodes', (store) => store.nodes({ limit: 9, cursor: null }), { items: [{ running: [3] }] }],
    [
      'explain',
      (store) => store.explain([{ queue: 'q', id: 'job-0' }]),
      [{ gates: [{ kind: 'running' }] }],
    ],
    ['explainQueue', (store) => store.explainQueue('q'), { counts: { running: 3 } }],
  ])('is spread before %s shows what it has', async (_, look, shown) => {
    await insert(names(3))
    const jobs = await claim(3)
    expect(await look(node.store)).toMatchObject(shown as object)
    expect(await rows()).toEqual({ handfuls: 0, waiting: 0, running: 3 })
    await complete(jobs)
    expect(await rows()).toEqual({ handfuls: 0, waiting: 0, running: 0 })
  })

  it('is spread before a command reaches its jobs: they run, and are asked to end', async () => {
    await insert(names(2))
    const jobs = await claim(2)
    const cancel = { kind: 'cancel', queue: 'q', which: {}, reason: null } as const
    expect(await node.store.control(cancel, null)).toMatchObject({ changed: 2 })
    expect(await node.check(jobs)).toMatchObject({
      lost: [],
      cancelling: jobs.map(({ token }) => token),
    })
  })

  it('is held for all that anybody knows, until its node is silent; then others have it', async () => {
    await insert(names(4))
    const jobs = await claim(4)
    const other = await enlisted('other')
    expect(await node.check(jobs)).toMatchObject({ gone: false, lost: [], cancelling: [] })
    await insert(['more'])
    const [more] = await claim(1)
    await complete(jobs.slice(0, 1))
    now += SILENT
    await other.store.enlist(other.card)
    await other.sweepAll()
    expect((await claim(9, other)).map(({ id }) => id)).toEqual(['job-1', 'job-2', 'job-3', 'more'])
    const late = [...jobs.slice(1), more].map((job) => settlement(job, COMPLETE))
    for (const { status } of await node.settleAll(late)) expect(status).toBe('lost')
  })

  it('of a node that was forgotten is found by a sweep', async () => {
    await insert(names(2))
    await claim(2)
    await client.query("DELETE FROM millrace.nodes WHERE node = 'node'")
    const other = await enlisted('other')
    await other.sweepAll()
    expect(await claim(9, other)).toMatchObject([
      { id: 'job-0', attempt: 2 },
      { id: 'job-1', attempt: 2 },
    ])
  })

  it('that its node knows nothing of is given back by its beat', async () => {
    await insert(names(2))
    await claim(2)
    expect(await node.beat({ open: [] })).toEqual({ gone: false })
    expect(await claim(9)).toMatchObject([
      { id: 'job-0', attempt: 1 },
      { id: 'job-1', attempt: 1 },
    ])
  })

  it('goes back with the node that leaves', async () => {
    await insert(names(2))
    await claim(2)
    await node.leave()
    const other = await enlisted('other')
    expect((await claim(9, other)).map(({ id }) => id)).toEqual(names(2))
  })

  it('gives nothing for the token of another job, of the same handful or of none', async () => {
    await insert(names(3))
    const [a, b, c] = await claim(3)
    const wrong = [
      { ...a, token: b.token },
      { ...b, token: String(Number(c.token) + 1) },
      { ...c, token: 'nonsense' },
    ].map((job) => settlement(job, COMPLETE))
    for (const { status } of await node.settleAll(wrong)) expect(status).toBe('lost')
    for (const { status } of await node.settleAll(
      [a, b, c].map((job) => settlement(job, COMPLETE)),
    ))
      expect(status).toBe('done')
    for (const { status } of await node.settleAll([settlement(b, COMPLETE)]))
      expect(status).toBe('done')
  })

  it('takes all verdicts, beside completions of its other jobs', async () => {
    await insert(names(6))
    const jobs = await claim(6)
    const verdicts = [
      COMPLETE,
      retryIn(0),
      COMPLETE,
      { kind: 'release' },
      COMPLETE,
      COMPLETE,
    ] as const
    const settled = await node.settleAll(jobs.map((job, at) => settlement(job, verdicts[at])))
    expect(settled.map(({ status }) => status)).toEqual(upTo(6).map(() => 'done'))
    expect(await claim(9)).toMatchObject([
      { id: 'job-1', attempt: 2 },
      { id: 'job-3', attempt: 1 },
    ])
  })

  it('does not wait for a sibling whose handler writes for long in its own transaction', async () => {
    await insert(names(5))
    const jobs = await claim(3)
    const [begun, go] = [signal(), signal()]
    const write = async (): Promise<void> => {
      begun.fire()
      await go.done
    }
    const terms = { signal: new AbortController().signal }
    const committed = node.store.commit(settlement(jobs[0], COMPLETE), write, terms)
    await begun.done
    await complete(jobs.slice(1))
    await complete(await claim(9))
    go.fire()
    expect(await committed).toMatchObject({ settled: { status: 'done' } })
    expect(await rows()).toEqual({ handfuls: 0, waiting: 0, running: 0 })
  })

  it('counts as running where a limit counts what waits', async () => {
    await insert(names(4))
    const jobs = await claim(3)
    await node.store.declare('q', { limits: { backlog: 2 } })
    await insert(['fits'])
    const [refused] = await node.store.insert([{ jobs: [newJob('too-many')] }])
    expect(refused).toMatchObject([{ status: 'refused' }])
    await complete(jobs)
    expect((await claim(9)).map(({ id }) => id)).toEqual(['job-3', 'fits'])
  })

  it('leaves what the settings say by now, and not when it was taken', async () => {
    await insert(names(2))
    const jobs = await claim(2)
    await node.store.declare('q', { keep: { completed: { for: Infinity, count: 9 } } })
    await complete(jobs)
    const { counts } = await node.store.count({ queue: 'q', which: {}, cursor: null })
    expect(counts).toMatchObject({ completed: 2, running: 0 })
  })

  it('is in nobody’s way: claims, completions, looks and commands side by side come to one end each', async () => {
    const total = 3_000
    await insert(names(total))
    const workers = await Promise.all(['a', 'b', 'c'].map(enlisted))
    const done = new Map<string, number>()
    const work = async (by: PlayedNode, at: number): Promise<void> => {
      for (let turn = at; done.size < total; turn++) {
        const jobs = await claim(20 + ((turn * 7) % 60), by)
        const asked = jobs.map((job, n) =>
          settlement(job, (n + turn) % 31 === 0 ? retryIn(0) : COMPLETE),
        )
        const settled = await by.settleAll(asked)
        settled.forEach((answer, n) => {
          if (answer.status !== 'done' || answer.state !== 'completed') return
          done.set(jobs[n].id, (done.get(jobs[n].id) ?? 0) + 1)
        })
      }
    }
    const look = async (): Promise<void> => {
      while (done.size < total) {
        const { counts } = await node.store.count({ queue: 'q', which: {}, cursor: null })
        const seen = counts.available + counts.running + counts.retryable + counts.scheduled
        expect(seen).toBeLessThanOrEqual(total)
        await node.store.control(
          { kind: 'update', queue: 'q', id: `job-${total - 1}`, change: { priority: 0 } },
          null,
        )
        await node.sweep()
      }
    }
    await Promise.all([...workers.map(work), look()])
    expect([...done.values()].every((times) => times === 1)).toBe(true)
    expect(await rows()).toEqual({ handfuls: 0, waiting: 0, running: 0 })
  })
})
