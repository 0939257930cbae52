/**
 * Writing a sheet back: what its book says now against what its rows said, each difference one row
 * of a statement; and what others want to hear of it. New jobs get their numbers here, in the order in which the book took them in.
 *
 * Where claims look is kept true beside the rows: a job that has become available takes its turn,
 * and the turns of a group that somebody left, or that gave its order up, are open again.
 */
import {
  AVAILABLE,
  BY_SETTINGS,
  HOLDS,
  RECEIPT,
  RETRYABLE,
  RUNNING,
  SCHEDULED,
  WAITING,
} from '../../job/book/columns.js'
import { CRASHES_UNTIL_ALONE } from '../../job/defaults.js'
import { ALONE, DEAD } from '../../job/book/queue.js'
import { Again } from './again.js'
import { tellMoves } from './backlog.js'
import { NewTurns } from './new-turns.js'
import type { News } from './news.js'
import type { Tx, Value } from './port.js'
import type { Queues } from './queues.js'
import { codecOf, specOf, STORED_FLAGS, storedExtra, storedPayload, textOfExtra } from './row.js'
import type { JobRow, StoredKin } from './row.js'
import type { Sheet } from './sheet.js'
import { flushRest } from './flush-rest.js'

export async function flush(tx: Tx, queues: Queues, sheet: Sheet, news: News): Promise<void> {
  await giveNumbers(tx, sheet)
  const changes = new Changes()
  for (const before of sheet.rows.values()) {
    const slot = sheet.slotNow(before)
    if (slot < 0) {
      changes.removed(sheet, before)
      continue
    }
    const row = await rowAt(tx, queues, sheet, slot, before)
    changes.weigh(sheet, before, tx.isUsers && isOther(before, row) ? withoutTurn(row) : row)
  }
  for (const slot of sheet.newSlots()) {
    const row = await rowAt(tx, queues, sheet, slot, null)
    changes.added(sheet, tx.isUsers ? withoutTurn(row) : row)
  }
  changes.write(tx)
  if (!tx.isOpen) changes.link(tx)
  else if (changes.linkOpenly(tx, queues.scope, sheet)) news.sweep()
  tellMoves(tx, queues, sheet.queues, changes.moved)
  flushRest(tx, queues, sheet)
  news.of(sheet.book)
  for (const queue of changes.left) news.jobs(queue)
}

/** In a transaction of the user's nothing takes a turn: the first claim behind it notices. */
function withoutTurn(row: JobRow): JobRow {
  return row.state === AVAILABLE && row.lane !== null ? { ...row, state: SCHEDULED } : row
}

function isOther(before: JobRow, row: JobRow): boolean {
  return CHANGING.some((column) => row[column] !== before[column])
}

async function giveNumbers(tx: Tx, sheet: Sheet): Promise<void> {
  const slots = sheet.newSlots()
  if (slots.length === 0) return
  const [{ last }] = await tx.all('seq.take', [slots.length])
  slots.forEach((slot, at) => {
    sheet.give(slot, last - slots.length + 1 + at)
  })
}

/** The row of that slot as it is to be. */
async function rowAt(
  tx: Tx,
  queues: Queues,
  sheet: Sheet,
  slot: number,
  before: JobRow | null,
): Promise<JobRow> {
  const { ledger } = sheet
  const { columns } = ledger
  const extra = ledger.findExtra(slot)
  const state = columns.state.get(slot)
  const queue = sheet.queueId(slot)
  const task = before?.task ?? ledger.taskNames.text(columns.task.get(slot))
  const hold = ledger.holds.get(slot)
  const attempt = columns.attempt.get(slot)
  const isWaiting = state === SCHEDULED || state === AVAILABLE || state === RETRYABLE
  const maxAttempts = columns.maxAttempts.get(slot)
  const lifespan =
    isWaiting && attempt === 0 ? ledger.lifespan(ledger.queueOf(slot), slot) : Infinity
  let lane: number | null = null
  if (isWaiting && attempt < ledger.maxAttempts(slot)) {
    const kind = kindOf(columns.crashes.get(slot), extra?.origin)
    const isAsBefore =
      before !== null && kind === kindOf(before.crashes, sheet.extras.get(before.seq)?.origin)
    lane = (isAsBefore ? before.lane : null) ?? (await queues.lane(tx, queue, task, kind))
  }
  return {
    seq: sheet.seqOf(slot),
    queue,
    id: before?.id ?? ledger.ids.text(slot),
    state,
    flags: columns.flags.get(slot) & STORED_FLAGS,
    task,
    grp: before?.grp ?? ledger.groupNames.text(columns.group.get(slot)),
    priority: columns.priority.get(slot) - 100,
    crashes: columns.crashes.get(slot),
    attempt,
    max_attempts: maxAttempts === BY_SETTINGS ? null : maxAttempts,
    place: columns.place.get(slot),
    due: ledger.dueOf(slot),
    inserted_at: columns.insertedAt.get(slot),
    since: columns.since.get(slot),
    token: hold?.token ?? null,
    node: hold?.node ?? null,
    worker: hold?.worker ?? null,
    claim: hold?.claim ?? null,
    lane,
    expires: lifespan === Infinity ? null : columns.place.get(slot) + lifespan,
    ...description(sheet, slot, state, before),
    extra: extra === undefined ? null : textOfExtra(extra, (of) => sheet.seqOf(of)),
  }
}

