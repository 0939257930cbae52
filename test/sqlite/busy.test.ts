// Another process that holds the database is waited for, at every moment where SQLite can find it busy.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFile, wrap } from '../../src/stores/sqlite/driver.js'
import type { Millrace } from '../../src/index.js'
import { storeByUrl } from '../../src/store-url.js'
import type { Handle } from '../../src/stores/sqlite/driver.js'
import { sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { newJob, QUEUE, unique } from '../../src/testing/conformance/build.js'
import type { VirtualClock } from '../../src/time/virtual.js'
import { bench } from '../faces/harness.js'
import { betterHandle } from './better-handle.js'

let folder: string
let path: string
let other: Handle
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-busy-'))
  path = join(folder, 'jobs.db')
  other = await openFile(path)
})
afterEach(() => {
  other.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Whether it has come to an end, after some turns of the loop, in which it met the lock. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  const end = (): void => void (over = true)
  promise.then(end, end)
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
  return over
}

async function waits<T>(call: Promise<T>): Promise<T> {
  expect(await isOver(call)).toBe(false)
  other.exec('COMMIT')
  return call
}

it('a store opens on a new file that another is about to make', async () => {
  other.exec('BEGIN EXCLUSIVE')
  const store = sqliteStore({ path })
  await waits(store.open({ scope: 'default' }))
  await store.close()
})

// The write-ahead log lets readers and a writer be: with a journal that rolls back they wait for each other.
describe('on a handle of the user’s without a write-ahead log', () => {
  // Two libraries of SQLite in one process do not see each other's locks: both handles are of one.
  beforeEach(() => {
    other.close()
    other = wrap(betterHandle(path))
  })

  async function opened() {
    const database = betterHandle(path)
    const store = sqliteStore({ database })
    await store.open({ scope: 'default' })
    await store.insert([{ jobs: [newJob('first')] }])
    const close = async (): Promise<void> => {
      await store.close()
      database.close()
    }
    return { store, close }
  }

  it('a look waits for who writes', async () => {
    const { store, close } = await opened()
    other.exec('BEGIN EXCLUSIVE')
    expect(await waits(store.get([{ queue: QUEUE, id: 'first' }]))).toMatchObject([
      { job: { id: 'first' } },
    ])
    await close()
  })

  it.each(['in one trip', 'the longer way'])('a write waits for who reads, %s', async (way) => {
    const { store, close } = await opened()
    other.exec('BEGIN')
    other.prepare('SELECT count(*) FROM millrace_jobs').all([])
    const job = way === 'in one trip' ? newJob('second') : newJob('second', { unique: unique('k') })
    expect(await waits(store.insert([{ jobs: [job] }]))).toMatchObject([[{ status: 'inserted' }]])
    await close()
  })
})

describe('a Millrace that closes while another keeps the database', () => {
  /** Its time is virtual; that for which SQLite is waited for is not. */
  async function closes(mill: Millrace, clock: VirtualClock): Promise<void> {
    let over = false
    const closing = mill.close({ timeout: '1s' }).finally(() => (over = true))
    while (!over) {
      await clock.advance(1_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closing
  }

  it('ends, though its node cannot say goodbye', async () => {
    const { mill, clock } = bench({}, { store: sqliteStore({ path }) })
    const told: string[] = []
    mill.on('store.error', ({ error }) => told.push(error.code))
    const queue = mill.queue<number, number>('q')
    queue.work((n) => n + 1)
    const job = await queue.enqueue(1)
    const result = job.result()
    await mill.runUntilIdle()
    await clock.advance(2_000)
    expect(await result).toBe(2)
    other.exec('BEGIN IMMEDIATE')
    await closes(mill, clock)
    expect(told).toEqual(['STORE_UNREACHABLE'])
    other.exec('ROLLBACK')
  })

  it.each([
    ['a store', () => sqliteStore({ path })],
    ['a URL', () => storeByUrl(`sqlite:${path}`)],
  ])('ends while %s still opens, and says so to whoever waits for it', async (_, store) => {
    other.exec('BEGIN EXCLUSIVE')
    const { mill, clock } = bench({}, { store: store() })
    const enqueued = mill.queue('q').enqueue(1)
    const refused = expect(enqueued).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    await closes(mill, clock)
    await refused
    other.exec('ROLLBACK')
  })
})
