/**
 * The log: append is the arbiter, the state is a fold. Every process reads all frames in the order
 * in which the kernel took them, its own included, and hands them to the fold. Nothing here knows
 * what a frame means, but for the two that concern segments: `head` begins one, `seal` ends it.
 *
 *     write ── our frame stands where we had read up to ──▶ folded from memory
 *       │
 *       └──── others wrote between ──▶ the tail is read, and our frame is folded in its turn
 *       └──── a seal stands before it ──▶ void: written again into the next segment
 *
 * Promises (the invariants of docs/internals/file-log.md): bytes below a file's size never change;
 * a frame counts by its bytes alone; nobody appends to segment N + 1 before the seal of N is
 * durable. Leaves to others what is answered when (`syncer.ts`) and what frames do (the book).
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import { MillraceError, millraceError } from '../../job/errors.js'
import { encodeFrame } from './frames.js'
import type { Extent, FrameHead } from './frames.js'
import { scan } from './frame-scan.js'
import type { FoundFrame, FoundRot } from './frame-scan.js'
import { segmentPath, segments } from './layout.js'
import type { Layout } from './layout.js'
import type { Place } from './syncer.js'

/** A frame as the fold gets it. Extents count from the start of the segment. */
export interface Landed {
  readonly segment: number
  readonly at: number
  readonly head: FrameHead
  readonly items: readonly Extent[]
  /** The frame rotted and only these of its lines are left. */
  readonly isSalvage: boolean
  /** The text of an item. */
  text(item: number): string
}

export interface LogOptions {
  readonly disk: Disk
  readonly layout: Layout
  /** Names this process in the frames that it writes. */
  readonly writer: string
  /** Folds one frame; `own` is what it was written from, when it is ours. */
  readonly fold: (landed: Landed, own: unknown) => void
  readonly onRot: (path: string, rot: FoundRot) => void
  readonly durable: () => Place
  /** A segment was left behind, and the state is what it left; `ours`: we sealed it. */
  readonly onRolled: (sealed: number, bytes: number, ours: boolean) => void
  readonly segmentBytes: number
}

/** What is to be appended; `time` is asked again at every try. */
export interface Entry {
  readonly kind: string
  readonly guards: string
  readonly lines: readonly string[]
  /** Handed back to the fold when the frame lands. */
  readonly own: unknown
}

/** How much of the log is read at once. */
const READ_BYTES = 4 * 1024 * 1024
/** How much of it is folded before others get their turn: a few milliseconds. */
const SLICE_BYTES = 256 * 1024
/** How often one frame is written again because a segment ended or a write fell short. */
const TRIES = 16

export class Log {
  readonly #options: LogOptions
  #segment: number
  #file: DiskFile | null = null
  /** Everything before is folded. */
  #folded = 0
  /** The size that was looked at last; a tail that must wait is not read twice. */
  #seen = 0
  /** Below this of the segment somebody asserted durability. */
  #asserted = 0
  #number = 0
  /** Our frame that is on its way. */
  #pending: { readonly number: number; readonly own: unknown; landed: boolean } | null = null

  /** `from` is the first segment that no snapshot stands for. */
  constructor(options: LogOptions, from: number) {
    this.#options = options
    this.#segment = from
  }

  get segment(): number {
    return this.#segment
  }

  /** How far the segment is folded. */
  get folded(): number {
    return this.#folded
  }

