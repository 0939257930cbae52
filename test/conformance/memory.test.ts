// The memory store keeps every law; all its handles share one memory.
import { describe, it } from 'vitest'
import { memoryStore, sharedMemory } from 'millrace/memory'
import { describeStore } from 'millrace/testing'
import type { OpenMedium } from 'millrace/testing'

const open: OpenMedium = async ({ clock }) => {
  const shared = sharedMemory(clock)
  return {
    async connect({ scope = 'default' } = {}) {
      const store = memoryStore({ shared })
      await store.open({ scope })
      return store
    },
    async destroy() {
      shared.scopes.clear()
    },
  }
}

describeStore({ name: 'memory', describe, it, open })
