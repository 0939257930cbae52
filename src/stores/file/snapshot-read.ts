/**
 * Reading a snapshot back into an empty book, or only what a process that lives on must know of it:
 * where papers were moved to.
 */
import type { Disk } from '../../disk/disk.js'
import { Restorer } from '../../job/book/image.js'
import type { ImageState } from '../../job/book/image.js'
import type { Extra } from '../../job/book/extra.js'
import type { Ledger } from '../../job/book/ledger.js'
import { unplain } from './frame-words.js'
import type { FileShelf } from './file-shelf.js'
import type { Layout } from './layout.js'
import { SectionReader } from './snapshot-format.js'
import { indexPath } from './snapshot-files.js'
import { BYTES, FLOATS, WORDS } from './snapshot-write.js'
import type { SnapshotHead } from './snapshot-write.js'

/** Sections one after the other, up to `last`; throws when any of it is not what was written. */
function* sections(
  disk: Disk,
  layout: Layout,
  segment: number,
  last: string,
): Generator<{ readonly name: string; readonly bytes: Buffer }> {
  const file = disk.read(indexPath(layout, segment))
  try {
    const reader = new SectionReader(file)
    for (;;) {
      const section = reader.next()
      yield section
      if (section.name === last) return
    }
  } finally {
    file.close()
  }
}

/** Rows entered before others get their turn. */
const ROWS_AT_ONCE = 4_096

/** Fills an empty ledger and shelf. Throws when any of it is damaged. */
export async function loadSnapshot(
  disk: Disk,
  layout: Layout,
  segment: number,
  into: { readonly ledger: Ledger; readonly shelf: FileShelf },
  pause: () => Promise<void>,
): Promise<SnapshotHead> {
  const found = new Map<string, Buffer>()
  for (const { name, bytes } of sections(disk, layout, segment, 'end')) {
    found.set(name, bytes)
    await pause()
  }
  /** Each is asked for once, and let go, so that a large snapshot is not in memory twice. */
  const part = (name: string): Buffer => {
    const bytes = found.get(name)
    if (bytes === undefined) throw new Error(`${indexPath(layout, segment)} has no section ${name}`)
    found.delete(name)
    return bytes
  }
  // Written by `writeSections`, and its checksum was good.
  const state = unplain(part('ledger').toString()) as ImageState
  const slots = words(part('rows'))
  const { ledger, shelf } = into
  const { columns } = ledger
  const restorer = new Restorer(ledger, state, slots.length)
  columns.reserve(slots.reduce((most, slot) => Math.max(most, slot + 1), 0))
  await fillColumns(columns, slots, part, pause)
  const addresses = doubles(part('address'))
  const lengths = words(part('length'))
  await eachRow(slots, pause, (slot, row) => {
    shelf.set(slot, addresses[row], lengths[row])
    restorer.enter(slot)
  })
  const extras = part('extras').toString()
  for (const line of extras === '' ? [] : extras.split('\n')) {
    const [slot, extra] = unplain(line) as [number, Extra] // as `writeSections` wrote it
    restorer.extra(slot, extra)
  }
  for (const _ of restorer.finish(slots)) await pause()
  columns.collectFree()
  return readHead(part('head'))
}

async function eachRow(
  slots: Uint32Array,
  pause: () => Promise<void>,
  run: (slot: number, row: number) => void,
): Promise<void> {
  for (let row = 0; row < slots.length; row++) {
    run(slots[row], row)
    if (row % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await pause()
  }
}

async function fillColumns(
  columns: Ledger['columns'],
  slots: Uint32Array,
  part: (name: string) => Buffer,
  pause: () => Promise<void>,
): Promise<void> {
  const ids = words(part('ids'))
  await eachRow(slots, pause, (slot, row) => {
    const chunk = columns.id.chunk(slot)
    const at = columns.id.at(slot)
    for (let word = 0; word < 4; word++) chunk[at + word] = ids[row * 4 + word]
  })
  for (const name of FLOATS) {
    const values = doubles(part(name))
    await eachRow(slots, pause, (slot, row) => columns[name].set(slot, values[row]))
  }
  for (const name of WORDS) {
    const values = words(part(name))
    await eachRow(slots, pause, (slot, row) => columns[name].set(slot, values[row]))
  }
  for (const name of BYTES) {
    const values = part(name)
    await eachRow(slots, pause, (slot, row) => columns[name].set(slot, values[row]))
  }
}

/** Only the head, and where papers were moved. */
export function readMoves(
  disk: Disk,
  layout: Layout,
  segment: number,
): { readonly head: SnapshotHead; readonly to: ReadonlyMap<number, number> } {
  const found = new Map<string, Buffer>()
  for (const { name, bytes } of sections(disk, layout, segment, 'moved')) found.set(name, bytes)
  const pairs = doubles(found.get('moved') ?? Buffer.alloc(0))
  const to = new Map<number, number>()
  for (let at = 0; at < pairs.length; at += 2) to.set(pairs[at], pairs[at + 1])
  return { head: readHead(found.get('head') ?? Buffer.alloc(0)), to }
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
