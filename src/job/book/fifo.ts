/**
 * A queue in blocks: appended at the end, used up from the front. Both ends cost a constant; nothing
 * is ever copied, and what is used up is let go block by block.
 */

const BLOCK_BITS = 10
const BLOCK_ITEMS = 1 << BLOCK_BITS
const BLOCK_MASK = BLOCK_ITEMS - 1

export class Fifo<T> {
  #blocks: T[][] = []
  /** Used up of the first block. */
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Undefined when it is empty. */
  get first(): T | undefined {
    return this.#length === 0 ? undefined : this.#blocks[0][this.#head]
  }

  push(item: T): void {
    const end = this.#head + this.#length++
    // As a literal, so that the many that hold one item are small.
    if (end === 0) this.#blocks = [[item]]
    else if ((end & BLOCK_MASK) === 0) this.#blocks.push([item])
    else this.#blocks[end >>> BLOCK_BITS].push(item)
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#blocks[0][this.#head++]
    if (--this.#length === 0) {
      this.#blocks = []
      this.#head = 0
    } else if (this.#head === BLOCK_ITEMS) {
      this.#blocks.shift()
      this.#head = 0
    }
    return item
  }

  /** The n-th from the front, from 0; undefined behind the end. */
  at(n: number): T | undefined {
    if (n >= this.#length) return undefined
    return this.#blocks[(this.#head + n) >>> BLOCK_BITS][(this.#head + n) & BLOCK_MASK]
  }
}
