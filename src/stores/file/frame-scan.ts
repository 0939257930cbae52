/**
 * Reading the log: telling frames from what crashes, short writes and decaying disks leave behind.
 * A verdict is a function of the bytes alone (and of what was asserted durable, and of where the
 * log was declared to end), never of how they were cut into chunks or when they were read: every
 * process that reads the same log finds the same frames. Once given, a verdict stands, whatever is
 * appended later. Whether a frame takes effect is left to those who apply it; that nothing counts
 * after a seal is left to those who know what a seal is.
 *
 * The bytes fall into stretches, each from one mark to before the next:
 *
 *     head and body good, in full length ............................ frame
 *     the next mark stands before the declared end ................. void: a short write, for ever
 *     neither full nor followed by a mark, at the end ............... wait
 *     anything else, where durability was asserted ................. rot: report, salvage if whole
 *     anything else ................................................ void: a power cut took it
 *
 * A short write is a beginning of a frame; so where durability was asserted, what is not a clean
 * beginning of a frame has changed since. A 0x1e is taken for a mark only if a head follows as far
 * as anything does; else a single flipped bit in a payload could pass for a short write.
 *
 * Nothing of a short frame is ever salvaged: its writer was not answered, and may have written it
 * again. So lines are offered for use only if the frame's head is good, its length is full, and
 * the next frame begins where it ends.
 */
import { crc32 } from 'node:zlib'
import { MAGIC, readHead, type FrameHead, type ReadHead } from './frame-head.js'
import {
  BODY_LIMIT,
  bufferOver,
  HEAD_LIMIT,
  isGoodLine,
  ITEM_LEAD,
  LINE_END,
  MARK,
  type Extent,
} from './frames.js'

export interface ScanOptions {
  /** Below this offset of the segment somebody asserted durability. */
  readonly durable: number
  /**
   * 'open': more may come. 'sealed': the last of these bytes is the last of the segment. A number:
   * the offset at which the log ends, whatever the file holds beyond it.
   */
  readonly end: 'open' | 'sealed' | number
}

/** Offsets count from the start of the segment. */
export interface FoundFrame extends Extent {
  readonly kind: 'frame'
  readonly head: FrameHead
  /** The text of each item. */
  readonly items: readonly Extent[]
}

/** Bytes that never count. */
export interface FoundVoid extends Extent {
  readonly kind: 'void'
  readonly why: VoidReason
}

export type VoidReason =
  | 'short' // the next mark, or the end of the log, stands before the declared end
  | 'head' // the head line is complete and wrong
  | 'checksum' // in full length, and not what was declared
  | 'unmarked' // no frame begins here: zeros, or what is left of something
  | 'ended' // past the end that was declared

/** Bytes that were durable once and are not what they were. */
export interface FoundRot extends Extent {
  readonly kind: 'rot'
  /** Null: whose lines these are cannot be told; show them, do not apply them. */
  readonly head: FrameHead | null
  /** The texts of lines whose own checksum fits. */
  readonly good: readonly Extent[]
  /** Whole lines whose checksum does not. */
  readonly bad: readonly Extent[]
}

export type Finding = FoundFrame | FoundVoid | FoundRot

export interface Scanned {
  /** In order, without gaps, from the first of the bytes to before `next`. */
  readonly findings: readonly Finding[]
  /** Continue here, with the bytes from here on and those that will follow them. */
  readonly next: number
}

/**
 * What the bytes hold; the first of them is at `base` in its segment. A tail that cannot be judged
 * yet is left for the next scan: keep it and put what follows behind it. It may be as long as the
 * largest frame, or as the damage is.
 *
 * Rot is told from power cuts by `durable`, which later frames assert: when a frame's head moves
 * it past something that was found void, scan that stretch again, up to the frame behind it.
 */
export function scan(input: Uint8Array, base: number, options: ScanOptions): Scanned {
  const { end } = options
  const all = bufferOver(input)
  const limit = typeof end === 'number' ? Math.min(Math.max(end - base, 0), all.length) : all.length
  const view: View = {
    bytes: all.subarray(0, limit),
    base,
    isLast: typeof end === 'number' ? base + all.length >= end : end === 'sealed',
    durable: options.durable - base,
  }
  const findings: Finding[] = []
  let at = 0
  while (at < limit) {
    const finding = judge(view, at)
    if (finding === null) return { findings, next: base + at }
    findings.push(finding)
    at = finding.at + finding.length - base
  }
  if (limit < all.length) findings.push(voidOf(view, 'ended', limit, all.length))
  return { findings, next: base + all.length }
}

/** Bytes under judgement; positions in it count from its first byte. */
interface View {
  readonly bytes: Buffer
  readonly base: number
  /** No byte will ever follow. */
  readonly isLast: boolean
  readonly durable: number
}

/** From one mark to before the next. */
interface Stretch {
  readonly at: number
  readonly end: number
  /** False: what comes may still belong to it. */
  readonly isClosed: boolean
  /** Where its first line ends, or -1. */
  readonly line: number
}

