/**
 * A sheet: the rows that one transaction needs, as a small book. What a queue does is said once, in
 * `job/book/`; so a store of tables applies the same frames as a store that is a book, only to the
 * few jobs that a frame can touch, and writes back what it changed (`flush.ts`). Which those are is
 * the loader's affair (`gather.ts`): a sheet knows only what it was given, and takes what it was not
 * given for absent.
 *
 * Rows are gathered first; `open` makes the book of them. Jobs that others of the sheet point at,
 * and that were not gathered, have *ghost* slots: numbers that stand for their rows.
 */
import { Book } from '../../job/book/book.js'
import {
  AVAILABLE,
  BY_SETTINGS,
  Columns,
  FREE,
  HAS_EXTRA,
  RECEIPT,
  RETRYABLE,
  RUNNING,
  SCHEDULED,
  WAITING,
} from '../../job/book/columns.js'
import type { Card } from '../../job/book/frame.js'
import type { Item, Shelf } from '../../job/book/extra.js'
import { restoreKin } from '../../job/book/kin.js'
import type { Ledger } from '../../job/book/ledger.js'
import type { BookTransit, Pause, QueueBook } from '../../job/book/queue.js'
import type { WindowImage } from '../../job/book/window.js'
import { GrantWindow } from '../../job/book/window.js'
import type { Remembered } from '../../job/book/settled.js'
import type { Millis } from '../../job/job.js'
import type { NewJob } from '../../job/lot.js'
import type { RetiredSchedule, Schedule } from '../../job/schedule.js'
import type { StoredSettings } from '../../job/settings.js'
import type { JobRow, StoredExtra } from './row.js'
import { extraOf, paperOf, storedExtra } from './row.js'

/** A queue as its row says it. */
export interface QueueFacts {
  readonly id: number
  readonly name: string
  readonly stored: StoredSettings
  readonly paused: Pause | null
  /** Where its rotation stands. */
  readonly pass: number
  readonly transit: BookTransit | null
}

export interface KeyRow {
  readonly queue: number
  readonly key: string
  /** The job that holds it; null: only its period does. */
  readonly seq: number | null
  readonly id: string
  readonly until: Millis
  readonly while: 'unfinished' | 'waiting'
}

export interface NodeFacts {
  readonly node: string
  readonly card: Card
  readonly startedAt: Millis
  readonly beats: number
  readonly lastBeat: Millis
  readonly overdue: readonly number[]
  readonly gone: boolean
}

/** Slots of rows that are not on the sheet: this and their number. */
const GHOST = 2 ** 50

/** Columns that served other sheets: making new ones costs more than most sheets do. */
const spare: Columns[] = []
const SPARE = 4

export class Sheet {
  readonly now: Millis
  readonly book: Book
  readonly shelf = new SheetShelf()
  readonly queues = new Map<number, QueueFacts>()
  /** By number, as they were. */
  readonly rows = new Map<number, JobRow>()
  readonly extras = new Map<number, StoredExtra>()
  readonly keys: KeyRow[] = []
  readonly nodes: NodeFacts[] = []
  /** What each rate had granted when the sheet was made. */
  readonly windows = new Map<string, WindowImage>()
  readonly throttles = new Map<string, Millis>()
  readonly schedules = new Map<string, readonly [queue: number, schedule: Schedule]>()
  readonly retired = new Map<string, RetiredSchedule>()
  /** Of queues with such a limit: all that waits, whether on the sheet or not. */
  readonly backlogs = new Map<number, number>()
  /** Of the queues whose gates are asked. */
  readonly pausedGroups: (readonly [queue: number, group: string, pause: Pause])[] = []
  readonly settled: (readonly [token: number, remembered: Remembered])[] = []
  paused: Pause | null = null
  /** Nodes that are not the sheet's to write back. */
  readonly lent = new Set<string>()
  readonly #columns: Columns
  readonly #slots = new Map<number, number>()
  /** The numbers of new jobs, by the numbers that the book counted for them. */
  readonly #given = new Map<number, number>()
  #lastSeq = 0
  readonly #numbers = new Map<number, number>()

