/**
 * Things by the small numbers that names have, which are given again when a name is forgotten: a list
 * with holes. Among a hundred thousand groups a Map takes several times as long.
 */
export class Numbered<T extends object> {
  #values: (T | undefined)[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  get(number: number): T | undefined {
    return this.#values[number]
  }

  set(number: number, value: T): void {
    if (this.#values[number] === undefined) this.#size++
    this.#values[number] = value
  }

  delete(number: number): void {
    if (this.#values[number] === undefined) return
    this.#values[number] = undefined
    if (--this.#size === 0) this.#values = []
  }

  /** By number, rising. */
  *entries(): Generator<[number, T]> {
    for (let number = 0; number < this.#values.length; number++) {
      const value = this.#values[number]
      if (value !== undefined) yield [number, value]
    }
  }
}