  end(): Place & { readonly file: DiskFile } {
    return { segment: this.#segment, offset: this.#folded, file: this.#open() }
  }

  /** Makes the first segment if there is none. */
  async begin(): Promise<void> {
    const { disk, layout } = this.#options
    if (segments(disk, layout).length === 0) await this.#make(this.#segment)
  }

  /** Folds what was appended since. */
  refresh(): void {
    while (this.#look(Infinity) !== 'done');
  }

  /** The same in slices, so that opening a long log leaves the event loop to others between. */
  async catchUp(pause: () => Promise<void>): Promise<void> {
    for (let slice = SLICE_BYTES; ;) {
      const before = this.#folded
      const looked = this.#look(slice)
      if (looked === 'done') return
      // A frame larger than the slice is read in a larger one.
      slice = looked === 'more' && this.#folded === before ? slice * 2 : SLICE_BYTES
      await pause()
    }
  }

  /** Reads at most so many bytes; a seal ends the look early. */
  #look(limit: number): 'done' | 'more' | 'rolled' {
    const file = this.#open()
    const size = file.size()
    if (size === this.#seen) return 'done'
    const until = Math.min(size, this.#folded + limit)
    if (this.#read(file, until)) return 'rolled'
    if (until < size) return 'more'
    this.#seen = size
    return 'done'
  }

  /** Appends one frame and folds it, and all before it. Not yet durable. */
  append(entry: Entry, time: () => number): void {
    for (let tries = 0; tries < TRIES; tries++) {
      this.refresh()
      if (this.#write(entry, time())) return
    }
    throw unreachable(this.#options.layout.log, `${TRIES} writes that fell short`)
  }

  close(): void {
    this.#file?.close()
    this.#file = null
  }

  #write(entry: Entry, time: number): boolean {
    const file = this.#open()
    const before = this.#folded
    const head = this.#head(entry, time)
    const { bytes, items } = encodeFrame(head, entry.lines)
    const written = this.#call(() => file.write(bytes))
    const size = file.size()
    if (written === bytes.length && size === before + written) {
      this.#folded = this.#seen = size
      const extents = items.map(({ at, length }) => ({ at: before + at, length }))
      const text = (item: number): string => entry.lines[item]
      const landed = {
        segment: this.#segment,
        at: before,
        head,
        items: extents,
        isSalvage: false,
        text,
      }
      this.#options.fold(landed, entry.own)
      return true
    }
    const pending = { number: head.number, own: entry.own, landed: false }
    this.#pending = pending
    try {
      this.refresh()
    } finally {
      this.#pending = null
    }
    return pending.landed
  }

  #head(entry: Entry, time: number): FrameHead {
    const { writer, durable } = this.#options
    const { kind, guards } = entry
    return { kind, writer, number: ++this.#number, time, durable: durable(), guards }
  }

  /** Reads and folds up to `size`; true when the segment ended and the next is to be read. */
  #read(file: DiskFile, size: number): boolean {
    let tail = Buffer.alloc(0)
    let at = this.#folded
    while (at + tail.length < size) {
      const room = Buffer.allocUnsafe(Math.min(READ_BYTES, size - at - tail.length))
      const got = this.#call(() => file.readAt(at + tail.length, room))
      if (got === 0) break
      const bytes =
        tail.length === 0 ? room.subarray(0, got) : Buffer.concat([tail, room.subarray(0, got)])
      const { findings, next } = scan(bytes, at, { durable: this.#asserted, end: 'open' })
      for (const finding of findings) {
        if (finding.kind === 'frame' && this.#take(finding, bytes, at)) return true
        if (finding.kind === 'rot') this.#rot(file, finding, bytes, at)
      }
      tail = bytes.subarray(next - at)
      at = next
      this.#folded = at
    }
    return false
  }

  /** True when it was a seal. */
  #take(found: FoundFrame, bytes: Buffer, base: number): boolean {
    const { head } = found
    const { durable } = head
    if (durable.segment === this.#segment) this.#asserted = Math.max(this.#asserted, durable.offset)
    this.#folded = found.at + found.length
    if (head.kind === 'seal') {
      this.#next(head.writer === this.#options.writer)
      return true
    }
    const text = (item: number): string => {
      const { at, length } = found.items[item]
      return bytes.toString('utf8', at - base, at - base + length)
    }
    const landed = {
      segment: this.#segment,
      at: found.at,
      head,
      items: found.items,
      isSalvage: false,
      text,
    }
    this.#options.fold(landed, this.#claimOwn(head))
    return false
  }

  #claimOwn(head: FrameHead): unknown {
    const pending = this.#pending
    if (pending === null || head.writer !== this.#options.writer) return undefined
    if (head.number !== pending.number) return undefined
    pending.landed = true
    return pending.own
  }

  /** Lines that are good are folded if it is certain whose they are; the rest is reported. */
  #rot(file: DiskFile, rot: FoundRot, bytes: Buffer, base: number): void {
    this.#options.onRot(file.path, rot)
    const { head } = rot
    if (head === null || head.kind === 'seal') return
    const text = (item: number): string => {
      const { at, length } = rot.good[item]
      return bytes.toString('utf8', at - base, at - base + length)
    }
    const landed = {
      segment: this.#segment,
      at: rot.at,
      head,
      items: rot.good,
      isSalvage: true,
      text,
    }
    this.#options.fold(landed, undefined)
  }

  /** On to the next segment, whose predecessor's seal is made durable first. */
  #next(ours: boolean): void {
    const sealed = this.#segment
    const bytes = this.#folded
    const file = this.#open()
    this.#call(() => file.syncNow())
    file.close()
    this.#file = null
    this.#segment = sealed + 1
    this.#folded = this.#seen = this.#asserted = 0
    this.#options.onRolled(sealed, bytes, ours)
  }

  /** Ends the segment when it is full. Whoever is first decides; everyone may try. */
  async roll(time: () => number): Promise<void> {
    this.refresh()
    if (this.#folded < this.#options.segmentBytes) return
    const { segment } = this
    await this.#make(segment + 1)
    if (this.segment !== segment) return
    // Nobody folds a seal as its own: it lands when the log has moved on.
    const file = this.#open()
    const head = this.#head({ kind: 'seal', guards: '', lines: [], own: undefined }, time())
    this.#call(() => file.write(encodeFrame(head, []).bytes))
    this.refresh()
  }

  /** A new segment appears at once with its head, durable, or not at all. */
  async #make(segment: number): Promise<void> {
    const { disk, layout, writer } = this.#options
    const path = segmentPath(layout, segment)
    if (disk.facts(path) !== null) return
    const draft = `${layout.tmp}/${writer}.${segment}.log`
    const durable = { segment, offset: 0 }
    const head = {
      kind: 'head',
      writer,
      number: 0,
      time: 0,
      durable,
      guards: `{"segment":${segment}}`,
    }
    const file = disk.create(draft)
    try {
      file.write(encodeFrame(head, []).bytes)
      await file.sync()
    } finally {
      file.close()
    }
    disk.link(draft, path)
    disk.remove(draft)
    await disk.syncFolder(layout.log)
  }

  #open(): DiskFile {
    const { disk, layout } = this.#options
    this.#file ??= this.#call(() => disk.append(segmentPath(layout, this.#segment)))
    return this.#file
  }

  /** What the system reports becomes ours once, here. */
  #call<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error instanceof MillraceError)
        throw error
      throw unreachable(this.#options.layout.log, error.message, error)
    }
  }
}

function unreachable(subject: string, received: string, cause?: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'to read and append',
    received,
    remedy:
      'see whether the folder is there, is ours and has room; `millrace doctor` looks at all three',
    cause,
  })
}
