// The maildir store keeps every law in a real folder, and answers walks as the memory store does. On
// the simulated disk, with a log that is cleared all the time, every law is run in
// `test/maildir/derived.test.ts`, and the folder read again after each call.
import { describe, it, vi } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { openFolder, openSimulated } from './maildir-medium.js'
import { openMemory } from './memory-medium.js'

// Laws over ten thousands of jobs write as many letters.
vi.setConfig({ testTimeout: 120_000 })

describeStore({
  name: 'maildir, in a folder',
  describe,
  it,
  open: openFolder({ durability: 'process' }),
  seeds: [4],
  // Whole in `test/maildir/derived.test.ts`.
  part: 1 / 8,
})

describe('the maildir store beside the memory store', () => {
  for (const seed of [11, 12, 13]) {
    it(`answers the same walk the same way (seed ${seed})`, async () => {
      await compareStores({ model: openMemory, open: openSimulated(), seed, steps: 300 })
    })
  }
})
