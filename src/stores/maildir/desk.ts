/**
 * The desk does the moves that are safe in the commit log: writes letters, moves and removes them,
 * in slices, without a sync; and, when the log is to be cleared, syncs what it has written since.
 * What it could not do stays with it and is tried again.
 */
import type { Disk } from '../../disk/disk.js'
import { isMissing } from '../../disk/errno.js'
import { removeIfThere, writeAll } from '../../disk/place.js'
import { MillraceError } from '../../job/errors.js'
import { TRAYS } from './layout.js'
import type { Layout } from './layout.js'
import { Moves } from './moves.js'
import type { Move, Sheet } from './moves.js'

export interface DeskParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly nonce: string
  /** Lets others have their turn. */
  readonly pause: () => Promise<void>
  /** The folders of a queue are there now. */
  readonly onQueue: (folder: string) => void
  readonly warn: (message: string) => void
}

/** Moves done before others get their turn: some 5 ms. */
const AT_ONCE = 128
/** Syncs under way at once: more than there are threads for them gain nothing. */
const SYNCS = 16

export class Desk {
  readonly #parts: DeskParts
  readonly #moves = new Moves()
  /** Files that were written and not synced, and folders whose names were not. */
  #files = new Set<string>()
  readonly #syncing = new Set<string>()
  #folders = new Set<string>()
  readonly #known = new Set<string>()
  #drafts = 0
  #working: Promise<void> | null = null

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** Paths of which the system will tell, since the desk did something there; the last and before. */
  #own = new Map<string, number>()
  #ownBefore = new Map<string, number>()

  /** It was the desk that did something there. Each deed is heard of once. */
  isOwn(path: string): boolean {
    for (const deeds of [this.#own, this.#ownBefore]) {
      const count = deeds.get(path)
      if (count === undefined) continue
      if (count === 1) deeds.delete(path)
      else deeds.set(path, count - 1)
      return true
    }
    return false
  }

  /** What nobody has told of by the next call but one is never told. Answers what that is. */
  forget(): readonly string[] {
    const untold = [...this.#ownBefore.keys()]
    this.#ownBefore = this.#own
    this.#own = new Map()
    return untold
  }

  /** Where files are on their way from or to. */
  *underWay(): Generator<string> {
    yield* this.#moves.removals
    for (const [path, { lies }] of this.#moves.sheets) {
      yield path
      if (lies !== null) yield lies
    }
  }

  /** How many moves are still to be done. */
  get waiting(): number {
    return this.#moves.size
  }

  get isClean(): boolean {
    const isSynced = this.#files.size === 0 && this.#syncing.size === 0
    return this.#moves.isEmpty && isSynced && this.#folders.size === 0
  }

  take(moves: readonly Move[]): void {
    for (const move of moves) this.#moves.add(move)
  }

  /** Somebody else did this; its names, and what is in it, are made safe with the rest. */
  owe(path: string): void {
    this.#files.add(path)
    this.#named(path)
  }

  /** As it was found: moves that nobody did, files and folders that nobody may have synced. */
  adopt(moves: Moves, unsure: { files: readonly string[]; folders: readonly string[] }): void {
    for (const was of moves.removals) this.#moves.add({ was, path: null, text: null })
    for (const [path, { lies, text }] of moves.sheets) this.#moves.add({ was: lies, path, text })
    for (const path of unsure.files) this.#files.add(path)
    for (const folder of unsure.folders) this.#folders.add(this.#full(folder))
    if (unsure.folders.length === 0) return
    this.#folders.add(this.#parts.layout.scope)
    for (const folder of unsure.folders) {
      if (!folder.startsWith('.'))
        this.#folders.add(this.#full(folder.slice(0, folder.indexOf('/'))))
    }
  }

  /** Until nothing is left to be done. Throws what the disk throws; the rest stays. */
  async work(): Promise<void> {
    this.#working ??= this.#work().finally(() => (this.#working = null))
    await this.#working
  }

  async #work(): Promise<void> {
    while (!this.#moves.isEmpty) {
      this.#slice()
      await this.#parts.pause()
    }
  }

  #slice(): void {
    let room = AT_ONCE
    const { removals, sheets } = this.#moves
    for (const path of removals) {
      if (room-- === 0) return
      this.#remove(path)
      removals.delete(path)
    }
    for (const [path, sheet] of sheets) {
      if (room-- === 0) return
      this.#put(path, sheet)
      sheets.delete(path)
    }
  }

