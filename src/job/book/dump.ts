/**
 * Saying what the book keeps, so that another store can take it over: pages of jobs in the order of
 * their insertion, and what stands beside them. Reads only. A page may be short and still have a
 * cursor; whoever reads on from it misses nothing that stays.
 */
import type { Step } from '../job.js'
import type { NewJob } from '../lot.js'
import type { PortableJob, PortableOwnKey, PortableParent } from '../portable.js'
import { attemptOf, logOf, payloadOf, resultIn, stepsOf } from './views.js'
import {
  AT_WALL,
  BY_SETTINGS,
  COMPLETED,
  FREE,
  FRESH,
  HOLDS,
  OWN_ID,
  RECEIPT,
  RUNNING,
} from './columns.js'
import type { ExtraView, Parent } from './extra.js'
import { emptyExtra } from './extra.js'
import { Heap } from './heap.js'
import type { Ledger } from './ledger.js'

/**
 * Slots of the first that were inserted behind that number, in the order of their insertion; of these
 * queues, or of all. A look finds those of many pages, since it looks at every slot that there is.
 */
export function oldest(
  ledger: Ledger,
  queues: ReadonlySet<number> | null,
  after: number,
  limit: number,
): number[] {
  const slots: number[] = []
  for (let from = after; from < ledger.seqs;) {
    const { seqs, slots: seen, upTo } = aheadOf(ledger, queues, from)
    for (let at = firstBehind(seqs, from); at < seqs.length; at++) {
      if (!isToTell(ledger, seen[at]) || ledger.columns.seq.get(seen[at]) !== seqs[at]) continue
      slots.push(seen[at])
      if (slots.length === limit) return slots
    }
    from = upTo
  }
  seenAhead.delete(ledger)
  return slots
}

/** Of all with a number above `from`, up to `upTo`: by number. New ones have higher numbers. */
interface Ahead {
  readonly of: string
  readonly from: number
  readonly upTo: number
  readonly seqs: readonly number[]
  readonly slots: readonly number[]
}

/** Jobs that one look finds. */
const AHEAD = 50_000
/** By the last look at each. */
const seenAhead = new WeakMap<Ledger, Ahead>()

function aheadOf(ledger: Ledger, queues: ReadonlySet<number> | null, from: number): Ahead {
  const of = queues === null ? '' : [...queues].join()
  const seen = seenAhead.get(ledger)
  if (seen?.of === of && seen.from <= from && from < seen.upTo) return seen
  const { columns } = ledger
  const kept = new Heap()
  for (let slot = 0; slot < columns.used; slot++) {
    if (!isToTell(ledger, slot)) continue
    if (queues?.has(columns.queue.get(slot)) === false) continue
    const seq = columns.seq.get(slot)
    // A heap gives its least first, so what is to leave must be least.
    if (seq <= from || (kept.size === AHEAD && -seq < kept.key)) continue
    kept.push(-seq, 0, slot)
    if (kept.size > AHEAD) kept.pop()
  }
  const isFull = kept.size === AHEAD
  const slots: number[] = []
  while (kept.size > 0) slots.push(kept.pop())
  slots.reverse()
  const seqs = slots.map((slot) => columns.seq.get(slot))
  const upTo = isFull ? seqs[seqs.length - 1] : ledger.seqs
  const ahead = { of, from, upTo, seqs, slots }
  seenAhead.set(ledger, ahead)
  return ahead
}

function isToTell(ledger: Ledger, slot: number): boolean {
  const state = ledger.columns.state.get(slot)
  return state !== FREE && !(state === RECEIPT && isAway(ledger, slot))
}

/** Where the first of these numbers above `from` stands. */
function firstBehind(seqs: readonly number[], from: number): number {
  let [low, high] = [0, seqs.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (seqs[middle] > from) high = middle
    else low = middle + 1
  }
  return low
}

const NOTHING = emptyExtra()

/** Slots of jobs and receipts, in order. */
export function portables(ledger: Ledger, slots: readonly number[]): PortableJob[] {
  const described = slots.filter((slot) => ledger.columns.state.get(slot) !== RECEIPT)
  const papers = ledger.shelf.jobs(described)
  const paper = new Map(described.map((slot, at) => [slot, papers[at]]))
  return slots.map((slot) => portable(ledger, slot, paper.get(slot) ?? null))
}

