/**
 * Stretches of a segment in which no frame was found. Most are what a kill or a power cut left, and
 * concern nobody. But when a later frame asserts that all before some place was durable, what lies
 * wrecked below it was whole once: then it is looked at again, told, and what is good of it saved.
 * A `boot` frame is the first after a start of the host: what lies wrecked before it, a power cut
 * may have torn, and it is void for ever. So all replicas judge alike, by bytes alone.
 */
import type { Disk } from '../../disk/disk.js'
import { writeAll } from '../../disk/place.js'
import type { Extent } from './frames.js'
import type { Layout } from './layout.js'

/** More than this in one segment is rubbish that somebody poured in; the oldest are let go. */
const REMEMBERED = 1_000

export class Wreckage {
  #stretches: Extent[] = []

  add({ at, length }: Extent): void {
    const last = this.#stretches.at(-1)
    if (last !== undefined && last.at + last.length === at) {
      this.#stretches[this.#stretches.length - 1] = { at: last.at, length: last.length + length }
    } else {
      this.#stretches.push({ at, length })
      if (this.#stretches.length > REMEMBERED) this.#stretches.shift()
    }
  }

  /** The host was started anew. */
  excuse(): void {
    this.#stretches = []
  }

  /** What lies below the place, which somebody asserts was durable; it is remembered no longer. */
  below(offset: number): readonly Extent[] {
    const below = this.#stretches.filter(({ at, length }) => at + length <= offset)
    if (below.length > 0) {
      this.#stretches = this.#stretches.filter(({ at, length }) => at + length > offset)
    }
    return below
  }
}

/** Bytes that are put aside under this name. */
export interface Damaged {
  readonly disk: Disk
  readonly layout: Layout
  readonly name: string
  readonly bytes: Uint8Array
  readonly why: string
  readonly warn: (message: string) => void
}

/**
 * A copy of damaged bytes for whoever wants to look, with a word why beside it: where they lie they
 * stay only until the next compaction. Of several processes that see the damage the first one puts it
 * there. Where that fails the log can be read on all the same, and it is told.
 */
export function keepDamaged({ disk, layout, name, bytes, why, warn }: Damaged): void {
  const path = `${layout.quarantine}/${name}`
  try {
    if (disk.facts(path) !== null) return
    write(disk, path, bytes)
    write(disk, `${path}.why`, Buffer.from(`${why}\n`))
  } catch (error) {
    warn(`${name} could not be put into quarantine: ${String(error)}`)
  }
}

function write(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = disk.create(path)
  try {
    writeAll(file, bytes)
  } finally {
    file.close()
  }
}
