/**
 * The state of the book: every job, queue and node, and the few moves between states that all
 * commands are made of. What a command may do is decided in `apply-*.ts`; here it is done, with
 * counts, timers, keys and news kept true. Nothing here asks the time or chance.
 */
import { CRASHES_UNTIL_ALONE } from '../defaults.js'
import { STATES } from '../job.js'
import type { FinalState, JobRef, Millis, State } from '../job.js'
import type { Card } from './frame.js'
import type { Extra, Shelf } from './extra.js'
import { emptyExtra } from './extra.js'
import { Ids } from './ids.js'
import { Names } from './names.js'
import { ALONE, DEAD, QueueBook } from './queue.js'
import { SettledRing } from './settled.js'
import {
  AVAILABLE,
  COMPLETED,
  BY_SETTINGS,
  Columns,
  FREE,
  HAS_EXTRA,
  RECEIPT,
  RETRYABLE,
  RUNNING,
  SCHEDULED,
} from './columns.js'

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

export class Ledger {
  readonly columns = new Columns()
  readonly ids = new Ids(this.columns)
  readonly extras = new Map<number, Extra>()
  readonly queueNames = new Names()
  readonly taskNames = new Names()
  readonly groupNames = new Names()
  readonly queues = new Map<number, QueueBook>()
  readonly nodes = new Map<string, NodeState>()
  readonly holds = new Map<number, Hold>()
  readonly settled = new SettledRing()
  readonly shelf: Shelf
  /** The latest time that a frame told. */
  now: Millis = 0
  /** Wall time is store time and this. */
  wallOffset: Millis = 0
  /** The last insertion's number. */
  seqs = 0
  news = new Map<string, number>()

  constructor(shelf: Shelf) {
    this.shelf = shelf
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
    return queue
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

  tell(queue: QueueBook, bit: number): void {
    this.news.set(queue.name, (this.news.get(queue.name) ?? 0) | bit)
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
    queue.join(number)
    return slot
  }

  extra(slot: number): Extra {
    const known = this.extras.get(slot)
    if (known !== undefined) return known
    const extra = emptyExtra()
    this.extras.set(slot, extra)
    this.columns.raise(slot, HAS_EXTRA)
    return extra
  }

  findExtra(slot: number): Extra | undefined {
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

  /** It waits at its place until `due`, and is runnable then. `state` is what it is called until then. */
  wait(slot: number, due: Millis, state: typeof SCHEDULED | typeof RETRYABLE): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    columns.touch(slot)
    const isAtPlace = due === columns.place.get(slot)
    const extra = isAtPlace ? this.findExtra(slot) : this.extra(slot)
    if (extra !== undefined) extra.dueAt = isAtPlace ? null : due
    if (columns.attempt.get(slot) >= this.maxAttempts(slot)) {
      this.#count(queue, slot, AVAILABLE)
      queue.spent.push(columns.entry(slot))
      return
    }
    this.#watchExpiry(queue, slot)
    if (due > this.now) {
      this.#count(queue, slot, state)
      const timers = queue.timer(columns.task.get(slot))
      // Who sleeps until the next is due, or until a poll, must hear that one comes sooner.
      if (timers.size === 0 || due < timers.key) this.tell(queue, NEWS_JOBS)
      timers.push(due, columns.seq.get(slot), columns.entry(slot))
    } else {
      this.#count(queue, slot, AVAILABLE)
      this.offer(queue, slot)
    }
  }

  /** It waits on as before, under what may have changed of it. */
  waitOn(slot: number): void {
    const hasFailed = this.columns.attempt.get(slot) > 0
    this.wait(slot, this.dueOf(slot), hasFailed ? RETRYABLE : SCHEDULED)
  }

  /** Puts a runnable job where claims look. */
  offer(queue: QueueBook, slot: number): void {
    const alone = this.columns.crashes.get(slot) >= CRASHES_UNTIL_ALONE ? ALONE : 0
    const dead = this.findExtra(slot)?.origin == null ? 0 : DEAD
    queue.pool(this.columns.task.get(slot), alone | dead).add(slot)
    this.tell(queue, NEWS_JOBS)
  }

  /**
   * Moves what has become due. Follows from the time alone, so no frame tells it; and since `now`
   * is this replica's own, nothing that applying a frame reads may depend on it.
   */
  advance(queue: QueueBook, now: Millis): void {
    for (const timers of queue.timers.values()) {
      while (timers.size > 0 && timers.key <= now) {
        const entry = timers.pop()
        if (!this.columns.isCurrent(entry)) continue
        const slot = this.columns.slotOf(entry)
        this.#count(queue, slot, AVAILABLE)
        this.offer(queue, slot)
      }
    }
    for (let end = queue.lapsing.first; end !== undefined; end = queue.lapsing.first) {
      if (end.until > this.now) break
      queue.lapsing.shift()
      const hold = queue.keys.get(end.key)
      if (hold !== undefined && hold.slot < 0 && hold.until <= this.now) queue.keys.delete(end.key)
    }
  }

  run(slot: number, hold: Hold, now: Millis): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    columns.touch(slot)
    columns.attempt.set(slot, columns.attempt.get(slot) + 1)
    columns.since.set(slot, now)
    this.#count(queue, slot, RUNNING)
    this.holds.set(slot, hold)
    const node = this.nodes.get(hold.node)
    if (node !== undefined) node.holds++
    queue.served(columns.group.get(slot))
    const key = columns.has(slot, HAS_EXTRA) ? this.extras.get(slot)?.key?.name : null
    if (key != null && queue.keys.get(key)?.while === 'waiting') this.freeKey(queue, slot)
  }

