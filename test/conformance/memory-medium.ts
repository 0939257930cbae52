// One memory, and any number of handles on it, as the suite wants to have it.
import { memoryStore, sharedMemory } from 'millrace/memory'
import type { OpenMedium } from 'millrace/testing'

export const openMemory: OpenMedium = async ({ clock }) => {
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
