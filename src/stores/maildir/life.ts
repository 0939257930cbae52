/**
 * One reading of a maildir by its keeper: the book, and the way from a frame to the letters.
 *
 *     frame ──apply──▶ book ──clerk──▶ moves ──write──▶ commit log ──sync──▶ answered
 *                                                                     └────▶ desk ──▶ letters
 *
 * A frame is decided in memory, its moves are one record of the log, and it is answered when a sync
 * of the log has ended that began later. Letters are moved behind that, never before. A life ends
 * when the log cannot be written or synced: what the disk kept is unknown then, and the next life
 * reads it.
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import type { Host } from '../../disk/host.js'
import { removeIfThere, writeAll } from '../../disk/place.js'
import type { Answers, Book } from '../../job/book/book.js'
import type { Item } from '../../job/book/extra.js'
import type { Frame } from '../../job/book/frame.js'
import type { Millis } from '../../job/job.js'
import { doneRecord, headRecord, movesRecord, segmentName, segmentsOf } from './commit-log.js'
import type { Clerk } from './clerk.js'
import { Desk } from './desk.js'
import { reloading, unknown } from './faults.js'
import { readFolder } from './folder.js'
import { quarantine } from './layout.js'
import type { Layout } from './layout.js'
import type { Move } from './moves.js'
import { readBook } from './reading.js'
import type { Reading } from './reading.js'

export interface LifeParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly host: Host
  readonly nonce: string
  readonly generation: number
  readonly fence: number
  readonly hostname: string
  readonly durability: 'power' | 'process'
  readonly pause: () => Promise<void>
  readonly warn: (message: string) => void
  readonly segmentBytes: number
  /** A sync failed in the life before: nothing that was done then is trusted. */
  readonly isDoubtful: boolean
  readonly onFailure: (life: Life) => void
  /** The keeper before may wake: all names are to be of this generation. */
  readonly mustFence: boolean
}

/** A file of the log, and how much of it is written. */
interface Segment {
  readonly name: string
  readonly number: number
  readonly file: DiskFile
  bytes: number
  /** Written since it was synced last. */
  isDirty: boolean
}

/** A record that is written and not yet known to be durable. */
interface Waiting {
  readonly segment: Segment
  readonly end: number
  readonly moves: readonly Move[]
}

/** By how much wall and store time may part before jobs are moved. */
const CLOCK_SLACK = 1_000
/** More moves than this are not left behind: whoever comes with more work waits for them. */
const MOVES_WAITING = 20_000

export class Life {
  readonly book: Book
  readonly #parts: LifeParts
  readonly #clerk: Clerk
  readonly #desk: Desk
  readonly #base: Millis
  #segment: Segment
  readonly #old: Segment[] = []
  #waiting: Waiting[] = []
  #written = 0
  #durable = 0
  #flushing: Promise<void> | null = null
  #isScheduled = false
  #clearing: Promise<void> | null = null
  #failure: Error | null = null

  private constructor(parts: LifeParts, reading: Reading, desk: Desk, segment: Segment) {
    this.#parts = parts
    this.book = reading.book
    this.#clerk = reading.clerk
    this.#base = reading.base
    this.#desk = desk
    this.#segment = segment
  }

  static async begin(parts: LifeParts): Promise<Life> {
    const { disk, layout, host, fence, isDoubtful, warn, nonce } = parts
    for (const name of disk.list(layout.tmp)) removeIfThere(disk, `${layout.tmp}/${name}`)
    const view = readFolder({ disk, layout, boot: host.boot, fence, isDoubtful })
    const reading = await readBook(view, parts)
    const desk = new Desk(parts)
    desk.adopt(view.moves, view.unsure)
    desk.take(view.stale.map((was) => ({ was, path: null, text: null })))
    const number = segmentsOf(disk, layout).reduce((most, one) => Math.max(most, one.number), 0) + 1
    const segment = await makeSegment(parts, number)
    const life = new Life(parts, reading, desk, segment)
    // What the log before says is done for good before anything new is.
    await desk.work()
    await desk.sync()
    for (const { name } of view.segments) await life.#removeSegment(name)
    for (const { path, why } of reading.damaged) {
      const target = quarantine(disk, layout, `${layout.scope}/${path}`, why, nonce)
      warn(`${path} was put into quarantine (${target}): ${why}`)
    }
    for (const path of view.strangers) {
      const why = 'its name is none that Millrace gives'
      quarantine(disk, layout, `${layout.scope}/${path}`, why, nonce)
      warn(`${path} was put into quarantine: ${why}`)
    }
    const clock = reading.clerk.paper({ kind: 'clock' })
    if (clock !== null) life.#write([clock])
    life.followWall()
    life.#takeUp(reading)
    if (parts.mustFence) await life.#rehome()
    life.book.takeNews()
    return life
  }

