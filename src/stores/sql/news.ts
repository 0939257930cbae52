/**
 * What a transaction changed, for hints: told to everyone when it has committed, each thing once.
 */
import type { Book } from '../../job/book/book.js'
import { NEWS_CONTROL, NEWS_ENDS, NEWS_JOBS, NEWS_SCHEDULES } from '../../job/book/register.js'
import type { Hint } from '../../store.js'

const BITS: Readonly<Record<Hint['what'], number>> = {
  jobs: NEWS_JOBS,
  ends: NEWS_ENDS,
  control: NEWS_CONTROL,
  schedules: NEWS_SCHEDULES,
  sweep: 0, // of no queue
}

export class News {
  readonly #bits = new Map<string, number>()
  #isForSweep = false

  /** Something of the queue may be runnable, or become so sooner. */
  jobs(queue: string): void {
    this.#tell(queue, NEWS_JOBS)
  }

  ends(queue: string): void {
    this.#tell(queue, NEWS_ENDS)
  }

  control(queue: string): void {
    this.#tell(queue, NEWS_CONTROL)
  }

  /** What only a sweep can do is there. */
  sweep(): void {
    this.#isForSweep = true
  }

  /** All that a sheet's book has to tell. */
  of(book: Book): void {
    for (const [queue, bits] of book.takeNews()) this.#tell(queue, bits)
  }

  /** What a part of the transaction has to tell. */
  add(hints: readonly Hint[]): void {
    for (const { what, queue } of hints) if (queue !== null) this.#tell(queue, BITS[what])
  }

  hints(): Hint[] {
    const hints: Hint[] = []
    for (const [queue, bits] of this.#bits) {
      if (bits & NEWS_JOBS) hints.push({ what: 'jobs', queue })
      if (bits & NEWS_ENDS) hints.push({ what: 'ends', queue })
      if (bits & NEWS_CONTROL) hints.push({ what: 'control', queue })
      if (bits & NEWS_SCHEDULES) hints.push({ what: 'schedules', queue })
    }
    if (this.#isForSweep) hints.push({ what: 'sweep', queue: null })
    return hints
  }

  #tell(queue: string, bits: number): void {
    this.#bits.set(queue, (this.#bits.get(queue) ?? 0) | bits)
  }
}