/** The verdict on what begins at `at`, or null: too little is known. */
function judge(view: View, at: number): Finding | null {
  const stretch = stretchFrom(view, at)
  const isMarked = markAt(view, at) !== 'no'
  if (!isMarked && at >= view.durable) {
    return whenClosed(stretch, () => voidOf(view, 'unmarked', at, stretch.end))
  }
  if (stretch.line < 0) return whenClosed(stretch, () => headless(view, stretch, isMarked))

  const read = readHead(view.bytes, at + 1, stretch.line)
  if (read === null || read.bodyLength > BODY_LIMIT || stretch.line - at > HEAD_LIMIT) {
    const hasRotted = (isMarked ? stretch.line : at) < view.durable
    return whenClosed(stretch, () =>
      hasRotted ? rotOf(view, stretch, null) : voidOf(view, 'head', at, stretch.end),
    )
  }
  const end = stretch.line + 1 + read.bodyLength
  if (end > stretch.end) {
    return whenClosed(stretch, () =>
      isMarked ? voidOf(view, 'short', at, stretch.end) : rotOf(view, stretch, null),
    )
  }
  const items = isMarked ? goodItems(view, stretch.line + 1, end, read) : null
  if (items !== null) {
    return { kind: 'frame', at: view.base + at, length: end - at, head: read.head, items }
  }
  if (isMarked && end > view.durable) return voidOf(view, 'checksum', at, end)
  const isWhole = end === stretch.end && end <= view.durable
  return whenClosed(stretch, () => rotOf(view, stretch, isWhole ? read.head : null))
}

/** A verdict that needs to know where the stretch ends. */
function whenClosed(stretch: Stretch, verdict: () => Finding): Finding | null {
  return stretch.isClosed ? verdict() : null
}

/** No line end: a short write within the head, unless the line end itself has rotted. */
function headless(view: View, stretch: Stretch, isMarked: boolean): Finding {
  if (!isMarked) return rotOf(view, stretch, null)
  const last = stretch.end - 1
  const read = last < view.durable ? readHead(view.bytes, stretch.at + 1, last) : null
  if (read === null) return voidOf(view, 'short', stretch.at, stretch.end)
  return rotOf(view, stretch, read.bodyLength === 0 ? read.head : null)
}

function stretchFrom(view: View, at: number): Stretch {
  const { bytes } = view
  const line = bytes.indexOf(LINE_END, at + 1)
  for (let next = bytes.indexOf(MARK, at + 1); next >= 0; next = bytes.indexOf(MARK, next + 1)) {
    const mark = markAt(view, next)
    if (mark === 'no') continue
    return { at, end: next, isClosed: mark === 'yes', line: line < next ? line : -1 }
  }
  return { at, end: bytes.length, isClosed: view.isLast, line }
}

/** Whether a frame begins here: the mark, and of a head as much as there is. */
function markAt(view: View, at: number): 'yes' | 'no' | 'unknown' {
  const { bytes } = view
  if (bytes[at] !== MARK) return 'no'
  for (let index = 0; index < MAGIC.length; index++) {
    const byte = bytes[at + 1 + index]
    if (byte === undefined) return view.isLast ? 'yes' : 'unknown'
    if (byte === MARK) return 'yes'
    if (byte !== MAGIC.charCodeAt(index)) return 'no'
  }
  return 'yes'
}

/** The items of a body whose checksum fits, or null. */
function goodItems(view: View, start: number, end: number, read: ReadHead): Extent[] | null {
  const { bytes, base } = view
  if (crc32(bytes.subarray(start, end)) !== read.bodyCrc) return null
  const items: Extent[] = []
  for (let line = start; line < end;) {
    const lineEnd = bytes.indexOf(LINE_END, line)
    const text = line + ITEM_LEAD
    if (lineEnd < text || lineEnd >= end) return null
    items.push({ at: base + text, length: lineEnd - text })
    line = lineEnd + 1
  }
  return items
}

function voidOf(view: View, why: VoidReason, start: number, end: number): FoundVoid {
  return { kind: 'void', at: view.base + start, length: end - start, why }
}

function rotOf(view: View, stretch: Stretch, head: FrameHead | null): FoundRot {
  const { bytes, base } = view
  const good: Extent[] = []
  const bad: Extent[] = []
  let line = stretch.line < 0 ? stretch.end : stretch.line + 1
  while (line < stretch.end) {
    const found = bytes.indexOf(LINE_END, line)
    const lineEnd = found < 0 || found >= stretch.end ? stretch.end : found
    const text = line + ITEM_LEAD
    if (isGoodLine(bytes, line, lineEnd)) good.push({ at: base + text, length: lineEnd - text })
    else bad.push({ at: base + line, length: lineEnd - line })
    line = lineEnd + 1
  }
  return { kind: 'rot', at: base + stretch.at, length: stretch.end - stretch.at, head, good, bad }
}
