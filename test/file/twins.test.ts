// The proof has teeth: a store whose disk leaves out one sync breaks a promise, and is caught.
import { describe, expect, it } from 'vitest'
import type { Disk, DiskFile } from '../../src/disk/disk.js'
import { crashEverywhere } from './crash-points.js'
import { STORIES } from './stories.js'

/** A disk on which a file's calls are done differently. */
function withFiles(disk: Disk, change: (file: DiskFile) => Partial<DiskFile>): Disk {
  const wrap = (file: DiskFile): DiskFile => {
    const { path, write, readAt, size, links, sync, syncNow, close } = file
    return { path, write, readAt, size, links, sync, syncNow, close, ...change(file) }
  }
  return {
    ...disk,
    create: (path) => wrap(disk.create(path)),
    append: (path) => wrap(disk.append(path)),
  }
}

const nothing = async (): Promise<void> => undefined
const isLog = (path: string): boolean => path.includes('/log/')

type Twist = (disk: Disk) => Disk

const TWINS: Readonly<Record<string, Twist>> = {
  'answers before the sync': (disk) =>
    withFiles(disk, ({ path, sync }) => (isLog(path) ? { sync: nothing } : { sync })),
  'crosses to the next segment without a sync': (disk) =>
    withFiles(disk, ({ path, syncNow }) => ({
      syncNow: isLog(path) ? () => undefined : syncNow,
    })),
  'removes what a snapshot replaces before the folder of the snapshot is synced': (disk) => ({
    ...disk,
    syncFolder: (path) => (path.endsWith('/snap') ? nothing() : disk.syncFolder(path)),
  }),
  'relies on the name of a segment that is not synced': (disk) => ({
    ...disk,
    syncFolder: (path) => (path.endsWith('/log') ? nothing() : disk.syncFolder(path)),
  }),
  'relies on the name of its folder': (disk) => ({
    ...disk,
    syncFolder: (path) => (path.endsWith('/.') ? nothing() : disk.syncFolder(path)),
  }),
  'links a snapshot that is not synced': (disk) =>
    withFiles(disk, ({ path, sync }) => ({ sync: path.endsWith('.index') ? nothing : sync })),
}

/** Those that only a compaction finds out. */
const COMPACTED = /segment without a sync|snapshot/

async function reason(name: string, twist: Twist): Promise<string> {
  const story = STORIES[COMPACTED.test(name) ? 'long enough to be compacted' : 'two at once']
  const ask = { profile: 'any-subset', segmentBytes: 1_500, states: 6 } as const
  const run = crashEverywhere({ story, ...ask, nestedEvery: Infinity, nestedStates: 0, twist })
  const [ended] = await Promise.allSettled([run])
  return ended.status === 'rejected' ? String(ended.reason) : 'nothing was found'
}

describe('a broken twin of the file store', () => {
  for (const [name, twist] of Object.entries(TWINS)) {
    it(`is caught: one that ${name}`, { timeout: 120_000 }, async () => {
      expect(await reason(name, twist)).toMatch(/to include|ENOENT/)
    })
  }
})
