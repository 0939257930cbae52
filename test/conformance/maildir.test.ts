// The maildir store keeps every law: on the simulated disk, with a log so small that it is cleared
// all the time, and in a real folder.
import { describe, it } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { openFolder, openSimulated } from './maildir-medium.js'
import { openMemory } from './memory-medium.js'

const SMALL_SEGMENTS = 4 * 1024

describeStore({ name: 'maildir, on a simulated disk', describe, it, open: openSimulated() })

describeStore({
  name: 'maildir, with a small log',
  describe,
  it,
  open: openSimulated({ segmentBytes: SMALL_SEGMENTS }),
  seeds: [5],
})

describeStore({
  name: 'maildir, in a folder',
  describe,
  it,
  open: openFolder({ durability: 'process' }),
  seeds: [4],
})

describe('the maildir store beside the memory store', () => {
  for (const seed of [11, 12, 13]) {
    it(`answers the same walk the same way (seed ${seed})`, async () => {
      await compareStores({ model: openMemory, open: openSimulated(), seed, steps: 300 })
    })
  }
})
