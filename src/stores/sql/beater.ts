/** A thread that beats: a store of its own, made anew when it could not be opened. */
import type { Beat, Store } from '../../store.js'

export interface Beater {
  /** Answers when the beat has arrived. */
  beat(beat: Beat): Promise<void>
  close(): Promise<void>
}

export function beating(make: () => Store, scope: string): Beater {
  let store: Store | null = null
  return {
    async beat(beat) {
      store ??= make()
      try {
        await store.open({ scope })
        await store.beat(beat)
      } catch (error) {
        await store.close()
        store = null
        throw error
      }
    },
    close: async () => store?.close(),
  }
}
