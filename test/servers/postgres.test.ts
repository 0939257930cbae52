// The servers that other tests rely on: they start, die, come back with what was committed, and leave
// nothing behind, not even when the process that started them is killed. On whatever can be had here.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PostgresCluster, privatePostgres, sharedPostgres } from './postgres.js'

const shared = await sharedPostgres()
const again = await sharedPostgres()
/** Starting servers takes long where many start at once. */
const PATIENCE = 60_000
const owner = fileURLToPath(new URL('./programs/owner.mjs', import.meta.url))

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

describe.skipIf(shared.isMissing)(`the shared PostgreSQL${shared.why}`, () => {
  it('gives every caller an empty database of his own', async () => {
    const [one, other] = [await shared.database(), await shared.database()]
    await ask(one, 'CREATE TABLE mine (n int)')
    expect(await ask(one, 'SELECT * FROM mine')).toEqual([])
    await expect(ask(other, 'SELECT * FROM mine')).rejects.toMatchObject({ code: '42P01' })
  })

  it('is one server for all who ask for the same', async () => {
    const start = 'SELECT pg_postmaster_start_time()::text AS at'
    const [one, other] = [await shared.database(), await again.database()]
    expect(await ask(one, start)).toEqual(await ask(other, start))
  })
})

describe.each(['installed', 'embedded'])('a PostgreSQL of one’s own, %s', (binaries) => {
  const here = eitherPostgres(binaries)

  describe.skipIf(here.isMissing)(`is there${here.why}`, () => {
    let cluster: PostgresCluster
    beforeAll(async () => {
      cluster = await PostgresCluster.create({ binaries, settings: { max_connections: 17 } })
    }, PATIENCE)
    afterAll(() => cluster.destroy(), PATIENCE)

    it('takes settings for its life and for one start, and answers on its socket', async () => {
      await cluster.stop()
      await cluster.start({ synchronous_commit: 'local' })
      await expect(cluster.start()).rejects.toThrow('runs already')
      const all = "SELECT current_setting('max_connections') AS life"
      expect(await cluster.query(all)).toEqual([{ life: '17' }])
      const one = 'SHOW synchronous_commit'
      expect(await cluster.query(one)).toEqual([{ synchronous_commit: 'local' }])
      await cluster.restart()
      expect(await cluster.query(one)).toEqual([{ synchronous_commit: 'on' }])
      const bySocket = cluster.url('postgres', { by: 'socket' })
      expect(await ask(bySocket, 'SELECT inet_client_addr() AS from')).toEqual([{ from: null }])
    })

    it('comes back from kill -9 and from every stop with what was committed', async () => {
      const database = await cluster.createDatabase()
      await cluster.query('CREATE TABLE kept (n int)', { database })
      const endings = [
        () => cluster.kill(),
        () => cluster.stop('immediate'),
        () => cluster.stop('fast'),
        () => cluster.stop('smart'),
      ]
      for (const [n, end] of endings.entries()) {
        await cluster.query('INSERT INTO kept VALUES ($1)', { database, params: [n] })
        await end()
        expect(cluster.isRunning).toBe(false)
        await expect(cluster.query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
        await cluster.start()
        const rows = await cluster.query('SELECT n FROM kept ORDER BY n', { database })
        expect(rows).toHaveLength(n + 1)
      }
    })

    it('starts while children of the one that was killed are still at work', async () => {
      const client = new pg.Client({ connectionString: cluster.url() })
      client.on('error', () => undefined) // it is about to be cut off
      await client.connect()
      const cut = client.query('SELECT pg_sleep(60)').catch((error: unknown) => error)
      await cluster.kill()
      await cluster.start()
      expect(await cut).toBeInstanceOf(Error)
      expect(await cluster.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    })

    it('is followed by a standby that reads and refuses writes', async () => {
      await cluster.query('CREATE TABLE followed (n int)')
      const standby = await cluster.standby()
      await cluster.query('INSERT INTO followed VALUES (1)')
      await cluster.caughtUp()
      expect(await standby.query('SELECT n FROM followed')).toEqual([{ n: 1 }])
      const write = standby.query('INSERT INTO followed VALUES (2)')
      await expect(write).rejects.toMatchObject({ code: '25006' })
      await standby.destroy()
      expect(standby.isRunning).toBe(false)
      expect(existsSync(standby.data)).toBe(false)
    })
  })
})

const own = privatePostgres()

describe.skipIf(own.isMissing)(`the owner of a PostgreSQL${own.why}`, () => {
  it('is told why it did not start, and nothing is left of it', { timeout: PATIENCE }, async () => {
    const folder = mkdtempSync('/tmp/millrace-test-')
    chmodSync(folder, 0o755)
    const settings = { max_connections: 'many' }
    const made = PostgresCluster.create({ folder, settings })
    await expect(made).rejects.toThrow('max_connections')
    expect(readdirSync(folder)).toEqual([])
    rmdirSync(folder)
  })

  it('leaves nothing behind when he is killed with -9', { timeout: PATIENCE }, async () => {
    const child = spawn(process.execPath, [owner], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const { port, data } = JSON.parse(line) as { port: number; data: string }
    const folder = dirname(data)
    expect(existsSync(folder)).toBe(true)
    child.kill('SIGKILL')
    await isGone(folder)
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    await expect(ask(url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

/** On a machine where the one kind is not there, the other still is: this one is no failure of CI. */
function eitherPostgres(binaries: string): ReturnType<typeof privatePostgres> {
  try {
    return privatePostgres({ binaries })
  } catch (error) {
    if (privatePostgres().isMissing) throw error
    return { isMissing: true, why: ` (skipped: ${String(error)})` }
  }
}

/** Who removes it belongs to nobody any more, so nobody is told of its end: it is looked for. */
async function isGone(folder: string): Promise<void> {
  while (existsSync(folder)) await new Promise((resolve) => setTimeout(resolve, 20))
}