  /** What people did with letters while nobody had the folder open. */
  #takeUp({ handled }: Reading): void {
    if (handled.length === 0) return
    const { ledger } = this.book
    const items = handled.flatMap(({ slot, isRetry }) => {
      const ref = { queue: ledger.queueOf(slot).name, id: ledger.ids.text(slot) }
      return isRetry ? [{ ...ref, action: 'retry' as const }] : []
    })
    if (items.length > 0) this.commit({ kind: 'control', items })
    const slots = handled.map(({ slot }) => slot)
    const moves = this.#clerk.again(slots, this.#segment.number, this.#parts.host.wall())
    if (moves.length > 0) this.#write(moves)
    for (const { path } of moves) this.#parts.warn(`a letter was handled by hand: ${path}`)
  }

  async #rehome(): Promise<void> {
    this.#write(this.#clerk.rehome(this.#segment.number, this.#parts.host.wall()))
    await this.#syncAfter()
    await this.#desk.work()
    await this.#desk.sync()
  }

  get failure(): Error | null {
    return this.#failure
  }

  now(): Millis {
    return this.#parts.host.up() + this.#base
  }

  /** The wall's clock was set: jobs that wait for an instant of it move along. */
  followWall(): void {
    const wallOffset = Math.round(this.#parts.host.wall() - this.now())
    if (Math.abs(wallOffset - this.book.ledger.wallOffset) <= CLOCK_SLACK) return
    this.commit({ kind: 'clock', wallOffset })
  }

  commit(frame: Frame): Answers[Frame['kind']] {
    if (this.#failure !== null) throw reloading(this.#parts.layout.scope, this.#failure)
    const answers = this.book.apply(frame, this.now(), filed(frame))
    const { number } = this.#segment
    const moves = this.#clerk.moves(frame, number, this.#parts.host.wall())
    if (moves.length > 0) this.#write(moves)
    return answers
  }

  /** One record: all of these moves or none. */
  #write(moves: readonly Move[]): void {
    const segment = this.#segment
    try {
      append(segment, movesRecord(moves))
    } catch (error) {
      throw this.#fail(error)
    }
    this.#written++
    this.#waiting.push({ segment, end: segment.bytes, moves })
    if (this.#parts.durability === 'process') this.#release(this.#written)
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
        // The life has ended by it, and whoever calls next is told so.
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
    if (this.#desk.waiting > MOVES_WAITING) await this.#desk.work()
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
  async #syncAfter(): Promise<void> {
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

  /** The last record whose moves the desk was given. */
  #done: Waiting | null = null

  /** Letters follow; whoever waits for an answer does not wait for them. */
  #work(): void {
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
    try {
      append(done.segment, doneRecord(done.end), false)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** What the log holds is made safe where it belongs, and the log is begun anew. */
  async clear(): Promise<void> {
    this.#clearing ??= this.#clear().finally(() => (this.#clearing = null))
    await this.#clearing
  }

  async #clear(): Promise<void> {
    if (this.#segment.bytes === this.#emptyBytes && this.#old.length === 0) return
    try {
      const next = await makeSegment(this.#parts, this.#segment.number + 1)
      this.#old.push(this.#segment)
      this.#segment = next
      await this.#syncAfter()
      await this.#desk.work()
      await this.#desk.sync()
      for (let old = this.#old.shift(); old !== undefined; old = this.#old.shift()) {
        old.file.close()
        await this.#removeSegment(old.name)
      }
    } catch (error) {
      this.#fail(error)
      throw error
    }
  }

  get #emptyBytes(): number {
    return headRecord(this.#parts.host.boot).length
  }

  /** Its name is gone for good before that of any younger one goes: else it would be read without them. */
  async #removeSegment(name: string): Promise<void> {
    const { disk, layout } = this.#parts
    removeIfThere(disk, `${layout.commit}/${name}`)
    await disk.syncFolder(layout.commit)
  }

  #fail(error: unknown): Error {
    const failure = error instanceof Error ? error : new Error(String(error))
    if (this.#failure === null) {
      this.#failure = failure
      this.#parts.onFailure(this)
    }
    return failure
  }

  /** The folder is left as letters alone. */
  async close(): Promise<void> {
    try {
      if (this.#failure === null) {
        await this.durable()
        await this.clear()
      }
    } finally {
      this.letGo()
    }
  }

  letGo(): void {
    for (const { file } of [...this.#old, this.#segment]) file.close()
  }
}

async function makeSegment(parts: LifeParts, number: number): Promise<Segment> {
  const { disk, layout, generation, host } = parts
  const name = segmentName(generation, number)
  const file = disk.create(`${layout.commit}/${name}`)
  const segment = { name, number, file, bytes: 0, isDirty: false }
  append(segment, headRecord(host.boot))
  await file.sync()
  segment.isDirty = false
  await disk.syncFolder(layout.commit)
  return segment
}

/** `counts`: whether a sync is owed for it. */
function append(segment: Segment, bytes: Buffer, counts = true): void {
  writeAll(segment.file, bytes)
  segment.bytes += bytes.length
  if (counts) segment.isDirty = true
}

/** The items that papers are made of; of a slot that is its job. */
function filed(frame: Frame): readonly (Item | undefined)[] {
  if (frame.kind === 'tick') return frame.items.map(({ run }) => run?.job)
  return 'items' in frame ? (frame.items as readonly Item[]) : [] // only kinds with papers are filed
}
