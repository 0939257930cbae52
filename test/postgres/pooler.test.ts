// Behind a pooler in transaction mode a session keeps nothing from one transaction to the next: no setting,
// no prepared statement, no lock of a session, no LISTEN. A proxy that has the server forget all of it
// stands in for PgBouncer, and forgets each time.
import pg from 'pg'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { compareStores } from 'millrace/testing'
import { millrace } from '../../src/index.js'
import { openMemory } from '../conformance/memory-medium.js'
import { openPostgres } from '../conformance/postgres-medium.js'
import { forgetfulProxy } from '../servers/forgetful.js'
import type { ForgetfulProxy } from '../servers/forgetful.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()
vi.setConfig({ testTimeout: 120_000 })

describe.skipIf(server.isMissing)(`behind a pooler in transaction mode${server.why}`, () => {
  const closing: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  async function pooled(): Promise<{ proxy: ForgetfulProxy; url: string }> {
    const url = await server.database()
    const proxy = await forgetfulProxy(url)
    closing.push(() => proxy.close())
    return { proxy, url: proxy.url(url) }
  }

  it('the store answers as the memory store does', async () => {
    const { proxy, url } = await pooled()
    await compareStores({
      model: openMemory,
      open: openPostgres(() => Promise.resolve(url)),
      seed: 31,
      steps: 100,
    })
    expect(proxy.discards).toBeGreaterThan(100)
  })

  it('two Millraces work, a cap holds, and nothing is told as trouble', async () => {
    const { url } = await pooled()
    const mills = [millrace(url, { poll: '1s' }), millrace(url, { poll: '1s' })]
    closing.push(...mills.map((mill) => () => mill.close()))
    let [running, most, done] = [0, 0, 0]
    const told: unknown[] = []
    const all = 30
    await new Promise<void>((resolve) => {
      for (const mill of mills) {
        mill.on('store.error', ({ error }) => told.push(error.message))
        mill.queue('capped', { concurrency: 2 }).work(async () => {
          most = Math.max(most, ++running)
          await new Promise((soon) => setImmediate(soon))
          running--
          if (++done === all) resolve()
        })
      }
      void mills[0]?.queue('capped').enqueueMany(Array.from({ length: all }, (_, n) => n))
    })
    expect(most).toBeLessThanOrEqual(2)
    expect(told).toEqual([])
  })

  it('a job is committed with writes of the user', async () => {
    const { url } = await pooled()
    await using mill = millrace(url)
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    closing.push(() => client.end())
    await client.query('CREATE TABLE written (n int)')
    const queue = mill.queue('writing')
    await new Promise<void>((resolve, reject) => {
      mill.on('job.completed', () => resolve())
      mill.on('attempt.failed', ({ error }) => reject(new Error(error?.message)))
      queue.work((payload, job) =>
        job.commit(async (tx) => {
          const lent = tx as pg.Client // as: what is lent asks like one
          await lent.query('INSERT INTO written VALUES ($1)', [payload])
        }),
      )
      void queue.enqueue(7)
    })
    expect((await client.query('SELECT n FROM written')).rows).toEqual([{ n: 7 }])
  })
})
