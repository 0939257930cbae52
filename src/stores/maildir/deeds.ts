/**
 * What the keeper did itself in the folders, by the paths of which the system will tell. A deed is
 * expected before it is done, since the system may tell of it before whoever does it answers; and
 * where it was not done after all, what was told meanwhile was somebody else's, and is doubted.
 */
export class Deeds {
  /** The last ones and those before. */
  #last = new Map<string, number>()
  #before = new Map<string, number>()
  #doubted: string[] = []

  expect(path: string): void {
    this.#last.set(path, (this.#last.get(path) ?? 0) + 1)
  }

  /** It was not done. */
  revoke(path: string): void {
    if (!this.isOwn(path)) this.#doubted.push(path)
  }

  /** Each deed is heard of once. */
  isOwn(path: string): boolean {
    for (const deeds of [this.#last, this.#before]) {
      const count = deeds.get(path)
      if (count === undefined) continue
      if (count === 1) deeds.delete(path)
      else deeds.set(path, count - 1)
      return true
    }
    return false
  }

  /** What nobody has told of by the next call but one is never told. Answers that and what is doubted. */
  forget(): readonly string[] {
    const untold = [...this.#before.keys(), ...this.#doubted]
    this.#before = this.#last
    this.#last = new Map()
    this.#doubted = []
    return untold
  }
}
