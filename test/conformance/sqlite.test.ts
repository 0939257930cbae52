// The SQLite store keeps every law, in a file of its own for each.
import { describe, it, vi } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { openMemory } from './memory-medium.js'
import { openSqlite } from './sqlite-medium.js'

// A long law is some thousand transactions: a quarter of each in `npm test`, the whole with MILLRACE_CONFORMANCE=whole.
const part = process.env.MILLRACE_CONFORMANCE === 'whole' ? 1 : 1 / 4
vi.setConfig({ testTimeout: 120_000 })

describeStore({ name: 'sqlite', describe, it, open: openSqlite, part })

describe('the SQLite store beside the memory store', () => {
  // 716: what was not started in time, behind what a claim takes.
  for (const seed of [11, 12, 13, 716]) {
    it(`answers the same walk the same way (seed ${seed})`, async () => {
      await compareStores({ model: openMemory, open: openSqlite, seed, steps: 300 })
    })
  }
})
