/**
 * From (queue, id) to slot: open addressing over the columns. Ids of ours are sixteen bytes there;
 * an id that a user gave (an *odd* id) stays a string, found by the same table.
 */
import { packId, unpackId } from '../id.js'
import { ODD_ID } from './columns.js'
import type { Columns } from './columns.js'

const FIRST_SIZE = 1024

export class Ids {
  readonly #columns: Columns
  readonly #odd = new Map<number, string>()
  readonly #packed = new Uint32Array(4)
  #table = new Int32Array(FIRST_SIZE).fill(-1)
  #count = 0

  constructor(columns: Columns) {
    this.#columns = columns
  }

  /** Writes the id into the slot and enters it. The caller has asked `find` before. */
  add(slot: number, queue: number, id: string): void {
    const columns = this.#columns
    if (packId(id, columns.id.chunk(slot), columns.id.at(slot))) {
      columns.lower(slot, ODD_ID)
    } else {
      columns.raise(slot, ODD_ID)
      this.#odd.set(slot, id)
    }
    columns.queue.set(slot, queue)
    if (++this.#count * 2 > this.#table.length) this.#grow()
    this.#enter(slot)
  }

  /** Makes room for so many at once; growing on the way would stop everything at the last doubling. */
  reserve(count: number): void {
    while (this.#table.length < count * 2) this.#grow()
  }

  /** Enters a slot whose id stands in the columns already; `odd` for one that does not fit there. */
  restore(slot: number, queue: number, odd: string | undefined): void {
    if (odd !== undefined) this.#odd.set(slot, odd)
    this.#columns.queue.set(slot, queue)
    if (++this.#count * 2 > this.#table.length) this.#grow()
    this.#enter(slot)
  }

  /** -1 when there is none. */
  find(queue: number, id: string): number {
    const packed = packId(id, this.#packed, 0)
    const hash = packed ? hashWords(queue, this.#packed, 0) : hashText(queue, id)
    const mask = this.#table.length - 1
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = this.#table[at]
      if (slot < 0) return -1
      if (this.#columns.queue.get(slot) !== queue) continue
      if (packed ? this.#isPacked(slot) : this.#odd.get(slot) === id) return slot
    }
  }

  text(slot: number): string {
    if (this.#columns.has(slot, ODD_ID)) return this.#odd.get(slot) ?? ''
    return unpackId(this.#columns.id.chunk(slot), this.#columns.id.at(slot))
  }

  /** Takes the slot's id out, closing the gap, so that a search never meets a grave. */
  remove(slot: number): void {
    const table = this.#table
    const mask = table.length - 1
    let gap = this.#hash(slot) & mask
    while (table[gap] !== slot) gap = (gap + 1) & mask
    for (let at = (gap + 1) & mask; table[at] >= 0; at = (at + 1) & mask) {
      const home = this.#hash(table[at]) & mask
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        table[gap] = table[at]
        gap = at
      }
    }
    table[gap] = -1
    this.#count--
    this.#odd.delete(slot)
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
    if (this.#columns.has(slot, ODD_ID)) return hashText(queue, this.#odd.get(slot) ?? '')
    return hashWords(queue, this.#columns.id.chunk(slot), this.#columns.id.at(slot))
  }

  #enter(slot: number): void {
    const mask = this.#table.length - 1
    let at = this.#hash(slot) & mask
    while (this.#table[at] >= 0) at = (at + 1) & mask
    this.#table[at] = slot
  }

  #grow(): void {
    const old = this.#table
    this.#table = new Int32Array(old.length * 2).fill(-1)
    for (const slot of old) if (slot >= 0) this.#enter(slot)
  }
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
