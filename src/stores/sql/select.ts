/**
 * Finding jobs by what they are, newest first, in bounded steps: what columns tell is asked of the
 * database, tags and texts are read here, at most `SCAN_ROWS` a call.
 */
import { SCAN_BYTES, SCAN_ROWS } from '../../job/defaults.js'
import { STATES } from '../../job/job.js'
import type { State } from '../../job/job.js'
import { belowOf } from '../../job/selector.js'
import type { PageAsk, Selector } from '../../job/selector.js'
import {
  AVAILABLE,
  COMPLETED,
  RECEIPT,
  RETRYABLE,
  RUNNING,
  SCHEDULED,
} from '../../job/book/columns.js'
import type { Tx } from './port.js'
import type { JobRow } from './row.js'
import { paperOf, storedExtra } from './row.js'

export interface Selected {
  readonly rows: readonly JobRow[]
  /** Where to go on; null: nothing is left. */
  readonly cursor: string | null
}

/** Rows read at once where each must be looked at. */
const READ_AT_ONCE = 200

export async function select(
  tx: Tx,
  queue: number,
  which: Selector,
  page: PageAsk,
): Promise<Selected> {
  let below = belowOf(page.cursor) ?? Number.MAX_SAFE_INTEGER
  const readsTexts = which.tag !== undefined || which.search !== undefined
  const fit: JobRow[] = []
  let bytes = 0
  for (let scanned = 0; ;) {
    const wanted = readsTexts ? READ_AT_ONCE : page.limit - fit.length
    const { rows, next } = await look(tx, queue, which, below, wanted)
    for (const row of rows) {
      scanned++
      below = row.seq
      bytes += row.payload?.length ?? 0
      if (!readsTexts || fitsText(row, which)) fit.push(row)
      const isFull = fit.length === page.limit || bytes > SCAN_BYTES || scanned >= SCAN_ROWS
      if (readsTexts && isFull) return { rows: fit, cursor: String(below) }
    }
    if (next === null) return { rows: fit, cursor: null }
    below = next
    if (!readsTexts) return { rows: fit, cursor: String(next) }
  }
}

/** What the columns tell, below that number. `next`: below which to go on; null: nothing is left. */
async function look(
  tx: Tx,
  queue: number,
  which: Selector,
  below: number,
  limit: number,
): Promise<{ readonly rows: readonly JobRow[]; readonly next: number | null }> {
  if (limit === 0) return { rows: [], next: null }
  if (which.ids !== undefined) {
    const asked = [...new Set(which.ids)].map((id) => [queue, id])
    const found = await tx.each('job.find', [], asked)
    const rows = found
      .filter((row) => row.seq < below && fitsColumns(tx, row, which))
      .sort((a, b) => b.seq - a.seq)
    const page = rows.slice(0, limit)
    return { rows: page, next: rows.length > limit ? (page.at(-1)?.seq ?? null) : null }
  }
  const states = numbersOf(which.states)
  const isEnded = states.every((state) => state >= COMPLETED)
  const isRunning = states.every((state) => state === RUNNING)
  const statement = isEnded ? 'page.ended' : isRunning ? 'page.running' : 'page.any'
  const { task = null, group = null } = which
  const asked = [queue, below, states, task, group, tx.now, limit + 1] as const
  const rows = await tx.all(statement, statement === 'page.any' ? [...asked, SCAN_ROWS] : asked)
  if (rows.length > limit) {
    return { rows: rows.slice(0, limit), next: rows[limit - 1].seq }
  }
  if (statement !== 'page.any') return { rows, next: null }
  const [bound] = await tx.all('page.bound', [queue, below, SCAN_ROWS])
  return { rows, next: bound?.seq ?? null }
}

/** By their numbers; none given: all but receipts. */
function numbersOf(states: readonly State[] | undefined): number[] {
  return (states ?? STATES).map((state) => STATES.indexOf(state))
}

/** Where a row stands now, whether or not its time was noticed. */
export function stateNow({ state, due }: JobRow, now: number): number {
  return (state === SCHEDULED || state === RETRYABLE) && due <= now ? AVAILABLE : state
}

/** Whether one that was found is still what is looked for. */
export function fits(tx: Tx, row: JobRow, which: Selector): boolean {
  return fitsColumns(tx, row, which) && fitsText(row, which)
}

function fitsColumns({ now }: Tx, row: JobRow, { states, task, group }: Selector): boolean {
  if (row.state === RECEIPT || !numbersOf(states).includes(stateNow(row, now))) return false
  if (task !== undefined && row.task !== task) return false
  return group === undefined || row.grp === group
}

function fitsText(row: JobRow, { tag, search }: Selector): boolean {
  if (tag !== undefined && !paperOf(row, '').tags.includes(tag)) return false
  if (search === undefined || row.id.includes(search)) return true
  if (row.payload?.includes(search) === true) return true
  const error = storedExtra(row.extra).history?.at(-1)?.error
  return error != null && `${error.name}: ${error.message}`.includes(search)
}
