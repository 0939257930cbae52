/**
 * Finding jobs by what they are, newest first, in bounded steps: what columns tell is asked of the
 * database, tags and texts are read here, at most `SCAN_ROWS` a call.
 */
import { SCAN_BYTES, SCAN_ROWS } from '../../job/defaults.js'
import { STATES } from '../../job/job.js'
import type { State } from '../../job/job.js'
import { belowOf, tells } from '../../job/selector.js'
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
import { specOfRow, storedExtra } from './row.js'

export interface Selected {
  readonly rows: readonly JobRow[]
  /** Where to go on; null: nothing is left. */
  readonly cursor: string | null
}

/** Rows read at once where each must be looked at. */
const READ_AT_ONCE = 200

/** `reads`: 'bare' leaves payloads out, but where they are searched. */
export async function select(
  tx: Tx,
  queue: number,
  which: Selector,
  page: PageAsk,
  reads: 'whole' | 'bare',
): Promise<Selected> {
  const whole = reads === 'whole' || which.search !== undefined
  let below = belowOf(page.cursor) ?? Number.MAX_SAFE_INTEGER
  const readsTexts = which.tag !== undefined || which.search !== undefined
  const fit: JobRow[] = []
  let bytes = 0
  for (let scanned = 0; ;) {
    const wanted = readsTexts ? READ_AT_ONCE : page.limit - fit.length
    const { rows, next } = await look(tx, queue, { which, whole }, below, wanted)
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
    // A look that came back with less went as far as one may.
    if (!readsTexts || rows.length < wanted) return { rows: fit, cursor: String(next) }
  }
}

interface Look {
  readonly rows: readonly JobRow[]
  /** Below which to go on; null: nothing is left. */
  readonly next: number | null
}

interface Wanted {
  readonly which: Selector
  /** With payloads. */
  readonly whole: boolean
}

/** What the columns tell, below that number. */
async function look(
  tx: Tx,
  queue: number,
  { which, whole }: Wanted,
  below: number,
  limit: number,
): Promise<Look> {
  if (limit === 0) return { rows: [], next: null }
  if (which.ids !== undefined) {
    const asked = [...new Set(which.ids)].map((id) => [queue, id])
    const found = await tx.each(whole ? 'job.find' : 'bare.find', [], asked)
    const rows = found
      .filter((row) => row.seq < below && fitsColumns(tx, row, which))
      .sort((a, b) => b.seq - a.seq)
    const page = rows.slice(0, limit)
    return { rows: page, next: rows.length > limit ? (page.at(-1)?.seq ?? null) : null }
  }
  const states = numbersOf(which.states)
  const areEnded = states.every((state) => state >= COMPLETED)
  if (areEnded) return lookAtEnded(tx, queue, { which, whole }, below, limit)
  const statement = states.every((state) => state === RUNNING) ? 'page.running' : 'page.any'
  const { task = null, group = null } = which
  const asked = [queue, below, states, task, group, tx.now, limit + 1, Number(whole)] as const
  const rows = await tx.all(statement, statement === 'page.any' ? [...asked, SCAN_ROWS] : asked)
  if (rows.length > limit) return firstOf(rows, limit)
  if (statement !== 'page.any') return { rows, next: null }
  const [bound] = await tx.all('page.bound', [queue, below, SCAN_ROWS])
  return { rows, next: bound?.seq ?? null }
}

function firstOf(rows: readonly JobRow[], limit: number): Look {
  return { rows: rows.slice(0, limit), next: rows[limit - 1].seq }
}

/** Each state by itself, in its own order; however many others wait, or ended otherwise. */
async function lookAtEnded(
  tx: Tx,
  queue: number,
  { which: { states, task, group }, whole }: Wanted,
  below: number,
  limit: number,
): Promise<Look> {
  const each = numbersOf(states).map((state) => [state])
  const isWhole = task === undefined && group === undefined
  const scan = isWhole ? limit + 1 : SCAN_ROWS
  const asked = [queue, below, task ?? null, group ?? null, limit + 1, scan, Number(whole)]
  const [found, bounds] = await Promise.all([
    tx.each('page.ended', asked, each),
    isWhole ? [] : tx.each('page.endedBound', [queue, below, SCAN_ROWS], each),
  ])
  // Of one state may have been looked at less far than of another.
  const to = Math.max(0, ...bounds.map(({ seq }) => seq))
  const rows = found.filter(({ seq }) => seq >= to).sort((a, b) => b.seq - a.seq)
  if (rows.length > limit) return firstOf(rows, limit)
  return { rows, next: to === 0 ? null : to }
}

/** By their numbers; none given: all but receipts. */
function numbersOf(states: readonly State[] | undefined): number[] {
  return [...new Set(states ?? STATES)].map((state) => STATES.indexOf(state))
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
  if (tag !== undefined && !specOfRow(row).tags.includes(tag)) return false
  if (search === undefined || row.id.includes(search)) return true
  if (row.payload?.includes(search) === true) return true
  return tells(storedExtra(row.extra), search)
}
