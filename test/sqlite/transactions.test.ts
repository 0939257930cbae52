// Transactions on a file of SQLite, as users have them: a Millrace, a handle and a table of theirs.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from '../../src/index.js'
import { openFile } from '../../src/stores/sqlite/driver.js'
import type { DriverHandle } from '../../src/stores/sqlite/driver.js'
import { sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'

describe('transactions on SQLite', () => {
  let folder: string
  let path: string
  const closing: (() => unknown)[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-sqlite-tx-'))
    path = join(folder, 'jobs.db')
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
    await rm(folder, { recursive: true })
  })

  async function handle(file = path): Promise<DriverHandle> {
    const { raw, close } = await openFile(file)
    closing.push(close)
    return raw
  }

  async function open(options = {}) {
    const mill = millrace(sqliteStore({ path }), options)
    closing.push(() => mill.close())
    await mill.open()
    return mill
  }

  it('runs a job when the transaction that enqueued it commits', async () => {
    const mill = await open({ poll: '1h', upkeep: false })
    const queue = mill.queue('hinted')
    const db = await handle()
    const told = new Promise((resolve) => queue.work((payload) => resolve(payload)))
    db.exec('BEGIN')
    db.exec('CREATE TABLE orders (id TEXT)')
    const job = await queue.enqueue({ order: 1 }, { tx: db })
    expect(await queue.get(job.id)).toBeNull()
    db.exec('COMMIT')
    expect(await told).toEqual({ order: 1 })
  })

  it('does not wait for a declaration that must wait for the transaction', async () => {
    const mill = await open()
    const db = await handle()
    db.exec('BEGIN IMMEDIATE')
    const queue = mill.queue('declared', { limits: { age: '1d' } })
    const job = await queue.enqueue(1, { tx: db })
    db.exec('COMMIT')
    expect((await queue.get(job.id))?.state).toBe('available')
  })

  it.each(['ROLLBACK', 'COMMIT'])(
    'refuses what was not awaited before the transaction ended by %s: nothing of it is there',
    async (end) => {
      const mill = await open()
      const queue = mill.queue('hasty')
      await queue.enqueue('before')
      const db = await handle()
      const words = { unique: { key: 'k' }, group: 'g' }
      for (const options of [{}, words]) {
        db.exec('BEGIN IMMEDIATE')
        const jobs = [1, 2].map((n) => queue.enqueue(n, { ...options, tx: db }))
        db.exec(end)
        for (const job of jobs) await expect(job).rejects.toThrow('OPTION_INVALID')
      }
      expect(await queue.length()).toBe(1)
    },
  )

  it('tells a handler what his own tables refuse at the commit', async () => {
    const mill = await open({ poll: '50ms' })
    const db = await handle()
    db.exec('CREATE TABLE people (id TEXT PRIMARY KEY)')
    db.exec('CREATE TABLE pets (of TEXT REFERENCES people (id) DEFERRABLE INITIALLY DEFERRED)')
    const queue = mill.queue('deferred', { attempts: 1 })
    let calls = 0
    queue.work((_, job) =>
      job.commit((tx) => {
        calls++
        const own = tx as { exec(sql: string): void } // as: SQLite's
        own.exec("INSERT INTO pets VALUES ('nobody')")
      }),
    )
    const job = await queue.enqueue(1)
    await expect(job.result()).rejects.toThrow('JOB_DISCARDED')
    const view = await queue.get(job.id)
    expect([calls, view?.history[0].error?.message]).toEqual([
      1,
      expect.stringMatching(/FOREIGN KEY constraint failed/),
    ])
  })

  it('refuses what is not on its file, not in a transaction, or its own', async () => {
    const own = await handle()
    const mill = millrace(sqliteStore({ database: own }))
    closing.push(() => mill.close())
    await mill.open()
    const other = await handle(join(folder, 'other.db'))
    const memory = await handle(':memory:')
    for (const db of [other, memory]) db.exec('BEGIN')
    for (const tx of [own, other, memory, await handle()]) {
      await expect(mill.queue('q').enqueue(1, { tx })).rejects.toThrow('OPTION_INVALID')
    }
  })

  it('keeps what a handler says in a commit with its completion, and tells of its progress', async () => {
    const mill = await open({ poll: '50ms' })
    const queue = mill.queue('said', { keep: { completed: '1d' } })
    const told = new Promise((resolve) => mill.on('job.progress', resolve))
    queue.work((_, job) =>
      job.commit(() => {
        job.progress(0.5)
        job.log('charged')
        job.progress(0.75)
      }),
    )
    const job = await queue.enqueue(1)
    await job.result()
    const view = await queue.get(job.id)
    expect([view?.progress, view?.log]).toEqual([0.75, ['charged']])
    expect(await told).toMatchObject({ id: job.id, progress: 0.75 })
  })

  it('commits what a handler writes, what it enqueues and its completion, or nothing', async () => {
    const mill = await open({ poll: '50ms' })
    const db = await handle()
    db.exec('CREATE TABLE orders (id TEXT)')
    const queue = mill.queue('paid', {
      attempts: 2,
      backoff: { type: 'none' },
      keep: { completed: '1d' },
    })
    const next = mill.queue('mails')
    queue.work(async (id, job) =>
      job.commit(async (tx) => {
        tx.prepare('INSERT INTO orders VALUES (?)').run(id)
        await next.enqueue(id, { tx, meta: { looked: 'at limits that nobody can be asked for' } })
        if (job.attempt === 1) throw new Error('moody')
      }, 'charged'),
    )
    const job = await queue.enqueue('o1')
    expect(await job.result()).toBe('charged')
    expect(db.prepare('SELECT id FROM orders').all()).toHaveLength(1)
    const mails = await next.take({ limit: 2, wait: 0 })
    expect(mails.map(({ payload }) => payload)).toEqual(['o1'])
    for (const mail of mails) await mail.complete(undefined)
  })

  it.each(['COMMIT', 'ROLLBACK', 'SELECT 1; COMMIT'])('fails the attempt for %s', async (sql) => {
    const mill = await open({ poll: '50ms' })
    const queue = mill.queue('spoilt', { attempts: 1 })
    queue.work(async (_, job) => job.commit((tx) => tx.exec(sql)))
    const job = await queue.enqueue(1)
    await expect(job.result()).rejects.toThrow()
    expect((await queue.get(job.id))?.history[0].error?.message).toContain('OPTION_INVALID')
  })

  it('refuses a step within it, which would wait for it', async () => {
    const mill = await open({ poll: '50ms' })
    const queue = mill.queue('step', { attempts: 1 })
    queue.work(async (_, job) =>
      job.commit(async (tx) => {
        await job.step('charge', () => tx.exec('SELECT 1'))
      }),
    )
    const job = await queue.enqueue(1)
    await expect(job.result()).rejects.toThrow()
    const message = (await queue.get(job.id))?.history[0].error?.message
    expect(message).toContain('step "charge"')
    expect(message).toContain('expected steps before job.commit')
  })

  it('leaves savepoints to the user, and answers nobody behind its function', async () => {
    const mill = await open({ poll: '50ms' })
    const queue = mill.queue('late', { keep: { completed: '1d' } })
    let late: (() => unknown) | null = null
    queue.work(async (_, job) =>
      job.commit((tx) => {
        tx.exec('SAVEPOINT mine')
        tx.exec('ROLLBACK TO mine')
        const statement = tx.prepare('SELECT 1 AS one')
        late = () => statement.get()
      }),
    )
    await (await queue.enqueue(1)).result()
    expect(late).toThrow('OPTION_INVALID')
  })
})