function kindOf(crashes: number, origin: object | null | undefined): number {
  return (crashes >= CRASHES_UNTIL_ALONE ? ALONE : 0) | (origin == null ? 0 : DEAD)
}

/** A receipt has none; what was not said anew stays as it was. */
function description(
  { ledger, shelf }: Sheet,
  slot: number,
  state: number,
  before: JobRow | null,
): Pick<JobRow, 'payload' | 'codec' | 'spec'> {
  if (state === RECEIPT) return { payload: null, codec: 0, spec: null }
  const extra = ledger.findExtra(slot)
  if (before !== null && !shelf.isAnew(slot) && extra?.payload == null) {
    const { payload, codec, spec } = before
    return { payload, codec, spec }
  }
  const paper = shelf.job(slot)
  if (paper === undefined) throw new Error(`nothing describes the job in slot ${slot}`)
  const payload = storedPayload(paper, extra)
  return { payload: payload.text, codec: codecOf(payload), spec: specOf(paper) }
}

/** What a statement takes of a row, in this order. */
export const JOB_COLUMNS = [
  ...(['seq', 'queue', 'id', 'state', 'flags', 'task', 'grp', 'priority', 'crashes'] as const),
  ...(['attempt', 'max_attempts', 'place', 'due', 'inserted_at', 'since'] as const),
  ...(['token', 'node', 'worker', 'claim', 'lane', 'expires'] as const),
  ...(['payload', 'codec', 'spec', 'extra'] as const),
] satisfies readonly (keyof JobRow)[]

/** What may change of a row that stays, behind its number. */
export const CHANGING = [
  ...(['seq', 'state', 'flags', 'priority', 'crashes', 'attempt', 'max_attempts'] as const),
  ...([
    'place',
    'due',
    'since',
    'token',
    'node',
    'worker',
    'claim',
    'lane',
    'expires',
    'extra',
  ] as const),
] satisfies readonly (keyof JobRow)[]

const DESCRIBING = ['seq', 'payload', 'codec', 'spec'] as const satisfies readonly (keyof JobRow)[]

function pick(row: JobRow, columns: readonly (keyof JobRow)[]): Value[] {
  return columns.map((column) => row[column])
}

class Changes {
  /** Gated queues in which one ended that others may have waited for. */
  readonly left = new Set<string>()
  /** By queue: how many came to its backlog; below zero: went. */
  readonly moved = new Map<number, number>()
  readonly #add: Value[][] = []
  readonly #change: Value[][] = []
  readonly #describe: Value[][] = []
  readonly #remove: Value[][] = []
  readonly #kinAdd: Value[][] = []
  readonly #kinRemove: Value[][] = []
  readonly #kinForget: Value[][] = []
  readonly #turns = new NewTurns()
  readonly #open = new Map<string, Value[]>()

  removed(sheet: Sheet, before: JobRow): void {
    this.#remove.push([before.seq])
    this.#moves(before, -1)
    if (before.state === RUNNING || (before.flags & HOLDS) !== 0) this.#opens(sheet, before)
    if (before.state === RUNNING) this.#leaves(sheet, before)
    if (storedExtra(before.extra).kin !== undefined) this.#kinForget.push([before.seq])
  }

  added(sheet: Sheet, row: JobRow): void {
    this.#add.push(pick(row, JOB_COLUMNS))
    this.#moves(row, 1)
    this.#takesTurn(sheet, row)
    this.#kin(row.seq, undefined, storedExtra(row.extra).kin)
  }

