/**
 * What the book knows: every job's row, queues, nodes, names, and how each is found. It is the state
 * alone, with the lookups that everyone shares; the moves between states are in `ledger.ts`.
 */
import { STATES } from '../job.js'
import type { JobRef, Millis, State } from '../job.js'
import type { RetiredSchedule } from '../schedule.js'
import type { StoredSettings } from '../settings.js'
import type { Changes } from './changes.js'
import { Children } from './children.js'
import { BY_SETTINGS, Columns, FREE, HAS_EXTRA, RETRYABLE, SCHEDULED } from './columns.js'
import type { Extra, ExtraView, Shelf } from './extra.js'
import { copyExtra, emptyExtra } from './extra.js'
import type { Card } from './frame.js'
import { Ids } from './ids.js'
import { Names } from './names.js'
import { QueueBook } from './queue.js'
import type { Pause } from './queue.js'
import { Rates, groupName, groupNamed } from './rates.js'
import { SettledRing } from './settled.js'
import { Sparse } from './sparse.js'
import type { GrantWindow } from './window.js'

/** Who holds a running job. */
export interface Hold {
  readonly token: number
  readonly node: string
  readonly worker: string
  readonly claim: number
}

export interface NodeState {
  card: Card
  readonly startedAt: Millis
  /** Grows with every sign of life; a sweep that saw an older one is void. */
  beats: number
  lastBeat: Millis
  overdue: ReadonlySet<number>
  /** It was swept; what it says is void, and it is forgotten when it holds nothing more. */
  gone: boolean
  holds: number
}

/** What changed, by queue, for hints: bits of `NEWS_*`. */
export const NEWS_JOBS = 1
export const NEWS_ENDS = 2
export const NEWS_CONTROL = 4
export const NEWS_SCHEDULES = 8

export class Register {
  readonly columns: Columns
  readonly ids: Ids
  readonly extras = new Sparse<Extra>(copyExtra)
  readonly children = new Children(this.extras)
  /** Entries of jobs that this very frame dooms, since a parent of theirs failed. */
  readonly doomed: number[] = []
  readonly queueNames = new Names()
  readonly taskNames = new Names()
  readonly groupNames = new Names()
  readonly queues = new Map<number, QueueBook>()
  readonly nodes = new Map<string, NodeState>()
  readonly holds = new Map<number, Hold>()
  readonly settled = new SettledRing()
  /** Removed schedules by queue and name, oldest first. */
  readonly retired = new Map<string, RetiredSchedule>()
  /** What rates have granted, and until when handlers asked for rest. */
  readonly rates = new Rates()
  /** Everything was paused; beside it stands what was paused by itself. */
  paused: Pause | null = null
  readonly shelf: Shelf
  /** The latest time that a frame told. */
  now: Millis = 0
  /** Wall time is store time and this. */
  wallOffset: Millis = 0
  /** The last insertion's number. */
  seqs = 0
  news = new Map<string, number>()
  /** How often it was told that something else holds of a queue. */
  controls = 0
  /** Who keeps the book as rows; null: nobody. */
  changes: Changes | null = null

  /** `columns`: empty ones, which may have served another book before. */
  constructor(shelf: Shelf, columns = new Columns()) {
    this.shelf = shelf
    this.columns = columns
    this.ids = new Ids(columns)
  }

  /** From now on all that is different is named there. */
  follow(changes: Changes): void {
    this.changes = changes
    this.columns.changed = changes.slots
    this.extras.changed = changes.slots
    this.rates.follow(changes.rates)
    for (const queue of this.queues.values()) this.#followGrants(queue)
  }

  // ── Queues ───────────────────────────────────────────────────────────────────────────────────

  findQueue(name: string): QueueBook | undefined {
    const number = this.queueNames.find(name)
    return number === undefined ? undefined : this.queues.get(number)
  }

  /** Makes it when it is not there; a queue exists as soon as its first job does. */
  queue(name: string): QueueBook {
    const known = this.findQueue(name)
    if (known !== undefined) return known
    const number = this.queueNames.hold(name)
    const queue = new QueueBook(name, number, this.columns)
    this.queues.set(number, queue)
    this.#followGrants(queue)
    return queue
  }

