/**
 * A megabyte set aside: when the disk is full it is given up, so that verdicts still land and what
 * was done is not done again. It is set aside anew when there is room.
 */
import type { Disk } from '../../disk/disk.js'
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

  /** Sets the room aside if it is not; false when there is none. */
  async keep(): Promise<boolean> {
    const disk = this.#disk
    if (disk.facts(this.#path) !== null) return true
    const file = disk.create(this.#draft)
    try {
      if (file.write(Buffer.alloc(RESERVED_BYTES)) < RESERVED_BYTES) return false
      await file.sync()
      disk.link(this.#draft, this.#path)
      return true
    } catch (error) {
      if (isFull(error)) return false
      throw error
    } finally {
      file.close()
      disk.remove(this.#draft)
    }
  }

  /** True when there was something to give up. */
  giveUp(): boolean {
    if (this.#disk.facts(this.#path) === null) return false
    this.#disk.remove(this.#path)
    return true
  }
}

/** The disk, or this user's share of it, is full. */
export function isFull(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && (at.code === 'ENOSPC' || at.code === 'EDQUOT')) return true
  }
  return false
}
