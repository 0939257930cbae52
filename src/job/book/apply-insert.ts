/**
 * Applying inserts: lot by lot, each all or none. A lot is first looked at as a whole; when one of
 * its jobs would be refused, nothing of it is entered and the others answer `withdrawn`.
 */
import type { Inserted, NewJob, UniqueKey } from '../lot.js'
import type { InsertFrame } from './frame.js'
import type { Filing } from './extra.js'
import { AT_WALL, BY_SETTINGS, OWN_ID, RECEIPT, RUNNING, SCHEDULED } from './columns.js'
import type { Ledger } from './ledger.js'
import type { KeyHold, QueueBook } from './queue.js'

/** One answer per item, in order. */
export function applyInsert(ledger: Ledger, frame: InsertFrame, filing: Filing): Inserted[] {
  const answers: Inserted[] = []
  let from = 0
  for (const size of frame.lots) {
    const to = from + size
    insertLot(ledger, frame.items, { from, to, filed: from }, filing, answers)
    from = to
  }
  return answers
}

/** All of these or none, answered into `into`. `filed`: where the first lies among what was filed. */
export function insertLot(
  ledger: Ledger,
  items: readonly NewJob[],
  { from, to, filed }: { readonly from: number; readonly to: number; readonly filed: number },
  filing: Filing,
  into: Inserted[],
): void {
  const refused = refusals(ledger, items, from, to)
  for (let at = from; at < to; at++) {
    into.push(
      refused === null
        ? insertOne(ledger, items[at], filing, filed + at - from)
        : (refused.get(at) ?? WITHDRAWN),
    )
  }
}

const WITHDRAWN: Inserted = { status: 'withdrawn' }

/** The jobs of a lot that must be refused; null when none is. */
function refusals(
  ledger: Ledger,
  items: readonly NewJob[],
  from: number,
  to: number,
): Map<number, Inserted> | null {
  let refused: Map<number, Inserted> | null = null
  const added = new Map<QueueBook, number>()
  const seen = new Map<string, string>()
  for (let at = from; at < to; at++) {
    const job = items[at]
    const queue = ledger.findQueue(job.queue)
    const limit = queue?.settings.limits.backlog ?? Infinity
    if (limit === Infinity && job.unique === null) continue
    if (isKnown(ledger, queue, job, seen)) continue
    const answer = conflict(ledger, queue, job, seen)
    if (
      answer === null &&
      queue !== undefined &&
      limit !== Infinity &&
      !keyHeld(ledger, queue, job)
    ) {
      const more = (added.get(queue) ?? 0) + 1
      added.set(queue, more)
      if (queue.backlog + more > limit) {
        refused ??= new Map<number, Inserted>()
        refused.set(at, { status: 'refused', code: 'QUEUE_FULL', limit })
      }
    } else if (answer !== null) {
      refused ??= new Map<number, Inserted>()
      refused.set(at, answer)
    }
  }
  return refused
}

/** The same id was there before, in the book or earlier in this lot. */
function isKnown(
  ledger: Ledger,
  queue: QueueBook | undefined,
  job: NewJob,
  seen: Map<string, string>,
): boolean {
  const name = `i${job.queue}\0${job.id}`
  if (seen.has(name)) return true
  seen.set(name, job.id)
  return queue !== undefined && isTaken(ledger, queue, job.id)
}

/** By a job or its receipt. What an operator deleted is no hindrance to a new job of that name. */
function isTaken(ledger: Ledger, queue: QueueBook, id: string): boolean {
  const slot = ledger.ids.find(queue.number, id)
  return slot >= 0 && ledger.findExtra(slot)?.isDeleted !== true
}

