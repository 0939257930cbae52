/**
 * Inserting: jobs that meet nothing (no unique key, no parents, no limit of their queue) go in by
 * one statement, whose answer tells which ids were taken. A batch in which any job may meet
 * something goes through a sheet, so that what was called first stands first.
 */
import type { Inserted, Lot, NewJob } from '../../job/lot.js'
import { AT_WALL, AVAILABLE, BY_SETTINGS, OWN_ID, SCHEDULED } from '../../job/book/columns.js'
import { flush, JOB_COLUMNS } from './flush.js'
import { Gatherer } from './gather.js'
import { NewTurns } from './new-turns.js'
import type { Tx, Value } from './port.js'
import type { Queues } from './queues.js'
import { settingsOf } from './queues.js'
import { codecOf, specOf } from './row.js'
import type { JobRow } from './row.js'
import type { QueueFacts } from './sheet.js'
import type { News } from './news.js'
import { oversized } from '../book/sizes.js'
import { toText } from './text.js'

export async function insert(
  tx: Tx,
  queues: Queues,
  lots: readonly Lot[],
  news: News,
): Promise<Inserted[][]> {
  const jobs = lots.flatMap((lot) => lot.jobs)
  if (jobs.length === 0) return lots.map(() => [])
  const names = jobs.map(({ queue }) => queue)
  const found = await queues.enter(tx, names, 'make')
  const isPlain = jobs.every((job) => meetsNothing(job, factsFor(found, job)))
  const answers = isPlain ? await insertPlain(tx, queues, jobs, found, news) : null
  if (answers === null) return insertOnSheet(tx, queues, lots, news)
  let from = 0
  return lots.map((lot) => answers.slice(from, (from += lot.jobs.length)))
}

function factsFor(found: ReadonlyMap<string, QueueFacts>, { queue }: NewJob): QueueFacts {
  const facts = found.get(queue)
  if (facts === undefined) throw new Error(`queue ${queue} was not made`)
  return facts
}

function meetsNothing(job: NewJob, facts: QueueFacts): boolean {
  if (job.unique !== null || job.after.length > 0) return false
  const { limits } = settingsOf(facts)
  return limits.backlog === Infinity && isSmall(job, limits.payloadBytes)
}

export function isSmall({ payload: { text } }: NewJob, most: number): boolean {
  return text.length * 3 <= most || Buffer.byteLength(text) <= most
}

/** Null: an id that is taken may be that of a deleted job, which is no hindrance. */
async function insertPlain(
  tx: Tx,
  queues: Queues,
  jobs: readonly NewJob[],
  found: ReadonlyMap<string, QueueFacts>,
  news: News,
): Promise<Inserted[] | null> {
  const [{ last }] = await tx.all('seq.take', [jobs.length])
  const rows: JobRow[] = []
  for (const [at, job] of jobs.entries()) {
    const facts = factsFor(found, job)
    const isRunnable = (job.attempts ?? settingsOf(facts).attempts) > 0
    const lane = isRunnable ? await queues.lane(tx, facts.id, job.task, 0) : null
    rows.push(newRow(job, facts, last - jobs.length + 1 + at, lane, tx))
  }
  const added = await tx.each('job.add', [], rows.map(valuesOf))
  if (added.length < jobs.length) {
    const taken = await tx.each(
      'job.deleted',
      [],
      rows.map(({ queue, id }) => [queue, id]),
    )
    if (taken.length > 0) {
      await tx.each(
        'job.remove',
        [],
        added.map(({ seq }) => [seq]),
      )
      return null
    }
  }
  const isIn = new Set(added.map(({ seq }) => seq))
  if (!tx.isUsers) tx.write('turn.add', [], turnsOf(rows, isIn, found))
  return jobs.map((job, at): Inserted => {
    if (!isIn.has(rows[at].seq)) return { status: 'duplicate', id: job.id }
    news.jobs(job.queue)
    return { status: 'inserted', id: job.id }
  })
}

function newRow(
  job: NewJob,
  facts: QueueFacts,
  seq: number,
  lane: number | null,
  { now, isUsers }: Tx,
): JobRow {
  const settings = settingsOf(facts)
  const place = job.at ?? now + job.delay
  const lifespan = job.expiresIn ?? settings.limits.age
  const extra = job.expiresIn === null ? null : expiryText(job.expiresIn)
  return {
    seq,
    queue: facts.id,
    id: job.id,
    // Behind a commit of the user's it has no turn until a claim notices that it is due.
    state: lane === null || (place <= now && !isUsers) ? AVAILABLE : SCHEDULED,
    flags: (job.ownId ? OWN_ID : 0) | (job.at === null ? 0 : AT_WALL),
    task: job.task,
    grp: job.group,
    priority: job.priority,
    crashes: 0,
    attempt: 0,
    max_attempts: job.attempts === BY_SETTINGS ? null : job.attempts,
    place,
    due: place,
    inserted_at: now,
    since: 0,
    token: null,
    node: null,
    worker: null,
    claim: null,
    lane,
    expires: lifespan === Infinity || lane === null ? null : place + lifespan,
    payload: job.payload.text,
    codec: codecOf(job.payload),
    spec: specOf(job),
    extra,
  }
}

function expiryText(expiresIn: number): string {
  return toText({ expiresIn })
}

function valuesOf(row: JobRow): Value[] {
  return JOB_COLUMNS.map((column) => row[column])
}

/** The first of each line takes a turn for all of them. */
function turnsOf(
  rows: readonly JobRow[],
  isIn: ReadonlySet<number>,
  found: ReadonlyMap<string, QueueFacts>,
): Value[][] {
  const passes = new Map([...found.values()].map(({ id, pass }) => [id, pass]))
  const turns = new NewTurns()
  for (const row of rows) {
    const { lane } = row
    if (row.state !== AVAILABLE || lane === null || !isIn.has(row.seq)) continue
    turns.add({ ...row, lane }, passes.get(row.queue) ?? 0)
  }
  return turns.rows()
}

async function insertOnSheet(
  tx: Tx,
  queues: Queues,
  lots: readonly Lot[],
  news: News,
): Promise<Inserted[][]> {
  const gatherer = new Gatherer(tx, queues, 'beside')
  const { sheet } = gatherer
  await gatherer.arrivals(lots.flatMap((lot) => lot.jobs))
  sheet.open()
  const tooLarge = lots.map((lot) => oversized(sheet.ledger, lot.jobs))
  const taken = lots.filter((_, at) => tooLarge[at] === null)
  const items = taken.flatMap((lot) => lot.jobs)
  const sizes = taken.map((lot) => lot.jobs.length)
  const frame = { kind: 'insert', lots: sizes, items } as const
  const answers = sheet.book.apply<'insert'>(frame, tx.now, items)
  await flush(tx, queues, sheet, news)
  sheet.close()
  let from = 0
  return lots.map(({ jobs }, at) => tooLarge[at] ?? answers.slice(from, (from += jobs.length)))
}