  weigh(sheet: Sheet, before: JobRow, row: JobRow): void {
    this.#moves(before, -1)
    this.#moves(row, 1)
    if (CHANGING.some((column) => row[column] !== before[column])) {
      this.#change.push(pick(row, CHANGING))
    }
    // One that was read without its payload has one all the same, and its receipt must not.
    const becomesReceipt = row.state === RECEIPT && before.state !== RECEIPT
    if (becomesReceipt || DESCRIBING.some((column) => row[column] !== before[column])) {
      this.#describe.push(pick(row, DESCRIBING))
    }
    const isInLine = before.lane === row.lane && before.priority === row.priority
    const wasThere = before.state === AVAILABLE && isInLine && before.place <= row.place
    if (!wasThere) this.#takesTurn(sheet, row)
    const left = before.state === RUNNING && row.state !== RUNNING
    const freed = (before.flags & ~row.flags & HOLDS) !== 0
    if (left || freed) this.#opens(sheet, row)
    if (left) this.#leaves(sheet, before)
    if (before.extra !== row.extra) {
      this.#kin(row.seq, storedExtra(before.extra).kin, storedExtra(row.extra).kin)
    }
  }

  #moves({ queue, state }: JobRow, by: 1 | -1): void {
    if (state === RUNNING || state > WAITING) return
    this.moved.set(queue, (this.moved.get(queue) ?? 0) + by)
  }

  #takesTurn(sheet: Sheet, row: JobRow): void {
    if (row.state !== AVAILABLE || row.lane === null) return
    const { pass } = sheet.queues.get(row.queue) ?? { pass: 0 }
    this.#turns.add({ ...row, lane: row.lane }, pass)
    // Its group waited for its time, and an operator has set it now.
    if ((row.flags & HOLDS) !== 0) this.#opens(sheet, row)
  }

  #opens(sheet: Sheet, { queue, grp }: JobRow): void {
    const pass = sheet.queues.get(queue)?.pass ?? 0
    this.#open.set(`${queue}/${grp}`, [queue, grp, pass])
  }

  #leaves(sheet: Sheet, { queue }: JobRow): void {
    const { isGated, name } = sheet.queueBook(queue)
    if (isGated) this.left.add(name)
  }

  #kin(child: number, before: StoredKin | undefined, after: StoredKin | undefined): void {
    const was = linksOf(before)
    const is = linksOf(after)
    for (const [link, [parent, at]] of was) {
      if (!is.has(link)) this.#kinRemove.push([parent, child, at])
    }
    for (const [link, [parent, at]] of is) {
      if (!was.has(link)) this.#kinAdd.push([parent, child, at])
    }
  }

  write(tx: Tx): void {
    // First what goes: a new job may bear the id of one that an operator deleted.
    tx.write('job.remove', [], this.#remove)
    tx.write('job.add', [], this.#add, (added) => {
      if (added < this.#add.length) throw new Again('an id was taken meanwhile')
    })
    tx.write('job.change', [], this.#change)
    tx.write('job.describe', [], this.#describe)
    tx.write('kin.remove', [], this.#kinRemove)
    tx.write('kin.forget', [], this.#kinForget)
    tx.write('turn.add', [], this.#turns.rows())
    tx.write('turn.open', [], inOrder(this.#open))
  }

  link(tx: Tx): void {
    tx.write('kin.add', [], this.#kinAdd)
  }

  /** Whether any is of a job that was there before: that is looked at again (`arriving.ts`). */
  linkOpenly(tx: Tx, scope: number, sheet: Sheet): boolean {
    const isOthers = ([parent]: Value[]): boolean => sheet.rows.has(Number(parent))
    const others = this.#kinAdd.filter(isOthers)
    const own = this.#kinAdd.filter((link) => !isOthers(link))
    tx.write('kin.add', [], own)
    tx.write('kin.link', [], others)
    const children = [...new Set(others.map(([, child]) => child))]
    tx.write(
      'arrival.add',
      [scope],
      children.map((child) => [child]),
    )
    return children.length > 0
  }
}

/** Rows that others write, too, are written in one order by everybody. */
function inOrder(rows: ReadonlyMap<string, Value[]>): Value[][] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}

/** The parents that a job looks at, and at which place of its list. */
function linksOf(kin: StoredKin | undefined): Map<string, readonly [parent: number, at: number]> {
  const links = new Map<string, readonly [number, number]>()
  kin?.parents.forEach(({ seq }, at) => {
    if (seq !== 0) links.set(`${seq}/${at}`, [seq, at])
  })
  return links
}
