// Transactions on a real server, as users have them: a Millrace, a client of pg, a table of theirs.
import pg from 'pg'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { millrace } from '../../src/index.js'
import type { Millrace } from '../../src/index.js'
import { postgresStore } from '../../src/stores/postgres/postgres-store.js'
import { faultyStore } from '../../src/testing/index.js'
import { systemClock } from '../../src/time/system.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()
/** Nothing is found by looking again: only hints bring it. */
const DEAF = { poll: '1h', upkeep: false } as const

describe.skipIf(server.isMissing)(`on a server${server.why}`, () => {
  let url: string
  const closing: (() => Promise<void>)[] = []

  beforeAll(async () => {
    url = await server.database()
    const client = await connect()
    await client.query('CREATE TABLE orders (id text)')
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    closing.push(() => client.end())
    return client
  }

  function open(options = {}): Millrace<'postgres'> {
    const mill = millrace(postgresStore({ url }), options)
    closing.push(() => mill.close())
    return mill
  }

  async function orders(id: string): Promise<number> {
    const client = await connect()
    return (await client.query('SELECT id FROM orders WHERE id = $1', [id])).rows.length
  }

  it('runs a job when the transaction that enqueued it commits, by a hint alone', async () => {
    const client = await connect()
    const mill = open(DEAF)
    const queue = mill.queue('hinted')
    const told = new Promise((resolve) => queue.work((payload) => resolve(payload)))
    await client.query('BEGIN')
    const job = await queue.enqueue({ order: 1 }, { tx: client })
    expect(await queue.get(job.id)).toBeNull()
    await client.query('COMMIT')
    expect(await told).toEqual({ order: 1 })
  })

  it('leaves nothing of a transaction that is rolled back', async () => {
    const client = await connect()
    const queue = open().queue('undone', { limits: { age: '1d' } })
    await client.query('BEGIN')
    const jobs = await queue.enqueueMany([1, 2, 3], {}, { tx: client })
    await client.query('ROLLBACK')
    for (const { id } of jobs) expect(await queue.get(id)).toBeNull()
  })

  it('sees its queue in a transaction whose snapshot is older', async () => {
    const client = await connect()
    const mill = open()
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await client.query('SELECT 1 FROM orders')
    const queue = mill.queue('younger')
    const job = await queue.enqueue(1, { tx: client })
    await client.query('COMMIT')
    expect((await queue.get(job.id))?.state).toBe('available')
  })

  it.each(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])(
    'takes a parent and a child of two queues, and holds neither up (%s)',
    async (isolation) => {
      const [client, beside] = [await connect(), await connect()]
      const mill = open()
      const [mothers, children] = [mill.queue('mothers'), mill.queue('children')]
      await client.query(`BEGIN ISOLATION LEVEL ${isolation}`)
      await client.query('SELECT FROM orders')
      const mother = await mothers.enqueue(1, { tx: client })
      const child = await children.enqueue(1, { tx: client, after: [mother] })
      await beside.query('BEGIN')
      await mothers.enqueue(2, { tx: beside })
      await beside.query('COMMIT')
      // Another handle knows nothing yet, and makes known what it needs.
      for (const name of ['mothers', 'children']) await open().queue(name).enqueue(3)
      await client.query('COMMIT')
      expect((await children.get(child.id))?.state).toBe('waiting')
      const jobs = await mothers.take({ limit: 10, wait: '10s' })
      expect(jobs.map(({ payload }) => payload).sort()).toEqual([1, 2, 3])
      for (const job of jobs) await job.complete(undefined)
      const freed = await children.take({ limit: 10, wait: '10s' })
      for (const job of freed) await job.complete(undefined)
    },
  )

  it.each([
    ['a reference', 'INSERT INTO pets VALUES (1, 7)', /foreign key/],
    ['a key', 'INSERT INTO pets SELECT 1, NULL FROM generate_series(1, 2)', /duplicate key/],
  ])('tells a handler what his own tables refuse at the commit: %s', async (_, sql, why) => {
    const client = await connect()
    await client.query('DROP TABLE IF EXISTS pets, people')
    await client.query('CREATE TABLE people (id int PRIMARY KEY)')
    await client.query(`
      CREATE TABLE pets (
        id int UNIQUE DEFERRABLE INITIALLY DEFERRED,
        owner int REFERENCES people (id) DEFERRABLE INITIALLY DEFERRED)`)
    const mill = open({ poll: '50ms' })
    const queue = mill.queue('deferred', { attempts: 1 })
    let calls = 0
    queue.work((_payload, job) => {
      return job.commit(async (tx) => {
        calls++
        await tx.query(sql)
      })
    })
    const job = await queue.enqueue(1)
    await expect(job.result()).rejects.toThrow('JOB_DISCARDED')
    const view = await queue.get(job.id)
    expect([calls, view?.history[0].error?.message]).toEqual([1, expect.stringMatching(why)])
    await mill.close()
  })

  it('holds up no notes of others, nor their ends, with what is said in its function', async () => {
    const mill = open({ poll: '50ms' })
    const queue = mill.queue('talking', { keep: { completed: '1d' }, attempts: 2 })
    let isOpen = (): void => undefined
    let goOn = (): void => undefined
    const opened = new Promise<void>((resolve) => (isOpen = resolve))
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve))
    queue.work(
      async (kind, job) => {
        job.log(`${String(kind)} ${job.attempt}`)
        if (kind === 'plain' || job.attempt === 2) return 'done'
        return job.commit(async () => {
          job.log('within')
          job.progress(0.5)
          isOpen()
          await mayGoOn
          throw new Error('not this time')
        }, 'done')
      },
      { concurrency: 2 },
    )
    const slow = await queue.enqueue('slow')
    await opened
    const plain = await queue.enqueue('plain')
    expect(await plain.result()).toBe('done')
    goOn()
    await slow.result()
    expect((await queue.get(slow.id))?.log).toEqual(['slow 1', 'within', 'slow 2'])
  })

  it('keeps nobody from claiming while it is open: in turns, of the same groups and lanes', async () => {
    const client = await connect()
    const queue = open().queue('busy', { groups: { concurrency: 1 } })
    await client.query('BEGIN')
    await queue.enqueue('later', { tx: client, group: 'a' })
    await queue.enqueue('now', { group: 'a' })
    const ran: unknown[] = []
    const [first] = await queue.take({ limit: 1, wait: 0 })
    ran.push(first.payload)
    await first.complete(undefined)
    await client.query('COMMIT')
    const [second] = await queue.take({ limit: 1, wait: '10s' })
    ran.push(second.payload)
    await second.complete(undefined)
    expect(ran).toEqual(['now', 'later'])
  })

  it('refuses a client outside of a transaction, and one of another database', async () => {
    const mill = open()
    const client = await connect()
    const other = new pg.Client({ connectionString: await server.database() })
    await other.connect()
    closing.push(() => other.end())
    await other.query('BEGIN')
    for (const tx of [client, other]) {
      await expect(mill.queue('q').enqueue(1, { tx })).rejects.toThrow('OPTION_INVALID')
    }
    const bare = { query: (text: string, params?: unknown[]) => client.query(text, params) }
    await expect(mill.queue('q').enqueue(1, { tx: bare })).rejects.toThrow('outside of one')
  })

  it('commits what a handler writes, what it enqueues and its completion', async () => {
    const mill = open({ poll: '50ms' })
    const [queue, next] = [mill.queue('paid', { keep: { completed: '1d' } }), mill.queue('mails')]
    queue.work(async (id, job) =>
      job.commit(async (tx) => {
        await tx.query('INSERT INTO orders VALUES ($1)', [id])
        await next.enqueue(id, { tx })
      }, 'charged'),
    )
    const job = await queue.enqueue('o1')
    expect(await job.result()).toBe('charged')
    expect(await orders('o1')).toBe(1)
    const [mail] = await next.take({ limit: 1, wait: '10s' })
    expect(mail.payload).toBe('o1')
    await mail.complete(undefined)
  })

  it('takes all of it back when it throws, and tries again', async () => {
    const mill = open({ poll: '50ms' })
    const queue = mill.queue('moody', {
      attempts: 2,
      backoff: { type: 'none' },
      keep: { completed: '1d' },
    })
    queue.work(async (id, job) =>
      job.commit(async (tx) => {
        await tx.query('INSERT INTO orders VALUES ($1)', [id])
        if (job.attempt === 1) throw new Error('moody')
      }),
    )
    const job = await queue.enqueue('o2')
    await job.result()
    expect(await orders('o2')).toBe(1)
  })

  it.each([
    ['a statement that failed, though it was caught', 'SELECT nothing FROM nowhere', 'nowhere'],
    ['a COMMIT of its own', 'COMMIT', 'OPTION_INVALID'],
    ['a ROLLBACK of its own', 'ROLLBACK', 'OPTION_INVALID'],
  ])('fails the attempt for %s', async (name, sql, told) => {
    const mill = open({ poll: '50ms' })
    const queue = mill.queue(`spoilt by ${name}`, { attempts: 1 })
    queue.work(async (_, job) =>
      job.commit(async (tx) => {
        await Promise.allSettled([tx.query(sql)])
      }),
    )
    const job = await queue.enqueue(1)
    await expect(job.result()).rejects.toThrow()
    const view = await queue.get(job.id)
    expect(view?.state).toBe('discarded')
    expect(view?.history[0].error?.message).toContain(told)
  })

  it('writes once when the answer to its commit is lost', async () => {
    const store = faultyStore(postgresStore({ url }), { clock: systemClock })
    const mill = millrace(store, { poll: '50ms' })
    closing.push(() => mill.close())
    const queue = mill.queue('unheard', { keep: { completed: '1d' } })
    store.script('commit', { kind: 'after' }, { kind: 'before' })
    let calls = 0
    queue.work(async (id, job) =>
      job.commit(async (tx) => {
        calls++
        const client = tx as { query(text: string, params: unknown[]): Promise<unknown> } // as: PostgreSQL's
        await client.query('INSERT INTO orders VALUES ($1)', [id])
      }),
    )
    await (await queue.enqueue('o3')).result()
    await mill.close()
    expect([calls, await orders('o3'), store.calls('commit')]).toEqual([1, 1, 3])
  })

  it('answers nobody behind its function', async () => {
    const mill = open({ poll: '50ms' })
    const queue = mill.queue('late', { keep: { completed: '1d' } })
    let kept: { query(text: string): Promise<unknown> } | null = null
    queue.work(async (_, job) => job.commit((tx) => void (kept = tx)))
    await (await queue.enqueue(1)).result()
    await expect(kept!.query('SELECT 1')).rejects.toThrow('OPTION_INVALID') // !: the job has run
  })
})
