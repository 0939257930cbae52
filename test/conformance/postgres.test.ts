// The PostgreSQL store keeps every law, on a real server: one schema for all of them, scopes of its
// own for each.
import { afterAll, describe, it, vi } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { sharedPostgres } from '../servers/postgres.js'
import { openMemory } from './memory-medium.js'
import { openPostgres } from './postgres-medium.js'
import { endWarmPools } from './warm-pool.js'

// A long law is some thousand transactions: an eighth of each in `npm test`, one walk of each kind, and all
// on connections that stay; the whole, each store on its own, with MILLRACE_CONFORMANCE=whole.
const isWhole = process.env.MILLRACE_CONFORMANCE === 'whole'
const part = isWhole ? 1 : 1 / 8
const seeds = isWhole ? [1, 20_260_101, 987_654_321] : [20_260_101]
vi.setConfig({ testTimeout: 180_000 })

vi.mock('pg', async (original) => {
  if (process.env.MILLRACE_CONFORMANCE === 'whole') return original()
  const { withWarmPools } = await import('./warm-pool.js')
  return withWarmPools(await original())
})

const server = await sharedPostgres()
afterAll(endWarmPools) // and then the database goes

describe.skipIf(server.isMissing)(`on a server${server.why}`, () => {
  const open = openPostgres(() => server.database())

  describeStore({ name: 'postgres', describe, it, open, seeds, steps: 200, part })

  describe('the PostgreSQL store beside the memory store', () => {
    for (const seed of isWhole ? [11, 12, 13] : [11]) {
      it(`answers the same walk the same way (seed ${seed})`, async () => {
        await compareStores({ model: openMemory, open, seed, steps: 200 })
      })
    }
  })
})
