/**
 * Names as small numbers: queues, tasks, groups and workers are said once and meant often. A name
 * that nothing refers to any more is forgotten, so that groups which come and go do not pile up.
 */
export class Names {
  readonly #numbers = new Map<string, number>()
  readonly #names: string[] = []
  readonly #uses: number[] = []
  readonly #free: number[] = []

  /** The number of a name, counted as one more use. */
  hold(name: string): number {
    const known = this.#numbers.get(name)
    if (known !== undefined) {
      this.#uses[known]++
      return known
    }
    const number = this.#free.pop() ?? this.#names.length
    this.#names[number] = name
    this.#uses[number] = 1
    this.#numbers.set(name, number)
    return number
  }

  /** One use more of a name that is held. */
  again(number: number): void {
    this.#uses[number]++
  }

  /** Every name that is held, by its number. */
  entries(): [number, string][] {
    return [...this.#numbers].map(([name, number]) => [number, name])
  }

  /** One use less; at the last one the name is forgotten and true is answered. */
  drop(number: number): boolean {
    if (--this.#uses[number] > 0) return false
    this.#numbers.delete(this.#names[number])
    this.#names[number] = ''
    this.#free.push(number)
    return true
  }

  /** Without counting; undefined when nobody uses it. */
  find(name: string): number | undefined {
    return this.#numbers.get(name)
  }

  text(number: number): string {
    return this.#names[number]
  }
}
