/**
 * The desk sees to the moves that are safe in the commit log: it hands them to the porter in slices,
 * without a sync; and, when the log is to be cleared, has synced what was written since. It knows
 * what is under way, of which deeds the system will tell, and what is not safe yet where it lies.
 * What could not be done stays with it and is tried again. While what is set aside for a full disk is
 * not all there, no letter is written: the rest of the room is for the log, and letters wait in it.
 */
import type { Disk } from '../../disk/disk.js'
import { isMissing } from '../../disk/errno.js'
import { Deeds } from './deeds.js'
import type { Layout } from './layout.js'
import { Moves, unitsOf } from './moves.js'
import type { Errand, Move } from './moves.js'
import { HERE, LOST, makeTrays, REMADE, THERE, WRITTEN } from './porter.js'
import type { Carried, Porter } from './porter.js'

export interface DeskParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly porter: Porter
  /** Lets others have their turn. */
  readonly pause: () => Promise<void>
  /** Whether all is there that is set aside for a full disk. */
  readonly hasSpare: () => boolean
  /** The folders of a queue are there now. */
  readonly onQueue: (folder: string) => void
  readonly warn: (message: string) => void
}

/** Moves handed over at once: some 5 ms for each of the porter's threads. */
const AT_ONCE = 384
/** And no more text than this, which is copied on its way to a thread. */
const UNITS_AT_ONCE = 1024 * 1024
/** More moves than this are not left behind: whoever comes with more work waits for them. */
const MOVES_WAITING = 20_000
/** Nor are letters with more text than this. */
const UNITS_WAITING = 32 * 1024 * 1024

export class Desk {
  readonly #parts: DeskParts
  readonly #moves = new Moves()
  readonly #deeds = new Deeds()
  /** Files that were written and not synced, and folders whose names were not. */
  #files = new Set<string>()
  readonly #syncing = new Set<string>()
  #folders = new Set<string>()
  readonly #known = new Set<string>()
  /** The number of what it was given last, and up to which it is to be done now. */
  #given = 0
  #upTo = 0
  /** Whether letters may be written in the slice that is packed. */
  #mayWrite = true
  /** In the porter's hands. */
  #underWay: readonly Errand[] = []
  #unitsUnderWay = 0
  #working: Promise<void> | null = null
  /** Never left empty while it works, or whoever waits for a slice would spin. */
  #slice: Promise<void> | null = null
  #isClosed = false

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** It was the desk that did something there. Each deed is heard of once. */
  isOwn(path: string): boolean {
    return this.#deeds.isOwn(path)
  }

  /** Of what it was not told, or may have been told of others. */
  forget(): readonly string[] {
    return this.#deeds.forget()
  }

