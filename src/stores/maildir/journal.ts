/**
 * The keeper's side of the commit log, from a record to durable to the desk: one record for the moves
 * of each frame, one sync for all that came together, and the letters behind that. When a segment has
 * grown, or between sweeps, what it holds is made safe where it belongs, and the log is begun anew.
 *
 * It fails for good when a record cannot be written whole or a sync fails: what the disk kept is
 * unknown then. A disk that is full is no such failure while room was set aside: what is decided
 * goes into the log by that, and letters wait there until there is room for them.
 */
import type { Disk } from '../../disk/disk.js'
import { isFull } from '../../disk/errno.js'
import type { Host } from '../../disk/host.js'
import type { Clock, Timer } from '../../time/clock.js'
import { doneRecord, headRecord, movesRecord } from './commit-log.js'
import type { Desk } from './desk.js'
import { unknown } from './faults.js'
import type { Layout } from './layout.js'
import type { Move } from './moves.js'
import { append, makeSegment, removeSegment } from './segment.js'
import type { Segment } from './segment.js'
import type { Spare } from './spare.js'

export interface JournalParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly host: Host
  readonly generation: number
  readonly durability: 'power' | 'process'
  readonly pause: () => Promise<void>
  /** Null: letters follow at once. */
  readonly clock: Clock | null
  readonly warn: (message: string) => void
  readonly segmentBytes: number
  readonly spare: Spare
  readonly desk: Desk
  readonly onFailure: () => void
}

/** A record that is written and not yet known to be durable. */
interface Waiting {
  readonly segment: Segment
  readonly end: number
  readonly moves: readonly Move[]
}

/** How long letters wait for what becomes of them. */
const LINGER = 50
/** More moves than this are not left behind: whoever comes with more work waits for them. */
const MOVES_WAITING = 20_000

export class Journal {
  readonly #parts: JournalParts
  readonly #desk: Desk
  #segment: Segment
  readonly #old: Segment[]
  #waiting: Waiting[] = []
  #written = 0
  #durable = 0
  #flushing: Promise<void> | null = null
  #isScheduled = false
  #clearing: Promise<void> | null = null
  #lingering: Timer | null = null
  /** The last record whose moves the desk was given. */
  #done: Waiting | null = null
  #failure: Error | null = null

  /** `old`: segments of before, whose letters are not safe where they belong. */
  constructor(parts: JournalParts, segment: Segment, old: readonly Segment[]) {
    this.#parts = parts
    this.#desk = parts.desk
    this.#segment = segment
    this.#old = [...old]
  }

  get failure(): Error | null {
    return this.#failure
  }

  /** Where what is written now will stand. */
  get segment(): number {
    return this.#segment.number
  }

