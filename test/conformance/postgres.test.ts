// The PostgreSQL store keeps every law, on a real server: one schema for all of them, scopes of its
// own for each.
import { describe, it, vi } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { sharedPostgres } from '../servers/postgres.js'
import { openMemory } from './memory-medium.js'
import { openPostgres } from './postgres-medium.js'

// A long law is some thousand transactions.
vi.setConfig({ testTimeout: 180_000 })

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`on a server${server.why}`, () => {
  const open = openPostgres(() => server.database())

  describeStore({ name: 'postgres', describe, it, open, steps: 200 })

  describe('the PostgreSQL store beside the memory store', () => {
    for (const seed of [11, 12, 13]) {
      it(`answers the same walk the same way (seed ${seed})`, async () => {
        await compareStores({ model: openMemory, open, seed, steps: 200 })
      })
    }
  })
})
