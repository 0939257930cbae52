/**
 * One reading of a maildir by its keeper: the book, and the way from a frame to the letters.
 *
 *     frame ──apply──▶ book ──clerk──▶ moves ──write──▶ journal ──sync──▶ answered
 *                                                          └────▶ desk ──▶ letters
 *
 * A frame is decided in memory, its moves are one record of the log, and it is answered when a sync
 * of the log has ended that began later. Letters are moved behind that, never before. A life ends
 * when the log cannot be written or synced: what the disk kept is unknown then, and the next life
 * reads it. How one begins is in `beginning.ts`.
 */
import { papersIn } from '../../job/book/load-lines.js'
import type { Answers, Book } from '../../job/book/book.js'
import type { Item } from '../../job/book/extra.js'
import type { Frame } from '../../job/book/frame.js'
import type { Millis } from '../../job/job.js'
import type { Clerk, LogView } from './clerk.js'
import type { Desk } from './desk.js'
import { isFull } from '../../disk/errno.js'
import { full } from '../../disk/reserve.js'
import { named, reloading } from './faults.js'
import type { FolderView } from './folder.js'
import { Journal } from './journal.js'
import type { JournalParts } from './journal.js'
import type { Move } from './moves.js'
import type { Porter } from './porter.js'
import { putAway } from './putting-away.js'
import type { Reading } from './reading.js'
import type { Segment } from './segment.js'
import { isNew } from './spare.js'
import type { Spare } from './spare.js'

export interface LifeParts extends Omit<JournalParts, 'desk' | 'onFailure'> {
  readonly nonce: string
  readonly porter: Porter
  readonly fence: number
  readonly hostname: string
  /** A sync failed in the life before: nothing that was done then is trusted. */
  readonly isDoubtful: boolean
  readonly onFailure: (life: Life) => void
  readonly onQueue: (folder: string) => void
  /** The keeper before may wake: all names are to be of this generation. */
  readonly mustFence: boolean
}

/** By how much wall and store time may part before jobs are moved. */
const CLOCK_SLACK = 1_000

/** What it begins with. */
export interface Beginning {
  readonly reading: Reading & Pick<FolderView, 'mail'>
  readonly desk: Desk
  readonly segment: Segment
  readonly old: readonly Segment[]
}

export class Life {
  readonly book: Book
  readonly clerk: Clerk
  /** What was delivered before it began. */
  readonly mail: readonly string[]
  readonly #parts: LifeParts
  readonly #desk: Desk
  readonly #base: Millis
  readonly #journal: Journal
  readonly #log: LogView

  constructor(parts: LifeParts, { reading, desk, segment, old }: Beginning) {
    this.#parts = parts
    this.book = reading.book
    this.clerk = reading.clerk
    this.mail = reading.mail
    this.#base = reading.base
    this.#desk = desk
    const onFailure = (): void => parts.onFailure(this)
    const journal = new Journal({ ...parts, desk, onFailure }, segment, old)
    this.#journal = journal
    this.#log = {
      get segment() {
        return journal.segment
      },
      isUnwritten: (path) => desk.isUnwritten(path),
    }
  }

  get failure(): Error | null {
    return this.#journal.failure
  }

  /** The room that is set aside. */
  get spare(): Spare {
    return this.#parts.spare
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

  /**
   * `heard` hears the answers before files are moved, and says which moves belong to it besides. On a
   * disk that is full new jobs are refused before anything is done.
   */
  commit<F extends Frame>(
    frame: F,
    heard?: (answers: Answers[F['kind']]) => readonly Move[],
  ): Answers[F['kind']] {
    const { layout } = this.#parts
    if (this.failure !== null) throw reloading(layout.scope, this.failure)
    if (!this.#hasRoomFor(frame)) throw full(layout.scope)
    const answers = this.book.apply(frame, this.now(), filed(frame)) as Answers[F['kind']] // as: to this frame
    const more = heard?.(answers) ?? []
    const moves = this.clerk.moves(frame, this.#log, this.#parts.host.wall())
    if (moves.length + more.length > 0) this.#journal.write([...moves, ...more], isNew(frame))
    return answers
  }

  #hasRoomFor(frame: Frame): boolean {
    try {
      return this.#parts.spare.hasRoomFor(frame)
    } catch (error) {
      throw named(this.#parts.layout.scope, error)
    }
  }

  /** These moves as one record, decided elsewhere. */
  write(moves: readonly Move[]): void {
    if (moves.length > 0) this.#journal.write(moves)
  }

  // ── What others did ──────────────────────────────────────────────────────────────────────────

  /** The desk did this, and hears of it now. */
  isOwn(path: string): boolean {
    return this.#desk.isOwn(path)
  }

  /** Now and then: what the system did not tell of by now it never will. Answers what that is. */
  forgetOwn(): readonly string[] {
    return this.#desk.forget()
  }

  /** Out of the way, with the reason; safe when the log is cleared next. Answers where it is. */
  putAway(path: string, why: string): string {
    const { disk, layout, nonce, spare } = this.#parts
    return putAway({ disk, layout, nonce, spare, desk: this.#desk }, path, why)
  }

  /** Where letters are on their way from or to. */
  underWay(): Set<string> {
    const paths = new Set(this.#desk.underWay())
    for (const { was, path } of this.#journal.undone()) {
      if (was !== null) paths.add(was)
      if (path !== null) paths.add(path)
    }
    return paths
  }

  /** These letters as they ought to be, where they ought to be. Answers where. */
  rewrite(slots: readonly number[]): readonly Move[] {
    const moves = this.clerk.again(slots, this.#log, this.#parts.host.wall())
    this.write(moves)
    return moves
  }

  /** All letters and papers under names of this generation, durably. */
  async rehome(): Promise<void> {
    this.#journal.write(this.clerk.rehome(this.#log, this.#parts.host.wall()))
    await this.#journal.syncAfter()
    await this.#desk.work()
    await this.#desk.sync()
  }

  // ── To the disk ──────────────────────────────────────────────────────────────────────────────

  /** All that was decided until now survives. */
  durable(): Promise<void> {
    return this.#journal.durable()
  }

  /** What the log holds is made safe where it belongs, and the log is begun anew. */
  clear(): Promise<void> {
    return this.#journal.clear()
  }

  /** The folder is left as letters alone; where the disk is full, the log stays for the next one. */
  async close(): Promise<void> {
    try {
      if (this.failure === null) {
        await this.durable()
        await this.#leaveLetters()
      }
    } finally {
      this.letGo()
    }
  }

  async #leaveLetters(): Promise<void> {
    const { spare, warn } = this.#parts
    try {
      spare.keep()
      await this.#journal.clearAll()
    } catch (error) {
      if (!isFull(error)) throw error
      warn(`letters wait in the commit log: ${String(error)}`)
    }
  }

  letGo(): void {
    this.#journal.letGo()
  }
}

/** The items that papers are made of; of a slot that is its job. */
function filed(frame: Frame): readonly (Item | undefined)[] {
  if (frame.kind === 'load') return papersIn(frame.items)
  if (frame.kind === 'tick') return frame.items.map(({ run }) => run?.job)
  return 'items' in frame ? (frame.items as readonly Item[]) : [] // only kinds with papers are filed
}
