// A limited backlog is told and not counted: what is told is always what a count would say, nobody counts
// however much waits, and whoever comes at the edge gets what room there is.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { VirtualClock, walk } from 'millrace/testing'
import type { Store } from '../../src/store.js'
import { openFile } from '../../src/stores/sqlite/driver.js'
import type { DriverHandle } from '../../src/stores/sqlite/driver.js'
import { openableSqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { COMPLETE, newJob, retryIn, settlement, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { edgeWalk } from '../conformance/edge-walk.js'
import { limited } from '../conformance/limited-medium.js'
import { openMemory } from '../conformance/memory-medium.js'
import { openSqlite, sqliteMedium } from '../conformance/sqlite-medium.js'

vi.setConfig({ testTimeout: 120_000 })

const COUNTS = `
  SELECT b.waiting AS told, (SELECT count(*) FROM millrace_jobs AS j
                             WHERE j.queue = b.queue AND j.state IN (0, 1, 3, 4)) AS counted
  FROM millrace_backlogs AS b`
const HOUR = 3_600_000

describe('a limited backlog in SQLite, whatever is done', () => {
  it.each([1, 2])('is told as a count would say it (seed %i)', async (seed) => {
    let close = (): void => undefined
    let raw: DriverHandle | null = null
    let path = ''
    let looks = 0
    const answered = async (): Promise<void> => {
      if (raw === null) {
        const handle = await openFile(path)
        raw = handle.raw
        close = () => handle.close()
      }
      for (const row of raw.prepare(COUNTS).all()) {
        const { told, counted } = row as { told: number; counted: number } // as: what was just asked
        expect(told).toBe(counted)
        looks++
      }
    }
    const open = limited(
      sqliteMedium((at) => (path = at)),
      1_000_000,
      answered,
    )
    try {
      await walk({ open, seed, steps: 300 })
    } finally {
      close()
    }
    expect(looks).toBeGreaterThan(300)
  })

  it.each([11, 12, 13])('refuses where memory does (seed %i)', async (seed) => {
    const here = await edgeWalk(openSqlite, seed, 250)
    expect(here).toEqual(await edgeWalk(openMemory, seed, 250))
    expect(here.filter((line) => line.includes('refused')).length).toBeGreaterThan(10)
  })
})

describe('a limited backlog in SQLite', () => {
  let folder: string
  let raw: DriverHandle
  let close: () => void
  let clock: VirtualClock
  let store: Store
  /** Texts of statements, as often as they were run. */
  let ran: string[]

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-backlog-'))
    clock = new VirtualClock()
    ran = []
    const handle = await openFile(join(folder, 'jobs.db'))
    raw = handle.raw
    close = () => handle.close()
    store = openableSqliteStore(
      { database: watched((await openFile(join(folder, 'jobs.db'))).raw) },
      { clock },
    )
    await store.open({ scope: 'default' })
  })
  afterEach(async () => {
    close()
    await store.close()
    rmSync(folder, { recursive: true })
  })

  function watched(driver: DriverHandle): DriverHandle {
    return {
      exec: (sql) => driver.exec(sql),
      close: () => driver.close(),
      prepare: (sql) => {
        const statement = driver.prepare(sql)
        const told =
          <A extends unknown[], R>(run: (...args: A) => R) =>
          (...args: A): R => {
            ran.push(sql)
            return run(...args)
          }
        return {
          all: told((...params) => statement.all(...params)),
          get: told((...params) => statement.get(...params)),
          run: told((...params) => statement.run(...params)),
        }
      },
    }
  }

  const limit = (backlog: number): Promise<unknown> => store.declare('q', { limits: { backlog } })

  async function put(ids: readonly string[], by = store, tx?: unknown): Promise<string[]> {
    const jobs = ids.map((id) => newJob(id))
    const [answers] = await by.insert([tx === undefined ? { jobs } : { jobs, tx }])
    return (answers ?? []).map(({ status }) => status)
  }

  const jobs = (size: number, name = 'job'): string[] => upTo(size).map((n) => `${name}-${n}`)
  const told = (): unknown[] =>
    raw
      .prepare(COUNTS)
      .all()
      .map((row) => ({ ...(row as object) })) // as: rows are objects
  /** Statements that look at each job of a queue. */
  const counted = (): number => {
    const counting = ran.filter((sql) => /count\(\*\)/.test(sql) && /jobs_list/.test(sql))
    ran.length = 0
    return counting.length
  }

  it('is counted once; then nobody counts, whether it is full or has room', async () => {
    await put(jobs(50, 'old'))
    await limit(60)
    expect(await put(jobs(10))).toEqual(upTo(10).map(() => 'inserted'))
    expect(counted()).toBe(1)
    for (const n of upTo(20)) expect(await put([`late-${n}`])).toEqual(['refused'])
    const node = await PlayedNode.enlist(store, cardOf('node'))
    for (const n of upTo(20)) {
      const [job] = (await node.claim({ limit: 1 })).jobs
      expect(await put([`more-${n}`])).toEqual(['inserted'])
      expect(await put([`late-${n}`])).toEqual(['refused'])
      await node.settle(job, COMPLETE)
    }
    expect(counted()).toBe(0)
    expect(told()).toEqual([{ told: 60, counted: 60 }])
  })

  it('a limit that goes and comes again is counted again', async () => {
    await limit(3)
    await put(jobs(3))
    await limit(Infinity)
    await put(jobs(4, 'more'))
    await limit(8)
    expect(await put(['a'])).toEqual(['inserted'])
    expect(await put(['b'])).toEqual(['refused'])
    await limit(9)
    counted()
    expect(await put(['c'])).toEqual(['inserted'])
    expect(counted()).toBe(0)
  })

  it('what somebody deletes by hand makes room within the hour', async () => {
    await limit(3)
    await put(jobs(3))
    raw.exec('DELETE FROM millrace_jobs')
    expect(await put(['a'])).toEqual(['refused'])
    await clock.advance(HOUR + 1)
    expect(await put(jobs(3, 'next'))).toEqual(['inserted', 'inserted', 'inserted'])
  })

  it('room that a transaction took is there again when it is rolled back', async () => {
    await limit(3)
    await put(['a'])
    raw.exec('BEGIN')
    expect(await put(['b', 'c'], store, raw)).toEqual(['inserted', 'inserted'])
    expect(await put(['d'], store, raw)).toEqual(['refused'])
    raw.exec('ROLLBACK')
    expect(told()).toEqual([{ told: 1, counted: 1 }])
    raw.exec('BEGIN')
    expect(await put(['e', 'f'], store, raw)).toEqual(['inserted', 'inserted'])
    raw.exec('COMMIT')
    expect(await put(['g'])).toEqual(['refused'])
    expect(told()).toEqual([{ told: 3, counted: 3 }])
  })

  it('of a queue without one nothing is told', async () => {
    await put(jobs(3))
    const node = await PlayedNode.enlist(store, cardOf('node'))
    const { jobs: taken } = await node.claim({ limit: 3 })
    await node.settleAll(taken.map((job) => settlement(job, retryIn(0))))
    expect(told()).toEqual([])
    expect(ran.filter((sql) => sql.includes('backlogs'))).toEqual([])
  })
})
