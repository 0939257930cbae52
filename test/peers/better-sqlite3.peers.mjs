// Every law of a store, on handles of the real better-sqlite3.
import Database from 'better-sqlite3'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, vi } from 'vitest'
import { describeStore } from '../../src/testing/index.ts'
import { openableSqliteStore } from '../../src/stores/sqlite/sqlite-store.ts'

vi.setConfig({ testTimeout: 180_000 })

async function open({ clock, chance }) {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-better-'))
  const handles = new Set()
  const handle = () => {
    const made = new Database(join(folder, 'jobs.db'))
    made.pragma('journal_mode = WAL')
    handles.add(made)
    return made
  }
  return {
    async connect({ scope = 'default' } = {}) {
      const database = handle()
      const store = openableSqliteStore({ database }, { clock, chance, liveness: () => 'alive' })
      await store.open({ scope })
      return store
    },
    async begin() {
      const tx = handle()
      tx.exec('BEGIN')
      return {
        tx,
        commit: async () => void tx.exec('COMMIT'),
        rollBack: async () => void tx.exec('ROLLBACK'),
      }
    },
    async destroy() {
      for (const one of handles) one.close()
      await rm(folder, { recursive: true })
    },
  }
}

describeStore({ name: 'sqlite, on better-sqlite3', describe, it, open, seeds: [1], part: 1 / 4 })
