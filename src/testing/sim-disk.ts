/**
 * A disk in memory that can be made to fail and to forget. It behaves as the port promises and as
 * a machine does: what was not synced may be gone after a crash, in every way that the profile of
 * a file system allows. Everything in it happens at the call, in order; it has no clock and no
 * dice of its own, so the same calls give the same disk.
 *
 *     const disk = new SimDisk()
 *     disk.cutAt(17)                                   // the 17th call is never made
 *     await expect(work(disk)).rejects.toThrow(PowerCut)
 *     for (const left of disk.crashStates('any-subset', 5000, seededChance(1))) recover(left)
 *
 * `fork` gives another process on the same platter, with handles, faults and counts of its own:
 * cutting one of them is a kill, the others go on.
 */
import type { Disk, DiskFile, Facts, Medium } from '../disk/disk.js'
import type { Chance } from '../time/clock.js'
import { PowerCut, SimCalls, type SimCall, type SimCallRecord } from './sim-disk-calls.js'
import { crashed, crashes, type Aftermath, type CrashProfile } from './sim-disk-crash.js'
import { SimFile } from './sim-disk-file.js'
import { Machine } from './sim-disk-machine.js'
import { errnoError, Platter } from './sim-disk-platter.js'

export { PowerCut, type SimCall, type SimCallRecord } from './sim-disk-calls.js'
export type { CrashProfile } from './sim-disk-crash.js'

export interface SimDiskOptions {
  /** What `medium` answers [a disk called sim that keeps what is synced]. */
  readonly medium?: Medium
  /** The clock of the file system, for `modified` [stands still at 0]. */
  readonly now?: () => number
}

const MEDIUM: Medium = { name: 'sim', keeps: 'power', ordersAppends: true }

/** Where a disk comes from that is not new. */
interface Origin {
  readonly machine: Machine
  readonly story: readonly string[]
}

export class SimDisk implements Disk {
  /** For a disk that a crash has left: what became of every change that was not committed. */
  readonly story: readonly string[]
  readonly #options: SimDiskOptions
  readonly #machine: Machine
  readonly #calls = new SimCalls(() => this.#abandon())

  /** A new machine with an empty disk; an `origin` is given by `fork` and `crash` alone. */
  constructor(options: SimDiskOptions = {}, origin?: Origin) {
    this.#options = options
    this.#machine = origin?.machine ?? new Machine(new Platter(), options.now ?? (() => 0))
    this.story = origin?.story ?? []
  }

  // The port ———————————————————————————————————————————————————————————————————————————————————

