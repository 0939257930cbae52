/**
 * Whether the log of a `file:` store is what was written: every segment is read anew, twice. The
 * first reading finds out up to where anybody knew the disk to have it; what is no frame before
 * that point was one, and has changed since. What is no frame after it was never answered for: a
 * crash left it behind, and nothing is lost by it.
 */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { scan } from '../stores/file/frame-scan.js'
import type { Scanned } from '../stores/file/frame-scan.js'
import { DOCTOR_LOG_BYTES } from './bounds.js'
import { bad, ok } from './finding.js'
import type { Finding } from './finding.js'
import { count, many } from './plain.js'

export interface LogFile {
  readonly path: string
  /** What it is called in the answer. */
  readonly name: string
  readonly size: number
}

/** Of any number of scopes. */
export function examineLog(files: readonly LogFile[]): Finding {
  const read: Segment[] = []
  let bytes = 0
  for (const file of newestFirst(files)) {
    if (bytes + file.size > DOCTOR_LOG_BYTES && read.length > 0) break
    bytes += file.size
    read.push(firstReading(file))
  }
  const damage = read.flatMap((segment) => damageIn(segment, assertedFor(segment, read)))
  if (damage.length > 0) {
    const remedy =
      'What was in there is gone or in part: restore a backup, or ask the senders again'
    return bad('log', `${damage.slice(0, 3).join('; ')}. ${remedy}`)
  }
  const scope = read.length < files.length ? `the newest ${many(read.length, 'file')}: ` : ''
  const frames = read.reduce((sum, segment) => sum + segment.frames, 0)
  return ok('log', `${scope}${many(frames, 'frame')}, each as it was written`)
}

function newestFirst(files: readonly LogFile[]): readonly LogFile[] {
  return [...files].sort((a, b) => (a.path < b.path ? 1 : -1))
}

interface Segment extends LogFile {
  readonly number: number
  readonly frames: number
  /** What its heads assert: the furthest place in any segment. */
  readonly asserts: readonly { readonly segment: number; readonly offset: number }[]
}

function firstReading(file: LogFile): Segment {
  const asserts = new Map<number, number>()
  let frames = 0
  for (const finding of scanned(file, 0).findings) {
    if (finding.kind !== 'frame') continue
    frames++
    const { segment, offset } = finding.head.durable
    asserts.set(segment, Math.max(asserts.get(segment) ?? 0, offset))
  }
  const number = Number(/(\d+)\.log$/.exec(file.path)?.[1] ?? 0)
  const all = [...asserts].map(([segment, offset]) => ({ segment, offset }))
  return { ...file, number, frames, asserts: all }
}

/** Up to where the segment was on disk, as its own frames and those of later ones say. */
function assertedFor({ path, number, size }: Segment, read: readonly Segment[]): number {
  let asserted = 0
  for (const other of read) {
    if (dirname(other.path) !== dirname(path)) continue
    if (other.number > number && other.frames > 0) return size
    for (const { segment, offset } of other.asserts) {
      if (segment > number) return size
      if (segment === number) asserted = Math.max(asserted, offset)
    }
  }
  return asserted
}

function damageIn(segment: Segment, asserted: number): readonly string[] {
  return scanned(segment, asserted).findings.flatMap((finding) =>
    finding.kind === 'rot'
      ? [
          `${segment.name}: ${count(finding.length)} bytes at ${count(finding.at)} are not what was written`,
        ]
      : [],
  )
}

/** A segment that went meanwhile was compacted by others who work here: nothing is left to judge. */
function scanned({ path }: LogFile, durable: number): Scanned {
  try {
    return scan(readFileSync(path), 0, { durable, end: 'open' })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return { findings: [], next: 0 }
    }
    throw error
  }
}
