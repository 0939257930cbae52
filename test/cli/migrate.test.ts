// `millrace migrate` on real databases, by real processes where they start at once.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { openFile } from '../../src/stores/sqlite/driver.js'
import { sharedPostgres } from '../servers/postgres.js'
import { say } from './fake-terminal.js'
import { finished } from './program.js'

const TEN = Array.from({ length: 10 }, (_, at) => at)

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'millrace-migrate-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function migrate(store: string, ...words: string[]): Promise<unknown> {
  const { exit, out, err } = await say(['migrate', ...words, '--store', store, '--json'])
  expect(err).toBe('')
  expect(exit).toBe(0)
  return JSON.parse(out)
}

async function refusal(store: string, ...words: string[]): Promise<unknown> {
  const { exit, err } = await say(['migrate', ...words, '--store', store, '--json'])
  expect(exit).not.toBe(0)
  return (JSON.parse(err) as { error: unknown }).error
}

/** Ten processes at once: each ends well, and one of them has done it. */
async function race(store: string): Promise<void> {
  const ended = await Promise.all(TEN.map(() => finished(['migrate', '--json', '--store', store])))
  expect(ended.map(({ code, err }) => [code, err])).toEqual(TEN.map(() => [0, '']))
  const moves = ended.map(({ out }) => JSON.parse(out) as { from: number; to: number })
  expect(moves.filter(({ from }) => from === 0)).toHaveLength(1)
  expect(new Set(moves.map(({ to }) => to))).toEqual(new Set([1]))
}

