/**
 * The next segment of the log: making it, and telling whether one that has no seal was left all the
 * same. Nobody appends to a segment before its predecessor's seal is durable, so work in the next
 * one proves that there was a seal.
 */
import type { Disk } from '../../disk/disk.js'
import { place, writeAll } from '../../disk/place.js'
import { quarantine } from '../../disk/quarantine.js'
import { encodeFrame } from './frames.js'
import { scan } from './frame-scan.js'
import { segmentPath } from './layout.js'
import type { Layout } from './layout.js'

export interface Making {
  readonly disk: Disk
  readonly layout: Layout
  readonly writer: string
  readonly warn: (message: string) => void
}

/**
 * Makes the segment, unless it is there, and answers when its name is durable, whoever made it: who
 * seals the one before must not rely on a name that a power cut undoes.
 */
export async function makeSegment(making: Making, segment: number): Promise<void> {
  const { disk, layout, writer } = making
  const path = segmentPath(layout, segment)
  clearTheWay(making, path)
  if (disk.facts(path) === null) {
    const durable = { segment, offset: 0 }
    const guards = JSON.stringify({ segment })
    const head = { kind: 'head', writer, number: 0, time: 0, durable, guards }
    await place({
      ...{ disk, path },
      draft: `${layout.tmp}/${writer}.${segment}.log`,
      fill: (file) => writeAll(file, encodeFrame(head, []).bytes),
    })
  }
  await disk.syncFolder(layout.log)
}

/** A link, a folder, a pipe or somebody else's file would hold up the log for ever. */
function clearTheWay({ disk, layout, writer, warn }: Making, path: string): void {
  const found = disk.facts(path)
  if (found === null) return
  const isOurs = found.uid === disk.facts(layout.log)?.uid
  if (found.kind === 'file' && isOurs) return
  const why = found.kind === 'file' ? `it belongs to user ${found.uid}` : `it is a ${found.kind}`
  quarantine(disk, layout, path, `${why}, where a segment of the log is to be`, writer)
  warn(`${path} was put into quarantine: ${why}`)
}

/** How much of the next segment is looked at. */
const LOOK_BYTES = 64 * 1024

/**
 * Whether this segment was left by its writers though no seal can be read in it: there is work in
 * the next one. Beats are no work: they go ahead into it from a thread that reads no seals.
 */
export function wasLeft(disk: Disk, layout: Layout, segment: number): boolean {
  if (disk.facts(segmentPath(layout, segment + 1))?.kind !== 'file') return false
  const file = disk.read(segmentPath(layout, segment + 1))
  try {
    const bytes = Buffer.alloc(LOOK_BYTES)
    const length = file.readAt(0, bytes)
    const { findings } = scan(bytes.subarray(0, length), 0, { durable: 0, end: 'open' })
    const isIdle = findings.every(
      (found) => found.kind !== 'frame' || found.head.kind === 'head' || found.head.kind === 'beat',
    )
    // More than beats fit in so much: then the next one after it tells.
    return !isIdle || disk.facts(segmentPath(layout, segment + 2)) !== null
  } finally {
    file.close()
  }
}
