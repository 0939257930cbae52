/**
 * An operator's commands: to jobs, one bounded step at a time; and pauses, which wait for the claims
 * that are under way, so that behind their answer nothing of what is paused is given.
 */
import { CONTROL_ROWS, SCAN_BYTES } from '../../job/defaults.js'
import type { ControlItem } from '../../job/book/frame.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import type { Controlled, JobsCommand, PauseCommand, TransitCommand } from '../../store.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import type { JobRow } from './row.js'
import { storedExtra } from './row.js'
import { fits, select } from './select.js'
import type { QueueFacts } from './sheet.js'
import { toText } from './text.js'

/** Dead letters read at once, however large they are. */
const LETTERS_AT_ONCE = 50

const UNCHANGED: Controlled = { changed: 0, cursor: null, happened: [] }

export async function control(
  tx: Tx,
  queues: Queues,
  command: JobsCommand,
  cursor: string | null,
  news: News,
): Promise<Controlled> {
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  await gatherer.queues([command.queue], 'find')
  const [facts] = [...sheet.queues.values()]
  if (facts === undefined) return UNCHANGED
  const step = await meant(tx, facts, command, cursor)
  if (step.rows.length === 0) return { ...UNCHANGED, cursor: step.cursor }
  sheet.addJobs(step.rows)
  await gatherer.ends(step.rows)
  if (command.kind === 'retry') await gatherer.parentsOf(step.rows)
  sheet.open()
  const items = step.rows.map((row) => itemOf(command, row))
  const answer = sheet.book.apply<'control'>({ kind: 'control', items }, tx.now, items)
  await flush(tx, queues, sheet, news)
  sheet.close()
  return { ...answer, cursor: step.cursor }
}

async function meant(
  tx: Tx,
  facts: QueueFacts,
  command: JobsCommand,
  cursor: string | null,
): Promise<{ readonly rows: readonly JobRow[]; readonly cursor: string | null }> {
  if (command.kind === 'update') {
    return { rows: await tx.each('job.find', [], [[facts.id, command.id]]), cursor: null }
  }
  const page = { limit: CONTROL_ROWS, cursor }
  const found = await select(tx, facts.id, command.which, page, 'bare')
  // Nobody was kept from changing them yet. Payloads may be large, and hardly any command needs them.
  const isSearched = command.which.search !== undefined
  const rows = await tx.each(isSearched ? 'job.read' : 'bare.read', [], found.rows.map(numberOf))
  const fitting = rows.filter((row) => fits(tx, row, command.which))
  // Newest first, in whatever order a database reads: which comes first may decide who gets a key.
  fitting.sort((a, b) => b.seq - a.seq)
  if (command.kind !== 'retry' || isSearched) return { ...found, rows: fitting }
  return lettersWhole(tx, fitting, found.cursor)
}

/** A dead letter that goes back to its queue takes its payload along: so many as may be held at once. */
async function lettersWhole(
  tx: Tx,
  rows: readonly JobRow[],
  cursor: string | null,
): Promise<{ readonly rows: readonly JobRow[]; readonly cursor: string | null }> {
  const done: JobRow[] = []
  for (let bytes = 0; done.length < rows.length;) {
    if (bytes > SCAN_BYTES) return { rows: done, cursor: String(done[done.length - 1].seq) }
    const part = rows.slice(done.length, done.length + LETTERS_AT_ONCE)
    const letters = part.filter(({ extra }) => storedExtra(extra).origin !== undefined)
    const read = await tx.each('job.read', [], letters.map(numberOf))
    const whole = new Map(read.map((row) => [row.seq, row]))
    for (const row of part) done.push(whole.get(row.seq) ?? row)
    for (const { payload } of read) bytes += payload?.length ?? 0
  }
  return { rows: done, cursor }
}

function numberOf({ seq }: JobRow): [number] {
  return [seq]
}

function itemOf(command: JobsCommand, { id }: JobRow): ControlItem {
  const ref = { queue: command.queue, id }
  switch (command.kind) {
    case 'cancel':
      return { ...ref, action: 'cancel', reason: command.reason }
    case 'depart':
      return { ...ref, action: 'depart', to: command.to }
    case 'retry':
    case 'delete':
      return { ...ref, action: command.kind }
    case 'update': {
      const { payload, priority, delay, at } = command.change
      return {
        ...ref,
        action: 'update',
        payload: payload ?? null,
        priority: priority ?? null,
        delay: delay ?? null,
        at: at ?? null,
      }
    }
  }
}

// ── Pauses ──────────────────────────────────────────────────────────────────────────────────────

export async function pause(
  tx: Tx,
  queues: Queues,
  command: PauseCommand,
  news: News,
): Promise<Controlled> {
  const { kind, queue, group, by } = command
  const since = kind === 'pause' ? tx.now : null
  if (queue === null) return pauseAll(tx, queues, since, by, news)
  const found = await queues.enter(tx, [queue], kind === 'pause' ? 'make' : 'find', 'alone')
  const facts = found.get(queue)
  if (facts === undefined) return UNCHANGED
  const changed =
    group === null
      ? await tx.all('queue.pause', [facts.id, since, since === null ? null : by])
      : await pauseGroup(tx, facts, group, since, by)
  if (changed.length === 0) return UNCHANGED
  news.control(queue)
  if (since === null) news.jobs(queue)
  return { ...UNCHANGED, changed: 1 }
}

/** Behind its answer nothing of what is closed is given. */
export async function transit(
  tx: Tx,
  queues: Queues,
  { queue, transit: words }: TransitCommand,
  news: News,
): Promise<Controlled> {
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  await gatherer.queues([queue], words === null ? 'find' : 'make', 'alone')
  const [facts] = [...sheet.queues.values()]
  if (facts === undefined) return UNCHANGED
  sheet.open()
  const changed = sheet.book.apply<'transit'>(
    { kind: 'transit', queue, transit: words },
    tx.now,
    [],
  )
  const said = sheet.queueBook(facts.id).transit
  news.of(sheet.book)
  sheet.close()
  if (!changed) return UNCHANGED
  const groups = said === null || said.groups === null ? null : [...said.groups]
  await tx.all('queue.transit', [facts.id, said && toText({ ...said, groups })])
  await tx.all('turn.openAll', [facts.id, facts.pass])
  return { ...UNCHANGED, changed: 1 }
}

async function pauseAll(
  tx: Tx,
  queues: Queues,
  since: number | null,
  by: string,
  news: News,
): Promise<Controlled> {
  const all = await tx.all('queue.all', [queues.scope])
  await tx.lock(
    all.map(({ id }) => id),
    'alone',
  )
  const said = [queues.scope, since, since === null ? null : by]
  const changed = await tx.all('scope.pause', said)
  if (changed.length === 0) return UNCHANGED
  for (const { name } of all) {
    news.control(name)
    if (since === null) news.jobs(name)
  }
  return { ...UNCHANGED, changed: 1 }
}

async function pauseGroup(
  tx: Tx,
  { id, pass }: QueueFacts,
  group: string,
  since: number | null,
  by: string,
): Promise<readonly unknown[]> {
  if (since !== null) return tx.all('group.pause', [id, group, since, by])
  const changed = await tx.all('group.resume', [id, group])
  await tx.each('turn.open', [], [[id, group, pass]])
  return changed
}
