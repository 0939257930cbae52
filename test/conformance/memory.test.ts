// The memory store keeps every law, and walks like itself.
import { describe, it } from 'vitest'
import { compareStores, describeStore } from 'millrace/testing'
import { openMemory } from './memory-medium.js'

describeStore({ name: 'memory', describe, it, open: openMemory })

describe('the memory store as the model', () => {
  it('answers the same walk the same way', async () => {
    await compareStores({ model: openMemory, open: openMemory, seed: 7, steps: 300 })
  })
})
