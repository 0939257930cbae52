/**
 * What the heart's thread must know, in memory that it shares with the loop: the open claims,
 * `upTo`, and the runs with their deadlines. The loop writes, the thread reads, and neither waits
 * for the other. Promises: a reader sees all of a change or none of it (a version that is odd while
 * something is being written, and a second look when it moved); a table that is full is followed by
 * a larger one.
 *
 * Tokens stand here as numbers. That holds for stores that give a `beatRecipe`: their tokens are
 * decimal integers below 2^53. A token of another spelling is left out, and its run with it: then only
 * the loop's own timer ends that run.
 */
import type { TokenText } from '../job/claim.js'
import type { Fault } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { BeatRecipe } from '../store.js'
import { TABLE_SLOTS, TABLE_TRIES } from '../job/defaults.js'
import type { Mirror } from './ledger.js'

/** Where each word stands in `control`. */
export const WAKE = 0
export const MODE = 1
export const VERSION = 2
export const TICKS = 3
export const BEATS = 4
const CONTROL_WORDS = 8

/** The thread's modes. */
export const REST = 0
export const WORK = 1
export const END = 2

/** Where each number stands before the three columns claims, tokens and deadlines. */
const UP_TO = 0
const LOOP_MONO = 1
const HEAD = 2

/** What goes to the thread: once `control`, and the columns anew whenever they grew. */
export interface SharedTable {
  readonly control: SharedArrayBuffer
  readonly columns: SharedArrayBuffer
}

/** What the thread is given at its start. */
export interface ThreadStart {
  readonly recipe: BeatRecipe
  readonly table: SharedTable
  /** Of its `CriticalSection`. */
  readonly section: SharedArrayBuffer
  readonly node: string
  readonly beat: Millis
}

/** What it is told later: a new name of the node, or larger columns. */
export type ThreadNews = { readonly node: string } | { readonly columns: SharedArrayBuffer }

/** What it tells. */
export interface ThreadTrouble {
  readonly error: string
  /** What it is made of, where it is one of ours. */
  readonly fault: Fault | null
}

export class HeartTable implements Mirror {
  readonly #control = new Int32Array(
    new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT),
  )
  #columns = columnsFor(TABLE_SLOTS)
  #slots = TABLE_SLOTS
  readonly #claimPlaces = new Map<number, number>()
  readonly #freeClaims: number[] = places(0, TABLE_SLOTS)
  readonly #freeRuns: number[] = places(0, TABLE_SLOTS)
  readonly #onGrow: (columns: SharedArrayBuffer) => void

  constructor(onGrow: (columns: SharedArrayBuffer) => void) {
    this.#onGrow = onGrow
  }

  get shared(): SharedTable {
    return { control: sharedOf(this.#control), columns: sharedOf(this.#columns) }
  }

  /** How often the thread has beaten. */
  get beats(): number {
    return Atomics.load(this.#control, BEATS)
  }

  /** Puts the thread into a mode, and wakes it if it sleeps. */
  set(mode: number): void {
    Atomics.store(this.#control, MODE, mode)
    this.wake()
  }

  wake(): void {
    Atomics.add(this.#control, WAKE, 1)
    Atomics.notify(this.#control, WAKE)
  }

  /** The loop is alive, at this time of its own. */
  tick(mono: number): void {
    this.#begin()
    this.#columns[LOOP_MONO] = mono
    this.#end()
    Atomics.add(this.#control, TICKS, 1)
  }

  upTo(claim: number): void {
    this.#begin()
    this.#columns[UP_TO] = claim
    this.#end()
  }

  opened(claim: number): void {
    const place = this.#freeClaims.pop() ?? this.#grow(this.#freeClaims)
    this.#claimPlaces.set(claim, place)
    this.#begin()
    this.#columns[HEAD + place] = claim
    this.#end()
  }

  closed(claim: number): void {
    const place = this.#claimPlaces.get(claim)
    if (place === undefined) return
    this.#claimPlaces.delete(claim)
    this.#begin()
    this.#columns[HEAD + place] = 0
    this.#end()
    this.#freeClaims.push(place)
  }

  started(token: TokenText, deadline: number): number {
    const number = Number(token)
    if (!Number.isSafeInteger(number) || String(number) !== token) return -1
    const place = this.#freeRuns.pop() ?? this.#grow(this.#freeRuns)
    this.#begin()
    this.#columns[HEAD + this.#slots + place] = number
    this.#columns[HEAD + 2 * this.#slots + place] = deadline
    this.#end()
    return place
  }

  ended(place: number): void {
    if (place < 0) return
    this.#begin()
    this.#columns[HEAD + this.#slots + place] = 0
    this.#end()
    this.#freeRuns.push(place)
  }

  #begin(): void {
    Atomics.add(this.#control, VERSION, 1)
  }

  #end(): void {
    Atomics.add(this.#control, VERSION, 1)
  }

  /** Doubles the columns and answers a free place of the list that was empty. */
  #grow(empty: number[]): number {
    const [before, slots] = [this.#slots, 2 * this.#slots]
    const wider = columnsFor(slots)
    wider.set(this.#columns.subarray(0, HEAD))
    for (let column = 0; column < 3; column++) {
      const from = HEAD + column * before
      wider.set(this.#columns.subarray(from, from + before), HEAD + column * slots)
    }
    this.#columns = wider
    this.#slots = slots
    for (const free of [this.#freeClaims, this.#freeRuns]) free.unshift(...places(before, slots))
    this.#onGrow(sharedOf(wider))
    return empty.pop() ?? before
  }
}

/** What a beat needs of the table, at the moment of reading. */
export interface TableView {
  readonly upTo: number
  readonly open: readonly number[]
  readonly loopMono: number
  readonly runs: readonly { readonly token: TokenText; readonly deadline: number }[]
}

/** Null: it was being written all the while, so its loop is lively; look again at the next turn. */
export function readTable(control: Int32Array, shared: SharedArrayBuffer): TableView | null {
  const columns = new Float64Array(shared)
  for (let tries = 0; tries < TABLE_TRIES; tries++) {
    const version = Atomics.load(control, VERSION)
    if (version % 2 !== 0) continue
    const seen = columns.slice()
    if (Atomics.load(control, VERSION) === version) return view(seen)
  }
  return null
}

function view(columns: Float64Array): TableView {
  const slots = (columns.length - HEAD) / 3
  const open: number[] = []
  const runs: { token: TokenText; deadline: number }[] = []
  for (let place = 0; place < slots; place++) {
    const claim = columns[HEAD + place]
    if (claim !== 0) open.push(claim)
    const token = columns[HEAD + slots + place]
    const deadline = columns[HEAD + 2 * slots + place]
    if (token !== 0) runs.push({ token: String(token), deadline })
  }
  return { upTo: columns[UP_TO], loopMono: columns[LOOP_MONO], open, runs }
}

function columnsFor(slots: number): Float64Array {
  return new Float64Array(
    new SharedArrayBuffer((HEAD + 3 * slots) * Float64Array.BYTES_PER_ELEMENT),
  )
}

function sharedOf(view: Int32Array | Float64Array): SharedArrayBuffer {
  return view.buffer as SharedArrayBuffer // as: both are made over shared memory, above
}

/** The places from `from` up to `to`, the lowest taken first. */
function places(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => to - 1 - at)
}
