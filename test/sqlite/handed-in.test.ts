// A handle that the user has open already, of better-sqlite3's shape: the store works on it as on its
// own, and leaves it open. better-sqlite3 itself is among the peers (`npm run test:peers`).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compareStores } from 'millrace/testing'
import { DatabaseSync } from '@photostructure/sqlite'
import { millrace } from '../../src/millrace.js'
import type { DriverHandle } from '../../src/stores/sqlite/driver.js'
import { newJob, QUEUE, unique } from '../../src/testing/conformance/build.js'
import { openableSqliteStore, sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { openMemory } from '../conformance/memory-medium.js'
import { betterHandle } from './better-handle.js'
import type { BetterHandle } from './better-handle.js'

let path: string
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-handed-in-'))
  path = join(folder, 'jobs.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a handle like better-sqlite3’s', () => {
  it('answers as the memory store does', { timeout: 60_000 }, async () => {
    let files = 0
    const open: typeof openMemory = async ({ clock, chance }) => {
      const file = join(folder, `${++files}.db`)
      return {
        async connect({ scope = 'default' } = {}) {
          const database = betterHandle(file)
          database.exec('PRAGMA journal_mode = WAL')
          const parts = { clock, chance, liveness: () => 'alive' as const }
          const store = openableSqliteStore({ database }, parts)
          await store.open({ scope })
          return store
        },
        destroy: async () => undefined,
      }
    }
    await compareStores({ model: openMemory, open, seed: 21, steps: 200 })
  })

  it('stays open when the store closes, and is asked without numbered parameters', async () => {
    const database = betterHandle(path)
    const mill = millrace(sqliteStore({ database }))
    const queue = mill.queue<number, number>('q')
    queue.work((n) => n + 1)
    const job = await queue.enqueue(1)
    expect(await job.result()).toBe(2)
    await mill.close()
    expect(database.isOpen).toBe(true)
    expect(database.prepared.some((sql) => /UPDATE/.test(sql))).toBe(true)
    expect(database.prepared.filter((sql) => /\?\d/.test(sql))).toEqual([])
    database.close()
  })
})

describe('a handle that its owner closes under the store', () => {
  /** As better-sqlite3 says it, and as one that says it by its errors alone. */
  const handles: [string, () => DriverHandle][] = [
    ['Node’s', () => new DatabaseSync(path)],
    ['better-sqlite3’s', () => says(() => betterHandle(path), 'open')],
    ['another’s', () => says(() => betterHandle(path), null)],
  ]

  function says(make: () => BetterHandle, word: 'open' | null): DriverHandle {
    const database = make()
    const asked = <T>(ask: () => T): T => {
      if (database.isOpen) return ask()
      throw new TypeError('The database connection is not open')
    }
    const handle: DriverHandle = {
      exec: (sql) => asked(() => database.exec(sql)),
      close: () => database.close(),
      prepare(sql) {
        const statement = asked(() => database.prepare(sql))
        return {
          ...statement,
          all: (...params) => asked(() => statement.all(...params)),
          get: (...params) => asked(() => statement.get(...params)),
          run: (...params) => asked(() => statement.run(...params)),
        }
      },
    }
    if (word !== null) Object.defineProperty(handle, word, { get: () => database.isOpen })
    return handle
  }

  it.each(handles)('is told to everybody: %s', async (_, handle) => {
    const database = handle()
    const store = sqliteStore({ database })
    await store.open({ scope: 'default' })
    await store.insert([{ jobs: [newJob('first')] }])
    await store.get([{ queue: QUEUE, id: 'first' }])
    database.close()
    const page = { limit: 1, cursor: null }
    const pause = { kind: 'pause', queue: QUEUE, group: null, by: 'me' } as const
    const tx = new DatabaseSync(path)
    tx.exec('BEGIN IMMEDIATE')
    for (const call of [
      () => store.insert([{ jobs: [newJob('second')] }]),
      () => store.insert([{ jobs: [newJob('third', { unique: unique('k') })] }]),
      () => store.insert([{ jobs: [newJob('fourth')], tx }]),
      () => store.get([{ queue: QUEUE, id: 'first' }]),
      () => store.list({ queue: QUEUE, which: {}, page }),
      () => store.queues(page),
      () => store.control(pause, null),
      () => store.settings(QUEUE),
      () => store.declare(QUEUE, { attempts: 2 }),
      () => store.leave('nobody'),
      () => sqliteStore({ database }).open({ scope: 'late' }),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'STORE_UNREACHABLE',
        message: expect.stringMatching(/its owner has closed.*Close the Millrace first/s) as string,
      })
    }
    tx.close()
    await store.close()
  })

  it('is no transaction', async () => {
    const mill = millrace(`sqlite:${path}`)
    await mill.open()
    const tx = new DatabaseSync(path)
    tx.close()
    const enqueued = mill.queue('q').enqueue(1, { tx })
    await expect(enqueued).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    await mill.close()
  })
})

it('does not hold the event loop by a wait of the driver’s, which the user’s handle may have', async () => {
  const database = betterHandle(path)
  database.exec('PRAGMA busy_timeout = 5000')
  const mill = millrace(sqliteStore({ database }))
  await mill.open()
  expect(database.prepare('PRAGMA busy_timeout').get()).toEqual({ timeout: 0 })
  await mill.close()
  database.close()
})

describe('an SQLite that is not safe with several writers', () => {
  /** What is warned of while one opens, and another writes twice. */
  async function warned(version: string): Promise<readonly string[]> {
    const said: string[] = []
    const database = betterHandle(path, version)
    database.exec('PRAGMA journal_mode = WAL')
    let hear = (): void => undefined
    const told = openableSqliteStore({ database }, { warn: (message) => void said.push(message) })
    const mill = millrace(told)
    await mill.open()
    await mill.queue('mine').enqueue(1)
    expect(said).toEqual([])
    const stop = told.watch(() => hear())
    const other = millrace(`sqlite:${path}`, { scope: 'other' })
    for (let n = 0; n < 2; n++) {
      const heard = new Promise<void>((resolve) => (hear = resolve))
      await other.queue('q').enqueue(n)
      await heard
    }
    stop()
    await other.close()
    await mill.close()
    database.close()
    return said
  }

  it('is told once, when another writes, too', async () => {
    expect(await warned('3.9.2')).toEqual([expect.stringContaining('SQLite 3.9.2')])
  })

  it.each(['3.51.3', '3.53.0', '4.0.0'])('is not %s', async (version) => {
    expect(await warned(version)).toEqual([])
  })
})
