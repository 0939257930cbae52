// The file store keeps every law: on the simulated disk, where each handle is a process of its own,
// with segments so small that it rolls all the time, and on the real disk.
import { describe, it } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { everyNth } from './every-nth.js'
import { openFolder, openSimulated } from './file-medium.js'
import { openMemory } from './memory-medium.js'

const SMALL_SEGMENTS = 16 * 1024
/** `MILLRACE_CONFORMANCE=whole` plays all laws in each of the ways. */
const isWhole = process.env.MILLRACE_CONFORMANCE === 'whole'
const ways = { describe, it }
const some = isWhole ? ways : everyNth(2, ways)

describeStore({ name: 'file, on a simulated disk', describe, it, open: openSimulated() })

describeStore({
  name: 'file, in small segments',
  ...some,
  open: openSimulated({ segmentBytes: SMALL_SEGMENTS }),
})

describeStore({
  name: 'file, in a folder',
  ...some,
  open: openFolder({ durability: 'process' }),
  seeds: [4],
  // Whole on the simulated disk.
  part: 1 / 4,
})

describe('the file store beside the memory store', () => {
  for (const seed of [11, 12, 13]) {
    it(`answers the same walk the same way (seed ${seed})`, async () => {
      await compareStores({ model: openMemory, open: openSimulated(), seed, steps: 300 })
    })
  }
})
