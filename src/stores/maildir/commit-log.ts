/**
 * The commit log: what a keeper has decided and not yet put into its place for good. One record for
 * each frame, one sync for all that came together; then the letters are written and moved without
 * a sync of their own. When a segment's letters are safe where they lie, it is removed. So a folder
 * at rest has no log, and whoever opens one after a crash finishes what the log says.
 *
 *     mill1 <crc> <bytes>\n          a record, all or none
 *     ["was","path",<bytes>]\n       one line for each move; -1: the text that it has
 *     <text>\n                       for those that bring one
 *
 * One process writes a segment, from its beginning to its end; after what is not valid nothing was
 * ever answered. A segment's name carries the generation of its keeper.
 */
import { crc32 } from 'node:zlib'
import type { Disk, DiskFile } from '../../disk/disk.js'
import { namesIn } from './layout.js'
import type { Layout } from './layout.js'
import type { Move } from './moves.js'

/** What stands in a record: moves, or how far an earlier segment's moves have been done. */
export interface Record {
  readonly moves: readonly Move[]
  /** All before this place of the same segment had been done, if the host was not restarted since. */
  readonly done: number | null
}

export interface SegmentName {
  readonly name: string
  readonly generation: number
  readonly number: number
}

const SEGMENT = /^(\d{8,})-(\d{8,})\.log$/

export function segmentName(generation: number, number: number): string {
  return `${String(generation).padStart(8, '0')}-${String(number).padStart(8, '0')}.log`
}

/** Those that are there, oldest first. */
export function segmentsOf(disk: Disk, layout: Layout): SegmentName[] {
  const found: SegmentName[] = []
  for (const name of namesIn(disk, layout.commit)) {
    const match = SEGMENT.exec(name)
    if (match !== null) {
      found.push({ name, generation: Number(match[1]), number: Number(match[2]) })
    }
  }
  return found.sort((a, b) => a.generation - b.generation || a.number - b.number)
}

// ── Writing ─────────────────────────────────────────────────────────────────────────────────────

/** The first record of a segment: which start of the host it was written in. */
export function headRecord(boot: string): Buffer {
  return frame(`${JSON.stringify({ boot })}\n`)
}

export function doneRecord(done: number): Buffer {
  return frame(`${JSON.stringify({ done })}\n`)
}

export function movesRecord(moves: readonly Move[]): Buffer {
  let body = ''
  for (const { was, path, text } of moves) {
    const length = text === null ? -1 : Buffer.byteLength(text)
    body += `${JSON.stringify([was, path, length])}\n`
    if (text !== null) body += `${text}\n`
  }
  return frame(body)
}

const HEAD = 'mill1 '

function frame(body: string): Buffer {
  const bytes = Buffer.byteLength(body)
  const crc = crc32(body, crc32(String(bytes)))
  return Buffer.from(`${HEAD}${crc.toString(16).padStart(8, '0')} ${bytes}\n${body}`)
}

// ── Reading ─────────────────────────────────────────────────────────────────────────────────────

export interface ReadSegment {
  readonly boot: string | null
  readonly records: readonly { readonly at: number; readonly moves: readonly Move[] }[]
  /** The highest place below which all was done. */
  readonly done: number
  /** Where the last valid record ends, and how long the file is. */
  readonly end: number
  readonly size: number
}

export function readSegment(disk: Disk, path: string): ReadSegment {
  const file = disk.read(path)
  try {
    return readOpened(file)
  } finally {
    file.close()
  }
}

/** As far as it is written now. */
export function readOpened(file: DiskFile): ReadSegment {
  const bytes = readAll(file)
  const records: { at: number; moves: readonly Move[] }[] = []
  let boot: string | null = null
  let [at, done] = [0, 0]
  for (;;) {
    const body = bodyAt(bytes, at)
    if (body === null) break
    if (bytes[body.from] === 0x7b) {
      const said = JSON.parse(bytes.toString('utf8', body.from, body.to)) as Head // as written above
      boot = said.boot ?? boot
      done = Math.max(done, said.done ?? 0)
    } else {
      records.push({ at, moves: readMoves(bytes, body.from, body.to) })
    }
    at = body.to
  }
  return { boot, records, done, end: at, size: bytes.length }
}

interface Head {
  readonly boot?: string
  readonly done?: number
}

function readAll(file: DiskFile): Buffer {
  const bytes = Buffer.alloc(file.size())
  return bytes.subarray(0, file.readAt(0, bytes))
}

const HEAD_LINE = /^mill1 ([0-9a-f]{8}) (\d+)$/
const LONGEST_HEAD = 32

/** Null: nothing valid stands there. */
function bodyAt(bytes: Buffer, at: number): { readonly from: number; readonly to: number } | null {
  const end = bytes.indexOf(0x0a, at)
  if (end < 0 || end - at > LONGEST_HEAD) return null
  const match = HEAD_LINE.exec(bytes.toString('latin1', at, end))
  if (match === null) return null
  const to = end + 1 + Number(match[2])
  if (to > bytes.length) return null
  const crc = crc32(bytes.subarray(end + 1, to), crc32(match[2]))
  return crc === Number.parseInt(match[1], 16) ? { from: end + 1, to } : null
}

function readMoves(bytes: Buffer, from: number, to: number): Move[] {
  const moves: Move[] = []
  for (let at = from; at < to;) {
    const end = bytes.indexOf(0x0a, at)
    const [was, path, length] = JSON.parse(bytes.toString('utf8', at, end)) as Line // as written above
    at = end + 1
    const text = length < 0 ? null : bytes.toString('utf8', at, at + length)
    if (length >= 0) at += length + 1
    moves.push({ was, path, text })
  }
  return moves
}

type Line = readonly [was: string | null, path: string | null, length: number]
