// A limited backlog is told and not counted: what is told is always what a count would say, however many
// tell and ask at once, in transactions of their own or of the user's, and nobody goes beyond the limit.
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { walk } from 'millrace/testing'
import type { Claimed } from '../../src/job/claim.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Store } from '../../src/store.js'
import { COMPLETE, newJob, retryIn, settlement, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { edgeWalk } from '../conformance/edge-walk.js'
import { limited } from '../conformance/limited-medium.js'
import { openMemory } from '../conformance/memory-medium.js'
import { openPostgres } from '../conformance/postgres-medium.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const HOUR = 3_600_000
/** Of what is over; what is reserved for a transaction that is open is nobody's yet. */
const COUNTS = `
  SELECT (b.waiting + coalesce((SELECT sum(m.moved) FROM millrace.backlog_moves AS m
                                WHERE m.queue = b.queue AND m.xid IS NULL), 0))::int AS told,
         ((SELECT count(*) FROM millrace.jobs AS j
           WHERE j.queue = b.queue AND j.state IN (0, 1, 3, 4))
          - coalesce((SELECT sum(h.held) FROM millrace.handfuls AS h WHERE h.queue = b.queue), 0))::int
         AS counted
  FROM millrace.backlogs AS b ORDER BY b.queue`

interface Count {
  readonly told: number
  readonly counted: number
}

describe.skipIf(server.isMissing)(`a limited backlog in PostgreSQL${server.why}`, () => {
  let url: string
  let client: pg.Pool
  let stores: Store[]
  let store: Store
  let now: number

  beforeEach(async () => {
    url = await server.database()
    client = new pg.Pool({ connectionString: url })
    stores = []
    now = 1_000_000
    store = await opened()
  })
  afterEach(async () => {
    await client.end()
    for (const one of stores) await one.close()
  })

  async function opened(): Promise<Store> {
    const one = openablePostgresStore({ url }, { now: () => now })
    await one.open({ scope: 'default' })
    stores.push(one)
    return one
  }

  const limit = (backlog: number): Promise<unknown> => store.declare('q', { limits: { backlog } })

  async function put(ids: readonly string[], by = store, tx?: unknown): Promise<string[]> {
    const jobs = ids.map((id) => newJob(id))
    const [answers] = await by.insert([tx === undefined ? { jobs } : { jobs, tx }])
    return (answers ?? []).map(({ status }) => status)
  }

  async function counts(): Promise<Count[]> {
    return (await client.query<Count>(COUNTS)).rows
  }

  async function moves(): Promise<number> {
    const { rows } = await client.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM millrace.backlog_moves',
    )
    return rows[0].n
  }

  const jobs = (size: number, name = 'job'): string[] => upTo(size).map((n) => `${name}-${n}`)

  it.each([1, 2])('is told as a count would say it, whatever is done (seed %i)', async (seed) => {
    let looks = 0
    const answered = async (): Promise<void> => {
      for (const { told, counted } of await counts()) {
        expect(told).toBe(counted)
        looks++
      }
    }
    const open = limited(
      openPostgres(async () => url),
      1_000_000,
      answered,
    )
    await walk({ open, seed, steps: 150 })
    expect(looks).toBeGreaterThan(150)
  })

  it.each([11, 12])('refuses where memory does (seed %i)', async (seed) => {
    const here = await edgeWalk(
      openPostgres(async () => url),
      seed,
      150,
    )
    expect(here).toEqual(await edgeWalk(openMemory, seed, 150))
    expect(here.filter((line) => line.includes('refused')).length).toBeGreaterThan(5)
  })

  it('plain claims tell what they took, and it is added up', async () => {
    await limit(2_000)
    await put(jobs(2_000))
    const node = await PlayedNode.enlist(store, cardOf('node'))
    const held: Claimed[] = []
    for (const _ of upTo(700)) held.push(...(await node.claim({ limit: 1 })).jobs)
    const { rows } = await client.query('SELECT FROM millrace.handfuls')
    expect(rows.length).toBeGreaterThan(500)
    expect(await counts()).toEqual([{ told: 1_300, counted: 1_300 }])
    expect(await put(jobs(701, 'more'))).toContain('refused')
    expect(await put(jobs(700, 'more'))).not.toContain('refused')
    expect(await moves()).toBeLessThan(10)
    await node.settleAll(held.slice(0, 300).map((job) => settlement(job, COMPLETE)))
    await node.settleAll(held.slice(300).map((job) => settlement(job, retryIn(0))))
    expect(await counts()).toEqual([{ told: 2_400, counted: 2_400 }])
  })

  it('who only claims adds up by himself', async () => {
    await limit(6_000)
    await put(jobs(6_000))
    const node = await PlayedNode.enlist(store, cardOf('node'))
    for (const _ of upTo(1_150)) {
      const taken = (await node.claim({ limit: 4 })).jobs
      await node.settleAll(taken.map((job) => settlement(job, COMPLETE)))
    }
    expect(await moves()).toBeLessThan(700)
    expect(await counts()).toEqual([{ told: 1_400, counted: 1_400 }])
  })

  it('many handles at the edge, with claims and retries beside them: never beyond it', async () => {
    const LIMIT = 20
    await limit(LIMIT)
    const handles = [store, await opened(), await opened(), await opened()]
    const nodes = await Promise.all(
      handles.slice(2).map((one, at) => PlayedNode.enlist(one, cardOf(`node-${at}`))),
    )
    let most = 0
    let taken = 0
    const produce = async (by: Store, name: string): Promise<void> => {
      for (const n of upTo(60)) {
        const answers = await put(jobs(1 + (n % 3), `${name}-${n}`), by)
        taken += answers.filter((one) => one === 'inserted').length
        const [{ counted }] = await counts()
        most = Math.max(most, counted)
      }
    }
    const work = async (node: PlayedNode): Promise<void> => {
      for (const _ of upTo(40)) {
        const held = (await node.claim({ limit: 3 })).jobs
        await node.settleAll(held.map((job) => settlement(job, COMPLETE)))
      }
    }
    await Promise.all([
      ...handles.map((one, at) => produce(one, `p${at}`)),
      ...nodes.map((node) => work(node)),
    ])
    expect(most).toBeLessThanOrEqual(LIMIT)
    expect(taken).toBeGreaterThan(LIMIT)
    const [{ told, counted }] = await counts()
    expect(told).toBe(counted)
  })

  describe('in transactions of the user', () => {
    let users: pg.Client[]
    beforeEach(() => {
      users = []
    })
    afterEach(async () => {
      for (const user of users) await user.end()
    })

    async function begun(): Promise<pg.Client> {
      const user = new pg.Client({ connectionString: url })
      await user.connect()
      await user.query('BEGIN')
      users.push(user)
      return user
    }

    it('two that are open at once share the room, and one that is rolled back gives it up', async () => {
      await limit(5)
      const [one, other] = [await begun(), await begun()]
      expect(await put(jobs(3, 'one'), store, one)).not.toContain('refused')
      expect(await put(jobs(3, 'other'), store, other)).toContain('refused')
      expect(await put(jobs(2, 'other'), store, other)).not.toContain('refused')
      expect(await put(['beside'])).toEqual(['refused'])
      await one.query('ROLLBACK')
      expect(await put(jobs(3, 'beside'))).not.toContain('refused')
      expect(await put(['last'])).toEqual(['refused'])
      await other.query('COMMIT')
      expect(await put(['last'])).toEqual(['refused'])
      expect(await counts()).toEqual([{ told: 5, counted: 5 }])
    })

    it('what a savepoint took back makes room when it is over', async () => {
      await limit(2)
      const user = await begun()
      await put(['a'], store, user)
      await user.query('SAVEPOINT s')
      await put(['b'], store, user)
      await user.query('ROLLBACK TO SAVEPOINT s')
      expect(await put(['c'])).toEqual(['refused'])
      await user.query('COMMIT')
      expect(await put(['c'])).toEqual(['inserted'])
      expect(await put(['d'])).toEqual(['refused'])
    })

    it('a count beside one that is open knows what it will bring', async () => {
      await limit(3)
      const user = await begun()
      await put(['a', 'b'], store, user)
      now += HOUR + 1
      expect(await put(['c'])).toEqual(['inserted'])
      expect(await put(['d'])).toEqual(['refused'])
      await user.query('COMMIT')
      expect(await put(['d'])).toEqual(['refused'])
      expect(await counts()).toEqual([{ told: 3, counted: 3 }])
    })

    it('nobody waits for one: neither claims nor those who let jobs in', async () => {
      await limit(5)
      await put(['a'])
      const user = await begun()
      await put(['b'], store, user)
      expect(await put(['c'])).toEqual(['inserted'])
      const node = await PlayedNode.enlist(store, cardOf('node'))
      expect((await node.claim({ limit: 5 })).jobs.map(({ id }) => id)).toEqual(['a', 'c'])
      await user.query('ROLLBACK')
    })

    it('within job.commit, too', async () => {
      await limit(2)
      await put(['a'])
      const node = await PlayedNode.enlist(store, cardOf('node'))
      const held = (await node.claim({ limit: 1 })).jobs[0]
      await put(['b'])
      const terms = { signal: new AbortController().signal }
      const write = async (tx: unknown): Promise<void> => {
        expect(await put(['c'], store, tx)).toEqual(['inserted'])
        expect(await put(['d'], store, tx)).toEqual(['refused'])
        expect(await put(['e'])).toEqual(['refused'])
      }
      await store.commit(settlement(held, COMPLETE), write, terms)
      expect(await put(['f'])).toEqual(['refused'])
      expect(await counts()).toEqual([{ told: 2, counted: 2 }])
    })
  })

  it('enqueue in SQL goes by what was told, and tells', async () => {
    await limit(3)
    await put(['a'])
    const enqueue = `SELECT millrace.enqueue('q', '1')`
    await client.query(enqueue)
    expect(await counts()).toEqual([{ told: 2, counted: 2 }])
    await client.query(enqueue)
    await expect(client.query(enqueue)).rejects.toThrow(/is full: 3 of 3/)
    expect(await put(['b'])).toEqual(['refused'])
  })

  it('what was reserved by a number of another server counts for nobody', async () => {
    await limit(2)
    await put(['a'])
    await client.query(`INSERT INTO millrace.backlog_moves (queue, moved, xid)
                        SELECT queue, 1, 9000000000000 FROM millrace.backlogs`)
    expect(await put(['b'])).toEqual(['inserted'])
  })

  it('of a queue without one nothing is told', async () => {
    await put(jobs(3))
    const node = await PlayedNode.enlist(store, cardOf('node'))
    for (const _ of upTo(3)) {
      const taken = (await node.claim({ limit: 1 })).jobs
      await node.settleAll(taken.map((job) => settlement(job, retryIn(0))))
    }
    expect(await counts()).toEqual([])
    expect(await moves()).toBe(0)
  })
})
