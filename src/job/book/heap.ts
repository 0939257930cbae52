/**
 * A binary heap of numbers under numbers: the smallest key first, ties by the second key. Appending
 * in order costs one comparison. Nothing is ever removed from the middle: who takes an entry out
 * asks whether it still means something.
 */
export class Heap {
  readonly #keys: number[] = []
  readonly #ties: number[] = []
  readonly #values: number[] = []

  get size(): number {
    return this.#keys.length
  }

  /** Undefined behaviour on an empty heap: ask `size` first. */
  get key(): number {
    return this.#keys[0]
  }

  get tie(): number {
    return this.#ties[0]
  }

  get value(): number {
    return this.#values[0]
  }

  push(key: number, tie: number, value: number): void {
    const keys = this.#keys
    const ties = this.#ties
    const values = this.#values
    let at = keys.length
    keys.push(key)
    ties.push(tie)
    values.push(value)
    while (at > 0) {
      const up = (at - 1) >> 1
      if (keys[up] < key || (keys[up] === key && ties[up] <= tie)) break
      keys[at] = keys[up]
      ties[at] = ties[up]
      values[at] = values[up]
      at = up
    }
    keys[at] = key
    ties[at] = tie
    values[at] = value
  }

  /** Takes the first out and answers its value. */
  pop(): number {
    const keys = this.#keys
    const ties = this.#ties
    const values = this.#values
    const first = values[0]
    // Not empty: who pops has looked at `size`.
    const key = keys.pop() as number
    const tie = ties.pop() as number
    const value = values.pop() as number
    const size = keys.length
    if (size === 0) return first
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      if (down >= size) break
      const right = down + 1
      if (
        right < size &&
        (keys[right] < keys[down] || (keys[right] === keys[down] && ties[right] < ties[down]))
      ) {
        down = right
      }
      if (key < keys[down] || (key === keys[down] && tie <= ties[down])) break
      keys[at] = keys[down]
      ties[at] = ties[down]
      values[at] = values[down]
      at = down
    }
    keys[at] = key
    ties[at] = tie
    values[at] = value
    return first
  }

  clear(): void {
    this.#keys.length = 0
    this.#ties.length = 0
    this.#values.length = 0
  }

  /** Every value, in no order. */
  values(): readonly number[] {
    return this.#values
  }
}
