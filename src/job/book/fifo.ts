/**
 * A queue in an array: appended at the end, used up from the front, cut now and then, so that both
 * ends cost a constant.
 */

/** How much may be used up before it is cut. */
const CUT_AFTER = 1024

export class Fifo<T> {
  #items: T[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  /** Undefined when it is empty. */
  get first(): T | undefined {
    return this.#items[this.#head]
  }

  push(item: T): void {
    // As a literal, so that the many that hold one item are small.
    if (this.#items.length === 0) this.#items = [item]
    else this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.#head < this.#items.length) this.#head++
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head > CUT_AFTER && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** The n-th from the front, from 0. */
  at(n: number): T | undefined {
    return this.#items[this.#head + n]
  }
}
