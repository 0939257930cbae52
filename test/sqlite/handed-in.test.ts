// A handle that the user has open already, of better-sqlite3's shape: the store works on it as on its
// own, and leaves it open. better-sqlite3 itself is among the peers (`npm run test:peers`).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compareStores } from 'millrace/testing'
import { millrace } from '../../src/millrace.js'
import { openableSqliteStore, sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { openMemory } from '../conformance/memory-medium.js'
import { betterHandle } from './better-handle.js'

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
