/**
 * The porter as the desk sees him on a real disk: a few errands he does on the spot, and for many he
 * has a thread, which ends when there was nothing for it for some time. Where removals come slice
 * after slice, more threads than one share each slice: a removal waits for the journal of the file
 * system, several wait together, and in which order files go is all the same. A file that is written
 * or moved has only the first thread, which syncs as well.
 */
import type { Millis } from '../../job/job.js'
import type { Clock, Timer } from '../../time/clock.js'
import type { Errand } from './moves.js'
import { DiskPorter } from './porter.js'
import type { Carried, Porter, PorterParts } from './porter.js'
import { Lane } from './porter-lane.js'
import { errorOf } from './porter-words.js'

/** Fewer errands than this are done sooner than a thread is woken. */
const WORTH_IT = 24
/** Threads for removals: three of them remove twice as many as one, and more do not add to that. */
const LANES = 3
/** Begun when so many slices came one after another that are worth sharing. */
const IN_A_ROW = 8
/** A thread that was not needed for so long ends: it takes some megabytes. */
const REST: Millis = 30_000

export class ThreadPorter implements Porter {
  readonly #clock: Clock
  readonly #here: DiskPorter
  readonly #lanes: readonly Lane[]
  /** Slices in a row that were nothing but removals, and enough of them. */
  #row = 0
  #resting: Timer | null = null
  #idle: (() => void)[] = []

  constructor(parts: PorterParts, clock: Clock) {
    this.#clock = clock
    this.#here = new DiskPorter(parts)
    const { layout, nonce } = parts
    this.#lanes = Array.from({ length: LANES }, (_, at) => {
      return new Lane({ layout, nonce: `${nonce}-${at}` }, () => this.#rested())
    })
  }

  get #isBusy(): boolean {
    return this.#lanes.some(({ isBusy }) => isBusy)
  }

  carry(errands: readonly Errand[]): Carried | Promise<Carried> {
    const isSharable = errands.length >= WORTH_IT * LANES && errands.every(isRemoval)
    this.#row = isSharable ? this.#row + 1 : 0
    if (this.#row > IN_A_ROW) return this.#share(errands)
    // Beside a sync that is under way there, an answer from here would come out of turn.
    const isHere = errands.length < WORTH_IT && !this.#isBusy
    return isHere ? this.#here.carry(errands) : this.#carryThere(this.#lanes[0], errands)
  }

  async #carryThere(lane: Lane, errands: readonly Errand[]): Promise<Carried> {
    this.#works()
    const { done, error } = await lane.ask((number) => ({ number, errands }))
    return { done: done ?? [], error: error === null ? null : errorOf(error) }
  }

  /** Done up to the first that failed, as if one had done them: what others did beyond is done again. */
  async #share(errands: readonly Errand[]): Promise<Carried> {
    const size = Math.ceil(errands.length / LANES)
    const parts = this.#lanes.map((lane, at) =>
      this.#carryThere(lane, errands.slice(at * size, (at + 1) * size)),
    )
    const done: number[] = []
    // All of them are waited for: nothing of this slice is under way any more when it is answered.
    for (const part of await Promise.allSettled(parts)) {
      if (part.status === 'rejected') return { done, error: part.reason as Error } // what killed its thread
      done.push(...part.value.done)
      if (part.value.error !== null) return { done, error: part.value.error }
    }
    return { done, error: null }
  }

  async sync(paths: readonly string[]): Promise<void> {
    if (paths.length < WORTH_IT && !this.#isBusy) return this.#here.sync(paths)
    this.#works()
    const { error } = await this.#lanes[0].ask((number) => ({ number, paths }))
    if (error !== null) throw errorOf(error)
  }

  async rest(): Promise<void> {
    if (this.#isBusy) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  async close(): Promise<void> {
    await this.rest()
    await this.#end()
  }

  #works(): void {
    this.#resting?.cancel()
    this.#resting = null
  }

  #rested(): void {
    if (this.#isBusy) return
    this.#resting ??= this.#clock.after(REST, () => void this.#end(), { ref: false })
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #end(): Promise<void> {
    this.#works()
    await Promise.all(this.#lanes.map((lane) => lane.end()))
  }
}

function isRemoval({ kind }: Errand): boolean {
  return kind === 'remove'
}

/** Where no compiled thread stands beside this file, as in a run from the sources, there is none. */
export function porterOf(parts: PorterParts, clock: Clock): Porter {
  return import.meta.url.endsWith('.ts') ? new DiskPorter(parts) : new ThreadPorter(parts, clock)
}
