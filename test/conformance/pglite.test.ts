// The PostgreSQL store keeps every law on PGlite, too: one instance in memory for all of them, scopes
// of its own for each.
import { PGlite } from '@electric-sql/pglite'
import { describe, it, vi } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { everyNth } from './every-nth.js'
import { openMemory } from './memory-medium.js'
import { openPglite } from './pglite-medium.js'

// A long law is some thousand transactions, and each statement is worked off in this thread: every
// third law in `npm test`, and a twentieth of the long ones, since the same statements keep all of them
// on a server; all of it with MILLRACE_CONFORMANCE=whole.
const isWhole = process.env.MILLRACE_CONFORMANCE === 'whole'
const part = isWhole ? 1 : 1 / 20
const steps = isWhole ? 200 : 40
const seeds = isWhole ? [1, 20_260_101, 987_654_321] : [20_260_101]
vi.setConfig({ testTimeout: isWhole ? 900_000 : 180_000 })

const open = openPglite(() => PGlite.create())

const ways = { describe, it }
const chosen = isWhole ? ways : everyNth(3, ways)
describeStore({ name: 'postgres, on PGlite', ...chosen, open, seeds, steps, part })

describe('the store on PGlite beside the memory store', () => {
  for (const seed of isWhole ? [11, 12, 13] : [11]) {
    it(`answers the same walk the same way (seed ${seed})`, async () => {
      await compareStores({ model: openMemory, open, seed, steps })
    })
  }
})
