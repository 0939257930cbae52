// A folder of letters as the suite wants to have it: on the simulated disk or in a temporary folder.
// Handles are of one process, as those of one keeper are.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type {
  MaildirStoreOptions,
  MaildirStoreParts,
} from '../../src/stores/maildir/maildir-store.js'
import type { OpenMedium } from 'millrace/testing'
import { virtualHost } from './virtual-host.js'

export function openSimulated(parts: Pick<MaildirStoreParts, 'segmentBytes'> = {}): OpenMedium {
  return async ({ clock, chance }) => {
    const disk = new SimDisk({ now: () => clock.wall() })
    const host = virtualHost(clock)
    const rooms = new Map()
    const pause = async () => undefined
    return {
      async connect({ scope = 'default' } = {}) {
        const store = openableMaildirStore(
          { path: '/mail' },
          { ...parts, disk, host, chance, rooms, pause },
        )
        await store.open({ scope })
        return store
      },
      hint: () => disk.hint(),
      destroy: async () => undefined,
    }
  }
}

export function openFolder(options: Omit<MaildirStoreOptions, 'path'> = {}): OpenMedium {
  return async ({ clock, chance }) => {
    const path = await mkdtemp(join(tmpdir(), 'millrace-letters-'))
    const host = virtualHost(clock)
    const warn = () => undefined // a temporary folder may lie in memory, and says so
    return {
      async connect({ scope = 'default' } = {}) {
        const store = openableMaildirStore({ ...options, path }, { host, chance, warn })
        await store.open({ scope })
        return store
      },
      destroy: () => rm(path, { recursive: true }),
    }
  }
}
