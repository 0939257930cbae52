// The proof has teeth: a store whose disk leaves out one sync breaks a promise, and is caught; and so
// is one whose log leaves out one check.
import { afterEach, describe, expect, it, vi } from 'vitest'
import type * as ApplyNode from '../../src/job/book/apply-node.js'
import type * as FrameScan from '../../src/stores/file/frame-scan.js'
import type { Disk, DiskFile } from '../../src/disk/disk.js'
import { readHead } from '../../src/stores/file/frame-head.js'
import { ITEM_LEAD, LINE_END, bufferOver, isGoodLine } from '../../src/stores/file/frames.js'
import type { Extent } from '../../src/stores/file/frames.js'
import { crashEverywhere } from './crash-points.js'
import { bothClaim, bothHoldAKey, isLog, killedInAWrite, pair, sweptAliveAgain } from './rivals.js'
import { STORIES } from './stories.js'
import { withFiles } from './with-files.js'

/** Which check is left out. */
const twin = vi.hoisted((): { is: 'none' | 'sweeps blindly' | 'salvages' } => ({ is: 'none' }))
afterEach(() => void (twin.is = 'none'))

/** A sweep that does not ask whether the node has beaten since. */
vi.mock('../../src/job/book/apply-node.js', async (original) => {
  const whole = await original<typeof ApplyNode>()
  const applySweep: typeof whole.applySweep = (ledger, frame) => {
    const { gone } = frame
    if (twin.is !== 'sweeps blindly' || gone === null) return whole.applySweep(ledger, frame)
    const beats = ledger.nodes.get(gone.node)?.beats ?? gone.beats
    return whole.applySweep(ledger, { ...frame, gone: { ...gone, beats } })
  }
  return { ...whole, applySweep }
})

/** A reader that takes what is good of a write that fell short. */
vi.mock('../../src/stores/file/frame-scan.js', async (original) => {
  const whole = await original<typeof FrameScan>()
  const scan: typeof whole.scan = (input, base, options) => {
    const scanned = whole.scan(input, base, options)
    if (twin.is !== 'salvages') return scanned
    const findings = scanned.findings.map((found): FrameScan.Finding => {
      if (found.kind !== 'void' || found.why !== 'short') return found
      return salvaged(bufferOver(input), base, found) ?? found
    })
    return { ...scanned, findings }
  }
  return { ...whole, scan }
})

function salvaged(bytes: Buffer, base: number, { at, length }: Extent): FrameScan.Finding | null {
  const [start, end] = [at - base, at - base + length]
  const headEnd = bytes.indexOf(LINE_END, start)
  const read = headEnd < 0 || headEnd >= end ? null : readHead(bytes, start + 1, headEnd)
  if (read === null) return null
  const items: Extent[] = []
  for (let line = headEnd + 1; line < end;) {
    const found = bytes.indexOf(LINE_END, line)
    const lineEnd = found < 0 || found > end ? end : found
    const text = line + ITEM_LEAD
    if (isGoodLine(bytes, line, lineEnd)) items.push({ at: base + text, length: lineEnd - text })
    line = lineEnd + 1
  }
  return { kind: 'frame', at, length, head: read.head, items }
}

/** A disk that never tells a writer that others wrote before it. */
function alone(disk: Disk): Disk {
  return withFiles(disk, (file): Partial<DiskFile> => {
    let seen = 0
    let believed: number | null = null
    return {
      write: (bytes) => {
        const written = file.write(bytes)
        if (isLog(file.path)) believed = seen + written
        return written
      },
      size: () => {
        seen = believed ?? file.size()
        believed = null
        return seen
      },
    }
  })
}

const nothing = async (): Promise<void> => undefined

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
  const ask = { profile: 'any-subset', segmentBytes: 1_500, states: 6, every: 5 } as const
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

describe('a broken twin of the log', () => {
  it('is caught: one that answers before it has read back what it wrote', async () => {
    expect(await bothClaim(await pair(alone))).toBe(2)
    expect(await bothHoldAKey(await pair(alone))).toEqual(['inserted', 'inserted'])
  })

  it('is caught: one that sweeps without looking at the beats', async () => {
    twin.is = 'sweeps blindly'
    expect(await sweptAliveAgain(await pair())).toBe(-1)
  })

  it('is caught: one that salvages writes that fell short', async () => {
    twin.is = 'salvages'
    const found = new Set<string>()
    for (let bytes = 1; ; bytes++) {
      const lists = await killedInAWrite(bytes)
      if (lists === null) break
      for (const ids of lists) found.add(ids.join())
    }
    expect([...found].filter((ids) => ids.includes('lot-1')).length).toBeGreaterThan(0)
  })
})
