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
import { MillraceError } from '../../job/errors.js'
import { isOfSystem } from '../../disk/errno.js'
import { named, unknown, unreachable, wiped } from './faults.js'
import { encodeFrame } from './frames.js'
import type { Extent, FrameHead } from './frames.js'
import { scan } from './frame-scan.js'
import type { FoundFrame, FoundRot } from './frame-scan.js'
import { segmentPath, segments } from './layout.js'
import type { Layout } from './layout.js'
import { makeSegment, wasLeft } from './segment.js'
import type { Place } from './syncer.js'
import { keepDamaged, Wreckage } from './wreckage.js'

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
  /** Told of bytes that are not what was written. */
  readonly warn: (message: string) => void
  /** The seal of a segment could not be made durable; nothing is folded beyond it. */
  readonly onUnsynced: (error: Error) => void
  readonly durable: () => Place
  /** A segment was left behind, and the state is what it left; `ours`: we sealed it. */
  readonly onRolled: (sealed: number, bytes: number, ours: boolean) => void
}

/** What is to be appended; `time` is asked again at every try. */
export interface Entry {
  readonly kind: string
  /** Asked again at every try, too, when they say where the frame will stand. */
  readonly guards: string | ((at: number) => string)
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
  #number = 0
  #wreckage = new Wreckage()
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
    const file = this.#call(() => this.#open())
    return { segment: this.#segment, offset: this.#folded, file }
  }

  /** Makes the first segment if there is none. Whoever made the last: its name is durable now. */
  async begin(): Promise<void> {
    const { disk, layout } = this.#options
    try {
      if (segments(disk, layout).length === 0) await makeSegment(this.#options, this.#segment)
      else await disk.syncFolder(layout.log)
    } catch (error) {
      throw named(layout.log, error)
    }
  }

  /** Folds what was appended since. */
  refresh(): void {
    this.#call(() => {
      while (this.#look(Infinity) !== 'done');
    })
  }

