// A porter who does things when he gets to them, as one on a thread of his own: what is handed to
// him is done some steps later or when he is let, and answered some steps after that.
import { DiskPorter } from '../../src/stores/maildir/porter.js'
import type { Carried, Porter, PorterParts } from '../../src/stores/maildir/porter.js'
import type { Errand } from '../../src/stores/maildir/moves.js'

/** Steps before a thing is done, and before it is answered. */
const STEPS = 5

export class LatePorter implements Porter {
  readonly #inner: DiskPorter
  #before: Promise<unknown> = Promise.resolve()
  #gate: Promise<void> = Promise.resolve()
  #open: () => void = () => undefined
  /** How many errands he was handed at once. */
  readonly carried: number[] = []

  constructor(parts: PorterParts) {
    this.#inner = new DiskPorter(parts)
  }

  /** From now on nothing is done, until `letGo`. */
  hold(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve))
  }

  letGo(): void {
    this.#open()
  }

  carry(errands: readonly Errand[]): Promise<Carried> {
    this.carried.push(errands.length)
    return this.#late(async () => this.#inner.carry(errands))
  }

  sync(paths: readonly string[]): Promise<void> {
    return this.#late(() => this.#inner.sync(paths))
  }

  async rest(): Promise<void> {
    await this.#before
  }

  async close(): Promise<void> {
    await this.rest()
  }

  #late<T>(what: () => Promise<T>): Promise<T> {
    const doing = this.#before.then(async () => {
      await steps()
      await this.#gate
      const answer = await what()
      await steps()
      return answer
    })
    this.#before = doing.catch(() => undefined) // whoever asked hears of it
    return doing
  }
}

async function steps(): Promise<void> {
  for (let step = 0; step < STEPS; step++) await Promise.resolve()
}
