// A pool that the user has already: the store works through it as through its own, hears what is done
// in its own process, polls for the rest, and leaves the pool open.
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { compareStores } from 'millrace/testing'
import { millrace } from '../../src/index.js'
import { openablePostgresStore, postgresStore } from '../../src/stores/postgres/postgres-store.js'
import { openMemory } from '../conformance/memory-medium.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`a pool of the user's${server.why}`, () => {
  const pools: pg.Pool[] = []
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.end()
  })
  async function userPool(options: pg.PoolConfig = {}): Promise<pg.Pool> {
    const pool = new pg.Pool({ connectionString: await server.database(), ...options })
    pools.push(pool)
    return pool
  }

  it('answers as the memory store does', { timeout: 60_000 }, async () => {
    let laws = 0
    const pool = await userPool()
    const open: typeof openMemory = async ({ clock, chance }) => {
      const law = ++laws
      return {
        async connect({ scope = 'default' } = {}) {
          const parts = { chance, now: () => clock.wall(), liveness: () => 'alive' as const }
          const store = openablePostgresStore({ pool }, parts)
          await store.open({ scope: `${law}/${scope}` })
          return store
        },
        destroy: async () => undefined,
      }
    }
    await compareStores({ model: openMemory, open, seed: 41, steps: 150 })
  })

  it('is enough with two connections, hears itself without a poll, and stays open', async () => {
    const pool = await userPool({ max: 2 })
    const mill = millrace(postgresStore({ pool }), { poll: '10m' })
    const queue = mill.queue<number, number>('q')
    queue.work((n) => n + 1)
    const jobs = await Promise.all([1, 2, 3].map((n) => queue.enqueue(n)))
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual([2, 3, 4])
    await mill.close()
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  it.each([false, true])(
    'is asked one thing after the other on each connection, unless it pipelines: %s',
    async (pipeline) => {
      const pool = await userPool({ max: 4, pipeline })
      let most = 0
      pool.on('connect', (client) => {
        const query = client.query.bind(client) as (...words: unknown[]) => Promise<unknown>
        let open = 0
        const watched = async (...words: unknown[]): Promise<unknown> => {
          most = Math.max(most, ++open)
          return query(...words).finally(() => open--)
        }
        Object.assign(client, { query: watched })
      })
      const mill = millrace(postgresStore({ pool }))
      const queue = mill.queue<number, number>('q')
      queue.work((n) => n + 1, { concurrency: 3 })
      for (let round = 0; round < 5; round++) {
        const jobs = await Promise.all([1, 2, 3].map((n) => queue.enqueue(n)))
        await Promise.all(jobs.map((job) => job.result()))
      }
      await mill.close()
      expect(most > 1).toBe(pipeline)
    },
  )

  it('has room for commits that enqueue, each of which needs two connections', async () => {
    const pool = await userPool({ max: 2 })
    const mill = millrace(postgresStore({ pool }))
    const [orders, mails] = [mill.queue<number, string>('orders'), mill.queue('mails')]
    const crowd = 4
    let ready = (): void => undefined
    const allThere = new Promise<void>((resolve) => (ready = resolve))
    let there = 0
    orders.work(
      async (n, job) => {
        if (++there === crowd) ready()
        await allThere
        return job.commit(async (tx) => {
          await tx.query('SELECT 1')
          await mails.enqueue(n, { tx })
        }, 'done')
      },
      { concurrency: crowd },
    )
    const jobs = await orders.enqueueMany(
      Array.from({ length: crowd }, (_, n) => n),
      { attempts: 1 },
    )
    const results = await Promise.all(jobs.map((job) => job.result()))
    expect(results).toEqual(Array.from({ length: crowd }, () => 'done'))
    await mill.close()
  })

  it('tells who enqueues in a transaction that holds all of it, who would wait for himself', async () => {
    const pool = await userPool({ max: 1 })
    const mill = millrace(openablePostgresStore({ pool }, { patience: { connects: 100 } }))
    const queue = mill.queue('q')
    await queue.enqueue('before')
    const client = await pool.connect()
    await client.query('BEGIN')
    await expect(queue.enqueue('in it', { tx: client })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('give Millrace one of its own') as string,
    })
    await client.query('COMMIT')
    client.release()
    // What came too late for us has gone back.
    await queue.enqueue('after')
    await mill.close()
    expect(pool.idleCount).toBe(1)
  })
})
