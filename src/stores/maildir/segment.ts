/**
 * A segment of the commit log while its keeper writes it: made durable before anything stands in it,
 * appended to, and its size and whether it owes a sync known.
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import type { Host } from '../../disk/host.js'
import { isFull } from '../../disk/errno.js'
import { removeIfThere } from '../../disk/place.js'
import { headRecord, segmentName } from './commit-log.js'
import type { SegmentName } from './commit-log.js'
import type { Layout } from './layout.js'

export interface SegmentParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly host: Host
  readonly generation: number
}

/** A file of the log, and how much of it is written. */
export interface Segment {
  readonly name: string
  readonly number: number
  readonly file: DiskFile
  bytes: number
  /** Written since it was synced last. */
  isDirty: boolean
}

/** Made whole and durable or not at all. */
export async function makeSegment(parts: SegmentParts, number: number): Promise<Segment> {
  const { disk, layout, generation, host } = parts
  const name = segmentName(generation, number)
  const path = `${layout.commit}/${name}`
  const file = disk.create(path)
  const segment = { name, number, file, bytes: 0, isDirty: false }
  try {
    append(segment, headRecord(host.boot))
    await file.sync()
    segment.isDirty = false
    await disk.syncFolder(layout.commit)
    return segment
  } catch (error) {
    file.close()
    if (isFull(error)) removeIfThere(disk, path)
    throw error
  }
}

/** One that was there before, and is kept for what it says. */
export function reopenSegment(
  { disk, layout }: Pick<SegmentParts, 'disk' | 'layout'>,
  { name, number }: SegmentName,
): Segment {
  const file = disk.append(`${layout.commit}/${name}`)
  return { name, number, file, bytes: file.size(), isDirty: true }
}

export interface Appending {
  /** Whether a sync is owed for it [true]. */
  readonly owesSync?: boolean
  /** Tries to make room on a disk that is full; false: there is none to be had [none]. */
  readonly makeRoom?: () => boolean
}

/** Whole, also over a disk that is full in the middle of it: the rest goes behind when there is room. */
export function append(
  segment: Segment,
  bytes: Buffer,
  { owesSync = true, makeRoom = () => false }: Appending = {},
): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += segment.file.write(bytes.subarray(at))
    } catch (error) {
      if (!isFull(error) || !makeRoom()) throw error
    }
  }
  segment.bytes += bytes.length
  if (owesSync) segment.isDirty = true
}

/** Its name is gone for good before that of any younger one goes: else it would be read without them. */
export async function removeSegment(
  { disk, layout }: Pick<SegmentParts, 'disk' | 'layout'>,
  name: string,
): Promise<void> {
  removeIfThere(disk, `${layout.commit}/${name}`)
  await disk.syncFolder(layout.commit)
}
