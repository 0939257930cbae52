/**
 * Room on the disk that is set aside while there is some: a part for what is new, so that jobs which
 * are decided already still go into the log when the disk gets full at that moment, and a part for
 * what ends jobs, and for all that keeps the folder going. While any of it is missing nobody puts in
 * new jobs; who gave it up lets others have it only when it is set aside anew.
 */
import type { Disk } from '../../disk/disk.js'
import { isFull } from '../../disk/errno.js'
import { Reserve } from '../../disk/reserve.js'
import type { Frame } from '../../job/book/frame.js'
import type { NewJob } from '../../job/lot.js'
import type { Layout } from './layout.js'

/** What needs no more than this fits into what is set aside for it. */
const SMALL = 1024 * 1024
/** Bytes of a letter and its record beside what the job brings. */
const AROUND = 1_024
/** No unit of a string takes more bytes. */
const BYTES_OF_A_UNIT = 3

export class Spare {
  readonly #forNew: Reserve
  readonly #forRest: Reserve

  constructor(disk: Disk, layout: Layout, nonce: string) {
    const { keeper, tmp } = layout
    this.#forNew = new Reserve(disk, {
      path: `${keeper}/reserve.new`,
      draft: `${tmp}/${nonce}.new`,
    })
    this.#forRest = new Reserve(disk, { path: `${keeper}/reserve`, draft: `${tmp}/${nonce}.rest` })
  }

  /** Whether new jobs may come. Reads only. */
  get isKept(): boolean {
    return this.#forRest.isKept && this.#forNew.isKept
  }

  /** Sets aside what is missing; false: there is no room for it. The verdicts' part comes first. */
  keep(): boolean {
    return this.#forRest.keep() && this.#forNew.keep()
  }

  /** Whether there is room for what a frame brings; of anything but new jobs it is not asked. */
  hasRoomFor(frame: Frame): boolean {
    const jobs = newIn(frame)
    if (jobs === null) return true
    if (!this.keep()) return false
    const bytes = jobs.reduce((sum, job) => sum + sizeOf(job), 0)
    return bytes <= SMALL || this.#forNew.hasBeside(bytes)
  }

  /** Room for something that cannot be refused any more; false: there is none left. */
  giveUp(isNew: boolean): boolean {
    const [first, last] = isNew ? [this.#forNew, this.#forRest] : [this.#forRest, this.#forNew]
    return first.giveUp() || last.giveUp()
  }

  /** Does it, and again with what was set aside when the disk is full. */
  within<T>(deed: () => T): T {
    for (;;) {
      try {
        return deed()
      } catch (error) {
        if (!isFull(error) || !this.giveUp(false)) throw error
      }
    }
  }

  /** The same for what takes its time. */
  async withinTurns<T>(deed: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await deed()
      } catch (error) {
        if (!isFull(error) || !this.giveUp(false)) throw error
      }
    }
  }
}

export function isNew(frame: Frame): boolean {
  return newIn(frame) !== null
}

function newIn(frame: Frame): readonly NewJob[] | null {
  if (frame.kind === 'insert') return frame.items
  return frame.kind === 'tick' ? frame.items.flatMap(({ run }) => run?.job ?? []) : null
}

function sizeOf({ payload, meta, id, group, tags, after }: NewJob): number {
  const units = payload.text.length + (meta?.text.length ?? 0) + id.length + group.length
  const names = [
    ...tags,
    ...after.flatMap((parent) => [parent.queue, parent.id, '{"queue":,"id":}']),
  ]
  return AROUND + BYTES_OF_A_UNIT * names.reduce((sum, name) => sum + name.length, units)
}