describe('stores without tables', () => {
  it.each(['file:', 'memory:'])('%s have nothing to migrate', async (scheme) => {
    const store = scheme === 'file:' ? `file:${join(folder, 'queues')}` : scheme
    expect(await migrate(store)).toEqual({ store: null, move: null })
    expect(existsSync(join(folder, 'queues'))).toBe(false)
  })

  it('and what is no store is refused', async () => {
    expect(await refusal('slite:./x.db')).toMatchObject({ code: 'OPTION_INVALID' })
    expect(await refusal('sqlite:')).toMatchObject({ code: 'OPTION_INVALID' })
    expect(await refusal('sqlite:./x.db', '--schema', 'x')).toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})

describe('migrate on SQLite', () => {
  let path: string
  let store: string
  beforeEach(() => {
    path = join(folder, 'jobs.db')
    store = `sqlite:${path}`
  })

  it('only looks when it is asked to, and makes no file', async () => {
    expect(await migrate(store, 'status')).toMatchObject({ version: 0, newest: 1 })
    expect(await migrate(store, '--dry-run')).toMatchObject({ from: 0, to: 1, dryRun: true })
    expect(await migrate(store, '--sql')).toMatchObject({ sql: expect.stringMatching(/^-- /) })
    expect((await say(['stats', '--store', store])).exit).toBe(1)
    expect((await say(['doctor', '--store', store])).exit).toBe(0)
    expect(existsSync(path)).toBe(false)
  })

  it('is safe in ten processes that start at once', { timeout: 60_000 }, async () => {
    await race(store)
    expect(await migrate(store, 'status')).toMatchObject({ version: 1, readable: true })
  })

  it('goes down to nothing, but for jobs only when it is told to', async () => {
    await say(['add', 'q', '1', '--store', store])
    expect(await refusal(store, 'down')).toMatchObject({ subject: '--to' })
    expect(await refusal(store, 'down', '--to', '0')).toMatchObject({ code: 'OPTION_INVALID' })
    expect(await migrate(store, 'down', '--to', '0', '--drop-jobs')).toMatchObject({ to: 0 })
    expect(await migrate(store, 'status')).toMatchObject({ version: 0 })
    expect(await migrate(store)).toMatchObject({ from: 0, to: 1 })
  })

  it('refuses tables that are beyond it, and opens those of a neighbour', async () => {
    await migrate(store)
    const handle = await openFile(path)
    try {
      handle.exec('INSERT INTO millrace_versions (version, compatible_from) VALUES (2, 1)')
      const mill = millrace(store)
      await mill.open()
      await mill.close()
      expect(await migrate(store, 'status')).toMatchObject({ version: 2, readable: true })
      handle.exec('INSERT INTO millrace_versions (version, compatible_from) VALUES (3, 3)')
      await expect(millrace(store).open()).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
      expect((await say(['migrate', 'status', '--store', store])).exit).toBe(1)
    } finally {
      handle.close()
    }
  })
})

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`migrate on PostgreSQL${server.why}`, () => {
  async function ask(url: string, text: string): Promise<readonly unknown[]> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      const { rows } = (await client.query(text)) as { rows?: unknown[] }
      return rows ?? []
    } finally {
      await client.end()
    }
  }

  it('is safe in ten processes that start at once', { timeout: 60_000 }, async () => {
    const url = await server.database()
    await race(url)
    expect(await ask(url, 'SELECT version FROM millrace.versions')).toEqual([{ version: 1 }])
  })

  it('prints plain SQL that does the same by hand, up and down', async () => {
    const url = await server.database()
    const { out } = await say(['migrate', '--sql', '--store', url])
    await ask(url, out)
    expect(await migrate(url, 'status')).toMatchObject({ version: 1 })
    expect(await migrate(url)).toMatchObject({ from: 1, to: 1, statements: 0 })
    const down = await say(['migrate', 'down', '--to', '0', '--sql', '--store', url])
    await ask(url, down.out)
    const left = `SELECT relname FROM pg_class WHERE relnamespace = 'millrace'::regnamespace`
    expect(await ask(url, left)).toEqual([])
  })

  it('keeps schemas apart, whatever they are called', async () => {
    const url = await server.database()
    const odd = `it's "odd"`
    expect(await migrate(url, '--schema', odd)).toMatchObject({ from: 0, to: 1 })
    expect(await migrate(url, 'status')).toMatchObject({ version: 0 })
    const named = `${url}?schema=${encodeURIComponent(odd)}`
    expect((await say(['add', 'q', '1', '--store', named])).exit).toBe(0)
    const { out } = await say(['stats', '--store', named, '--json'])
    expect(JSON.parse(out)).toMatchObject({ queues: [{ name: 'q' }] })
    expect(await migrate(url, 'status')).toMatchObject({ version: 0 })
    await say(['migrate', 'down', '--to', '0', '--drop-jobs', '--store', named])
    expect(await migrate(url, 'status', '--schema', odd)).toMatchObject({ version: 0 })
  })

  it('refuses tables that are beyond it, and opens those of a neighbour', async () => {
    const url = await server.database()
    await migrate(url)
    await ask(url, 'INSERT INTO millrace.versions (version, compatible_from) VALUES (2, 1)')
    const mill = millrace(url)
    await mill.open()
    await mill.close()
    await ask(url, 'INSERT INTO millrace.versions (version, compatible_from) VALUES (3, 3)')
    await expect(millrace(url).open()).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
  })

  it('is for a role that may; another opens what is there, or says what is missing', async () => {
    const url = await server.database()
    const role = `worker_${new URL(url).pathname.slice(1)}`
    await ask(url, `CREATE ROLE ${role} LOGIN`)
    const theirs = new URL(url)
    theirs.username = role
    theirs.password = ''
    try {
      await expect(millrace(theirs.href).open()).rejects.toMatchObject({
        code: 'FORMAT_UNSUPPORTED',
        received: 'no tables',
        message: expect.stringContaining('millrace migrate'),
      })
      await migrate(url)
      await ask(url, grants(role))
      const mill = millrace(theirs.href)
      await mill.queue('q').enqueue(1)
      expect(await mill.queue('q').length()).toBe(1)
      await mill.close()
    } finally {
      await ask(url, `DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })
})

/** As the page says it. */
function grants(role: string): string {
  const page = readFileSync(new URL('../../docs/stores/postgres.md', import.meta.url), 'utf8')
  const [, sql] = /```sql\n(GRANT[^`]*)```/.exec(page) ?? []
  expect(sql, 'docs/stores/postgres.md says which rights a worker needs').toBeDefined()
  return (sql ?? '').replaceAll('worker_role', role)
}