  constructor(now: Millis) {
    this.now = now
    this.#columns = spare.pop() ?? new Columns()
    this.#columns.clear()
    this.book = new Book(this.shelf, this.#columns)
  }

  /** Nobody looks at it any more. */
  close(): void {
    if (spare.length < SPARE) spare.push(this.#columns)
  }

  get ledger(): Ledger {
    return this.book.ledger
  }

  // ── Gathering ────────────────────────────────────────────────────────────────────────────────

  addQueue(facts: QueueFacts): void {
    this.queues.set(facts.id, facts)
  }

  /** Those that it has stay as they were read first. */
  addJobs(rows: readonly JobRow[]): void {
    for (const row of rows) {
      if (this.rows.has(row.seq)) continue
      this.rows.set(row.seq, row)
      this.extras.set(row.seq, storedExtra(row.extra))
    }
  }

  // ── The book ─────────────────────────────────────────────────────────────────────────────────

  /** Makes the book of what was gathered. */
  open(): void {
    const { ledger } = this.book
    ledger.now = this.now
    ledger.paused = this.paused
    for (const [name, until] of this.throttles) ledger.rates.throttles.set(name, until)
    for (const facts of this.queues.values()) this.#openQueue(facts)
    for (const [name, image] of this.windows) ledger.restoreWindow(name, GrantWindow.of(image))
    for (const [queue, group, pause] of this.pausedGroups) {
      this.queueBook(queue).pausedGroups.set(group, pause)
    }
    for (const [queue, schedule] of this.schedules.values()) {
      this.queueBook(queue).schedules.set(schedule.name, schedule)
    }
    for (const [key, retired] of this.retired) ledger.retired.set(key, retired)
    for (const [token, remembered] of this.settled) ledger.settled.set(token, remembered)
    for (const facts of this.nodes) this.#openNode(facts)
    const rows = [...this.rows.values()].sort((a, b) => a.place - b.place || a.seq - b.seq)
    for (const row of rows) this.#enter(row)
    ledger.seqs = this.#lastSeq
    // As they were given: what is swept first is held longest.
    const held = rows.filter(({ state }) => state === RUNNING)
    held.sort((a, b) => (a.token ?? 0) - (b.token ?? 0))
    for (const row of held) this.#hold(row)
    for (const row of rows) this.#enterExtra(row)
    for (const [queue, waiting] of this.backlogs) this.#countBacklog(queue, waiting, rows)
    for (const key of this.keys) {
      const { key: name, id, until } = key
      const slot = key.seq === null ? -1 : this.slotOf(key.seq)
      this.queueBook(key.queue).keys.set(name, { slot, id, while: key.while, until })
    }
    restoreKin(ledger)
    for (const row of rows) this.#settleIn(row)
    ledger.news = new Map()
  }

  queueBook(id: number): QueueBook {
    const number = this.#numbers.get(id)
    const queue = number === undefined ? undefined : this.ledger.queues.get(number)
    if (queue === undefined) throw new Error(`queue ${id} is not on the sheet`)
    return queue
  }

  /** The row's number in the table of queues. */
  queueId(slot: number): number {
    const number = this.ledger.columns.queue.get(slot)
    for (const [id, known] of this.#numbers) if (known === number) return id
    throw new Error(`the queue of slot ${slot} is not on the sheet`)
  }

  /** The slot of that row, or its ghost. */
  slotOf(seq: number): number {
    return this.#slots.get(seq) ?? GHOST + seq
  }

  /** The number of the row in that slot; of a new job, once it was given one. */
  seqOf(slot: number): number {
    if (slot >= GHOST) return slot - GHOST
    const counted = this.ledger.columns.seq.get(slot)
    return this.#given.get(counted) ?? counted
  }

  /** A new job was given its number. */
  give(slot: number, seq: number): void {
    this.#given.set(this.ledger.columns.seq.get(slot), seq)
  }

  /** A node that is known to live, for claims, which ask no more of it; it is not written back. */
  lend(node: string): void {
    this.lent.add(node)
    const card = { node, host: '', pid: 0, lease: 0, workers: [] }
    const state = { card, startedAt: 0, beats: 0, lastBeat: 0, overdue: new Set<number>() }
    this.ledger.nodes.set(node, { ...state, gone: false, holds: 0 })
  }

  /** The slot in which that row still stands; -1: it was removed. */
  slotNow({ seq }: JobRow): number {
    const slot = this.#slots.get(seq) ?? -1
    const { columns } = this.ledger
    const isThere = slot >= 0 && columns.state.get(slot) !== FREE && columns.seq.get(slot) === seq
    return isThere ? slot : -1
  }

  /** Slots of jobs that have no row yet, in the order of their insertion. */
  newSlots(): number[] {
    const { columns } = this.ledger
    const slots: number[] = []
    for (let slot = 0; slot < columns.used; slot++) {
      const isNew = columns.state.get(slot) !== FREE && columns.seq.get(slot) > this.#lastSeq
      if (isNew) slots.push(slot)
    }
    return slots.sort((a, b) => columns.seq.get(a) - columns.seq.get(b))
  }

  #openQueue({ id, name, stored, paused, pass, transit }: QueueFacts): void {
    const { ledger } = this.book
    const queue = ledger.queue(name)
    ledger.say(queue, stored)
    queue.paused = paused
    queue.transit = transit
    queue.groups.pass = pass
    // Its other jobs are not here: it must not be forgotten with those that are.
    queue.slots = 1
    this.#numbers.set(id, queue.number)
  }

  #openNode({ node, card, startedAt, beats, lastBeat, overdue, gone }: NodeFacts): void {
    const state = { card, startedAt, beats, lastBeat, overdue: new Set(overdue), gone, holds: 0 }
    this.ledger.nodes.set(node, state)
  }

  #enter(row: JobRow): void {
    const { ledger } = this.book
    const { columns } = ledger
    const queue = this.queueBook(row.queue)
    const slot = ledger.enter(queue, row.id, row.task, row.grp)
    columns.flags.set(slot, columns.flags.get(slot) | row.flags)
    columns.priority.set(slot, row.priority + 100)
    columns.crashes.set(slot, row.crashes)
    columns.attempt.set(slot, row.attempt)
    columns.maxAttempts.set(slot, row.max_attempts ?? BY_SETTINGS)
    columns.place.set(slot, row.place)
    columns.seq.set(slot, row.seq)
    columns.insertedAt.set(slot, row.inserted_at)
    columns.since.set(slot, row.since)
    this.#lastSeq = Math.max(this.#lastSeq, row.seq)
    queue.groups.restored(columns.group.get(slot), slot, row.state === RUNNING)
    this.#slots.set(row.seq, slot)
    if (row.state !== RECEIPT) this.shelf.keep(slot, () => paperOf(row, queue.name))
  }

