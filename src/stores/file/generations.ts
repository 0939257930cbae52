/**
 * Compaction: when enough log is sealed, the process that sealed it writes down the state that the
 * sealed segments left, and what only they needed is removed one generation later. Others notice at
 * their next roll and learn where papers were moved to. Nothing is removed that a durable snapshot,
 * or the one before it, still needs; whoever slept through two generations opens the log anew.
 */
import type { Disk } from '../../disk/disk.js'
import type { Ledger } from '../../job/book/ledger.js'
import { takeImage } from '../../job/book/image.js'
import { removeIfThere } from '../../disk/place.js'
import { isOfSystem } from '../../disk/errno.js'
import { quarantine } from '../../disk/quarantine.js'
import { fileOf } from './file-shelf.js'
import type { FileShelf } from './file-shelf.js'
import { relocated } from './papers.js'
import { segmentPath, segments } from './layout.js'
import type { Layout } from './layout.js'
import { dataFiles, dataNumber, dataPath, indexPath, isData, snapshots } from './snapshot-files.js'
import { loadSnapshot, readMoves } from './snapshot-read.js'
import type { SnapshotHead } from './snapshot-sections.js'
import { writeSnapshot } from './snapshot-write.js'

export interface GenerationsOptions {
  readonly disk: Disk
  readonly layout: Layout
  readonly nonce: string
  readonly ledger: Ledger
  readonly shelf: FileShelf
  /** By number, the data files that addresses name; shared with whoever opens files. */
  readonly datas: Map<number, string>
  readonly segmentBytes: number
  readonly pause: () => Promise<void>
  readonly warn: (message: string) => void
  /** How store time follows from the host's clock now. */
  readonly anchor: () => { readonly boot: string; readonly base: number }
  /** The first segment of which nobody knows what the disk kept; null: all is well. */
  readonly doubtful: number | null
}

export class Generations {
  readonly #options: GenerationsOptions
  /** The newest snapshot whose moves we know; 0: none. */
  #adopted = 0
  /** The last segment that was left behind: what it holds is folded. */
  #folded = 0
  /** Moves were learnt since this state was loaded: what they missed, loading anew may find. */
  #hasMoved = false
  #sealedBytes = 0
  #writing: Promise<void> | null = null
  /** The last snapshot that is ours. */
  #written = 0

  constructor(options: GenerationsOptions) {
    this.#options = options
  }

  /** Fills the empty book from this snapshot. Throws when it is not sound. */
  async load(segment: number): Promise<SnapshotHead> {
    const { disk, layout, ledger, shelf, datas, pause } = this.#options
    const head = await loadSnapshot(disk, layout, segment, { ledger, shelf }, pause)
    for (const { number, nonce } of head.datas) datas.set(number, nonce)
    this.#adopted = segment
    return head
  }

  /** There is a newer snapshot, or one between was missed: another load may find more files. */
  get isBehind(): boolean {
    const { disk, layout } = this.#options
    return this.#hasMoved || (snapshots(disk, layout)[0] ?? 0) !== this.#adopted
  }

  /** The last snapshot that this process wrote, durable; 0: none. */
  get written(): number {
    return this.#written
  }

