/**
 * The commit log as somebody follows it who may only read: every segment is held open from when it
 * is first seen, so that what its keeper still wrote into it is read though its name is gone. What
 * is read at the end is the whole of what was decided since the first look, or it says that it is
 * not: a segment came and went between two looks, or another keeper followed.
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import { isMissing } from '../../disk/errno.js'
import { readOpened, segmentsOf } from './commit-log.js'
import type { ReadSegment, SegmentName } from './commit-log.js'
import type { Layout } from './layout.js'

interface Held extends SegmentName {
  readonly file: DiskFile
}

export class LogTail {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #held: Held[] = []
  /** How far moves were done at the first look: what was done then is seen in the folders. */
  readonly #done: readonly number[]
  #isTorn = false

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
    try {
      this.look()
      this.#done = this.#held.map(({ file }) => readOpened(file).done)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Takes hold of segments that are new; often enough, none comes and goes unseen. */
  look(): void {
    for (const segment of segmentsOf(this.#disk, this.#layout)) {
      const last = this.#held.at(-1)
      if (last !== undefined && isUpTo(segment, last)) continue
      const file = this.#open(segment.name)
      if (file === null || (last !== undefined && segment.number !== last.number + 1)) {
        this.#isTorn = true
      }
      if (file !== null) this.#held.push({ ...segment, file })
    }
  }

  #open(name: string): DiskFile | null {
    try {
      return this.#disk.read(`${this.#layout.commit}/${name}`)
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  /** Null: some of it was missed. */
  read(): {
    readonly segments: readonly SegmentName[]
    readonly read: readonly ReadSegment[]
  } | null {
    this.look()
    if (this.#isTorn) return null
    const read = this.#held.map(({ file }, at) => {
      return { ...readOpened(file), done: this.#done[at] ?? 0 }
    })
    return { segments: this.#held, read }
  }

  close(): void {
    for (const { file } of this.#held) file.close()
  }
}

function isUpTo(one: SegmentName, last: SegmentName): boolean {
  if (one.generation !== last.generation) return one.generation < last.generation
  return one.number <= last.number
}
