/**
 * Columns of numbers, one per fact of a job, in chunks: growing never copies and never needs twice
 * the room. One class per width, so that each stays fast in the engine's eyes.
 */

/** Slots per chunk: 2^16, so that a million jobs are sixteen chunks of each column. */
const CHUNK_BITS = 16
export const CHUNK_SLOTS = 1 << CHUNK_BITS
const CHUNK_MASK = CHUNK_SLOTS - 1

/** Doubles: instants, addresses, counters beyond 2^32. */
export class Float64Column {
  readonly chunks: Float64Array[] = []

  get(slot: number): number {
    return this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK]
  }

  set(slot: number, value: number): void {
    this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK] = value
  }

  grow(): void {
    this.chunks.push(new Float64Array(CHUNK_SLOTS))
  }
}

/** Whole numbers below 2^32. */
export class Uint32Column {
  readonly chunks: Uint32Array[] = []

  get(slot: number): number {
    return this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK]
  }

  set(slot: number, value: number): void {
    this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK] = value
  }

  grow(): void {
    this.chunks.push(new Uint32Array(CHUNK_SLOTS))
  }
}

/** Small numbers and bits. A signed value is kept with its bias by who stores it. */
export class Uint8Column {
  readonly chunks: Uint8Array[] = []

  get(slot: number): number {
    return this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK]
  }

  set(slot: number, value: number): void {
    this.chunks[slot >>> CHUNK_BITS][slot & CHUNK_MASK] = value
  }

  grow(): void {
    this.chunks.push(new Uint8Array(CHUNK_SLOTS))
  }
}

/** Four words a slot, for ids of 16 bytes. */
export class QuadColumn {
  readonly chunks: Uint32Array[] = []

  chunk(slot: number): Uint32Array {
    return this.chunks[slot >>> CHUNK_BITS]
  }

  at(slot: number): number {
    return (slot & CHUNK_MASK) << 2
  }

  grow(): void {
    this.chunks.push(new Uint32Array(CHUNK_SLOTS * 4))
  }
}
