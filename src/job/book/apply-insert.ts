/**
 * Applying inserts: lot by lot, each all or none. A lot is first looked at as a whole; when one of
 * its jobs would be refused, nothing of it is entered and the others answer `withdrawn`.
 */
import type { JobRef } from '../job.js'
import type { Inserted, NewJob, UniqueKey } from '../lot.js'
import type { InsertFrame } from './frame.js'
import type { Filing } from './extra.js'
import { bringDown } from './cascade.js'
import { isLate } from './decide-claim.js'
import { AT_WALL, BY_SETTINGS, OWN_ID, RECEIPT, RUNNING, SCHEDULED, WAITING } from './columns.js'
import { bear, isUnknown } from './kin.js'
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
  const first = into.length
  let hasParents = false
  for (let at = from; at < to; at++) {
    hasParents ||= items[at].after.length > 0
    into.push(
      refused === null
        ? insertOne(ledger, items[at], filing, filed + at - from)
        : (refused.get(at) ?? WITHDRAWN),
    )
  }
  if (refused !== null || !hasParents) return
  const answers = into.splice(first)
  giveParents(ledger, items.slice(from, to), answers)
  for (const answer of answers) into.push(answer)
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
  const knows = knowing(ledger, items, from, to)
  for (let at = from; at < to; at++) {
    const job = items[at]
    const queue = ledger.findQueue(job.queue)
    const limit = queue?.settings.limits.backlog ?? Infinity
    if (limit === Infinity && job.unique === null && job.after.length === 0) continue
    if (isKnown(ledger, queue, job, seen)) continue
    const holder = holderOf(ledger, queue, job, seen)
    let answer: Inserted | null = null
    if (holder !== null) {
      // It brings no job, and needs neither room nor parents.
      if (job.unique?.onConflict === 'reject') answer = rejected(holder)
    } else {
      const stranger = job.after.find((ref) => !knows(ref))
      if (stranger !== undefined) answer = unknownParent(stranger)
      else if (queue !== undefined && limit !== Infinity) {
        const more = (added.get(queue) ?? 0) + 1
        added.set(queue, more)
        if (queue.backlog + more > limit) answer = full(limit)
      }
    }
    if (answer !== null) (refused ??= new Map<number, Inserted>()).set(at, answer)
  }
  return refused
}

function rejected(id: string): Inserted {
  return { status: 'refused', code: 'DUPLICATE', id }
}

function full(limit: number): Inserted {
  return { status: 'refused', code: 'QUEUE_FULL', limit }
}

function unknownParent({ queue, id }: JobRef): Inserted {
  return { status: 'refused', code: 'PARENT_UNKNOWN', parent: { queue, id } }
}

/** Whether a job may come after this one: it stands in the lot, in the book, or did a while ago. */
function knowing(
  ledger: Ledger,
  items: readonly NewJob[],
  from: number,
  to: number,
): (ref: JobRef) => boolean {
  let lot: Set<string> | null = null
  return (ref) => {
    if (!isUnknown(ledger, ref)) return true
    lot ??= new Set(items.slice(from, to).map(nameOf))
    return lot.has(nameOf(ref))
  }
}

function nameOf({ queue, id }: JobRef): string {
  return `${queue}\0${id}`
}

/** The same id was there before, in the book or earlier in this lot. */
function isKnown(
  ledger: Ledger,
  queue: QueueBook | undefined,
  job: NewJob,
  seen: Map<string, string>,
): boolean {
  const name = `i${nameOf(job)}`
  if (seen.has(name)) return true
  seen.set(name, job.id)
  return queue !== undefined && isTaken(ledger, queue, job.id)
}

/** By a job or its receipt. What an operator deleted is no hindrance to a new job of that name. */
function isTaken(ledger: Ledger, queue: QueueBook, id: string): boolean {
  const slot = ledger.ids.find(queue.number, id)
  return slot >= 0 && ledger.findExtra(slot)?.isDeleted !== true
}

