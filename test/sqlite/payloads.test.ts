// What payloads do not matter for reads none of them: there may be thousands, and each may be large.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DatabaseSync } from '@photostructure/sqlite'
import { millrace } from '../../src/millrace.js'
import type { Millrace } from '../../src/millrace.js'
import { sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import type { DriverHandle } from '../../src/stores/sqlite/driver.js'

const JOBS = 300
const GROUPS = 60
const TEXT = 'x'.repeat(10_000)

/** Counts the payloads that are read. */
function counting(path: string): DriverHandle & { reads: number } {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL')
  const handle = {
    reads: 0,
    exec: (sql: string) => database.exec(sql),
    close: () => database.close(),
    prepare(sql: string) {
      const statement = database.prepare(sql)
      return {
        all(...params: (string | number | null)[]) {
          const rows = statement.all(...params) as object[] // as: any[] there
          for (const row of rows) {
            for (const value of Object.values(row)) {
              if (typeof value === 'string' && value.includes(TEXT)) handle.reads++
            }
          }
          return rows
        },
        get: (...params: (string | number | null)[]): unknown => statement.get(...params),
        run: (...params: (string | number | null)[]) => statement.run(...params),
        setReturnArrays: (isOn: boolean) => statement.setReturnArrays(isOn),
      }
    },
  }
  return handle
}

describe('payloads in SQLite', () => {
  let folder: string
  let handle: ReturnType<typeof counting>
  let mill: Millrace
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-payloads-'))
    handle = counting(join(folder, 'jobs.db'))
    mill = millrace(sqliteStore({ database: handle }))
  })
  afterEach(async () => {
    await mill.close({ timeout: 0 })
    handle.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function reads(ask: () => Promise<unknown>): Promise<number> {
    handle.reads = 0
    await ask()
    return handle.reads
  }

  it('are not read by who says why a job waits, counts, or ends jobs by the hundred', async () => {
    const queue = mill.queue<{ n: number; text: string }>('q', {
      concurrency: 1_000,
      groups: { concurrency: 1_000 },
    })
    const all = Array.from({ length: JOBS }, (_, n) => ({ n, text: TEXT }))
    const jobs = await queue.enqueueMany(all, ({ n }) => ({ group: `g${n % GROUPS}` }))
    const worker = queue.work(() => new Promise(() => undefined), { concurrency: 1 })
    const started = new Promise((resolve) => mill.on('job.started', resolve))
    await started
    const { id } = jobs[JOBS - 1]
    const explain = async (): Promise<void> => {
      expect(await queue.explain(id)).toMatchObject({ gates: [], ahead: JOBS - 2 })
    }
    expect(await reads(explain)).toBeLessThan(10)
    expect(await reads(() => queue.counts({ group: 'g7' }))).toBe(0)
    const states = ['available'] as const
    const ended = async (): Promise<void> => {
      expect(await queue.cancel({ states })).toMatchObject({ changed: JOBS - 1 })
    }
    expect(await reads(ended)).toBe(0)
    expect(await reads(() => queue.retry({ states: ['cancelled'] }))).toBe(0)
    expect((await queue.get(id))?.payload).toEqual(all[JOBS - 1])
    expect(await reads(() => queue.delete({ states }))).toBe(0)
    await worker.stop({ timeout: 0 })
  })

  it('go with the job that an operator, or its time, takes away', async () => {
    const queue = mill.queue<string>('q', { receipts: '1h', keep: { cancelled: 0 } })
    for (const id of ['deleted', 'among many', 'cancelled']) await queue.enqueue(TEXT, { id })
    await queue.delete('deleted')
    await queue.delete({ ids: ['among many'] })
    await queue.cancel('cancelled')
    const rows = handle
      .prepare('SELECT id, state, payload FROM millrace_jobs WHERE seq > 0 ORDER BY seq')
      .all() as object[] // as: rows are objects
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { id: 'deleted', state: 8, payload: null },
      { id: 'among many', state: 8, payload: null },
      { id: 'cancelled', state: 8, payload: null },
    ])
  })

  it('go back with dead letters, however much that is', async () => {
    const queue = mill.queue<{ n: number; text: string }>('q', { attempts: 1, deadLetter: 'dead' })
    // More than is held at once: it goes in two steps.
    const text = TEXT.repeat(30)
    const all = Array.from({ length: 70 }, (_, n) => ({ n, text }))
    const jobs = await queue.enqueueMany(all)
    const worker = queue.work(() => Promise.reject(new Error('no')))
    await Promise.all(jobs.map((job) => job.result().catch(() => undefined)))
    await worker.stop()
    const dead = mill.queue('dead')
    expect(await dead.retry({ states: ['available'] })).toMatchObject({ changed: all.length })
    const back = await queue.list({ states: ['available'] }, { limit: 100 })
    const byNumber = back.map(({ payload }) => payload).sort((a, b) => a.n - b.n)
    expect(byNumber.map(({ n }) => n)).toEqual(all.map(({ n }) => n))
    expect(byNumber.every((payload) => payload.text === text)).toBe(true)
  })
})
