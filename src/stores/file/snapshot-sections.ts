/**
 * What stands in a snapshot's index, section by section: the head, what was moved, the ledger, and
 * then the jobs in stripes, so that neither who writes nor who reads ever holds more than a stripe,
 * or stops for longer than a piece of it takes. `snapshot-read.ts` is the way back.
 */
import { CHUNK_SLOTS } from '../../job/book/column.js'
import type { Float64Column, Uint32Column } from '../../job/book/column.js'
import { BYTES, FLOATS, FREE, WORDS } from '../../job/book/columns.js'
import type { ColumnsLoan } from '../../job/book/columns.js'
import { emptyExtra } from '../../job/book/extra.js'
import type { Extra } from '../../job/book/extra.js'
import { rowsOf } from '../../job/book/image.js'
import type { Image } from '../../job/book/image.js'
import { plain } from '../../job/plain.js'
import { relocated } from './papers.js'
import type { SectionWriter } from './snapshot-format.js'

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
  /** How many slots hold something. */
  readonly rows: number
}

/** From old to new address, and the file that has them now. */
export interface Moved {
  readonly to: ReadonlyMap<number, number>
  readonly data: SnapshotHead['data']
}

export interface SectionsAsk {
  readonly segment: number
  readonly taken: SnapshotImage
  readonly datas: ReadonlyMap<number, string>
  readonly moved: Moved
  /** All files that are referred to, after the move. */
  readonly files: readonly number[]
}

/** How many texts and extras stand in one section. */
const TEXTS_AT_ONCE = 512

export async function writeSections(out: SectionWriter, ask: SectionsAsk): Promise<void> {
  const { taken, segment, moved, files } = ask
  const { image, boot, base } = taken
  const datas = [...ask.datas].map(([number, nonce]) => ({ number, nonce }))
  if (moved.data !== null) datas.push(moved.data)
  const head: SnapshotHead = {
    ...{ segment, boot, base, files, data: moved.data },
    datas: datas.filter(({ number }) => files.includes(number)),
    rows: countRows(image),
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
  for (let from = 0; from < image.columns.used; from += CHUNK_SLOTS) {
    await writeStripe(out, taken, from, (address) => moved.to.get(address) ?? address)
  }
  await out.end()
}

function countRows({ columns }: Image): number {
  let rows = 0
  for (let slot = 0; slot < columns.used; slot++) if (columns.state.get(slot) !== FREE) rows++
  return rows
}

/** The jobs of one chunk of slots. */
async function writeStripe(
  out: SectionWriter,
  { image, address, length }: SnapshotImage,
  from: number,
  here: (address: number) => number,
): Promise<void> {
  const { columns } = image
  const to = from + CHUNK_SLOTS
  const slots = rowsOf(image, from, to)
  await out.section('rows', bytesOf(slots))
  await out.section('ids', bytesOf(idsOf(columns, slots)))
  for (const name of FLOATS) {
    const values = Float64Array.from(slots, (slot) => columns[name].get(slot))
    await out.section(name, bytesOf(values))
  }
  for (const name of WORDS) {
    await out.section(name, bytesOf(slots.map((slot) => columns[name].get(slot))))
  }
  for (const name of BYTES) {
    const values = Uint8Array.from(slots, (slot) => columns[name].get(slot))
    await out.section(name, bytesOf(values))
  }
  const addresses = Float64Array.from(slots, (slot) => here(address.get(slot)))
  await out.section('address', bytesOf(addresses))
  await out.section('length', bytesOf(slots.map((slot) => length.get(slot))))
  await writeTexts(out, 'odd', image.odd.entries(from, to), (id) => id)
  await writeTexts(out, 'extras', image.extras.entries(from, to), (extra) =>
    said(relocated(extra, here)),
  )
}

async function writeTexts<T>(
  out: SectionWriter,
  name: string,
  entries: Iterable<[number, T]>,
  show: (value: T) => unknown,
): Promise<void> {
  let lines: string[] = []
  for (const [slot, value] of entries) {
    lines.push(plain([slot, show(value)]))
    if (lines.length < TEXTS_AT_ONCE) continue
    await out.section(name, Buffer.from(lines.join('\n')))
    lines = []
  }
  if (lines.length > 0) await out.section(name, Buffer.from(lines.join('\n')))
}

const NOTHING = new Map<string, unknown>(Object.entries(emptyExtra()))

/** An extra without what all have; `emptyExtra` stands in for it. */
function said(extra: Extra): Partial<Extra> {
  return Object.fromEntries(
    Object.entries(extra).filter(([name, value]) =>
      Array.isArray(value) ? value.length > 0 : NOTHING.get(name) !== value,
    ),
  )
}

function idsOf(columns: ColumnsLoan, slots: Uint32Array): Uint32Array {
  const ids = new Uint32Array(slots.length * 4)
  for (let row = 0; row < slots.length; row++) {
    const chunk = columns.id.chunk(slots[row])
    const at = columns.id.at(slots[row])
    for (let word = 0; word < 4; word++) ids[row * 4 + word] = chunk[at + word]
  }
  return ids
}

function bytesOf(values: Float64Array | Uint32Array | Uint8Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