function portable(ledger: Ledger, slot: number, paper: NewJob | null): PortableJob {
  const { columns, wallOffset } = ledger
  const extra = ledger.findExtra(slot) ?? NOTHING
  const state = columns.state.get(slot)
  const own = columns.maxAttempts.get(slot)
  const hold = ledger.holds.get(slot)
  return {
    kind: 'job',
    queue: ledger.queueOf(slot).name,
    id: ledger.ids.text(slot),
    ownId: columns.has(slot, OWN_ID),
    task: ledger.taskNames.text(columns.task.get(slot)),
    payload: paper && payloadOf(ledger, paper, extra),
    priority: columns.priority.get(slot) - 100,
    group: ledger.groupNames.text(columns.group.get(slot)),
    tags: paper?.tags ?? [],
    meta: paper?.meta ?? null,
    timeout: paper?.timeout ?? null,
    maxAttempts: own === BY_SETTINGS ? null : own,
    expiresIn: extra.expiresIn,
    state: state === RECEIPT ? 'receipt' : ledger.state(slot),
    attempt: columns.attempt.get(slot),
    round: extra.round,
    crashes: columns.crashes.get(slot),
    place: columns.place.get(slot) + wallOffset,
    due: ledger.dueOf(slot) + wallOffset,
    isAtWall: columns.has(slot, AT_WALL),
    insertedAt: columns.insertedAt.get(slot) + wallOffset,
    endedAt: state >= COMPLETED ? columns.since.get(slot) + wallOffset : null,
    holdsGroup: state !== RUNNING && columns.has(slot, HOLDS),
    isFresh: columns.has(slot, FRESH),
    key: keyOf(ledger, slot, extra),
    parents: extra.kin?.parents.map((row) => parentOf(ledger, row)) ?? [],
    onParentFailed: extra.kin?.policy ?? 'wait',
    history: extra.history.map((past) => attemptOf(ledger, past)),
    origin: originOf(ledger, extra),
    result: extra.result && resultIn(ledger.shelf.read(extra.result)),
    progress: extra.progress,
    log: logOf(ledger, extra),
    steps: extra.steps === null ? NO_STEPS : stepsOf(ledger, extra.steps),
    stepsTold: extra.steps?.told ?? 0,
    discarded: extra.discarded,
    reason: extra.reason,
    movedTo: extra.movedTo,
    isDeleted: extra.isDeleted,
    final: state === RECEIPT ? (extra.final ?? 'completed') : null,
    holder: hold === undefined ? null : { node: hold.node, worker: hold.worker },
  }
}

const NO_STEPS: readonly Step[] = []

/** It stands elsewhere since; only a receipt of it is here. */
export function isAway(ledger: Ledger, slot: number): boolean {
  return ledger.findExtra(slot)?.isAway === true
}

function keyOf(ledger: Ledger, slot: number, { key }: ExtraView): PortableOwnKey | null {
  if (key === null) return null
  const hold = ledger.queueOf(slot).keys.get(key.name)
  const holds = hold?.slot === slot
  const until = holds && hold.until > 0 ? hold.until + ledger.wallOffset : null
  return { ...key, holds, until }
}

function parentOf(ledger: Ledger, { slot, result, ...row }: Parent): PortableParent {
  const { columns } = ledger
  const isHere = slot >= 0 && slot < columns.used && columns.state.get(slot) !== FREE
  const looksAt = isHere ? { queue: ledger.queueOf(slot).name, id: ledger.ids.text(slot) } : null
  return {
    ...row,
    result: result && resultIn(ledger.shelf.read(result)),
    looksAt,
    isAway: isHere && isAway(ledger, slot),
  }
}

function originOf(ledger: Ledger, { origin }: ExtraView): PortableJob['origin'] {
  if (origin === null) return null
  const { queue, id, reason, maxAttempts, key } = origin
  return {
    ...{ queue, id, reason, key },
    maxAttempts: maxAttempts === BY_SETTINGS ? null : maxAttempts,
    history: origin.history.map((past) => attemptOf(ledger, past)),
  }
}

/** Counts of what a page has, for whoever bounds it by bytes. */
export function bytesOf({ payload, result }: PortableJob): number {
  return (payload?.text.length ?? 0) + (result?.text.length ?? 0)
}
