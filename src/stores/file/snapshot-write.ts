/**
 * Writing a snapshot: the state after a sealed segment, in a new index file, and what is still
 * needed of sparse files moved into a new data file, so that the old ones may go. Both are synced
 * before either gets its name. Nothing is changed in place; the first to link an index wins.
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import type { Image } from '../../job/book/image.js'
import type { Columns } from '../../job/book/columns.js'
import type { Extra, Paper, Past } from '../../job/book/extra.js'
import type { Float64Column, Uint32Column } from '../../job/book/column.js'
import { place, writeAll } from './drafts.js'
import { ITEM_LEAD, LINE_END } from './frames.js'
import { addressOf, fileOf } from './file-shelf.js'
import type { Address } from './file-shelf.js'
import { plain } from './frame-words.js'
import type { Layout } from './layout.js'
import { SectionWriter } from './snapshot-format.js'
import { dataNumber, dataPath, filePath, indexPath } from './snapshot-files.js'

export interface SnapshotImage {
  readonly image: Image
  readonly address: Float64Column
  readonly length: Uint32Column
  readonly boot: string
  readonly base: number
}

export interface SnapshotHead {
  readonly segment: number
  readonly boot: string
  readonly base: number
  /** The data file, by number and nonce; null when nothing was moved. */
  readonly data: { readonly number: number; readonly nonce: string } | null
  /** All data files that are referred to. */
  readonly datas: readonly { readonly number: number; readonly nonce: string }[]
  /** All files, segments and data, that are referred to. */
  readonly files: readonly number[]
}

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
/** How many rows are gathered before others get their turn. */
const ROWS_AT_ONCE = 16_384

/** Answers once it is linked and durable; false: someone else was first, and theirs counts. */
export async function writeSnapshot(ask: WriteAsk): Promise<boolean> {
  const { disk, layout, nonce, segment } = ask
  const papers = allPapers(ask.taken)
  const moved = await moveData(ask, papers, filesToLeave(ask, papers))
  const isFirst = await place({
    disk,
    draft: `${layout.tmp}/${nonce}.${segment}.index`,
    path: indexPath(layout, segment),
    fill: (file) => writeSections(new SectionWriter(file, ask.pause), ask, moved),
  })
  await disk.syncFolder(layout.snap)
  return isFirst
}

/** Every paper that the image refers to, as address and length in turn. */
function allPapers(taken: SnapshotImage): number[] {
  const papers: number[] = []
  for (const slot of taken.image.slots) {
    const address = taken.address.get(slot)
    if (address > 0) papers.push(address, taken.length.get(slot))
  }
  for (const extra of taken.image.extras.values()) {
    for (const { at, length } of papersOf(extra)) papers.push(at, length)
  }
  return papers
}

/** The papers of an extra. */
export function papersOf(extra: Extra): Address[] {
  const papers: unknown[] = [extra.payload, extra.result]
  for (const { paper } of extra.history) papers.push(paper)
  for (const { paper } of extra.origin?.history ?? []) papers.push(paper)
  for (const { paper } of extra.log) papers.push(paper)
  for (const { paper } of extra.steps?.kept ?? []) papers.push(paper)
  return papers.filter((paper) => paper != null) as Address[] // this store's shelf made them
}

/** The sparse ones, and those that are not to be relied on. */
function filesToLeave(ask: WriteAsk, papers: readonly number[]): Set<number> {
  const alive = new Map<number, number>()
  for (let at = 0; at < papers.length; at += 2) {
    const file = fileOf(papers[at])
    alive.set(file, (alive.get(file) ?? 0) + papers[at + 1])
  }
  const left = new Set<number>()
  for (const [file, bytes] of alive) {
    const size = ask.disk.facts(filePath(ask.layout, file, ask.datas))?.size ?? 0
    if (bytes < size * SPARSE || ask.mustLeave(file)) left.add(file)
  }
  return left
}

interface Moved {
  /** From old to new address. */
  readonly to: ReadonlyMap<number, number>
  readonly data: SnapshotHead['data']
}

