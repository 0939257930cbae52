/**
 * The shape of a snapshot's index: sections, each with a head line (name, length, checksum) and its
 * bytes. A section whose checksum does not fit makes the whole snapshot worthless; then the one
 * before it, or the log itself, stands in.
 *
 *     millrace-snapshot 2 \n
 *     head 321 0b5c9a11 \n  <bytes> \n       which files it refers to
 *     moved …                                 where papers lie now: pairs of addresses
 *     ledger …                                what is no column, as JSON
 *     rows …  place …  seq …  extras …        the jobs
 *     end 0 00000000 \n \n
 */
import { crc32 } from 'node:zlib'
import type { DiskFile } from '../../disk/disk.js'
import { writeAll } from './drafts.js'

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

/** A head line is at most this long. */
const HEAD_BYTES = 256

export class SectionReader {
  readonly #file: DiskFile
  #at: number

  /** Throws when it is no snapshot of ours. */
  constructor(file: DiskFile) {
    this.#file = file
    this.#at = SNAPSHOT_LINE.length
    const line = this.#bytes(0, SNAPSHOT_LINE.length).toString('latin1')
    if (line !== SNAPSHOT_LINE) throw damaged(file, 'it does not begin as a snapshot')
  }

  /** The next section. Throws when it is cut short or not what was written. */
  next(): { readonly name: string; readonly bytes: Buffer } {
    const head = Buffer.alloc(HEAD_BYTES)
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
    // Its own memory, aligned for columns of any width.
    const bytes = Buffer.from(new ArrayBuffer(length))
    if (this.#file.readAt(at, bytes) < length) throw damaged(this.#file, 'it is cut short')
    return bytes
  }
}

function damaged(file: DiskFile, why: string): Error {
  return new Error(`${file.path} is damaged: ${why}`)
}
