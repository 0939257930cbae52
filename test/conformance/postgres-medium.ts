// One database, and any number of handles on it, as the suite wants to have it: each law has scopes
// of its own.
import pg from 'pg'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { OpenMedium } from 'millrace/testing'

/** `database`: asked once, for all that is opened. */
export function openPostgres(database: () => Promise<string>): OpenMedium {
  let url: Promise<string> | null = null
  let laws = 0
  return async ({ clock, chance }) => {
    const law = ++laws
    const open = new Set<pg.Client>()
    return {
      async connect({ scope = 'default' } = {}) {
        url ??= database()
        const parts = { chance, now: () => clock.wall(), liveness: () => 'alive' as const }
        const store = openablePostgresStore({ url: await url }, parts)
        await store.open({ scope: `${law}/${scope}` })
        return store
      },
      async begin() {
        url ??= database()
        const client = new pg.Client({ connectionString: await url })
        await client.connect()
        open.add(client)
        await client.query('BEGIN')
        const end = async (how: string) => {
          await client.query(how)
          open.delete(client)
          await client.end()
        }
        return { tx: client, commit: () => end('COMMIT'), rollBack: () => end('ROLLBACK') }
      },
      async destroy() {
        for (const client of open) await client.end()
      },
    }
  }
}
