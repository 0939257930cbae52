// A folder, and any number of processes on it, as the suite wants to have it: on the simulated disk,
// each handle with a fork of its own, or on the real one in a temporary folder.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { openableFileStore } from '../../src/stores/file/file-store.js'
import type { FileStoreOptions, FileStoreParts } from '../../src/stores/file/file-store.js'
import type { OpenMedium } from 'millrace/testing'
import { virtualHost } from './virtual-host.js'

/** Its handles check each other at every frame. */
export function openSimulated(parts: Pick<FileStoreParts, 'segmentBytes'> = {}): OpenMedium {
  return async ({ clock, chance }) => {
    const disk = new SimDisk({ now: () => clock.wall() })
    const host = virtualHost(clock)
    return {
      async connect({ scope = 'default' } = {}) {
        const store = openableFileStore(
          { path: '/mill' },
          { stateEvery: 1, ...parts, disk: disk.fork(), host, chance },
        )
        await store.open({ scope })
        return store
      },
      hint: () => disk.hint(),
      destroy: async () => undefined,
    }
  }
}

export function openFolder(options: Omit<FileStoreOptions, 'path'> = {}): OpenMedium {
  return async ({ clock, chance }) => {
    const path = await mkdtemp(join(tmpdir(), 'millrace-laws-'))
    const host = virtualHost(clock)
    const warn = () => undefined // a temporary folder may lie in memory, and says so
    return {
      async connect({ scope = 'default' } = {}) {
        const store = openableFileStore({ ...options, path }, { host, chance, warn })
        await store.open({ scope })
        return store
      },
      destroy: () => rm(path, { recursive: true }),
    }
  }
}
