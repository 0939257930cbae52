// Waiting for what a test has brought about, on a machine that may be busy with others.
import type pg from 'pg'
import { vi } from 'vitest'

/** Resolves when it is so. */
export async function until(isSo: () => unknown): Promise<void> {
  await vi.waitUntil(isSo, { timeout: 15_000 })
}

/** Resolves when a connection to the same database waits for a lock; of the server's others many may. */
export async function somebodyWaits(client: pg.Client): Promise<void> {
  await until(async () => {
    // What a transaction has seen of this it keeps.
    await client.query('SELECT pg_stat_clear_snapshot()')
    const { rows } = await client.query(`
      SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`)
    return rows.length > 0
  })
}
