/**
 * Papers as addresses: what a job is described by lies in the log, and the shelf knows where. An
 * address is the number of a file and the offset of an item's text in it. Reading one asks the page
 * cache; jobs that were inserted together are read together.
 */
import type { DiskFile } from '../../disk/disk.js'
import { CHUNK_SLOTS, Float64Column, Uint32Column } from '../../job/book/column.js'
import type { Item, Shelf } from '../../job/book/extra.js'
import type { NewJob } from '../../job/lot.js'
import { named } from './faults.js'
import { ITEM_LEAD, readItem } from './frames.js'
import type { Extent } from './frames.js'
import { readItemLine } from './frame-words.js'

/** Offsets in a file are below this. */
const FILE_UNIT = 2 ** 32
/** At most so much is read at once, and so much between two items is read along. */
const RUN_BYTES = 1024 * 1024
const GAP_BYTES = 4096
/** Who reads on from about where a reading ended gets so much: the next claim wants it. */
const AHEAD_BYTES = 64 * 1024
/** So many readings are kept: groups that take turns are read at as many places. */
const READINGS = 8

/** What the items of a frame are, so that their lines can be read again. */
export type PaperKind = 'job' | 'settle' | 'note' | 'control'

export interface Address {
  readonly kind: PaperKind
  readonly at: number
  readonly length: number
}

/** Where the items of the frame that is being applied lie. */
export interface Filed {
  readonly kind: PaperKind
  /** Of each item, where they are of several. */
  readonly kinds?: readonly PaperKind[]
  readonly file: number
  readonly items: readonly Extent[]
}

export function addressOf(file: number, offset: number): number {
  return file * FILE_UNIT + offset
}

export function fileOf(address: number): number {
  return Math.floor(address / FILE_UNIT)
}

interface Reading {
  readonly at: number
  readonly bytes: Buffer
}

export class FileShelf implements Shelf {
  readonly address = new Float64Column()
  readonly length = new Uint32Column()
  #rows = 0
  readonly #open: (file: number) => DiskFile | null
  readonly #files = new Map<number, DiskFile>()
  /** What was read last, the latest first: bytes of a file never change. */
  #readings: Reading[] = []

  /** `open` opens the file with that number for reading; null: it is gone, and what was in it. */
  constructor(open: (file: number) => DiskFile | null) {
    this.#open = open
  }

  put(slot: number, filing: Filed, item: number): void {
    const { at, length } = filing.items[item]
    this.set(slot, addressOf(filing.file, at), length)
  }

  set(slot: number, address: number, length: number): void {
    this.reserve(slot + 1)
    this.address.set(slot, address)
    this.length.set(slot, length)
  }

  /** Makes room for slots below this. */
  reserve(rows: number): void {
    while (rows > this.#rows) {
      this.address.grow()
      this.length.grow()
      this.#rows += CHUNK_SLOTS
    }
  }

  /** 0 when the slot has no description. */
  addressAt(slot: number): number {
    return slot < this.#rows ? this.address.get(slot) : 0
  }

  /** The columns as they are now, whatever is changed later. */
  lend(): { readonly address: Float64Column; readonly length: Uint32Column } {
    return { address: this.address.lend(), length: this.length.lend() }
  }

  share(from: number, to: number): void {
    this.set(to, this.address.get(from), this.length.get(from))
  }

  drop(slot: number): void {
    if (slot < this.#rows) this.set(slot, 0, 0)
  }

  paper(filing: Filed, item: number): Address {
    const { at, length } = filing.items[item]
    const kind = filing.kinds?.[item] ?? filing.kind
    return { kind, at: addressOf(filing.file, at), length }
  }

  token(filing: Filed, item: number): number {
    return addressOf(filing.file, filing.items[item].at)
  }

  read(paper: Address): Item {
    const bytes = this.#bytes(paper.at - ITEM_LEAD, paper.length + ITEM_LEAD)
    return readItemLine(paper.kind, readItem(bytes) ?? UNREADABLE[paper.kind])
  }

  jobs(slots: readonly number[]): readonly NewJob[] {
    const order = slots.map((_, at) => at)
    order.sort((a, b) => this.address.get(slots[a]) - this.address.get(slots[b]))
    // Every place is filled below: `order` holds each of them once.
    const jobs = new Array<NewJob>(slots.length)
    for (let from = 0; from < order.length;) {
      const first = this.address.get(slots[order[from]]) - ITEM_LEAD
      let to = from
      let end = first
      for (; to < order.length; to++) {
        const slot = slots[order[to]]
        const start = this.address.get(slot) - ITEM_LEAD
        const isFar = start - end > GAP_BYTES || start + this.length.get(slot) - first > RUN_BYTES
        if (to > from && isFar) break
        end = Math.max(end, this.address.get(slot) + this.length.get(slot))
      }
      const run = this.#bytes(first, end - first)
      for (; from < to; from++) {
        const slot = slots[order[from]]
        const start = this.address.get(slot) - ITEM_LEAD - first
        const line = run.subarray(start, start + ITEM_LEAD + this.length.get(slot))
        jobs[order[from]] = readDescription(line)
      }
    }
    return jobs
  }

  /** Lets go of the files that are not wanted any more. */
  close(isWanted: (file: number) => boolean): void {
    for (const [number, file] of this.#files) {
      if (isWanted(number)) continue
      file.close()
      this.#files.delete(number)
    }
  }

  #call<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw named('the log', error)
    }
  }

  #bytes(address: number, length: number): Buffer {
    const known = this.#readings.find(({ at, bytes }) => {
      return address >= at && address + length <= at + bytes.length
    })
    if (known !== undefined) {
      const from = address - known.at
      return known.bytes.subarray(from, from + length)
    }
    const file = this.#file(fileOf(address))
    if (file === null) return Buffer.alloc(0)
    const before = this.#readings.findIndex(({ at, bytes }) => {
      return address >= at && address <= at + bytes.length + GAP_BYTES
    })
    const room = Buffer.allocUnsafe(before < 0 ? length : Math.max(length, AHEAD_BYTES))
    const got = this.#call(() => file.readAt(address % FILE_UNIT, room))
    const reading = { at: address, bytes: room.subarray(0, got) }
    const others = this.#readings.filter((_, at) => at !== before)
    this.#readings = [reading, ...others.slice(0, READINGS - 1)]
    return reading.bytes.subarray(0, length)
  }

  /** Null: it is gone. */
  #file(number: number): DiskFile | null {
    const known = this.#files.get(number)
    if (known !== undefined) return known
    const opened = this.#open(number)
    if (opened !== null) this.#files.set(number, opened)
    return opened
  }
}

/** A description that rotted is a payload that nobody can decode: it ends as `payload-invalid`. */
function readDescription(line: Buffer): NewJob {
  const job = readItemLine('job', readItem(line) ?? UNREADABLE.job)
  return job as NewJob // the kind was 'job'
}

/** What stands in for a line that rotted: it costs that one job, or that part of it. */
const LOST = '<damaged on disk>'
const UNREADABLE: Readonly<Record<PaperKind, string>> = {
  job: `{"q":"","id":""}\t${LOST}`,
  control: `{"q":"","id":"","do":"update","r":1}\t${LOST}`,
  note: `{"q":"","id":"","k":0,"log":["${LOST}"],"s":""}\t${LOST}`,
  settle: `{"q":"","id":"","k":0,"v":"complete","r":1,"o":"failed","ms":0,"e":{"name":"Damaged","message":"${LOST}"}}\t${LOST}`,
}