  #hold({ seq, token, node, worker, claim }: JobRow): void {
    const { ledger } = this.book
    const slot = this.slotOf(seq)
    if (token === null) return
    ledger.holds.set(slot, { token, node: node ?? '', worker: worker ?? '', claim: claim ?? 0 })
    const holder = ledger.nodes.get(node ?? '')
    if (holder !== undefined) holder.holds++
  }

  /** After all rows, because extras name slots. */
  #enterExtra(row: JobRow): void {
    const { ledger } = this.book
    const slot = this.slotOf(row.seq)
    const isDueLater = row.due !== row.place
    if (row.extra === null && !isDueLater) return
    const extra = extraOf(this.extras.get(row.seq) ?? {}, (seq) => this.slotOf(seq))
    if (isDueLater) extra.dueAt = row.due
    ledger.extras.set(slot, extra)
    ledger.columns.raise(slot, HAS_EXTRA)
  }

  #settleIn({ seq, state, attempt }: JobRow): void {
    const { ledger } = this.book
    const slot = this.slotOf(seq)
    const queue = ledger.queueOf(slot)
    ledger.columns.state.set(slot, FREE)
    if (state > WAITING) return void ledger.restoreEnded(queue, slot, state)
    if (state === RUNNING || state === WAITING) return void ledger.restoreHeld(queue, slot, state)
    const isFirst = state === SCHEDULED || (state !== RETRYABLE && attempt === 0)
    ledger.wait(slot, ledger.dueOf(slot), isFirst ? SCHEDULED : RETRYABLE)
  }

  /** What waits and is not on the sheet counts, too. */
  #countBacklog(id: number, waiting: number, rows: readonly JobRow[]): void {
    const isHere = ({ queue, state }: JobRow): boolean =>
      queue === id && state !== RUNNING && state <= WAITING
    this.queueBook(id).counts[AVAILABLE] += waiting - rows.filter(isHere).length
  }
}

/** Papers are the items themselves; those of rows are made when someone reads them. */
export class SheetShelf implements Shelf {
  readonly #jobs: (NewJob | (() => NewJob) | undefined)[] = []
  /** Slots whose job is described anew. */
  readonly #anew = new Set<number>()
  #token = 0
  #lastToken = 0

  /** The tokens that claims may give: those up to `last`, `count` of them. */
  grant(last: number, count: number): void {
    this.#token = last - count
    this.#lastToken = last
  }

  keep(slot: number, job: () => NewJob): void {
    this.#jobs[slot] = job
  }

  isAnew(slot: number): boolean {
    return this.#anew.has(slot)
  }

  job(slot: number): NewJob | undefined {
    const job = this.#jobs[slot]
    if (typeof job !== 'function') return job
    return (this.#jobs[slot] = job())
  }

  put(slot: number, filing: readonly Item[], item: number): void {
    this.#jobs[slot] = filing[item] as NewJob // as: an insert's items are jobs
    this.#anew.add(slot)
  }

  share(from: number, to: number): void {
    this.#jobs[to] = this.#jobs[from]
  }

  drop(slot: number): void {
    this.#jobs[slot] = undefined
  }

  paper(filing: readonly Item[], item: number): Item {
    return filing[item]
  }

  jobs(slots: readonly number[]): readonly NewJob[] {
    return slots.map((slot) => this.job(slot) as NewJob) // as: whoever asks shows jobs, not receipts
  }

  token(): number {
    if (this.#token >= this.#lastToken) throw new Error('more was claimed than tokens were taken')
    return ++this.#token
  }

  read(paper: Item): Item {
    return paper
  }
}
