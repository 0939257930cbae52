/**
 * Lets so many in at once; the others wait in the order in which they came.
 */
export class Turnstile {
  readonly #most: number
  readonly #waiting: (() => void)[] = []
  #inside = 0

  constructor(most: number) {
    this.#most = most
  }

  async enter(): Promise<void> {
    if (this.#inside < this.#most) this.#inside++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Whoever waits first takes the place. */
  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#inside--
    else next()
  }
}
