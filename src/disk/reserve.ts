/**
 * A megabyte set aside: when the disk is full it is given up, so that what must still be written is.
 * While it is missing no process of the host puts in new jobs, else they would eat what was given up
 * for the verdicts; so whoever wants to tries to set it aside anew.
 */
import { millraceError } from '../job/errors.js'
import type { Disk } from './disk.js'
import { isFull } from './errno.js'
import { removeIfThere, writeAll } from './place.js'

const RESERVED_BYTES = 1024 * 1024

export class Reserve {
  readonly #disk: Disk
  readonly #path: string
  readonly #draft: string

  /** `draft`: a name that nobody else uses, on the same file system. */
  constructor(disk: Disk, { path, draft }: { readonly path: string; readonly draft: string }) {
    this.#disk = disk
    this.#path = path
    this.#draft = draft
  }

  get isKept(): boolean {
    return this.#disk.facts(this.#path) !== null
  }

  /**
   * Sets the room aside if it is not; false when there is none. Within one turn of the loop, so that
   * no verdict of ours meets a disk that is full of our own draft.
   */
  keep(): boolean {
    if (this.isKept) return true
    const disk = this.#disk
    removeIfThere(disk, this.#draft)
    try {
      this.#fill(RESERVED_BYTES)
      disk.link(this.#draft, this.#path)
      return true
    } catch (error) {
      if (isFull(error)) return false
      throw error
    } finally {
      removeIfThere(disk, this.#draft)
    }
  }

  /** Whether so much goes in beside it, now. */
  hasBeside(bytes: number): boolean {
    removeIfThere(this.#disk, this.#draft)
    try {
      this.#fill(bytes)
      return true
    } catch (error) {
      if (isFull(error)) return false
      throw error
    } finally {
      removeIfThere(this.#disk, this.#draft)
    }
  }

  #fill(bytes: number): void {
    const file = this.#disk.create(this.#draft)
    try {
      for (let left = bytes; left > 0; left -= RESERVED_BYTES) {
        writeAll(file, Buffer.alloc(Math.min(left, RESERVED_BYTES)))
      }
      file.syncNow()
    } finally {
      file.close()
    }
  }

  /** True when there was something to give up. */
  giveUp(): boolean {
    return removeIfThere(this.#disk, this.#path)
  }
}

/** No room for new jobs; `cause` is what the system said, if it was asked. */
export function full(subject: string, cause?: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'room on the disk for new jobs',
    received: 'a disk that is full: what is left of it is kept for the verdicts of running jobs',
    remedy: 'make room and repeat the call; new jobs are taken again as soon as there is some',
    ...(cause === undefined ? {} : { cause }),
  })
}