/** A unique key that someone else holds and that says to reject. */
function conflict(
  ledger: Ledger,
  queue: QueueBook | undefined,
  job: NewJob,
  seen: Map<string, string>,
): Inserted | null {
  if (job.unique === null) return null
  const name = `k${job.queue}\0${job.unique.key}`
  const hold = queue === undefined ? null : findHold(ledger, queue, job.unique.key)
  const holder = hold?.id ?? seen.get(name)
  if (holder === undefined) seen.set(name, job.id)
  if (holder === undefined || job.unique.onConflict !== 'reject') return null
  return { status: 'refused', code: 'DUPLICATE', id: holder }
}

function keyHeld(ledger: Ledger, queue: QueueBook, job: NewJob): boolean {
  return job.unique !== null && findHold(ledger, queue, job.unique.key) !== null
}

function insertOne(ledger: Ledger, job: NewJob, filing: Filing, item: number): Inserted {
  const before = ledger.find(job)
  if (before >= 0) {
    if (isTaken(ledger, ledger.queueOf(before), job.id)) return { status: 'duplicate', id: job.id }
    ledger.remove(before)
  }
  const queue = ledger.queue(job.queue)
  if (job.unique !== null) {
    const hold = findHold(ledger, queue, job.unique.key)
    if (hold !== null) return meet(ledger, queue, job, job.unique, hold, filing, item)
  }
  const columns = ledger.columns
  const slot = ledger.enter(queue, job.id, job.task, job.group)
  if (job.ownId) columns.raise(slot, OWN_ID)
  columns.priority.set(slot, job.priority + 100)
  columns.maxAttempts.set(slot, job.attempts ?? BY_SETTINGS)
  ledger.shelf.put(slot, filing, item)
  if (job.expiresIn !== null) ledger.extra(slot).expiresIn = job.expiresIn
  if (job.unique !== null) holdKey(ledger, queue, slot, job, job.unique)
  setDue(ledger, slot, job)
  return { status: 'inserted', id: job.id }
}

/** Its place is when it is due; a past instant is a place before now. */
function setDue(ledger: Ledger, slot: number, job: Pick<NewJob, 'at' | 'delay'>): void {
  const due = job.at === null ? ledger.now + job.delay : job.at - ledger.wallOffset
  if (job.at !== null) ledger.columns.raise(slot, AT_WALL)
  ledger.place(slot, due)
  ledger.wait(slot, due, SCHEDULED)
}

/** The key has a holder: keep it, or give it what this job brings. */
function meet(
  ledger: Ledger,
  queue: QueueBook,
  job: NewJob,
  unique: UniqueKey,
  hold: KeyHold,
  filing: Filing,
  item: number,
): Inserted {
  const isReplaceable =
    hold.slot >= 0 &&
    ledger.columns.state.get(hold.slot) < RECEIPT &&
    ledger.columns.state.get(hold.slot) !== RUNNING
  if (unique.onConflict !== 'replace' || !isReplaceable) return { status: 'duplicate', id: hold.id }
  const columns = ledger.columns
  ledger.shelf.put(hold.slot, filing, item)
  ledger.extra(hold.slot).payload = null
  columns.priority.set(hold.slot, job.priority + 100)
  if (job.at !== null || job.delay > 0) setDue(ledger, hold.slot, job)
  else ledger.waitOn(hold.slot)
  return { status: 'replaced', id: hold.id }
}

function holdKey(
  ledger: Ledger,
  queue: QueueBook,
  slot: number,
  job: NewJob,
  unique: UniqueKey,
): void {
  const until = unique.for > 0 ? ledger.now + unique.for : 0
  ledger.extra(slot).key = { name: unique.key, while: unique.while }
  queue.keys.set(unique.key, { slot, id: job.id, while: unique.while, until })
}

/** Who has the key now: a job that holds it, or a period that still runs. */
export function findHold(ledger: Ledger, queue: QueueBook, key: string): KeyHold | null {
  const hold = queue.keys.get(key)
  if (hold === undefined) return null
  if (hold.slot >= 0 || hold.until > ledger.now) return hold
  queue.keys.delete(key)
  return null
}