  /** Its holder holds it no more. */
  letGo(slot: number): void {
    const hold = this.holds.get(slot)
    if (hold === undefined) return
    this.holds.delete(slot)
    const node = this.nodes.get(hold.node)
    if (node === undefined) return
    node.holds--
    if (node.gone && node.holds === 0) this.nodes.delete(hold.node)
  }

  /** It becomes final and stays to be seen. */
  end(slot: number, state: FinalState): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    columns.touch(slot)
    columns.since.set(slot, this.now)
    this.#count(queue, slot, STATES.indexOf(state))
    queue.ended[STATES.indexOf(state) - COMPLETED].push(columns.entry(slot))
    this.tell(queue, NEWS_ENDS)
  }

  /** Only a receipt of it stays, for so long. */
  toReceipt(slot: number, state: FinalState, keep: Millis): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    columns.touch(slot)
    if (columns.state.get(slot) < RECEIPT) columns.since.set(slot, this.now)
    this.#count(queue, slot, RECEIPT)
    this.shelf.drop(slot)
    const extra = this.extra(slot)
    extra.final = state
    extra.history = []
    extra.log = []
    extra.payload = null
    extra.origin = null
    queue.receipts.push(columns.since.get(slot) + keep, slot, columns.entry(slot))
    this.tell(queue, NEWS_ENDS)
  }

  /** Nothing of it stays. */
  remove(slot: number): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    this.#uncount(queue, slot)
    this.ids.remove(slot)
    this.taskNames.drop(columns.task.get(slot))
    const group = columns.group.get(slot)
    queue.part(group)
    this.groupNames.drop(group)
    if (columns.has(slot, HAS_EXTRA)) this.extras.delete(slot)
    this.shelf.drop(slot)
    columns.release(slot)
    queue.slots--
    this.tell(queue, NEWS_ENDS)
    this.forget(queue)
  }

  // ── From an image ────────────────────────────────────────────────────────────────────────────

  restoreEnded(queue: QueueBook, slot: number, state: number): void {
    const columns = this.columns
    this.#count(queue, slot, state)
    if (state !== RECEIPT) return void queue.ended[state - COMPLETED].push(columns.entry(slot))
    const until = columns.since.get(slot) + queue.settings.receipts
    queue.receipts.push(until, slot, columns.entry(slot))
  }

  restoreHeld(queue: QueueBook, slot: number, state: number): void {
    this.#count(queue, slot, state)
  }

  // ── Keys ─────────────────────────────────────────────────────────────────────────────────────

  /** The key is free, unless its period still runs. */
  freeKey(queue: QueueBook, slot: number): void {
    const key = this.findExtra(slot)?.key?.name
    if (key == null) return
    const hold = queue.keys.get(key)
    if (hold === undefined || hold.slot !== slot) return
    if (hold.until <= this.now) {
      queue.keys.delete(key)
    } else {
      hold.slot = -1
      queue.lapsing.push({ key, until: hold.until })
    }
  }

  // ── Counts ───────────────────────────────────────────────────────────────────────────────────

  #count(queue: QueueBook, slot: number, state: number): void {
    this.#uncount(queue, slot)
    this.columns.state.set(slot, state)
    if (state < RECEIPT) queue.counts[state]++
  }

  #uncount(queue: QueueBook, slot: number): void {
    const before = this.columns.state.get(slot)
    if (before < RECEIPT) queue.counts[before]--
  }

  /** A job that was never started must be started in time. */
  #watchExpiry(queue: QueueBook, slot: number): void {
    const span = this.lifespan(queue, slot)
    if (span === Infinity || this.columns.attempt.get(slot) > 0) return
    const columns = this.columns
    queue.expiries.push(columns.place.get(slot) + span, columns.seq.get(slot), columns.entry(slot))
  }

  /** From when it is due until it expires, if it was not started. */
  lifespan(queue: QueueBook, slot: number): Millis {
    return this.findExtra(slot)?.expiresIn ?? queue.settings.limits.age
  }
}
