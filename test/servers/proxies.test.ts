// The proxies before a real server: an answer that is lost belongs to work that was done; a client that
// nobody tells of the server's end hears nothing; a session forgets between two transactions.
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { tcpProxy } from 'millrace/testing'
import { forgetfulProxy } from './forgetful.js'
import { sharedPostgres } from './postgres.js'

const postgres = await sharedPostgres()
const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function client(url: string): Promise<pg.Client> {
  const one = new pg.Client({ connectionString: url })
  one.on('error', () => undefined) // what its queries reject with is what we look at
  await one.connect()
  closing.push(() => one.end())
  return one
}

describe.skipIf(postgres.isMissing)(`a TCP proxy before PostgreSQL${postgres.why}`, () => {
  it('loses the answer of what was committed, and nothing of what was not heard', async () => {
    const database = await postgres.database()
    const direct = await client(database)
    await direct.query('CREATE TABLE t (n int)')
    const proxy = await tcpProxy({ to: database })
    closing.push(() => proxy.close())
    for (const [n, kind] of (['reset-after', 'reset-before', 'reset-after'] as const).entries()) {
      const through = await client(proxy.url(database))
      proxy.script('turn', { kind })
      const insert = through.query('INSERT INTO t VALUES ($1)', [n])
      await expect(insert).rejects.toThrow(/terminated|ECONNRESET/)
    }
    const { rows } = await direct.query<{ n: number }>('SELECT n FROM t ORDER BY n')
    expect(rows.map(({ n }) => n)).toEqual([0, 2])
  })

  it('leaves a server with a transaction whose client is gone', async () => {
    const database = await postgres.database()
    const direct = await client(database)
    await direct.query('CREATE TABLE t (n int PRIMARY KEY)')
    const proxy = await tcpProxy({ to: database })
    const through = await client(proxy.url(database))
    await through.query('BEGIN')
    await through.query('INSERT INTO t VALUES (1)')
    proxy.inflict({ kind: 'half-open', lost: 'client' })
    await expect(through.query('COMMIT')).rejects.toThrow()
    await direct.query("SET lock_timeout = '50ms'")
    await expect(direct.query('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ code: '55P03' })
    await proxy.close()
    await direct.query('SET lock_timeout = 0')
    await direct.query('INSERT INTO t VALUES (1)')
  })
})

describe.skipIf(postgres.isMissing)(`a forgetful proxy before PostgreSQL${postgres.why}`, () => {
  async function forgetful() {
    const database = await postgres.database()
    const proxy = await forgetfulProxy(database)
    closing.push(() => proxy.close())
    return { proxy, through: await client(proxy.url(database)) }
  }

  it('keeps the state of a session within a transaction, and loses it after', async () => {
    const { through, proxy } = await forgetful()
    const setting = async (): Promise<unknown> => {
      const { rows } = await through.query<{ is: string }>("SELECT current_setting('a.b', true) is")
      return rows[0]?.is
    }
    await through.query('BEGIN')
    await through.query("SET a.b = 'kept'")
    expect(await setting()).toBe('kept')
    await through.query('COMMIT')
    expect(await setting()).not.toBe('kept')
    expect(proxy.discards).toBe(2)
  })

  it('loses advisory locks, temporary tables and prepared statements', async () => {
    const { through } = await forgetful()
    const locks =
      "SELECT count(*)::int AS n FROM pg_locks WHERE objid = 7 AND locktype = 'advisory'"
    await through.query('SELECT pg_advisory_lock(7)')
    expect((await through.query(locks)).rows).toEqual([{ n: 0 }])
    await through.query('CREATE TEMP TABLE gone (n int)')
    await expect(through.query('SELECT * FROM gone')).rejects.toMatchObject({ code: '42P01' })
    const named = { name: 'mine', text: 'SELECT $1::int AS n' }
    expect((await through.query({ ...named, values: [1] })).rows).toEqual([{ n: 1 }])
    // pg believes that it is still prepared.
    const again = through.query({ ...named, values: [2] })
    await expect(again).rejects.toMatchObject({ code: '26000' })
  })

  it('hands on errors, parameters, and much of both', async () => {
    const { through } = await forgetful()
    await expect(through.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' })
    const words = Array.from({ length: 20_000 }, (_, n) => `word ${n}`)
    const { rows } = await through.query('SELECT unnest($1::text[]) AS word', [words])
    expect(rows).toEqual(words.map((word) => ({ word })))
  })
})
