/**
 * Compaction: when enough log is sealed, the process that sealed it writes down the state that the
 * sealed segments left, and what only they needed is removed one generation later. Others notice at
 * their next roll and learn where papers were moved to. Nothing is removed that a durable snapshot,
 * or the one before it, still needs; whoever slept through two generations opens the log anew.
 */
import type { Disk } from '../../disk/disk.js'
import type { Ledger } from '../../job/book/ledger.js'
import { takeImage } from '../../job/book/image.js'
import { fileOf } from './file-shelf.js'
import type { FileShelf } from './file-shelf.js'
import { segmentPath, segments } from './layout.js'
import type { Layout } from './layout.js'
import { dataFiles, dataNumber, dataPath, indexPath, snapshots } from './snapshot-files.js'
import { loadSnapshot, readMoves } from './snapshot-read.js'
import { relocated, writeSnapshot } from './snapshot-write.js'
import type { SnapshotHead } from './snapshot-write.js'

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
}

export class Generations {
  readonly #options: GenerationsOptions
  /** The newest snapshot whose moves we know; 0: none. */
  #adopted = 0
  #sealedBytes = 0
  #writing: Promise<void> | null = null

  constructor(options: GenerationsOptions) {
    this.#options = options
  }

  /** Loads the newest snapshot that is sound; null when there is none. `skip`: not these. */
  async load(skip: ReadonlySet<number> = new Set()): Promise<SnapshotHead | null> {
    const { disk, layout, ledger, shelf, datas, pause } = this.#options
    const newest = snapshots(disk, layout).find((segment) => !skip.has(segment))
    if (newest === undefined) return null
    const head = await loadSnapshot(disk, layout, newest, { ledger, shelf }, pause)
    for (const { number, nonce } of head.datas) datas.set(number, nonce)
    this.#adopted = newest
    return head
  }

  /** The log left a segment behind, and the book stands exactly at its end. */
  rolled(sealed: number, bytes: number, ours: boolean): void {
    this.#sealedBytes += bytes
    this.#adoptNewer()
    if (!ours || this.#writing !== null || this.#sealedBytes < this.#threshold()) return
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
    const { disk, layout, nonce, ledger, shelf, datas, pause } = this.#options
    const { address, length } = shelf.copy()
    const taken = { image: takeImage(ledger), address, length, ...this.#options.anchor() }
    await writeSnapshot({ disk, layout, nonce, segment, taken, datas: new Map(datas), pause })
    this.#adoptNewer()
    await this.#clean(segment)
  }

  /** Learns the moves of snapshots that were linked since. */
  #adoptNewer(): void {
    const { disk, layout } = this.#options
    const newer = snapshots(disk, layout).filter((segment) => segment > this.#adopted)
    for (const segment of newer.reverse()) {
      const { head, to } = readMoves(disk, layout, segment)
      this.#relocate(head, to)
      this.#adopted = segment
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
    for (const [slot, extra] of ledger.extras) {
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
    const heads = made.slice(0, 2).map((segment) => readMoves(disk, layout, segment).head)
    const needed = new Set(heads.flatMap(({ files }) => files))
    const datas = new Set(
      heads.flatMap((head) => head.datas.map(({ nonce, number }) => `${number} ${nonce}`)),
    )
    for (const segment of made.slice(2)) disk.remove(indexPath(layout, segment))
    for (const segment of segments(disk, layout)) {
      if (segment <= before && !needed.has(segment)) disk.remove(segmentPath(layout, segment))
    }
    for (const { number, nonce } of dataFiles(disk, layout)) {
      // One that is newer belongs to a snapshot which is being written now.
      if (number > dataNumber(newest) || datas.has(`${number} ${nonce}`)) continue
      disk.remove(dataPath(layout, number, nonce))
    }
    await disk.syncFolder(layout.snap)
    await disk.syncFolder(layout.log)
  }
}
