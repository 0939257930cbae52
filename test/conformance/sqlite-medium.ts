// A file of SQLite and any number of handles on it, as the suite wants to have it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openableSqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import type { OpenMedium } from 'millrace/testing'

export const openSqlite: OpenMedium = async ({ clock, chance }) => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-sqlite-'))
  return {
    async connect({ scope = 'default' } = {}) {
      const path = join(folder, 'jobs.db')
      const store = openableSqliteStore({ path }, { clock, chance, liveness: () => 'alive' })
      await store.open({ scope })
      return store
    },
    destroy: () => rm(folder, { recursive: true }),
  }
}