  /** The log left a segment behind, and the book stands exactly at its end. */
  rolled(sealed: number, bytes: number, ours: boolean): void {
    const { doubtful } = this.#options
    this.#sealedBytes += bytes
    this.#folded = sealed
    this.#adoptNewer()
    if (this.#writing !== null) return
    const isDue = ours && this.#sealedBytes >= this.#threshold()
    const isHealing = doubtful !== null && this.#written < doubtful
    if (!isDue && !isHealing) return
    this.#sealedBytes = 0
    this.#writing = this.#write(sealed)
      .catch((error: unknown) => {
        this.#options.warn(`the log could not be compacted, and grows on: ${String(error)}`)
      })
      .finally(() => (this.#writing = null))
  }

  /** Resolves when nothing is being written. */
  async quiet(): Promise<void> {
    await this.#writing
  }

  /** As much log as a segment, or as the index that would be written, whichever is larger. */
  #threshold(): number {
    const { disk, layout, segmentBytes } = this.#options
    const index =
      this.#adopted === 0 ? 0 : (disk.facts(indexPath(layout, this.#adopted))?.size ?? 0)
    return Math.max(segmentBytes, index)
  }

  async #write(segment: number): Promise<void> {
    const { disk, layout, nonce, ledger, shelf, datas, pause, doubtful } = this.#options
    const { address, length } = shelf.lend()
    const taken = { image: takeImage(ledger), address, length, ...this.#options.anchor() }
    const mustLeave = (file: number): boolean =>
      doubtful !== null && !isData(file) && file >= doubtful
    const ask = { disk, layout, nonce, segment, taken, datas: new Map(datas), mustLeave, pause }
    if (await writeSnapshot(ask)) this.#written = segment
    this.#adoptNewer()
    await this.#clean(segment)
  }

  /**
   * Learns the moves of snapshots that were linked since. One whose segments are not folded yet is
   * left for later: what will be folded of them must be moved too.
   */
  #adoptNewer(): void {
    const { disk, layout } = this.#options
    const newer = snapshots(disk, layout).filter((segment) => {
      return segment > this.#adopted && segment <= this.#folded
    })
    for (const segment of newer.reverse()) {
      const moves = this.#read(segment)
      if (moves === null) continue
      this.#relocate(moves.head, moves.to)
      this.#adopted = segment
      this.#hasMoved = true
    }
  }

  /** Null when it cannot be read now; what is damaged is taken out of everybody's way. */
  #read(segment: number): ReturnType<typeof readMoves> | null {
    const { disk, layout } = this.#options
    try {
      return readMoves(disk, layout, segment)
    } catch (error) {
      if (isOfSystem(error)) {
        this.#options.warn(`snapshot ${segment} cannot be read: ${error.message}`)
      } else {
        this.discard(segment, error)
      }
      return null
    }
  }

  /** A snapshot that is not what was written: the one before it, or the log, stands in. */
  discard(segment: number, why: unknown): void {
    const { disk, layout, nonce, warn } = this.#options
    warn(`snapshot ${segment} is passed over and put into quarantine: ${String(why)}`)
    try {
      quarantine(disk, layout, indexPath(layout, segment), String(why), nonce)
    } catch (error) {
      warn(`snapshot ${segment} could not be put into quarantine: ${String(error)}`)
    }
  }

  #relocate(head: SnapshotHead, to: ReadonlyMap<number, number>): void {
    const { shelf, ledger, datas } = this.#options
    for (const { number, nonce } of head.datas) datas.set(number, nonce)
    if (to.size === 0) return
    const left = new Set<number>()
    for (const address of to.keys()) left.add(fileOf(address))
    const { columns } = ledger
    for (let slot = 0; slot < columns.used; slot++) {
      const address = shelf.addressAt(slot)
      const next = left.has(fileOf(address)) ? to.get(address) : undefined
      if (next !== undefined) shelf.address.set(slot, next)
    }
    for (const [slot, extra] of ledger.extras.entries(0, columns.used)) {
      ledger.extras.set(
        slot,
        relocated(extra, (address) => to.get(address) ?? address),
      )
    }
    shelf.close((file) => !left.has(file))
  }

  /** Removes what neither this snapshot nor the one before it needs. */
  async #clean(newest: number): Promise<void> {
    const { disk, layout } = this.#options
    const made = snapshots(disk, layout)
    if (made[0] !== newest) return
    const before = made[1] ?? 0
    const kept = made.slice(0, 2).map((segment) => this.#read(segment)?.head)
    // What a snapshot needs that cannot be read now is not known: nothing may go.
    if (!kept.every((head) => head !== undefined)) return
    const needed = new Set(kept.flatMap(({ files }) => files))
    const datas = new Set(
      kept.flatMap((head) => head.datas.map(({ nonce, number }) => `${number} ${nonce}`)),
    )
    for (const segment of made.slice(2)) removeIfThere(disk, indexPath(layout, segment))
    for (const segment of segments(disk, layout)) {
      const isCovered = segment <= before && !needed.has(segment)
      if (isCovered) removeIfThere(disk, segmentPath(layout, segment))
    }
    for (const { number, nonce } of dataFiles(disk, layout)) {
      // One that is newer than the snapshot before may belong to one that is being written now.
      const isOld = number <= dataNumber(before) || number === dataNumber(newest)
      if (!isOld || datas.has(`${number} ${nonce}`)) continue
      removeIfThere(disk, dataPath(layout, number, nonce))
    }
    await disk.syncFolder(layout.snap)
    await disk.syncFolder(layout.log)
  }
}
