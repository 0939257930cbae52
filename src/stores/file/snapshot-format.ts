/**
 * The shape of a snapshot's index: sections, each with a head line (name, length, checksum) and its
 * bytes. A section whose checksum does not fit makes the whole snapshot worthless; then the one
 * before it, or the log itself, stands in.
 *
 *     millrace-snapshot 2 \n
 *     head 321 0b5c9a11 \n  <bytes> \n       which files it refers to
 *     moved …                                 where papers lie now: pairs of addresses
 *     ledger …                                what is no column, as JSON
 *     rows …  ids …  place …  seq …           the jobs of 65,536 slots: one section a column;
 *     odd …  odd …  extras …  extras …        lines of JSON, as many sections as they need
 *     rows …                                  the next 65,536
 *     end 0 00000000 \n \n
 */
import { crc32 } from 'node:zlib'
import type { DiskFile } from '../../disk/disk.js'
import { writeAll } from '../../disk/place.js'

export const SNAPSHOT_LINE = 'millrace-snapshot 2\n'

export class SectionWriter {
  readonly #file: DiskFile
  readonly #pause: () => Promise<void>

  constructor(file: DiskFile, pause: () => Promise<void>) {
    this.#file = file
    this.#pause = pause
    this.#write(Buffer.from(SNAPSHOT_LINE))
  }

  async section(name: string, bytes: Uint8Array): Promise<void> {
    const crc = crc32(bytes).toString(16).padStart(8, '0')
    this.#write(Buffer.from(`${name} ${bytes.length} ${crc}\n`))
    this.#write(bytes)
    this.#write(Buffer.from('\n'))
    await this.#pause()
  }

  async end(): Promise<void> {
    await this.section('end', new Uint8Array(0))
  }

  #write(bytes: Uint8Array): void {
    writeAll(this.#file, bytes)
  }
}

export interface Section {
  readonly name: string
  readonly bytes: Buffer
}

/** A head line is at most this long. */
const HEAD_BYTES = 256
/** A stripe's ids: the longest of the sections that every snapshot has. */
const FIRST_ROOM = 1024 * 1024

export class SectionReader {
  readonly #file: DiskFile
  readonly #head = Buffer.alloc(HEAD_BYTES)
  /** Used again for each section, and aligned for columns of any width. */
  #room = new ArrayBuffer(FIRST_ROOM)
  #at: number

  /** Throws when it is no snapshot of ours. */
  constructor(file: DiskFile) {
    this.#file = file
    this.#at = SNAPSHOT_LINE.length
    const line = this.#bytes(0, SNAPSHOT_LINE.length).toString('latin1')
    if (line !== SNAPSHOT_LINE) throw damaged(file, 'it does not begin as a snapshot')
  }

  /**
   * The next section. Its bytes are good until the one behind it is asked for. Throws when it is
   * cut short or not what was written.
   */
  next(): Section {
    const head = this.#head
    const text = head.toString('latin1', 0, this.#file.readAt(this.#at, head))
    const match = /^(\S+) (\d+) ([0-9a-f]{8})\n/.exec(text)
    if (match === null) throw damaged(this.#file, `no section begins at ${this.#at}`)
    const [line, name, length, crc] = match
    const bytes = this.#bytes(this.#at + line.length, Number(length))
    if (crc32(bytes).toString(16).padStart(8, '0') !== crc) {
      throw damaged(this.#file, `section ${name} is not what was written`)
    }
    this.#at += line.length + bytes.length + 1
    return { name, bytes }
  }

  #bytes(at: number, length: number): Buffer {
    if (at + length > this.#file.size()) throw damaged(this.#file, 'it is cut short')
    if (length > this.#room.byteLength) this.#room = new ArrayBuffer(length)
    const bytes = Buffer.from(this.#room, 0, length)
    if (this.#file.readAt(at, bytes) < length) throw damaged(this.#file, 'it is cut short')
    return bytes
  }
}

function damaged(file: DiskFile, why: string): Error {
  return new Error(`${file.path} is damaged: ${why}`)
}
