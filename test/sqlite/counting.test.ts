// Who counts a large queue on SQLite does not keep the process from everything else: it is counted in
// pieces, each a transaction of its own, and others come between.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { STATES } from '../../src/job/job.js'
import type { Counts } from '../../src/job/job.js'
import type { Store } from '../../src/store.js'
import { openableSqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { newJob, upTo } from '../../src/testing/conformance/build.js'

const JOBS = 35_000
const PIECE = 10_000

describe('a count of a large queue in SQLite', () => {
  let folder: string
  let store: Store

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-counting-'))
    store = openableSqliteStore({ path: join(folder, 'jobs.db') }, {})
    await store.open({ scope: 'default' })
    for (const lot of upTo(JOBS / 5_000)) {
      const jobs = upTo(5_000).map((n) => newJob(`${lot}-${n}`, n === 7 ? { delay: 1e9 } : {}))
      await store.insert([{ jobs }])
    }
  }, 60_000)
  afterAll(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })

  const sum = (counts: Counts): number => STATES.reduce((all, state) => all + counts[state], 0)

  it('goes in pieces, and comes to all of it', async () => {
    const pieces: Counts[] = []
    let turns = 0
    const next = (): void => {
      turns++
      turning = setImmediate(next)
    }
    let turning = setImmediate(next)
    let cursor: string | null = null
    do {
      const answer: Awaited<ReturnType<Store['count']>> = await store.count({
        queue: 'q',
        which: {},
        cursor,
      })
      pieces.push(answer.counts)
      cursor = answer.cursor
    } while (cursor !== null)
    clearImmediate(turning)
    expect(turns).toBeGreaterThanOrEqual(pieces.length - 1)
    expect(pieces.map(sum)).toEqual([PIECE, PIECE, PIECE, JOBS - 3 * PIECE])
    expect(pieces.reduce((all, { scheduled }) => all + scheduled, 0)).toBe(JOBS / 5_000)
  })

  it('of the states that were asked for, too', async () => {
    const which = { states: ['scheduled'] as const }
    const { counts, cursor } = await store.count({ queue: 'q', which, cursor: null })
    expect(sum(counts)).toBe(2)
    expect(cursor).not.toBeNull()
  })

  it('lets others come between, and the row of the queue is whole', async () => {
    const order: string[] = []
    const looked = store.queues({ limit: 10, cursor: null }).then((page) => {
      order.push('queues')
      return page
    })
    const other = store.settings('q').then(() => order.push('settings'))
    const { items } = await looked
    await other
    expect(order).toEqual(['settings', 'queues'])
    expect(items[0].counts).toMatchObject({
      available: JOBS - JOBS / 5_000,
      scheduled: JOBS / 5_000,
    })
    expect(items[0].oldestDue).toBeLessThanOrEqual(Date.now())
  })

  it('so does who asks why it does not run', async () => {
    const order: string[] = []
    const explained = store.explainQueue('q').finally(() => order.push('explained'))
    for (let turn = 0; turn < 4; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      await store.settings('q').then(() => order.push('settings'))
    }
    expect((await explained)?.counts).toMatchObject({ available: JOBS - JOBS / 5_000 })
    expect(order.indexOf('explained')).toBeGreaterThanOrEqual(2)
  })
})