  #followGrants(queue: QueueBook): void {
    const { changes } = this
    if (changes === null) return
    queue.grants.told = (group) => changes.rates.add(groupName(queue.name, group))
  }

  queueOf(slot: number): QueueBook {
    // Every slot in use has a queue: it was entered with one.
    return this.queues.get(this.columns.queue.get(slot)) as QueueBook
  }

  /** Forgets the queue when nothing of it is left. */
  forget(queue: QueueBook): void {
    if (!queue.isUnused || !this.queues.delete(queue.number)) return
    this.queueNames.drop(queue.number)
  }

  /** Its settings change; what waits is left to the caller. */
  say(queue: QueueBook, stored: StoredSettings): void {
    const before = queue.settings
    queue.say(stored)
    this.rates.share(queue.number, before.rate, queue.settings.rate)
    if (before.order !== queue.settings.order) queue.reorder()
    for (const [number, group] of queue.groups.entries()) group.weight = this.#weight(queue, number)
    queue.groups.unparkAll()
  }

  /** One more job of the group. */
  join(queue: QueueBook, group: number): void {
    queue.groups.join(group, (number) => this.#weight(queue, number))
  }

  #weight(queue: QueueBook, group: number): number {
    const { weights } = queue.settings.groups
    const name = this.groupNames.text(group)
    return (Object.hasOwn(weights, name) ? weights[name] : weights.default) ?? 1
  }

  tell(queue: QueueBook, bit: number): void {
    if ((bit & NEWS_CONTROL) !== 0) this.controls++
    this.news.set(queue.name, (this.news.get(queue.name) ?? 0) | bit)
  }

  /** Every window of grants, by a name that no other has. */
  *windows(): Generator<[string, GrantWindow]> {
    yield* this.rates.windows.entries()
    for (const queue of this.queues.values()) {
      for (const [group, window] of queue.grants.entries()) {
        yield [groupName(queue.name, group), window]
      }
    }
  }

  /** One of `windows`; undefined: it counts nothing. */
  window(name: string): GrantWindow | undefined {
    const of = groupNamed(name)
    if (of === null) return this.rates.windows.get(name)
    return this.findQueue(of.queue)?.grants.get(of.group)
  }

  /** One of `windows`, when the queues are there. */
  restoreWindow(name: string, window: GrantWindow): void {
    const of = groupNamed(name)
    const windows = of === null ? this.rates.windows : this.queue(of.queue).grants
    windows.restore(of?.group ?? name, window)
  }

  /** From another store, in place of one that says nothing any more. */
  replaceWindow(name: string, window: GrantWindow): void {
    const of = groupNamed(name)
    if (of === null) return this.rates.windows.replace(name, window)
    const queue = this.queue(of.queue)
    queue.grants.replace(of.group, window)
    const number = this.groupNames.find(of.group)
    const known = number === undefined ? undefined : queue.groups.get(number)
    if (known !== undefined) known.grants = window
  }

  /** What was granted under that name, as `windows` has it. */
  findWindow(name: string): GrantWindow | undefined {
    const of = groupNamed(name)
    if (of === null) return this.rates.windows.get(name)
    return this.findQueue(of.queue)?.grants.get(of.group)
  }

  // ── Jobs ─────────────────────────────────────────────────────────────────────────────────────

  find(ref: JobRef): number {
    const queue = this.queueNames.find(ref.queue)
    return queue === undefined ? -1 : this.ids.find(queue, ref.id)
  }

  /** A new job's row; the caller then lets it wait. */
  enter(queue: QueueBook, id: string, task: string, group: string): number {
    const columns = this.columns
    const slot = columns.take()
    columns.state.set(slot, FREE)
    columns.flags.set(slot, 0)
    this.ids.add(slot, queue.number, id)
    columns.task.set(slot, this.taskNames.hold(task))
    const number = this.groupNames.hold(group)
    columns.group.set(slot, number)
    columns.crashes.set(slot, 0)
    columns.attempt.set(slot, 0)
    columns.maxAttempts.set(slot, BY_SETTINGS)
    columns.seq.set(slot, ++this.seqs)
    columns.insertedAt.set(slot, this.now)
    columns.since.set(slot, 0)
    queue.slots++
    this.join(queue, number)
    return slot
  }

  /** For changing. */
  extra(slot: number): Extra {
    const known = this.extras.own(slot)
    if (known !== undefined) return known
    const extra = emptyExtra()
    this.extras.set(slot, extra)
    this.columns.raise(slot, HAS_EXTRA)
    return extra
  }

  /** For reading. */
  findExtra(slot: number): ExtraView | undefined {
    return this.columns.has(slot, HAS_EXTRA) ? this.extras.get(slot) : undefined
  }

  /** When it is or was due. */
  dueOf(slot: number): Millis {
    return this.findExtra(slot)?.dueAt ?? this.columns.place.get(slot)
  }

  /** How often it was begun anew, from 1. */
  roundOf(slot: number): number {
    return this.findExtra(slot)?.round ?? 1
  }

  maxAttempts(slot: number): number {
    const own = this.columns.maxAttempts.get(slot)
    const { attempts, delivery } = this.queueOf(slot).settings
    if (own === BY_SETTINGS) return attempts
    return delivery === 'at-most-once' ? Math.min(own, attempts) : own
  }

  /** Where a job stands now, whether or not its timer was looked at. */
  state(slot: number): State {
    const state = this.columns.state.get(slot)
    if (state !== SCHEDULED && state !== RETRYABLE) return STATES[state]
    return this.dueOf(slot) <= this.now ? 'available' : STATES[state]
  }

  /** From when it is due until it expires, if it was not started. */
  lifespan(queue: QueueBook, slot: number): Millis {
    return this.findExtra(slot)?.expiresIn ?? queue.settings.limits.age
  }
}
