/**
 * From (queue, id) to slot: open addressing over the columns. Ids of ours are sixteen bytes there;
 * an id that a user gave (an *odd* id) stays a string, found by the same table.
 */
import { packId, unpackId } from '../id.js'
import { ODD_ID } from './columns.js'
import type { Columns } from './columns.js'
import { Sparse } from './sparse.js'

/** Tables, by the highest bits of the hash: each grows by itself, so that none is a long stop. */
const SHARD_BITS = 6
const SHARDS = 1 << SHARD_BITS
const SHARD_SHIFT = 32 - SHARD_BITS
const FIRST_SIZE = 32
/** Of a shard that has nothing yet: most books are the sheet of one transaction. Never written to. */
const EMPTY = new Int32Array(1).fill(-1)

export class Ids {
  readonly #columns: Columns
  /** The texts that do not fit into sixteen bytes. */
  readonly odd = new Sparse<string>((id) => id)
  readonly #packed = new Uint32Array(4)
  readonly #tables = Array.from({ length: SHARDS }, () => EMPTY)
  readonly #counts = new Uint32Array(SHARDS)

  constructor(columns: Columns) {
    this.#columns = columns
  }

  /** Writes the id into the slot and enters it. The caller has asked `find` before. */
  add(slot: number, queue: number, id: string): void {
    const columns = this.#columns
    if (packId(id, columns.id.ownChunk(slot), columns.id.at(slot))) {
      columns.lower(slot, ODD_ID)
    } else {
      columns.raise(slot, ODD_ID)
      this.odd.set(slot, id)
    }
    this.enter(slot, queue)
  }

  /** Makes room for so many, table by table: yields, so that the caller may let others run. */
  *reserve(count: number): Generator<void> {
    let size = FIRST_SIZE
    while (size * SHARDS < count * 2) size *= 2
    for (let shard = 0; shard < SHARDS; shard++) {
      if (this.#tables[shard].length < size) this.#resize(shard, size)
      yield
    }
  }

  /** Enters a slot whose id stands in the columns, or in `odd`, already. */
  enter(slot: number, queue: number): void {
    this.#columns.queue.set(slot, queue)
    const hash = this.#hash(slot)
    const shard = hash >>> SHARD_SHIFT
    const { length } = this.#tables[shard]
    if (++this.#counts[shard] * 2 > length) this.#resize(shard, Math.max(FIRST_SIZE, length * 2))
    put(this.#tables[shard], hash, slot)
  }

  /** -1 when there is none. */
  find(queue: number, id: string): number {
    const packed = packId(id, this.#packed, 0)
    const hash = packed ? hashWords(queue, this.#packed, 0) : hashText(queue, id)
    const table = this.#tables[hash >>> SHARD_SHIFT]
    const mask = table.length - 1
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = table[at]
      if (slot < 0) return -1
      if (this.#columns.queue.get(slot) !== queue) continue
      if (packed ? this.#isPacked(slot) : this.odd.get(slot) === id) return slot
    }
  }

  text(slot: number): string {
    if (this.#columns.has(slot, ODD_ID)) return this.odd.get(slot) ?? ''
    return unpackId(this.#columns.id.chunk(slot), this.#columns.id.at(slot))
  }

  /** Takes the slot's id out, closing the gap, so that a search never meets a grave. */
  remove(slot: number): void {
    const hash = this.#hash(slot)
    const table = this.#tables[hash >>> SHARD_SHIFT]
    const mask = table.length - 1
    let gap = hash & mask
    while (table[gap] !== slot) gap = (gap + 1) & mask
    for (let at = (gap + 1) & mask; table[at] >= 0; at = (at + 1) & mask) {
      const home = this.#hash(table[at]) & mask
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        table[gap] = table[at]
        gap = at
      }
    }
    table[gap] = -1
    this.#counts[hash >>> SHARD_SHIFT]--
    this.odd.delete(slot)
  }

  #isPacked(slot: number): boolean {
    if (this.#columns.has(slot, ODD_ID)) return false
    const words = this.#columns.id.chunk(slot)
    const at = this.#columns.id.at(slot)
    const packed = this.#packed
    return (
      words[at] === packed[0] &&
      words[at + 1] === packed[1] &&
      words[at + 2] === packed[2] &&
      words[at + 3] === packed[3]
    )
  }

  #hash(slot: number): number {
    const queue = this.#columns.queue.get(slot)
    if (this.#columns.has(slot, ODD_ID)) return hashText(queue, this.odd.get(slot) ?? '')
    return hashWords(queue, this.#columns.id.chunk(slot), this.#columns.id.at(slot))
  }

  #resize(shard: number, size: number): void {
    const table = new Int32Array(size).fill(-1)
    for (const slot of this.#tables[shard]) if (slot >= 0) put(table, this.#hash(slot), slot)
    this.#tables[shard] = table
  }
}

function put(table: Int32Array, hash: number, slot: number): void {
  const mask = table.length - 1
  let at = hash & mask
  while (table[at] >= 0) at = (at + 1) & mask
  table[at] = slot
}

/** Mixing as in MurmurHash3's finaliser: https://github.com/aappleby/smhasher */
function mix(hash: number): number {
  let mixed = hash
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

function hashWords(queue: number, words: Uint32Array, at: number): number {
  let hash = Math.imul(queue + 1, 0x9e3779b1)
  hash = Math.imul(hash ^ words[at], 0x85ebca6b) ^ words[at + 1]
  hash = Math.imul(hash ^ (hash >>> 15) ^ words[at + 2], 0xc2b2ae35) ^ words[at + 3]
  return mix(hash)
}

function hashText(queue: number, text: string): number {
  let hash = Math.imul(queue + 1, 0x9e3779b1)
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash)
}
