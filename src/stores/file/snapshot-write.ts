/**
 * Writing a snapshot: the state after a sealed segment, in a new index file, and what is still
 * needed of sparse files moved into a new data file, so that the old ones may go. Both are synced
 * before either gets its name. Nothing is changed in place; the first to link an index wins.
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import { rowsOf } from '../../job/book/image.js'
import { place, writeAll } from '../../disk/place.js'
import { ITEM_LEAD, LINE_END } from './frames.js'
import { addressOf, fileOf } from './file-shelf.js'
import type { Layout } from './layout.js'
import { inherited, papersOf } from './papers.js'
import { SectionWriter } from './snapshot-format.js'
import { dataNumber, dataPath, filePath, indexPath } from './snapshot-files.js'
import { writeSections } from './snapshot-sections.js'
import type { Moved, SnapshotImage } from './snapshot-sections.js'

export interface WriteAsk {
  readonly disk: Disk
  readonly layout: Layout
  readonly nonce: string
  readonly segment: number
  readonly taken: SnapshotImage
  readonly datas: ReadonlyMap<number, string>
  /** Files that are left behind even if all of them is alive. */
  readonly mustLeave: (file: number) => boolean
  readonly pause: () => Promise<void>
}

/** Files less than half of which is needed are left behind. */
const SPARSE = 0.5
/** How many slots are looked at before others get their turn. */
const SLOTS_AT_ONCE = 16_384

/** Answers once it is linked and durable; false: someone else was first, and theirs counts. */
export async function writeSnapshot(ask: WriteAsk): Promise<boolean> {
  const { disk, layout, nonce, segment } = ask
  const alive = await survey(ask)
  const left = filesToLeave(ask, alive)
  const moved = await moveData(ask, left)
  const files = [...alive.keys()].filter((file) => !left.has(file))
  if (moved.data !== null) files.push(moved.data.number)
  const isFirst = await place({
    disk,
    draft: `${layout.tmp}/${nonce}.${segment}.index`,
    path: indexPath(layout, segment),
    fill: (file) => writeSections(new SectionWriter(file, ask.pause), { ...ask, moved, files }),
  })
  await disk.syncFolder(layout.snap)
  return isFirst
}

/** By file, how many bytes of it are needed. */
async function survey(ask: WriteAsk): Promise<Map<number, number>> {
  const alive = new Map<number, number>()
  await eachPaper(ask, (address, length) => {
    const file = fileOf(address)
    alive.set(file, (alive.get(file) ?? 0) + length)
  })
  return alive
}

/** Every paper that the image refers to. */
async function eachPaper(
  { taken, pause }: WriteAsk,
  look: (address: number, length: number) => void,
): Promise<void> {
  const { image, address, length } = taken
  /** Many children may share a parent's result. */
  const shared = new Set<number>()
  for (let from = 0; from < image.columns.used; from += SLOTS_AT_ONCE) {
    const to = from + SLOTS_AT_ONCE
    for (const slot of rowsOf(image, from, to)) {
      const at = address.get(slot)
      if (at > 0) look(at, length.get(slot))
    }
    for (const [, extra] of image.extras.entries(from, to)) {
      for (const paper of papersOf(extra)) look(paper.at, paper.length)
      for (const paper of inherited(extra)) {
        if (shared.has(paper.at)) continue
        shared.add(paper.at)
        look(paper.at, paper.length)
      }
    }
    await pause()
  }
}

/** The sparse ones, and those that are not to be relied on. */
function filesToLeave(ask: WriteAsk, alive: ReadonlyMap<number, number>): Set<number> {
  const left = new Set<number>()
  for (const [file, bytes] of alive) {
    const size = ask.disk.facts(filePath(ask.layout, file, ask.datas))?.size ?? 0
    if (bytes < size * SPARSE || ask.mustLeave(file)) left.add(file)
  }
  return left
}

/** Copies lines as they are, checksums and all, so that damage is not made good by copying it. */
async function moveData(ask: WriteAsk, left: ReadonlySet<number>): Promise<Moved> {
  const to = new Map<number, number>()
  if (left.size === 0) return { to, data: null }
  const wanted = new Map<number, number>()
  await eachPaper(ask, (address, length) => {
    if (left.has(fileOf(address))) wanted.set(address, length)
  })
  const { disk, layout, nonce, segment } = ask
  const data = { number: dataNumber(segment), nonce }
  const lines = [...wanted].sort(([a], [b]) => a - b)
  await place({
    disk,
    draft: `${layout.tmp}/${nonce}.${segment}.data`,
    path: dataPath(layout, data.number, nonce),
    fill: (file) => copyLines(ask, file, lines, to, data.number),
  })
  await disk.syncFolder(layout.snap)
  return { to, data }
}

/** How many bytes are written at once. */
const COPY_BYTES = 1024 * 1024

async function copyLines(
  ask: WriteAsk,
  out: DiskFile,
  wanted: readonly (readonly [address: number, length: number])[],
  to: Map<number, number>,
  number: number,
): Promise<void> {
  let parts: Buffer[] = []
  let pending = 0
  let end = 0
  let from: { readonly number: number; readonly file: DiskFile } | null = null
  const flush = async (): Promise<void> => {
    writeAll(out, Buffer.concat(parts))
    parts = []
    pending = 0
    await ask.pause()
  }
  try {
    for (const [address, length] of wanted) {
      if (from?.number !== fileOf(address)) {
        from?.file.close()
        const source = fileOf(address)
        from = { number: source, file: ask.disk.read(filePath(ask.layout, source, ask.datas)) }
      }
      const line = Buffer.alloc(ITEM_LEAD + length + 1, LINE_END)
      const offset = address - addressOf(from.number, 0)
      from.file.readAt(offset - ITEM_LEAD, line.subarray(0, ITEM_LEAD + length))
      to.set(address, addressOf(number, end + ITEM_LEAD))
      parts.push(line)
      pending += line.length
      end += line.length
      if (pending >= COPY_BYTES) await flush()
    }
    await flush()
  } finally {
    from?.file.close()
  }
}
