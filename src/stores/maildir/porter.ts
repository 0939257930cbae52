/**
 * The porter does in the folders what the desk hands him: writes letters, moves and removes them, and
 * syncs what has been written. He keeps nothing in mind and decides nothing; what he could not do he
 * hands back. This is what he does, on whichever thread; `porter-port.ts` chooses the thread.
 */
import type { Disk } from '../../disk/disk.js'
import { isMissing } from '../../disk/errno.js'
import { removeIfThere, writeAll } from '../../disk/place.js'
import { MillraceError } from '../../job/errors.js'
import { TRAYS } from './layout.js'
import type { Layout } from './layout.js'
import type { Errand } from './moves.js'

export interface Porter {
  /**
   * In their order, up to the first that fails; never a second call before the first is answered.
   * Answers on the spot where nothing is to be gained by waiting. Rejects when nobody knows which of
   * them were done.
   */
  carry(errands: readonly Errand[]): Carried | Promise<Carried>
  /**
   * What is in these files survives a power cut; files that are not there are passed over. What is
   * carried meanwhile is answered in the order in which it was done.
   */
  sync(paths: readonly string[]): Promise<void>
  /** Resolves when nothing is under way that was handed to him before. */
  rest(): Promise<void>
  close(): Promise<void>
}

/** What became of errands. */
export interface Carried {
  /** Of those that were done: the sum of what is said below. */
  readonly done: readonly number[]
  /** Of the one behind them. */
  readonly error: Error | null
}

/** Something happened to the name that it was to have, or that was to go. */
export const HERE = 1
/** Something happened to the name that it had. */
export const THERE = 2
/** There is a new file with its text. */
export const WRITTEN = 4
/** It was to be moved and is nowhere. */
export const LOST = 8
/** The folders of its queue were gone, and are there again. */
export const REMADE = 16

export type PorterParts = {
  readonly disk: Disk
  readonly layout: Pick<Layout, 'scope' | 'tmp'>
  /** Files on their way begin with it. */
  readonly nonce: string
}

/** Syncs under way at once: one less than there are threads for them, so that the log's finds one. */
const SYNCS = 3

export class DiskPorter implements Porter {
  readonly #parts: PorterParts
  #drafts = 0

  constructor(parts: PorterParts) {
    this.#parts = parts
  }

  carry(errands: readonly Errand[]): Carried {
    const done: number[] = []
    for (const errand of errands) {
      try {
        done.push(this.#do(errand))
      } catch (error) {
        return { done, error: error instanceof Error ? error : new Error(String(error)) }
      }
    }
    return { done, error: null }
  }

  #do(errand: Errand): number {
    if (errand.kind === 'remove') return this.#remove(errand.path) ? HERE : 0
    if (errand.text !== null) return this.#write(errand, errand.text)
    return this.#rename(errand)
  }

  #remove(path: string): boolean {
    return removeIfThere(this.#parts.disk, this.#full(path))
  }

  #write({ path, lies }: Put, text: string): number {
    const { disk, layout, nonce } = this.#parts
    const draft = `${layout.tmp}/${nonce}-${++this.#drafts}`
    const file = disk.create(draft)
    let said = HERE | WRITTEN
    try {
      try {
        writeAll(file, Buffer.from(text))
      } finally {
        file.close()
      }
      if (!this.#place(draft, path)) said |= REMADE
    } catch (error) {
      removeIfThere(disk, draft)
      throw error
    }
    if (lies !== null && lies !== path && this.#remove(lies)) said |= THERE
    return said
  }

  /** Somebody may have removed the folders of the queue: false, they were made anew. */
  #place(draft: string, path: string): boolean {
    const { disk, layout } = this.#parts
    try {
      disk.rename(draft, this.#full(path))
      return true
    } catch (error) {
      if (!isMissing(error)) throw error
      makeTrays(disk, layout, path)
      disk.rename(draft, this.#full(path))
      return false
    }
  }

  #rename(errand: Put): number {
    const { path, lies, spare } = errand
    const { disk } = this.#parts
    if (lies === null || lies === path) return 0
    try {
      disk.rename(this.#full(lies), this.#full(path))
      return HERE | THERE
    } catch (error) {
      if (!isMissing(error)) throw error
      if (spare !== null) return this.#write(errand, spare)
      // Somebody took it away by hand; what became of it is seen when the folder is looked at.
      return disk.facts(this.#full(path)) === null ? LOST : 0
    }
  }

  async sync(paths: readonly string[]): Promise<void> {
    const left = paths.values()
    const lane = async (): Promise<void> => {
      for (const path of left) await this.#syncFile(path)
    }
    await Promise.all(Array.from({ length: Math.min(SYNCS, paths.length) }, lane))
  }

  async #syncFile(path: string): Promise<void> {
    try {
      const file = this.#parts.disk.read(this.#full(path))
      try {
        await file.sync()
      } finally {
        file.close()
      }
    } catch (error) {
      // Somebody took it away by hand, or it is no file of ours that was put away.
      if (!isMissing(error) && !MillraceError.is(error)) throw error
    }
  }

  async rest(): Promise<void> {}

  async close(): Promise<void> {}

  #full(path: string): string {
    return `${this.#parts.layout.scope}/${path}`
  }
}

type Put = Extract<Errand, { kind: 'put' }>

/** The folders of a queue are made together, so that who looks sees all of them. False: it is none. */
export function makeTrays(disk: Disk, { scope }: Pick<Layout, 'scope'>, path: string): boolean {
  const queue = path.slice(0, path.indexOf('/'))
  if (queue.startsWith('.')) return false
  const folder = `${scope}/${queue}`
  disk.makeFolder(folder)
  for (const tray of TRAYS) disk.makeFolder(`${folder}/${tray}`)
  disk.makeFolder(`${folder}/tmp`)
  return true
}
