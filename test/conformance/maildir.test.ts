// The maildir store keeps the laws in a real folder, and answers walks as the memory store does: every
// second law in `npm test`, and all with MILLRACE_CONFORMANCE=whole. On the simulated disk, with a log that
// is cleared all the time, every law is run in `test/maildir/derived.test.ts`, and the folder read
// again after each call.
import { describe, it, vi } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { everyNth } from './every-nth.js'
import { openFolder, openSimulated } from './maildir-medium.js'
import { openMemory } from './memory-medium.js'

// Laws over ten thousands of jobs write as many letters.
vi.setConfig({ testTimeout: 120_000 })

const isWhole = process.env.MILLRACE_CONFORMANCE === 'whole'

describeStore({
  name: 'maildir, in a folder',
  ...(isWhole ? { describe, it } : everyNth(2, { describe, it })),
  open: openFolder({ durability: 'process' }),
  seeds: [4],
  part: isWhole ? 1 : 1 / 8,
})

describe('the maildir store beside the memory store', () => {
  for (const seed of [11, 12, 13]) {
    it(`answers the same walk the same way (seed ${seed})`, async () => {
      await compareStores({ model: openMemory, open: openSimulated(), seed, steps: 300 })
    })
  }
})