  /** What is written, and the desk has not been given yet. */
  *undone(): Generator<Move> {
    for (const { moves } of this.#waiting) yield* moves
  }

  /** One record: all of these moves or none. `isNew`: which of the room that is set aside it may use. */
  write(moves: readonly Move[], isNew = false): void {
    const segment = this.#segment
    const { durability, spare } = this.#parts
    try {
      append(segment, movesRecord(moves), { makeRoom: () => spare.giveUp(isNew) })
    } catch (error) {
      throw this.#fail(error)
    }
    this.#written++
    this.#waiting.push({ segment, end: segment.bytes, moves })
    if (durability === 'process') this.#release(this.#written)
    this.#schedule()
  }

  /** Nobody may wait for it, and the letters shall move all the same. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    void this.#parts.pause().then(async () => {
      this.#isScheduled = false
      if (this.#failure !== null) return
      try {
        await this.#flush(this.#written)
        if (this.#segment.bytes > this.#parts.segmentBytes) await this.clear()
      } catch {
        // The life has ended by it, and whoever calls next is told so; or there is no room for
        // letters, which wait in the log.
      }
    })
  }

  /** All that was decided until now survives. */
  async durable(): Promise<void> {
    const { durability, layout } = this.#parts
    try {
      if (durability === 'power') await this.#flush(this.#written)
    } catch (error) {
      throw unknown(layout.commit, error)
    }
    if (this.#failure !== null) throw unknown(layout.commit, this.#failure)
    if (this.#desk.waiting > MOVES_WAITING) await this.#catchUp()
  }

  /** Without room letters wait, and nobody waits for them. */
  async #catchUp(): Promise<void> {
    try {
      await this.#desk.work()
    } catch (error) {
      if (!isFull(error)) throw error
    }
  }

  async #flush(target: number): Promise<void> {
    while (this.#durable < target) {
      if (this.#failure !== null) throw this.#failure
      this.#flushing ??= this.#sync().finally(() => (this.#flushing = null))
      await this.#flushing
    }
    this.#work()
  }

  /** One sync at a time: what one has under way is not durable because another finds nothing to do. */
  async syncAfter(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing
    this.#flushing = this.#sync().finally(() => (this.#flushing = null))
    await this.#flushing
  }

  /** Older segments first: what stands in a younger one counts only with all before it. */
  async #sync(): Promise<void> {
    const target = this.#written
    try {
      for (const segment of [...this.#old, this.#segment]) {
        if (!segment.isDirty) continue
        segment.isDirty = false
        await segment.file.sync()
      }
    } catch (error) {
      throw this.#fail(error)
    }
    this.#release(target)
  }

  #release(target: number): void {
    if (target <= this.#durable) return // written and released meanwhile, without a sync
    const count = target - this.#durable
    for (const { moves } of this.#waiting.slice(0, count)) this.#desk.take(moves)
    this.#done = this.#waiting.at(count - 1) ?? this.#done
    this.#waiting = this.#waiting.slice(count)
    this.#durable = target
  }

  /**
   * Letters follow; whoever waits for an answer does not wait for them. What comes and goes within
   * that moment is never a file.
   */
  #work(): void {
    const { clock } = this.#parts
    if (clock === null) return this.#workNow()
    this.#lingering ??= clock.after(LINGER, () => this.#workNow(), { ref: false })
  }

  #workNow(): void {
    this.#lingering = null
    if (this.#failure !== null) return
    void this.#desk.work().then(
      () => this.#mark(),
      (error: unknown) => {
        this.#parts.warn(`letters wait in the commit log: ${String(error)}`)
      },
    )
  }

  /** Says in the log that all was done until there, so that it is not done again over what people did. */
  #mark(): void {
    const done = this.#done
    if (done === null || this.#desk.waiting > 0 || this.#failure !== null) return
    this.#done = null
    // A segment that was cleared meanwhile says nothing any more.
    if (done.segment !== this.#segment && !this.#old.includes(done.segment)) return
    const makeRoom = (): boolean => this.#parts.spare.giveUp(false)
    try {
      append(done.segment, doneRecord(done.end), { owesSync: false, makeRoom })
    } catch (error) {
      this.#fail(error)
    }
  }

  /** What the log holds is made safe where it belongs, and the log is begun anew. */
  async clear(): Promise<void> {
    this.#clearing ??= this.#clear().finally(() => (this.#clearing = null))
    await this.#clearing
  }

  /** A disk that is full leaves all as it is: the next clearing goes on. */
  async #clear(): Promise<void> {
    try {
      if (this.#segment.bytes > this.#emptyBytes) {
        const next = await makeSegment(this.#parts, this.#segment.number + 1)
        this.#old.push(this.#segment)
        this.#segment = next
      }
      // What others did may have to be made safe, though nothing was decided.
      if (this.#old.length === 0 && this.#desk.isClean) return
      await this.syncAfter()
      await this.#desk.work()
      await this.#desk.sync()
      for (let old = this.#old.shift(); old !== undefined; old = this.#old.shift()) {
        old.file.close()
        await removeSegment(this.#parts, old.name)
      }
    } catch (error) {
      if (!isFull(error)) this.#fail(error)
      throw error
    }
  }

  get #emptyBytes(): number {
    return headRecord(this.#parts.host.boot).length
  }

  #fail(error: unknown): Error {
    const failure = error instanceof Error ? error : new Error(String(error))
    if (this.#failure === null) {
      this.#failure = failure
      this.#parts.onFailure()
    }
    return failure
  }

  letGo(): void {
    this.#lingering?.cancel()
    for (const { file } of [...this.#old, this.#segment]) file.close()
  }
}
