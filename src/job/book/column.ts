/**
 * Columns of numbers, one per fact of a job, in chunks: growing never copies and never needs twice
 * the room. One class per width, so that each stays fast in the engine's eyes.
 *
 * A column can be *lent*: the loan says for ever what the column says now, and costs a list of
 * chunks. Whoever writes to a chunk that both have takes a copy of it first, so the price of an
 * image is paid chunk by chunk, by those that change. New chunks are shared in the same way, so a
 * fact that no job of a chunk has costs nothing there.
 */

/** Slots per chunk: 2^16, so that a million jobs are sixteen chunks of each column. */
const CHUNK_BITS = 16
export const CHUNK_SLOTS = 1 << CHUNK_BITS
const CHUNK_MASK = CHUNK_SLOTS - 1

/** New chunks, shared by all columns until something is written. */
const NO_DOUBLES = new Float64Array(CHUNK_SLOTS)
const NO_WORDS = new Uint32Array(CHUNK_SLOTS)
const NO_BYTES = new Uint8Array(CHUNK_SLOTS)

/** Doubles: instants, addresses, counters beyond 2^32. */
export class Float64Column {
  readonly chunks: Float64Array[] = []
  readonly #isShared: boolean[] = []
  readonly #blank: Float64Array

  /** `blank`: a chunk of what every slot says at first. */
  constructor(blank = NO_DOUBLES) {
    this.#blank = blank
  }

  get(slot: number): number {
    return this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK]
  }

  set(slot: number, value: number): void {
    const at = slot >>> CHUNK_BITS
    if (this.#isShared[at]) {
      if (this.chunks[at][slot & CHUNK_MASK] === value) return
      own(this.chunks, this.#isShared, at)
    }
    this.chunks[at][slot & CHUNK_MASK] = value
  }

  grow(): void {
    this.chunks.push(this.#blank)
    this.#isShared.push(true)
  }

  lend(): Float64Column {
    const loan = new Float64Column()
    share(this.chunks, this.#isShared, loan.chunks, loan.#isShared)
    return loan
  }
}

/** Whole numbers below 2^32. */
export class Uint32Column {
  readonly chunks: Uint32Array[] = []
  readonly #isShared: boolean[] = []
  readonly #blank: Uint32Array

  /** `blank`: a chunk of what every slot says at first. */
  constructor(blank = NO_WORDS) {
    this.#blank = blank
  }

  get(slot: number): number {
    return this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK]
  }

  set(slot: number, value: number): void {
    const at = slot >>> CHUNK_BITS
    if (this.#isShared[at]) {
      if (this.chunks[at][slot & CHUNK_MASK] === value) return
      own(this.chunks, this.#isShared, at)
    }
    this.chunks[at][slot & CHUNK_MASK] = value
  }

  grow(): void {
    this.chunks.push(this.#blank)
    this.#isShared.push(true)
  }

  lend(): Uint32Column {
    const loan = new Uint32Column()
    share(this.chunks, this.#isShared, loan.chunks, loan.#isShared)
    return loan
  }
}

/** Small numbers and bits. A signed value is kept with its bias by who stores it. */
export class Uint8Column {
  readonly chunks: Uint8Array[] = []
  readonly #isShared: boolean[] = []
  readonly #blank: Uint8Array

  /** `blank`: a chunk of what every slot says at first. */
  constructor(blank = NO_BYTES) {
    this.#blank = blank
  }

  get(slot: number): number {
    return this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK]
  }

  set(slot: number, value: number): void {
    const at = slot >>> CHUNK_BITS
    if (this.#isShared[at]) {
      if (this.chunks[at][slot & CHUNK_MASK] === value) return
      own(this.chunks, this.#isShared, at)
    }
    this.chunks[at][slot & CHUNK_MASK] = value
  }

  grow(): void {
    this.chunks.push(this.#blank)
    this.#isShared.push(true)
  }

  lend(): Uint8Column {
    const loan = new Uint8Column()
    share(this.chunks, this.#isShared, loan.chunks, loan.#isShared)
    return loan
  }
}

/** Four words a slot, for ids of 16 bytes. */
export class QuadColumn {
  readonly chunks: Uint32Array[] = []
  readonly #isShared: boolean[] = []

  /** For reading. */
  chunk(slot: number): Uint32Array {
    return this.chunks[slot >>> CHUNK_BITS]
  }

  /** For writing. */
  ownChunk(slot: number): Uint32Array {
    const at = slot >>> CHUNK_BITS
    if (this.#isShared[at]) own(this.chunks, this.#isShared, at)
    return this.chunks[at]
  }

  at(slot: number): number {
    return (slot & CHUNK_MASK) << 2
  }

  grow(): void {
    this.chunks.push(new Uint32Array(CHUNK_SLOTS * 4))
    this.#isShared.push(false)
  }

  lend(): QuadColumn {
    const loan = new QuadColumn()
    share(this.chunks, this.#isShared, loan.chunks, loan.#isShared)
    return loan
  }
}

function share<A>(chunks: A[], isShared: boolean[], into: A[], intoShared: boolean[]): void {
  for (let at = 0; at < chunks.length; at++) {
    into.push(chunks[at])
    intoShared.push(true)
    isShared[at] = true
  }
}

function own<A extends { slice(): A }>(chunks: A[], isShared: boolean[], at: number): void {
  chunks[at] = chunks[at].slice()
  isShared[at] = false
}