/** Who has its unique key, in the book or earlier in this lot; null: it may have it. */
function holderOf(
  ledger: Ledger,
  queue: QueueBook | undefined,
  job: NewJob,
  seen: Map<string, string>,
): string | null {
  if (job.unique === null) return null
  const name = `k${job.queue}\0${job.unique.key}`
  const hold = queue === undefined ? null : findHold(ledger, queue, job.unique.key)
  const holder = hold?.id ?? seen.get(name)
  if (holder === undefined) seen.set(name, job.id)
  return holder ?? null
}

/**
 * When all of a lot are in: those that come after others learn of them, by the names under which
 * they stand, and what cannot run any more falls at once.
 */
function giveParents(ledger: Ledger, lot: readonly NewJob[], answers: Inserted[]): void {
  const late = lot.flatMap((job, at) =>
    job.after.length > 0 && answers[at].status === 'inserted' ? [at] : [],
  )
  if (late.length === 0) return
  const stands = new Map<string, string>()
  lot.forEach((job, at) => {
    const answer = answers[at]
    if ('id' in answer && answer.id !== job.id) stands.set(nameOf(job), answer.id)
  })
  const actual = (ref: JobRef): JobRef => {
    const id = stands.get(nameOf(ref))
    return id === undefined ? ref : { queue: ref.queue, id }
  }
  for (const at of late) bear(ledger, ledger.find(lot[at]), lot[at], actual)
  const fallen = new Map(bringDown(ledger).map((one) => [nameOf(one), one.deadLetter]))
  for (const at of late) answers[at] = standing(ledger, lot[at], fallen)
}

function standing(
  ledger: Ledger,
  job: NewJob,
  fallen: ReadonlyMap<string, JobRef | null>,
): Inserted {
  const inserted = { status: 'inserted', id: job.id } as const
  const deadLetter = fallen.get(nameOf(job))
  if (deadLetter !== undefined) return { ...inserted, state: 'discarded', deadLetter }
  const isWaiting = ledger.columns.state.get(ledger.find(job)) === WAITING
  return isWaiting ? { ...inserted, state: 'waiting' } : inserted
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
  if (job.after.length > 0) ledger.waitForParents(slot)
  setDue(ledger, slot, job)
  return { status: 'inserted', id: job.id }
}

/** Its place is when it is due; a past instant is a place before now. */
function setDue(ledger: Ledger, slot: number, job: Pick<NewJob, 'at' | 'delay'>): void {
  const { columns } = ledger
  const due = job.at === null ? ledger.now + job.delay : job.at - ledger.wallOffset
  if (job.at === null) columns.lower(slot, AT_WALL)
  else columns.raise(slot, AT_WALL)
  ledger.place(slot, due)
  if (columns.state.get(slot) !== WAITING) ledger.wait(slot, due, SCHEDULED)
}

/**
 * The key has a holder: keep it, or give it what this job brings; but not its parents, since the
 * holder may be among what these wait for.
 */
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
    queue.transit?.side !== 'moving' &&
    ledger.columns.state.get(hold.slot) < RECEIPT &&
    ledger.columns.state.get(hold.slot) !== RUNNING
  if (unique.onConflict !== 'replace' || !isReplaceable) return { status: 'duplicate', id: hold.id }
  const columns = ledger.columns
  ledger.shelf.put(hold.slot, filing, item)
  const extra = ledger.extra(hold.slot)
  extra.payload = null
  // What was done of another payload was not done of this one.
  extra.steps = null
  const isLost = isLate(ledger, queue, hold.slot, ledger.now)
  extra.expiresIn = job.expiresIn
  columns.priority.set(hold.slot, job.priority + 100)
  if (job.at !== null || job.delay > 0 || isLost) setDue(ledger, hold.slot, job)
  else if (columns.state.get(hold.slot) !== WAITING) ledger.waitOn(hold.slot)
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
  ledger.changes?.key(queue.name, unique.key)
  queue.keys.set(unique.key, { slot, id: job.id, while: unique.while, until })
}

/** Who has the key now: a job that holds it, or a period that still runs. */
export function findHold(ledger: Ledger, queue: QueueBook, key: string): KeyHold | null {
  const hold = queue.keys.get(key)
  if (hold === undefined) return null
  if (hold.slot >= 0 || hold.until > ledger.now) return hold
  queue.keys.delete(key)
  ledger.changes?.key(queue.name, key)
  return null
}