  makeFolder(path: string): void {
    const run = () => {
      if (this.#platter.find(path)?.kind === 'folder') return
      this.#platter.make(path, 'folder', this.#machine.now())
      this.#machine.touch(path)
    }
    this.#calls.perform({ call: 'makeFolder', path, run })
  }

  list(path: string): readonly string[] {
    return this.#calls.perform({ call: 'list', path, run: () => this.#platter.names(path) })
  }

  facts(path: string): Facts | null {
    return this.#calls.perform({ call: 'facts', path, run: () => this.#platter.find(path) })
  }

  create(path: string): DiskFile {
    const run = () => {
      const inode = this.#platter.make(path, 'file', this.#machine.now())
      this.#machine.touch(path)
      return this.#fileOf(path, inode, true)
    }
    return this.#calls.perform({ call: 'create', path, run })
  }

  append(path: string): DiskFile {
    return this.#calls.perform({ call: 'append', path, run: () => this.#open(path, true) })
  }

  read(path: string): DiskFile {
    return this.#calls.perform({ call: 'read', path, run: () => this.#open(path, false) })
  }

  link(from: string, to: string): boolean {
    const run = () => {
      if (this.#platter.find(from) !== null && this.#platter.find(to) !== null) return false
      this.#platter.link(from, to)
      this.#machine.touch(to)
      return true
    }
    return this.#calls.perform({ call: 'link', path: from, detail: to, run })
  }

  rename(from: string, to: string): void {
    const run = () => {
      this.#platter.rename(from, to)
      this.#machine.touch(from)
      this.#machine.touch(to)
    }
    this.#calls.perform({ call: 'rename', path: from, detail: to, run })
  }

  remove(path: string): void {
    const run = () => {
      this.#platter.remove(path)
      this.#machine.touch(path)
    }
    this.#calls.perform({ call: 'remove', path, run })
  }

  async syncFolder(path: string): Promise<void> {
    const run = () => {
      this.#platter.names(path) // only folders have any
      return this.#machine.sync(this, path, this.#platter.inodeOf(path))
    }
    const onFault = () => this.#platter.drop(this.#platter.dirty(this.#platter.inodeOf(path)))
    await this.#calls.perform({ call: 'syncFolder', path, run, onFault })
  }

  medium(): Medium {
    return this.#options.medium ?? MEDIUM
  }

  watch(path: string, onChange: () => void): () => void {
    return this.#machine.watch(path, onChange)
  }

  // Other processes and crashes ————————————————————————————————————————————————————————————————

  /** Another process on the same machine. */
  fork(): SimDisk {
    return new SimDisk(this.#options, { machine: this.#machine, story: this.story })
  }

  /** A disk with what a crash has left; this one stays as it is, for other crashes. */
  crash(profile: CrashProfile, chance: Chance): SimDisk {
    return this.#left(crashed(this.#platter, profile, chance))
  }

  /**
   * Disks that a crash may leave, no two by the same losses, at most `limit`: for up to 12
   * uncommitted changes every subset, and every write torn and zeroed; for more the extremes, each
   * alone, each missing, every beginning, the torn ones, and 256 random ones.
   */
  *crashStates(profile: CrashProfile, limit: number, chance: Chance): Generator<SimDisk> {
    for (const outcome of crashes(this.#platter, profile, limit, chance)) yield this.#left(outcome)
  }

  /** How many changes no sync has committed yet. */
  pending(): number {
    return this.#platter.pending.length
  }

  // Faults —————————————————————————————————————————————————————————————————————————————————————

  /** The n-th call of this process (from 1) fails without effect; a sync loses its pages. */
  failAt(n: number, errno: string): void {
    this.#calls.failAt(n, errno)
  }

  /** The next call of that name fails; asked twice, the next two. */
  failNext(call: SimCall, errno: string): void {
    this.#calls.failNext(call, errno)
  }

  /** If the n-th call is a write, only its first `bytes` bytes go in. */
  shortAt(n: number, bytes: number): void {
    this.#calls.shortAt(n, bytes)
  }

  /** The n-th call is not made, nor is any after it: they throw PowerCut, and so do held syncs. */
  cutAt(n: number): void {
    this.#calls.cutAt(n)
  }

  /** Every call from now on throws PowerCut. */
  cut(): void {
    this.#calls.cut()
  }

  /** From now on the syncs of all processes stay under way until they are released. */
  holdSyncs(): void {
    this.#machine.holdSyncs()
  }

  /** The paths of the syncs that are under way, in the order in which they began. */
  heldSyncs(): readonly string[] {
    return this.#machine.held()
  }

  /** Ends one of them [the oldest]; with an errno it fails, and its pages are lost. */
  releaseSync(index = 0, errno?: string): void {
    const path = this.#machine.held().at(index) ?? ''
    this.#machine.release(index, errno === undefined ? null : errnoError(errno, path))
  }

  /** Ends them all, in order, and holds no more. */
  releaseSyncs(): void {
    this.#machine.releaseAll()
  }

  // What happened ——————————————————————————————————————————————————————————————————————————————

  /** How many calls this process has made. */
  get operations(): number {
    return this.#calls.records.length
  }

  /** All its calls, for witnesses. */
  log(): readonly SimCallRecord[] {
    return this.#calls.records
  }

  /** The calls worth a crash before them: those that change something, or commit it. */
  crashPoints(): readonly number[] {
    return this.#calls.crashPoints()
  }

  counts(): Readonly<Partial<Record<SimCall, number>>> {
    return this.#calls.counts()
  }

  /** The folders in which something has changed since their watchers were last told. */
  changed(): readonly string[] {
    return this.#machine.changed()
  }

  /** Tells the watchers of a folder [of all that have changed]; nobody is ever told otherwise. */
  hint(folder?: string): void {
    this.#machine.hint(folder === undefined ? this.#machine.changed() : [folder])
  }

  get #platter(): Platter {
    return this.#machine.platter
  }

  #open(path: string, isWritable: boolean): DiskFile {
    const inode = this.#platter.inodeOf(path)
    if (this.#platter.find(path)?.kind !== 'file') throw errnoError('EISDIR', path)
    return this.#fileOf(path, inode, isWritable)
  }

  #fileOf(path: string, inode: number, isWritable: boolean): DiskFile {
    const home = { owner: this, machine: this.#machine, calls: this.#calls }
    return new SimFile(home, { path, inode, isWritable })
  }

  #abandon(): void {
    this.#machine.abandon(this, new PowerCut('cut off while a sync was under way'))
  }

  #left({ platter, story }: Aftermath): SimDisk {
    const machine = new Machine(platter, this.#machine.now)
    return new SimDisk(this.#options, { machine, story })
  }
}