  #remove(path: string): void {
    if (removeIfThere(this.#parts.disk, this.#full(path))) this.#did(path)
    this.#files.delete(path)
    this.#syncing.delete(path)
    this.#named(path)
  }

  #put(path: string, sheet: Sheet): void {
    this.#makeRoom(path)
    if (sheet.text === null) this.#rename(path, sheet)
    else this.#write(path, sheet, sheet.text)
    sheet.lies = path
    sheet.text = sheet.spare = null
    this.#named(path)
  }

  #write(path: string, { lies }: Sheet, text: string): void {
    const { disk, layout, nonce } = this.#parts
    const draft = `${layout.tmp}/${nonce}-${++this.#drafts}`
    const file = disk.create(draft)
    try {
      try {
        writeAll(file, Buffer.from(text))
      } finally {
        file.close()
      }
      this.#place(draft, path)
    } catch (error) {
      removeIfThere(disk, draft)
      throw error
    }
    this.#files.add(path)
    if (lies !== null && lies !== path) this.#remove(lies)
  }

  /** Somebody may have removed the folders of the queue. */
  #place(draft: string, path: string): void {
    const { disk } = this.#parts
    try {
      disk.rename(draft, this.#full(path))
    } catch (error) {
      if (!isMissing(error)) throw error
      this.#known.delete(path.slice(0, path.indexOf('/')))
      this.#makeRoom(path)
      disk.rename(draft, this.#full(path))
    }
    this.#did(path)
  }

  #did(path: string): void {
    this.#own.set(path, (this.#own.get(path) ?? 0) + 1)
  }

  #rename(path: string, sheet: Sheet): void {
    const { disk, warn } = this.#parts
    const { lies, spare } = sheet
    if (lies === null || lies === path) return
    try {
      disk.rename(this.#full(lies), this.#full(path))
      this.#did(lies)
      this.#did(path)
    } catch (error) {
      if (!isMissing(error)) throw error
      if (spare !== null) return this.#write(path, sheet, spare)
      // Somebody took it away by hand; what became of it is seen when the folder is looked at.
      if (disk.facts(this.#full(path)) === null) warn(`${lies} was to be moved and is not there`)
    }
    if (this.#files.delete(lies)) this.#files.add(path)
    if (this.#syncing.delete(lies)) this.#syncing.add(path)
    this.#named(lies)
  }

  /** The folders of a queue are made together, so that who looks sees all of them. */
  #makeRoom(path: string): void {
    const { disk, layout } = this.#parts
    const queue = path.slice(0, path.indexOf('/'))
    if (this.#known.has(queue)) return
    const folder = `${layout.scope}/${queue}`
    if (!queue.startsWith('.')) {
      disk.makeFolder(folder)
      for (const tray of TRAYS) disk.makeFolder(`${folder}/${tray}`)
      disk.makeFolder(`${folder}/tmp`)
      this.#folders.add(layout.scope).add(folder)
      this.#parts.onQueue(queue)
    }
    this.#known.add(queue)
  }

  #named(path: string): void {
    this.#folders.add(this.#full(path.slice(0, path.lastIndexOf('/'))))
  }

  #full(path: string): string {
    return `${this.#parts.layout.scope}/${path}`
  }

  /** All that was done until now survives a power cut. Throws what a sync throws. */
  async sync(): Promise<void> {
    const folders = [...this.#folders]
    for (const path of this.#files) this.#syncing.add(path)
    this.#files = new Set()
    this.#folders = new Set()
    while (this.#syncing.size > 0) {
      const some = [...this.#syncing].slice(0, SYNCS)
      await Promise.all(some.map((path) => this.#syncFile(path)))
    }
    for (const folder of folders) await this.#syncFolder(folder)
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
    // One that was moved on meanwhile stands there under its new name, and is synced again.
    this.#syncing.delete(path)
  }

  async #syncFolder(folder: string): Promise<void> {
    try {
      await this.#parts.disk.syncFolder(folder)
    } catch (error) {
      if (!isMissing(error)) throw error // somebody removed the folder of a queue
    }
  }
}