/** Copies lines as they are, checksums and all, so that damage is not made good by copying it. */
async function moveData(
  ask: WriteAsk,
  papers: readonly number[],
  left: ReadonlySet<number>,
): Promise<Moved> {
  const wanted = new Map<number, number>()
  for (let at = 0; at < papers.length; at += 2) {
    if (left.has(fileOf(papers[at]))) wanted.set(papers[at], papers[at + 1])
  }
  const to = new Map<number, number>()
  if (wanted.size === 0) return { to, data: null }
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

async function writeSections(out: SectionWriter, ask: WriteAsk, moved: Moved): Promise<void> {
  const { taken, segment } = ask
  const { image } = taken
  const here = (address: number): number => moved.to.get(address) ?? address
  const files = new Set<number>()
  const papers = allPapers(taken)
  for (let at = 0; at < papers.length; at += 2) files.add(fileOf(here(papers[at])))
  const datas = [...ask.datas].map(([number, nonce]) => ({ number, nonce }))
  if (moved.data !== null) datas.push(moved.data)
  const head: SnapshotHead = {
    segment,
    boot: taken.boot,
    base: taken.base,
    data: moved.data,
    datas: datas.filter(({ number }) => files.has(number)),
    files: [...files],
  }
  await out.section('head', Buffer.from(plain(head)))
  const pairs = new Float64Array(moved.to.size * 2)
  let at = 0
  for (const [old, next] of moved.to) {
    pairs[at++] = old
    pairs[at++] = next
  }
  await out.section('moved', bytesOf(pairs))
  await out.section('ledger', Buffer.from(plain(image.state)))
  await out.section('rows', bytesOf(image.slots))
  await writeColumns(out, image.columns, image.slots, ask.pause)
  await gathered(out, 'address', image.slots, Float64Array, ask.pause, (slot) =>
    here(taken.address.get(slot)),
  )
  await gathered(out, 'length', image.slots, Uint32Array, ask.pause, (slot) =>
    taken.length.get(slot),
  )
  const extras = [...image.extras].map(([slot, extra]) => plain([slot, relocated(extra, here)]))
  await out.section('extras', Buffer.from(extras.join('\n')))
  await out.end()
}

/** The same extra with its papers where they are now. */
export function relocated(extra: Extra, here: (address: number) => number): Extra {
  const paper = (one: Paper): Paper => {
    const { kind, at, length } = one as Address // this store's shelf made it
    return { kind, at: here(at), length }
  }
  const past = (one: Past): Past => {
    return { ...one, paper: one.paper && paper(one.paper) }
  }
  const { origin, steps } = extra
  return {
    ...extra,
    payload: extra.payload && paper(extra.payload),
    result: extra.result && paper(extra.result),
    history: extra.history.map(past),
    origin: origin && { ...origin, history: origin.history.map(past) },
    log: extra.log.map((one) => ({ ...one, paper: paper(one.paper) })),
    steps: steps && {
      ...steps,
      kept: steps.kept.map((one) => ({ ...one, paper: paper(one.paper) })),
    },
  }
}

/** The columns that are one number a slot, by name. */
export const FLOATS = ['place', 'seq', 'insertedAt', 'since'] as const
export const WORDS = ['queue', 'task', 'group', 'attempt', 'maxAttempts'] as const
export const BYTES = ['state', 'flags', 'priority', 'crashes'] as const

async function writeColumns(
  out: SectionWriter,
  columns: Columns,
  slots: Uint32Array,
  pause: () => Promise<void>,
): Promise<void> {
  const ids = new Uint32Array(slots.length * 4)
  for (let row = 0; row < slots.length; row++) {
    const at = columns.id.at(slots[row])
    ids.set(columns.id.chunk(slots[row]).subarray(at, at + 4), row * 4)
    if (row % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await pause()
  }
  await out.section('ids', bytesOf(ids))
  for (const name of FLOATS) {
    await gathered(out, name, slots, Float64Array, pause, (slot) => columns[name].get(slot))
  }
  for (const name of WORDS) {
    await gathered(out, name, slots, Uint32Array, pause, (slot) => columns[name].get(slot))
  }
  for (const name of BYTES) {
    await gathered(out, name, slots, Uint8Array, pause, (slot) => columns[name].get(slot))
  }
}

async function gathered(
  out: SectionWriter,
  name: string,
  slots: Uint32Array,
  kind: new (length: number) => Float64Array | Uint32Array | Uint8Array,
  pause: () => Promise<void>,
  get: (slot: number) => number,
): Promise<void> {
  const values = new kind(slots.length)
  for (let row = 0; row < slots.length; row++) {
    values[row] = get(slots[row])
    if (row % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await pause()
  }
  await out.section(name, bytesOf(values))
}

function bytesOf(values: Float64Array | Uint32Array | Uint8Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