  /** Where files are on their way from or to. */
  *underWay(): Generator<string> {
    yield* this.#moves.removals.keys()
    for (const [path, { lies }] of this.#moves.sheets) {
      yield path
      if (lies !== null) yield lies
    }
    for (const errand of this.#underWay) yield* namesOf(errand)
  }

  /** What was to lie there was not written yet, and nobody is about to. */
  isUnwritten(path: string): boolean {
    const sheet = this.#moves.sheets.get(path)
    return sheet !== undefined && sheet.lies === null && sheet.text !== null
  }

  /** How many moves are still to be done. */
  get waiting(): number {
    return this.#moves.size + this.#underWay.length
  }

  /** The number of the oldest move that is not done; Infinity: all are. */
  get oldest(): number {
    return Math.min(this.#moves.oldest, ...this.#underWay.map(({ since }) => since))
  }

  /** No more is to be left behind. */
  get isFull(): boolean {
    return this.waiting > MOVES_WAITING || this.#moves.units + this.#unitsUnderWay > UNITS_WAITING
  }

  get isClean(): boolean {
    const isSynced = this.#files.size === 0 && this.#syncing.size === 0
    return this.waiting === 0 && isSynced && this.#folders.size === 0
  }

  /** `number`: of these moves; it never falls. */
  take(moves: readonly Move[], number = this.#given): void {
    this.#given = number
    for (const move of moves) this.#moves.add(move, number)
  }

  /** Somebody else did this; its names, and what is in it, are made safe with the rest. */
  owe(path: string): void {
    this.#files.add(path)
    this.#named(path)
  }

  /** As it was found: moves that nobody did, files and folders that nobody may have synced. */
  adopt(moves: Moves, unsure: { files: readonly string[]; folders: readonly string[] }): void {
    for (const was of moves.removals.keys()) this.#moves.add({ was, path: null, text: null })
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

  /** Until nothing is left of what it has now. Throws what the disk throws; the rest stays. */
  async work(): Promise<void> {
    const upTo = this.#given
    do await this.#begin()
    while (this.oldest <= upTo)
  }

  /** Until more may be left behind. Throws as `work` does. */
  async makeRoom(): Promise<void> {
    while (this.isFull) await Promise.race([this.#begin(), this.#slice])
  }

  /** No slice is begun any more; one that is under way ends. */
  close(): void {
    this.#isClosed = true
  }

  #begin(): Promise<void> {
    this.#upTo = this.#given
    this.#working ??= this.#work().finally(() => (this.#working = null))
    return this.#working
  }

  async #work(): Promise<void> {
    let due = this.#due()
    for (;;) {
      this.#mayWrite = this.#parts.hasSpare()
      let errands = this.#next(due)
      // What has come to its end tells nothing of what was added since.
      if (errands.length === 0) errands = this.#next((due = this.#due()))
      if (errands.length === 0 && this.#moves.oldest <= this.#upTo) throw noRoom()
      if (errands.length === 0) return
      this.#slice = this.#carry(errands).then(this.#parts.pause)
      await this.#slice
    }
  }

  #due(): Iterator<Errand> {
    return this.#moves.due(
      () => this.#upTo,
      () => this.#mayWrite,
    )
  }

  #next(due: Iterator<Errand>): Errand[] {
    const errands: Errand[] = []
    if (this.#isClosed && !this.#moves.isEmpty) throw new Error('the desk is closed')
    let units = 0
    while (errands.length < AT_ONCE && units < UNITS_AT_ONCE) {
      const next = due.next()
      if (next.done === true) break
      errands.push(next.value)
      units += next.value.kind === 'put' ? unitsOf(next.value) : 0
    }
    this.#unitsUnderWay = units
    return errands
  }

  async #carry(errands: readonly Errand[]): Promise<void> {
    this.#underWay = errands
    // The system may tell of a deed before the porter does.
    for (const errand of errands) for (const path of toldOf(errand)) this.#deeds.expect(path)
    const { done, error } = await this.#carried(errands)
    this.#underWay = []
    this.#unitsUnderWay = 0
    done.forEach((said, at) => this.#did(errands[at], said))
    for (const errand of errands.slice(done.length)) {
      this.#moves.putBack(errand)
      for (const path of toldOf(errand)) this.#deeds.revoke(path)
    }
    if (error !== null) throw error
  }

  async #carried(errands: readonly Errand[]): Promise<Carried> {
    try {
      for (const errand of errands) if (errand.kind === 'put') this.#makeTrays(errand.path)
      const carried = this.#parts.porter.carry(errands)
      return carried instanceof Promise ? await carried : carried
    } catch (error) {
      return { done: [], error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  #did(errand: Errand, said: number): void {
    const { path } = errand
    const lies = errand.kind === 'put' ? errand.lies : null
    if (toldOf(errand).includes(path) && (said & HERE) === 0) this.#deeds.revoke(path)
    if (lies !== null && lies !== path && (said & THERE) === 0) this.#deeds.revoke(lies)
    if ((said & REMADE) !== 0) {
      this.#known.delete(queueIn(path))
      this.#makeTrays(path)
    }
    if ((said & LOST) !== 0) this.#parts.warn(`${lies} was to be moved and is not there`)
    this.#settle(errand, said)
  }

  /** What is to be synced, and what no longer. */
  #settle(errand: Errand, said: number): void {
    const { path } = errand
    this.#named(path)
    if (errand.kind === 'remove') {
      this.#files.delete(path)
      this.#syncing.delete(path)
      return
    }
    const { lies } = errand
    const isMoved = lies !== null && lies !== path
    if (isMoved) this.#named(lies)
    if ((said & WRITTEN) !== 0) this.#files.add(path)
    if (!isMoved) return
    const isOwed = this.#files.delete(lies)
    const isOwedNow = this.#syncing.delete(lies)
    if ((said & WRITTEN) !== 0) return
    if (isOwed) this.#files.add(path)
    if (isOwedNow) this.#syncing.add(path)
  }

  #makeTrays(path: string): void {
    const { disk, layout, onQueue } = this.#parts
    const queue = queueIn(path)
    if (this.#known.has(queue)) return
    if (makeTrays(disk, layout, path)) {
      this.#folders.add(layout.scope).add(this.#full(queue))
      onQueue(queue)
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
      const some = [...this.#syncing].slice(0, AT_ONCE)
      await this.#parts.porter.sync(some)
      // One that was moved on meanwhile stands there under its new name, and is synced again.
      for (const path of some) this.#syncing.delete(path)
    }
    for (const folder of folders) await this.#syncFolder(folder)
  }

  async #syncFolder(folder: string): Promise<void> {
    try {
      await this.#parts.disk.syncFolder(folder)
    } catch (error) {
      if (!isMissing(error)) throw error // somebody removed the folder of a queue
    }
  }
}

/** As the system says it of a disk that is full. */
function noRoom(): Error {
  const message = 'ENOSPC: what is left of the disk is kept for the verdicts of running jobs'
  return Object.assign(new Error(message), { code: 'ENOSPC' })
}

function queueIn(path: string): string {
  return path.slice(0, path.indexOf('/'))
}

function namesOf(errand: Errand): readonly string[] {
  return errand.kind === 'remove' || errand.lies === null
    ? [errand.path]
    : [errand.path, errand.lies]
}

/** Of what the system will tell, if it is done: a file that stays where it is tells nothing. */
function toldOf(errand: Errand): readonly string[] {
  const names = namesOf(errand)
  if (errand.kind === 'remove' || errand.text !== null) return [...new Set(names)]
  return errand.lies === null || errand.lies === errand.path ? [] : names
}
