// A file of SQLite and any number of handles on it, as the suite wants to have it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFile } from '../../src/stores/sqlite/driver.js'
import { openableSqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import type { Medium, MediumAsk, OpenMedium } from 'millrace/testing'

export const openSqlite: OpenMedium = sqliteMedium(() => undefined)

/** `at`: is told where each one lies. */
export function sqliteMedium(at: (path: string) => void): OpenMedium {
  return async ({ clock, chance }) => open({ clock, chance }, at)
}

async function open({ clock, chance }: MediumAsk, at: (path: string) => void): Promise<Medium> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-sqlite-'))
  const open = new Set<() => void>()
  at(join(folder, 'jobs.db'))
  return {
    async connect({ scope = 'default' } = {}) {
      const path = join(folder, 'jobs.db')
      const store = openableSqliteStore({ path }, { clock, chance, liveness: () => 'alive' })
      await store.open({ scope })
      return store
    },
    async begin() {
      const { raw, close } = await openFile(join(folder, 'jobs.db'))
      open.add(close)
      raw.exec('BEGIN')
      const end = async (how: string) => {
        raw.exec(how)
        open.delete(close)
        close()
      }
      return { tx: raw, commit: () => end('COMMIT'), rollBack: () => end('ROLLBACK') }
    },
    async destroy() {
      for (const close of open) close()
      await rm(folder, { recursive: true })
    },
  }
}
