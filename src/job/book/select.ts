/**
 * Finding jobs by what they are: pages for operators, counts, and the jobs that a command means.
 * Newest first, by insertion, so that a page stays where it was while jobs come in. What the
 * columns tell is looked up there; tags and texts are read from the store, at most `SCAN_JOBS` a
 * call, so an answer may be short and still have a cursor.
 */
import { SCAN_BYTES, SCAN_JOBS } from '../defaults.js'
import { STATES } from '../job.js'
import type { Counts, JobRecord, Millis, State } from '../job.js'
import type { NewJob } from '../lot.js'
import { belowOf, tells } from '../selector.js'
import type { PageAsk, Paged, Selector } from '../selector.js'
import { FREE, RECEIPT } from './columns.js'
import { Heap } from './heap.js'
import type { Ledger } from './ledger.js'
import type { QueueBook } from './queue.js'
import { records } from './views.js'

export interface Found {
  readonly slots: readonly number[]
  /** Where to go on; null: nothing is left. */
  readonly cursor: string | null
}

/** Jobs of the queue that fit, newest first, at most `limit`. */
export function select(
  ledger: Ledger,
  queue: QueueBook,
  which: Selector,
  page: PageAsk,
  now: Millis,
): Found {
  ledger.advance(queue, now)
  const below = belowOf(page.cursor) ?? Infinity
  const readsPapers = which.tag !== undefined || which.search !== undefined
  const wanted = readsPapers ? SCAN_JOBS : page.limit
  const slots = newest(ledger, queue, which, below, wanted + 1)
  const more = slots.length > wanted
  if (more) slots.pop()
  if (!readsPapers) return { slots, cursor: more ? cursorAt(ledger, slots) : null }
  return readThrough(ledger, slots, which, page.limit, more)
}

function cursorAt(ledger: Ledger, slots: readonly number[]): string | null {
  const last = slots.at(-1)
  return last === undefined ? null : String(ledger.columns.seq.get(last))
}

/** How many descriptions are read at once. */
const READ_AT_ONCE = 100

function readThrough(
  ledger: Ledger,
  slots: readonly number[],
  which: Selector,
  limit: number,
  more: boolean,
): Found {
  const fit: number[] = []
  let bytes = 0
  for (let at = 0; at < slots.length; at += READ_AT_ONCE) {
    const part = slots.slice(at, at + READ_AT_ONCE)
    const papers = ledger.shelf.jobs(part)
    for (let i = 0; i < part.length; i++) {
      bytes += papers[i].payload.text.length
      if (fits(ledger, part[i], papers[i], which)) fit.push(part[i])
      const isLast = !more && at + i === slots.length - 1
      if ((fit.length === limit || bytes > SCAN_BYTES) && !isLast) {
        return { slots: fit, cursor: cursorAt(ledger, [part[i]]) }
      }
    }
  }
  return { slots: fit, cursor: more ? cursorAt(ledger, slots) : null }
}

function fits(ledger: Ledger, slot: number, paper: NewJob, which: Selector): boolean {
  if (which.tag !== undefined && !paper.tags.includes(which.tag)) return false
  if (which.search === undefined) return true
  if (ledger.ids.text(slot).includes(which.search)) return true
  const [job] = ledger.findExtra(slot) === undefined ? [null] : records(ledger, [slot])
  if ((job?.payload ?? paper.payload).text.includes(which.search)) return true
  return job != null && tells(job, which.search)
}

/** The newest below a number of insertion, by what the columns tell. */
function newest(
  ledger: Ledger,
  queue: QueueBook,
  which: Selector,
  below: number,
  limit: number,
): number[] {
  const test = columnTest(ledger, queue, which)
  if (test === null) return []
  const columns = ledger.columns
  const kept = new Heap()
  const look = (slot: number): void => {
    const seq = columns.seq.get(slot)
    if (seq >= below || (kept.size === limit && seq < kept.key) || !test(slot)) return
    kept.push(seq, 0, slot)
    if (kept.size > limit) kept.pop()
  }
  if (which.ids !== undefined) {
    for (const id of new Set(which.ids)) {
      const slot = ledger.ids.find(queue.number, id)
      if (slot >= 0) look(slot)
    }
  } else {
    for (let slot = columns.used - 1; slot >= 0; slot--) look(slot)
  }
  const slots: number[] = []
  while (kept.size > 0) slots.push(kept.pop())
  return slots.reverse()
}

/** Null: nothing can fit. */
function columnTest(
  ledger: Ledger,
  queue: QueueBook,
  which: Selector,
): ((slot: number) => boolean) | null {
  const columns = ledger.columns
  const isWanted = STATES.map((state) => which.states === undefined || which.states.includes(state))
  if (!isWanted.some((wanted, state) => wanted && queue.counts[state] > 0)) return null
  const task = which.task === undefined ? -1 : ledger.taskNames.find(which.task)
  const group = which.group === undefined ? -1 : ledger.groupNames.find(which.group)
  if (task === undefined || group === undefined) return null
  return (slot) => {
    const state = columns.state.get(slot)
    if (state === FREE || state === RECEIPT) return false
    if (columns.queue.get(slot) !== queue.number || !isWanted[state]) return false
    if (task >= 0 && columns.task.get(slot) !== task) return false
    return group < 0 || columns.group.get(slot) === group
  }
}

export function list(
  ledger: Ledger,
  queue: QueueBook,
  which: Selector,
  page: PageAsk,
  now: Millis,
): Paged<JobRecord> {
  const found = select(ledger, queue, which, page, now)
  return { items: records(ledger, found.slots), cursor: found.cursor }
}

/** Counts of the whole queue, or of what one bounded look found. */
export function count(
  ledger: Ledger,
  queue: QueueBook,
  which: Selector,
  cursor: string | null,
  now: Millis,
): { readonly counts: Counts; readonly cursor: string | null } {
  ledger.advance(queue, now)
  const { states, ...rest } = which
  if (Object.values(rest).every((value) => value === undefined)) {
    return { counts: counts(queue, states), cursor: null }
  }
  const found = select(ledger, queue, which, { limit: SCAN_JOBS, cursor }, now)
  const counted: Record<State, number> = { ...NOTHING }
  for (const slot of found.slots) counted[STATES[ledger.columns.state.get(slot)]]++
  return { counts: counted, cursor: found.cursor }
}

/** Every state at zero. */
export const NOTHING: Counts = {
  scheduled: 0,
  available: 0,
  running: 0,
  retryable: 0,
  waiting: 0,
  completed: 0,
  cancelled: 0,
  discarded: 0,
}

export function counts(queue: QueueBook, states?: readonly State[]): Counts {
  const counted: Record<State, number> = { ...NOTHING }
  STATES.forEach((state, at) => {
    if (states === undefined || states.includes(state)) counted[state] = queue.counts[at]
  })
  return counted
}
