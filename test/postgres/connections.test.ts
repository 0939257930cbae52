// How long a store's own connections stay.
import { describe, expect, it, vi } from 'vitest'
import type { Pool } from 'pg'
import { ownPool } from '../../src/stores/postgres/driver.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`connections${server.why}`, () => {
  it('are kept over pauses of minutes, and not for ever', async () => {
    const url = await server.database()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    // as: what it is
    const pool = (await ownPool(url, 4)) as unknown as Pool
    try {
      await Promise.all([1, 2, 3].map(() => pool.query('SELECT pg_sleep(0.05)')))
      expect(pool.totalCount).toBe(3)
      vi.advanceTimersByTime(4 * 60_000)
      expect(pool.totalCount).toBe(3)
      vi.advanceTimersByTime(60_000)
      expect(pool.totalCount).toBe(0)
    } finally {
      vi.useRealTimers()
      await pool.end()
    }
  })
})
