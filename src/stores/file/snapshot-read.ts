/**
 * Reading a snapshot back into an empty book, or only what a process that lives on must know of it:
 * where papers were moved to.
 */
import type { Disk } from '../../disk/disk.js'
import { BYTES, FLOATS, WORDS } from '../../job/book/columns.js'
import type { Columns } from '../../job/book/columns.js'
import { emptyExtra } from '../../job/book/extra.js'
import type { Extra } from '../../job/book/extra.js'
import { Restorer } from '../../job/book/image.js'
import type { ImageState } from '../../job/book/image.js'
import type { Ledger } from '../../job/book/ledger.js'
import { unplain } from '../../job/plain.js'
import type { FileShelf } from './file-shelf.js'
import type { Layout } from './layout.js'
import { SectionReader } from './snapshot-format.js'
import type { Section } from './snapshot-format.js'
import { indexPath } from './snapshot-files.js'
import type { SnapshotHead } from './snapshot-sections.js'

interface Into {
  readonly ledger: Ledger
  readonly shelf: FileShelf
}

/** Rows entered before others get their turn. */
const ROWS_AT_ONCE = 2_048

/** Fills an empty ledger and shelf. Throws when any of it is damaged. */
export async function loadSnapshot(
  disk: Disk,
  layout: Layout,
  segment: number,
  into: Into,
  pause: () => Promise<void>,
): Promise<SnapshotHead> {
  const file = disk.read(indexPath(layout, segment))
  try {
    return await load(new SectionReader(file), into, pause)
  } finally {
    file.close()
  }
}

async function load(
  reader: SectionReader,
  into: Into,
  pause: () => Promise<void>,
): Promise<SnapshotHead> {
  const head = readHead(reader.next().bytes)
  reader.next() // what was moved: an empty book knows no older place
  const state = unplain(reader.next().bytes.toString()) as ImageState // as `writeSections` wrote it
  const restorer = new Restorer(into.ledger, state)
  for (const _ of into.ledger.ids.reserve(head.rows)) await pause()
  const all = new Uint32Array(head.rows)
  let rows = 0
  for (let section = reader.next(); section.name !== 'end';) {
    // Kept beyond its section, whose bytes are not.
    const slots = words(section.bytes).slice()
    all.set(slots, rows)
    rows += slots.length
    section = await fillStripe(reader, slots, into, restorer, pause)
    for (let row = 0; row < slots.length; row++) {
      restorer.enter(slots[row])
      if (row % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await pause()
    }
  }
  for (const _ of restorer.finish(all)) await pause()
  for (const _ of into.ledger.columns.collectFree()) await pause()
  return head
}

/** The sections behind a stripe's rows; answers the one that begins the next stripe, or `end`. */
async function fillStripe(
  reader: SectionReader,
  slots: Uint32Array,
  { ledger, shelf }: Into,
  restorer: Restorer,
  pause: () => Promise<void>,
): Promise<Section> {
  const { columns } = ledger
  const used = (slots.at(-1) ?? -1) + 1
  columns.reserve(used)
  shelf.reserve(used)
  for (;;) {
    const section = reader.next()
    const { name, bytes } = section
    if (name === 'rows' || name === 'end') return section
    if (name === 'odd') {
      for (const [slot, id] of texts<string>(bytes)) restorer.odd(slot, id)
    } else if (name === 'extras') {
      for (const [slot, said] of texts<Partial<Extra>>(bytes)) {
        restorer.extra(slot, { ...emptyExtra(), ...said })
      }
    } else {
      fillColumn({ columns, shelf }, slots, section)
    }
    await pause()
  }
}

function fillColumn(
  { columns, shelf }: { readonly columns: Columns; readonly shelf: FileShelf },
  slots: Uint32Array,
  { name, bytes }: Section,
): void {
  const float = FLOATS.find((one) => one === name)
  const word = WORDS.find((one) => one === name)
  const byte = BYTES.find((one) => one === name)
  if (float !== undefined) fill(slots, doubles(bytes), columns[float])
  else if (word !== undefined) fill(slots, words(bytes), columns[word])
  else if (byte !== undefined) fill(slots, bytes, columns[byte])
  else if (name === 'address') fill(slots, doubles(bytes), shelf.address)
  else if (name === 'length') fill(slots, words(bytes), shelf.length)
  else if (name === 'ids') fillIds(columns, slots, words(bytes))
  else throw new Error(`a snapshot has no section ${name}`)
}

function fill(
  slots: Uint32Array,
  values: Float64Array | Uint32Array | Uint8Array,
  column: { set(slot: number, value: number): void },
): void {
  for (let row = 0; row < slots.length; row++) column.set(slots[row], values[row])
}

function fillIds(columns: Columns, slots: Uint32Array, ids: Uint32Array): void {
  for (let row = 0; row < slots.length; row++) {
    const chunk = columns.id.ownChunk(slots[row])
    const at = columns.id.at(slots[row])
    for (let word = 0; word < 4; word++) chunk[at + word] = ids[row * 4 + word]
  }
}

/** Lines of slot and value, as `writeTexts` wrote them. */
function texts<T>(bytes: Buffer): [number, T][] {
  const lines = bytes.toString().split('\n')
  return lines.map((line) => unplain(line) as [number, T]) // the section says of which kind
}

/** Only the head, and where papers were moved. */
export function readMoves(
  disk: Disk,
  layout: Layout,
  segment: number,
): { readonly head: SnapshotHead; readonly to: ReadonlyMap<number, number> } {
  const file = disk.read(indexPath(layout, segment))
  try {
    const reader = new SectionReader(file)
    const head = readHead(reader.next().bytes)
    const pairs = doubles(reader.next().bytes)
    const to = new Map<number, number>()
    for (let at = 0; at < pairs.length; at += 2) to.set(pairs[at], pairs[at + 1])
    return { head, to }
  } finally {
    file.close()
  }
}

function readHead(bytes: Buffer): SnapshotHead {
  return unplain(bytes.toString()) as SnapshotHead // as `writeSections` wrote it
}

function words(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}

function doubles(bytes: Buffer): Float64Array {
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)
}
