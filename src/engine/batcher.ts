/**
 * Group commit for any kind of call. What is added while a batch is under way is the next batch:
 * no timer, nothing to tune, and batches grow with the load. Promises: answers go to who asked, in
 * the order of asking; a batch stays within its bounds unless one item alone is larger; a throw of
 * the sender rejects just that batch. What a throw means, and whether to try again, is left to the
 * sender.
 *
 *     idle ── add ──▶ gathering ── the loop's turn ends ──▶ in flight ──▶ idle, or gathering again
 *
 * While idle, the first batch leaves after what is ready to run has run, so that a thousand plain
 * calls made together leave together. A second batch leaves before the first is answered only when
 * it is full: pipelining for the hurried, never many small ones.
 */
import type { Clock } from '../time/clock.js'

export interface BatcherOptions<I, O> {
  readonly clock: Pick<Clock, 'soon'>
  /** One answer per item, in order; some may come later, and keep nobody else waiting. */
  readonly send: (items: readonly I[]) => Promise<readonly (O | Promise<O>)[]>
  readonly count: (item: I) => number
  readonly bytes: (item: I) => number
  /** A batch closes before it would pass one of these. */
  readonly most: { readonly count: number; readonly bytes: number }
  /** What may wait in all; an item beyond it is refused with what `overfull` makes. */
  readonly waiting: { readonly count: number; readonly bytes: number }
  readonly overfull: (item: I) => unknown
  /** What the caller of one item hears when its batch failed [the error as it is]. */
  readonly failure?: (item: I, error: unknown) => unknown
  readonly inFlight: number
  /** Items of one lane keep their order; lanes do not wait for each other [1]. */
  readonly lanes?: number
  readonly laneOf?: (item: I) => string
}

interface Waiting<I, O> {
  readonly item: I
  readonly count: number
  readonly bytes: number
  readonly resolve: (answer: O | Promise<O>) => void
  readonly reject: (error: unknown) => void
}

interface Lane<I, O> {
  waiting: Waiting<I, O>[]
  count: number
  bytes: number
  inFlight: number
  /** A departure is already planned for the end of this turn. */
  planned: boolean
}

export class Batcher<I, O> {
  readonly #options: BatcherOptions<I, O>
  readonly #lanes: readonly Lane<I, O>[]
  readonly #idle: (() => void)[] = []
  #count = 0
  #bytes = 0
  /** Why nothing is taken any more; null: open. */
  #closed: { readonly error: unknown } | null = null

  constructor(options: BatcherOptions<I, O>) {
    this.#options = options
    const lane = () => ({ waiting: [], count: 0, bytes: 0, inFlight: 0, planned: false })
    this.#lanes = Array.from({ length: options.lanes ?? 1 }, lane)
  }

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) return reject(this.#closed.error)
      const count = this.#options.count(item)
      const bytes = this.#options.bytes(item)
      const { waiting } = this.#options
      const fits = this.#count + count <= waiting.count && this.#bytes + bytes <= waiting.bytes
      if (!fits && this.#count > 0) return reject(this.#options.overfull(item))
      const lane = this.#laneOf(item)
      lane.waiting.push({ item, count, bytes, resolve, reject })
      this.#weigh(lane, count, bytes)
      this.#plan(lane)
    })
  }

  /** Answers when nothing waits and nothing is in flight. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isIdle()) resolve()
      else this.#idle.push(resolve)
    })
  }

  /** Takes nothing more and rejects what still waits; what is in flight goes on. */
  close(error: unknown): void {
    this.#closed ??= { error }
    for (const lane of this.#lanes) {
      const left = lane.waiting
      lane.waiting = []
      this.#weigh(lane, -lane.count, -lane.bytes)
      for (const one of left) one.reject(error)
    }
    this.#tellIdle()
  }

  #plan(lane: Lane<I, O>): void {
    if (lane.planned || lane.waiting.length === 0 || !this.#mayDepart(lane)) return
    lane.planned = true
    this.#options.clock.soon(() => {
      lane.planned = false
      while (lane.waiting.length > 0 && this.#mayDepart(lane)) void this.#depart(lane)
    })
  }

  #mayDepart(lane: Lane<I, O>): boolean {
    if (lane.inFlight === 0) return true
    const { most, inFlight } = this.#options
    return lane.inFlight < inFlight && (lane.count >= most.count || lane.bytes >= most.bytes)
  }

  /** Never rejects: whatever happens is told to those who asked. */
  async #depart(lane: Lane<I, O>): Promise<void> {
    const batch = this.#cut(lane)
    lane.inFlight++
    try {
      const answers = await this.#options.send(batch.map((one) => one.item))
      if (answers.length !== batch.length) {
        throw new Error(`the store gave ${answers.length} answers to ${batch.length} questions`)
      }
      for (let at = 0; at < batch.length; at++) batch[at].resolve(answers[at])
    } catch (error) {
      const failure = this.#options.failure ?? ((_: I, cause: unknown) => cause)
      for (const one of batch) one.reject(failure(one.item, error))
    }
    lane.inFlight--
    this.#plan(lane)
    this.#tellIdle()
  }

  /** The first waiting items that fit one batch, at least one. */
  #cut(lane: Lane<I, O>): readonly Waiting<I, O>[] {
    const { most } = this.#options
    let [upTo, count, bytes] = [0, 0, 0]
    for (; upTo < lane.waiting.length; upTo++) {
      const next = lane.waiting[upTo]
      const fits = count + next.count <= most.count && bytes + next.bytes <= most.bytes
      if (!fits && upTo > 0) break
      count += next.count
      bytes += next.bytes
    }
    this.#weigh(lane, -count, -bytes)
    const all = upTo === lane.waiting.length
    const batch = all ? lane.waiting : lane.waiting.slice(0, upTo)
    lane.waiting = all ? [] : lane.waiting.slice(upTo)
    return batch
  }

  #weigh(lane: Lane<I, O>, count: number, bytes: number): void {
    lane.count += count
    lane.bytes += bytes
    this.#count += count
    this.#bytes += bytes
  }

  #laneOf(item: I): Lane<I, O> {
    if (this.#lanes.length === 1 || this.#options.laneOf === undefined) return this.#lanes[0]
    const name = this.#options.laneOf(item)
    let sum = 0
    for (let at = 0; at < name.length; at++) sum = (sum * 31 + name.charCodeAt(at)) >>> 0
    return this.#lanes[sum % this.#lanes.length]
  }

  #isIdle(): boolean {
    return this.#lanes.every((lane) => lane.waiting.length === 0 && lane.inFlight === 0)
  }

  #tellIdle(): void {
    if (this.#idle.length === 0 || !this.#isIdle()) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
