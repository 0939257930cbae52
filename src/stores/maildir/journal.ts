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
import { unknown, wiped } from './faults.js'
import { MillraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
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
  /** Looks whether the folder is still there, and this process its keeper. */
  readonly keeps: () => boolean
}

/** A record that is written and not yet known to be durable. */
interface Waiting {
  readonly segment: Segment
  readonly end: number
  readonly moves: readonly Move[]
}

/** How long letters wait for what becomes of them. */
const LINGER: Millis = 50
/** And as long again, while calls go on and as many letters wait, … */
const FEW = 64
/** … up to this. */
const LINGER_MOST: Millis = 1_000
/** So many places of the log are remembered to be marked as done. */
const MARKS = 1_024
/** A log of so many segments' sizes is not left behind: whoever comes with more work waits for it. */
const SEGMENTS_WAITING = 4

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
  /** By when it is to be done that letters linger now; when the desk was given something last. */
  #lingerUntil: Millis = 0
  #gaveAt: Millis = 0
  /** What the desk was given and no mark says that it is done, and where that ends in the log. */
  #given: { readonly number: number; readonly segment: Segment; readonly end: number }[] = []
  #failure: Error | null = null
  /** Why letters wait, as it was told last; told once, however often it is found out. */
  #toldOf: string | null = null

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
      else this.#mustBeFound([this.#segment])
    } catch (error) {
      throw MillraceError.is(error, 'STORE_WIPED') ? error : unknown(layout.commit, error)
    }
    if (this.#failure !== null) throw unknown(layout.commit, this.#failure)
    if (this.#desk.isFull) await this.#catchUp(() => this.#desk.makeRoom())
    if (this.#isLong) await this.#catchUp(() => this.clear())
  }

  /** Without room on the disk letters wait, and nobody waits for them. */
  async #catchUp(how: () => Promise<void>): Promise<void> {
    try {
      await how()
    } catch (error) {
      // What ends the life is told to whoever calls next: what was decided is safe in the log.
      if (!isFull(error) && this.#failure === null) throw error
    }
  }

  get #isLong(): boolean {
    const bytes = this.#old.reduce((sum, old) => sum + old.bytes, this.#segment.bytes)
    return bytes > SEGMENTS_WAITING * this.#parts.segmentBytes
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
        this.#mustBeFound([segment])
      }
    } catch (error) {
      throw this.#fail(error)
    }
    this.#release(target)
  }

  /** What was written into a file without a name, or into a folder that is gone, nobody will find. */
  #mustBeFound(segments: readonly Segment[]): void {
    const { keeps, layout } = this.#parts
    if (!keeps() || segments.some(({ file }) => file.links() === 0)) throw wiped(layout.root)
  }

  #release(target: number): void {
    if (target <= this.#durable) return // written and released meanwhile, without a sync
    const count = target - this.#durable
    const some = this.#waiting.slice(0, count)
    for (const { moves } of some) this.#desk.take(moves, target)
    const last = some.at(-1)
    if (this.#given.length === MARKS) this.#given.pop() // one mark will say it for both
    if (last !== undefined) {
      this.#given.push({ number: target, segment: last.segment, end: last.end })
    }
    this.#waiting = this.#waiting.slice(count)
    this.#durable = target
    this.#gaveAt = this.#parts.clock?.mono() ?? 0
  }

  /**
   * Letters follow; whoever waits for an answer does not wait for them. What comes and goes within
   * that moment is never a file; and while much is going on the moment is longer, since most of it
   * comes and goes.
   */
  #work(): void {
    const { clock } = this.#parts
    if (clock === null) return this.#workNow()
    if (this.#lingering !== null || this.#given.length === 0) return
    this.#lingerUntil = clock.mono() + LINGER_MOST
    this.#linger(clock, LINGER)
  }

  #linger(clock: Clock, delay: Millis): void {
    const look = (): void => {
      const now = clock.mono()
      const isBusy = now - this.#gaveAt < LINGER && this.#desk.waiting > FEW
      const left = this.#lingerUntil - now
      if (isBusy && left > 0 && !this.#desk.isFull) this.#linger(clock, Math.min(LINGER, left))
      else this.#workNow()
    }
    this.#lingering = clock.after(delay, look, { ref: false })
  }

  #workNow(): void {
    this.#lingering = null
    if (this.#failure !== null) return
    const work = async (): Promise<void> => {
      this.#mustBeFound([])
      await this.#desk.work()
    }
    void work().then(
      () => {
        this.#toldOf = null
        this.#mark()
      },
      (error: unknown) => {
        const why = String(error)
        // Nobody works on what it left; the next life does, if there is any.
        if (this.#failure !== null || MillraceError.is(error, 'STORE_WIPED')) return
        if (this.#toldOf === why) return
        this.#toldOf = why
        this.#parts.warn(`letters wait in the commit log: ${why}`)
      },
    )
  }

  /** Says in the log that all was done until there, so that it is not done again over what people did. */
  #mark(): void {
    if (this.#failure !== null) return
    const { oldest } = this.#desk
    const count = this.#given.findIndex(({ number }) => number >= oldest)
    const done = this.#given.splice(0, count < 0 ? this.#given.length : count).at(-1)
    // A segment that was cleared meanwhile says nothing any more.
    if (done === undefined) return
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

  /** The same for all that was decided until now, also where one is under way that began before. */
  async clearAll(): Promise<void> {
    await this.#clearing?.catch(() => undefined) // whoever began it hears of it
    await this.clear()
  }

  /** A disk that is full leaves all as it is: the next clearing goes on. */
  async #clear(): Promise<void> {
    try {
      this.#mustBeFound([])
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
    this.#desk.close()
    for (const { file } of [...this.#old, this.#segment]) file.close()
  }
}