  /** The same in slices, so that opening a long log leaves the event loop to others between. */
  async catchUp(pause: () => Promise<void>): Promise<void> {
    for (let slice = SLICE_BYTES; ;) {
      const before = this.#folded
      const looked = this.#call(() => this.#look(slice))
      if (looked === 'done' && !this.#call(() => this.#leaveUnsealed())) return
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

  /** A segment whose seal is lost to damage is left where it ends, as its writers left it. */
  #leaveUnsealed(): boolean {
    const { disk, layout, warn } = this.#options
    // Its seal may have been written after we looked.
    if (!wasLeft(disk, layout, this.#segment) || this.#look(Infinity) !== 'done') return false
    warn(`${segmentPath(layout, this.#segment)} is damaged: its end is not what was written`)
    this.#next(this.#folded, false)
    return true
  }

  /** Appends one frame and folds it, and all before it. Not yet durable. */
  append(entry: Entry, time: () => number): void {
    for (let tries = 0; tries < TRIES; tries++) {
      this.refresh()
      if (this.#write(entry, time())) return
    }
    throw unreachable(this.#options.layout.log, new Error(`${TRIES} writes fell short`))
  }

  close(): void {
    this.#file?.close()
    this.#file = null
  }

  #write(entry: Entry, time: number): boolean {
    const file = this.#call(() => this.#open())
    const before = this.#folded
    const head = this.#head(entry, time)
    const { bytes, items } = encodeFrame(head, entry.lines)
    const written = this.#call(() => file.write(bytes))
    const pending = { number: head.number, own: entry.own, landed: false }
    try {
      const size = file.size()
      if (written < bytes.length || size !== before + written) {
        this.#pending = pending
        this.refresh()
        return pending.landed
      }
      this.#heed(file, head, before)
      this.#folded = this.#seen = size
    } catch (error) {
      if (!isOfSystem(error) && !(error instanceof MillraceError)) throw error
      throw unknown(this.#options.layout.log, error)
    } finally {
      this.#pending = null
    }
    const extents = items.map(({ at, length }) => ({ at: before + at, length }))
    const text = (item: number): string => entry.lines[item]
    const place = { segment: this.#segment, at: before, head, items: extents }
    this.#options.fold({ ...place, isSalvage: false, text }, entry.own)
    return true
  }

  /**
   * Throws STORE_WIPED when what was written went into a file that has no name any more. One that
   * was compacted away had a seal before it went, and there is a snapshot of it.
   */
  mustHaveName(): void {
    const file = this.#call(() => this.#open())
    if (this.#call(() => file.links()) > 0) return
    this.refresh()
    if (file === this.#file) throw wiped(this.#options.layout.root)
  }

  #head(entry: Entry, time: number): FrameHead {
    const { writer, durable } = this.#options
    const { kind } = entry
    const guards = typeof entry.guards === 'string' ? entry.guards : entry.guards(this.#folded)
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
      const { findings, next } = scan(bytes, at, { durable: 0, end: 'open' })
      for (const finding of findings) {
        if (finding.kind === 'frame' && this.#take(file, finding, bytes, at)) return true
        if (finding.kind === 'void') this.#wreckage.add(finding)
      }
      tail = bytes.subarray(next - at)
      at = next
      this.#folded = at
    }
    return false
  }

  /** True when it was a seal. */
  #take(file: DiskFile, found: FoundFrame, bytes: Buffer, base: number): boolean {
    const { head, at } = found
    this.#heed(file, head, at)
    if (head.kind === 'seal') {
      this.#next(found.at + found.length, head.writer === this.#options.writer)
      return true
    }
    this.#folded = found.at + found.length
    this.#fold({ ...found, isSalvage: false }, bytes, base, this.#claimOwn(head))
    return false
  }

  /** `bytes` begin at `base` in the segment. */
  #fold(
    frame: Pick<Landed, 'at' | 'head' | 'items' | 'isSalvage'>,
    bytes: Buffer,
    base: number,
    own: unknown,
  ): void {
    const { at, head, items, isSalvage } = frame
    const text = (item: number): string => {
      const line = items[item]
      return bytes.toString('utf8', line.at - base, line.at - base + line.length)
    }
    this.#options.fold({ segment: this.#segment, at, head, items, isSalvage, text }, own)
  }

  /** What a frame says of the bytes before it, before it is folded itself. */
  #heed(file: DiskFile, { kind, durable }: FrameHead, at: number): void {
    if (kind === 'boot') this.#wreckage.excuse()
    // Nobody goes on to the next segment before all of this one, its seal included, is durable.
    else if (kind === 'seal') this.#judgeWreckage(file, at)
    else if (durable.segment === this.#segment) this.#judgeWreckage(file, durable.offset)
  }

  /** All before the place was durable: what lies wrecked there has changed since. */
  #judgeWreckage(file: DiskFile, durable: number): void {
    for (const { at, length } of this.#wreckage.below(durable)) {
      const bytes = Buffer.alloc(length)
      file.readAt(at, bytes)
      const { findings } = scan(bytes, at, { durable, end: at + length })
      for (const found of findings) if (found.kind === 'rot') this.#rot(found, bytes, at)
    }
  }

  #claimOwn(head: FrameHead): unknown {
    const pending = this.#pending
    if (pending === null || head.writer !== this.#options.writer) return undefined
    if (head.number !== pending.number) return undefined
    pending.landed = true
    return pending.own
  }

  /** Lines that are good are folded if it is certain whose they are; the rest is reported. */
  #rot(rot: FoundRot, bytes: Buffer, base: number): void {
    const { layout, warn } = this.#options
    const path = segmentPath(layout, this.#segment)
    const why = `${path} is damaged: ${rot.length} bytes at ${rot.at} are not what was written`
    warn(why)
    const name = `${path.slice(path.lastIndexOf('/') + 1)}.${rot.at}`
    const damaged = bytes.subarray(rot.at - base, rot.at - base + rot.length)
    keepDamaged({ ...this.#options, name, bytes: damaged, why })
    const { head } = rot
    if (head === null || head.kind === 'seal') return
    const { at, good: items } = rot
    this.#fold({ at, head, items, isSalvage: true }, bytes, base, undefined)
  }

  /** On to the next segment, whose predecessor's seal is made durable first. */
  #next(end: number, ours: boolean): void {
    const sealed = this.#segment
    const file = this.#open()
    try {
      file.syncNow()
    } catch (error) {
      this.#options.onUnsynced(error as Error) // errors of the disk are Errors
      throw error
    }
    file.close()
    this.#file = null
    this.#segment = sealed + 1
    this.#folded = this.#seen = 0
    this.#wreckage = new Wreckage()
    this.#options.onRolled(sealed, end, ours)
  }

  /** Ends the segment at this size. Whoever is first decides; everyone may try. */
  async roll(time: () => number, least: number): Promise<void> {
    this.refresh()
    if (this.#folded < least) return
    const { segment } = this
    await this.#make(segment + 1)
    if (this.segment !== segment) return
    // Nobody folds a seal as its own: it lands when the log has moved on.
    const head = this.#head({ kind: 'seal', guards: '', lines: [], own: undefined }, time())
    this.#call(() => this.#open().write(encodeFrame(head, []).bytes))
    this.refresh()
  }

  async #make(segment: number): Promise<void> {
    try {
      await makeSegment(this.#options, segment)
    } catch (error) {
      throw named(this.#options.layout.log, error)
    }
  }

  #open(): DiskFile {
    const { disk, layout } = this.#options
    this.#file ??= disk.append(segmentPath(layout, this.#segment))
    return this.#file
  }

  #call<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw named(this.#options.layout.log, error)
    }
  }
}
