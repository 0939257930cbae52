/**
 * Stretches of a segment in which no frame was found. Most are what a kill or a power cut left, and
 * concern nobody. But when a later frame asserts that all before some place was durable, what lies
 * wrecked below it was whole once: then it is looked at again, told, and what is good of it saved.
 * A `boot` frame is the first after a start of the host: what lies wrecked before it, a power cut
 * may have torn, and it is void for ever. So all replicas judge alike, by bytes alone.
 */
import type { Extent } from './frames.js'

/** More than this in one segment is rubbish that somebody poured in; the oldest are let go. */
const REMEMBERED = 1_000

export class Wreckage {
  #stretches: Extent[] = []

  add({ at, length }: Extent): void {
    const last = this.#stretches.at(-1)
    if (last !== undefined && last.at + last.length === at) {
      this.#stretches[this.#stretches.length - 1] = { at: last.at, length: last.length + length }
    } else {
      this.#stretches.push({ at, length })
      if (this.#stretches.length > REMEMBERED) this.#stretches.shift()
    }
  }

  /** The host was started anew. */
  excuse(): void {
    this.#stretches = []
  }

  /** What lies below the place, which somebody asserts was durable; it is remembered no longer. */
  below(offset: number): readonly Extent[] {
    const below = this.#stretches.filter(({ at, length }) => at + length <= offset)
    if (below.length > 0) {
      this.#stretches = this.#stretches.filter(({ at, length }) => at + length > offset)
    }
    return below
  }
}
