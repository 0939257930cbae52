/**
 * What few jobs have, by slot: in small chunks, each there only while one of its slots has
 * something. It can be lent as a column can: whoever changes what a loan still shows gets a copy of
 * that chunk, values and all, so a value may be changed in place only when it came from `own`.
 */

/** Slots per chunk: so few that copying one is no stop. */
const CHUNK_BITS = 10
const CHUNK_SLOTS = 1 << CHUNK_BITS
const CHUNK_MASK = CHUNK_SLOTS - 1

interface Chunk<T> {
  readonly values: (T | undefined)[]
  count: number
  isShared: boolean
}

export class Sparse<T> {
  readonly #copy: (value: T) => T
  readonly #chunks: (Chunk<T> | undefined)[] = []
  /** Who wants to know which slots are different; null: nobody. */
  changed: Set<number> | null = null

  /** `copy` makes of a value one that can be changed without changing the first. */
  constructor(copy: (value: T) => T) {
    this.#copy = copy
  }

  /** For reading. */
  get(slot: number): T | undefined {
    return this.#chunks[slot >>> CHUNK_BITS]?.values[slot & CHUNK_MASK]
  }

  /** For changing in place. */
  own(slot: number): T | undefined {
    if (this.get(slot) === undefined) return undefined
    this.changed?.add(slot)
    return this.#own(slot).values[slot & CHUNK_MASK]
  }

  set(slot: number, value: T): void {
    this.changed?.add(slot)
    const chunk = this.#own(slot)
    if (chunk.values[slot & CHUNK_MASK] === undefined) chunk.count++
    chunk.values[slot & CHUNK_MASK] = value
  }

  delete(slot: number): void {
    if (this.get(slot) === undefined) return
    this.changed?.add(slot)
    const chunk = this.#own(slot)
    chunk.values[slot & CHUNK_MASK] = undefined
    if (--chunk.count === 0) this.#chunks[slot >>> CHUNK_BITS] = undefined
  }

  /** The slots from `from` to before `to` that have something, rising. */
  *entries(from: number, to: number): Generator<[number, T]> {
    for (let at = from >>> CHUNK_BITS; at < this.#chunks.length; at++) {
      const start = at << CHUNK_BITS
      if (start >= to) return
      const values = this.#chunks[at]?.values ?? []
      for (let n = 0; n < values.length; n++) {
        const value = values[n]
        if (value !== undefined && start + n >= from && start + n < to) yield [start + n, value]
      }
    }
  }

  /** What it says now, whatever is changed later. */
  lend(): Sparse<T> {
    const loan = new Sparse(this.#copy)
    for (let at = 0; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at]
      if (chunk !== undefined) chunk.isShared = true
      loan.#chunks.push(chunk)
    }
    return loan
  }

  #own(slot: number): Chunk<T> {
    const at = slot >>> CHUNK_BITS
    const known = this.#chunks[at]
    if (known !== undefined && !known.isShared) return known
    while (this.#chunks.length < at) this.#chunks.push(undefined)
    const values = new Array<T | undefined>(CHUNK_SLOTS).fill(undefined)
    const chunk = { values, count: known?.count ?? 0, isShared: false }
    known?.values.forEach((value, n) => {
      if (value !== undefined) values[n] = this.#copy(value)
    })
    this.#chunks[at] = chunk
    return chunk
  }
}
