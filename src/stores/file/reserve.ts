/**
 * A megabyte set aside: when the disk is full it is given up, so that verdicts still land and what
 * was done is not done again. While it is missing no process of the host puts in new jobs, else they
 * would eat what was given up for the verdicts; so whoever wants to tries to set it aside anew.
 */
import type { Disk } from '../../disk/disk.js'
import { isFull } from '../../disk/errno.js'
import { removeIfThere, writeAll } from '../../disk/place.js'
import type { Layout } from './layout.js'

const RESERVED_BYTES = 1024 * 1024

export class Reserve {
  readonly #disk: Disk
  readonly #path: string
  readonly #draft: string

  constructor(disk: Disk, layout: Layout, nonce: string) {
    this.#disk = disk
    this.#path = `${layout.scope}/reserve`
    this.#draft = `${layout.tmp}/${nonce}.reserve`
  }

  /**
   * Sets the room aside if it is not; false when there is none. Within one turn of the loop, so that
   * no verdict of ours meets a disk that is full of our own draft.
   */
  keep(): boolean {
    const disk = this.#disk
    if (disk.facts(this.#path) !== null) return true
    removeIfThere(disk, this.#draft)
    try {
      this.#fill()
      disk.link(this.#draft, this.#path)
      return true
    } catch (error) {
      if (isFull(error)) return false
      throw error
    } finally {
      removeIfThere(disk, this.#draft)
    }
  }

  #fill(): void {
    const file = this.#disk.create(this.#draft)
    try {
      writeAll(file, Buffer.alloc(RESERVED_BYTES))
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
