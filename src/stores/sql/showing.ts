/**
 * Looking: jobs and receipts, pages, counts, queues, groups, nodes. Reads only; what has become due
 * is called available, whether or not a claim has noticed.
 */
import type { GroupRow } from '../../job/gate.js'
import type { Counts, Found, Instant, JobRecord, JobRef, ParentRow, State } from '../../job/job.js'
import { STATES } from '../../job/job.js'
import type { PageAsk, Paged } from '../../job/selector.js'
import { RECEIPT } from '../../job/book/columns.js'
import { NOTHING } from '../../job/book/select.js'
import { find, parents, records } from '../../job/book/views.js'
import type { CountAsk, ListAsk, NodeRow, QueueRow } from '../../store.js'
import { LAST_INSTANT } from '../../time/duration.js'
import { SCAN_ROWS } from '../../job/defaults.js'
import { Gatherer } from './gather.js'
import type { Nodes } from './nodes.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { settingsOf } from './queues.js'
import { select, stateNow } from './select.js'
import type { QueueFacts } from './sheet.js'

export async function get(
  tx: Tx,
  queues: Queues,
  refs: readonly JobRef[],
): Promise<(Found | null)[]> {
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  await gatherer.jobsAnywhere(refs, 'job.see')
  sheet.open()
  const found = refs.map((ref) => find(sheet.ledger, sheet.ledger.find(ref)))
  sheet.close()
  return found
}

export async function parentsOf(
  tx: Tx,
  queues: Queues,
  ref: JobRef,
): Promise<readonly ParentRow[] | null> {
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  const [row] = await gatherer.jobsAnywhere([ref])
  if (row === undefined || row.state === RECEIPT) return null
  await gatherer.parentsOf([row])
  sheet.open()
  const rows = parents(sheet.ledger, sheet.slotOf(row.seq))
  sheet.close()
  return rows
}

export async function list(tx: Tx, queues: Queues, ask: ListAsk): Promise<Paged<JobRecord>> {
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  await gatherer.queues([ask.queue], 'find')
  const [facts] = [...sheet.queues.values()]
  if (facts === undefined) return { items: [], cursor: null }
  const { rows, cursor } = await select(tx, facts.id, ask.which, ask.page, 'whole')
  sheet.addJobs(rows)
  sheet.open()
  const items = records(
    sheet.ledger,
    rows.map(({ seq }) => sheet.slotOf(seq)),
  )
  sheet.close()
  return { items, cursor }
}

/** `atOnce`: see `Database.countsAtOnce`. */
export async function count(
  tx: Tx,
  queues: Queues,
  ask: CountAsk,
  atOnce: number,
): Promise<{ readonly counts: Counts; readonly cursor: string | null }> {
  const facts = (await queues.look(tx, [ask.queue])).get(ask.queue)
  if (facts === undefined) return { counts: NOTHING, cursor: null }
  const { states, ...rest } = ask.which
  const isWhole = Object.values(rest).every((value) => value === undefined)
  if (isWhole) {
    const { counts, after } = await slice(tx, facts.id, Number(ask.cursor ?? 0), atOnce)
    return { counts: only(counts, states), cursor: after === null ? null : String(after) }
  }
  const page = { limit: SCAN_ROWS, cursor: ask.cursor }
  const found = await select(tx, facts.id, ask.which, page, 'bare')
  const counts: Record<State, number> = { ...NOTHING }
  for (const row of found.rows) counts[STATES[stateNow(row, tx.now)]]++
  return { counts, cursor: found.cursor }
}

function only(counts: Counts, states: readonly State[] | undefined): Counts {
  if (states === undefined) return counts
  const chosen: Record<State, number> = { ...NOTHING }
  for (const state of states) chosen[state] = counts[state]
  return chosen
}

/** A part of a queue, by number. */
interface Slice {
  readonly counts: Counts
  /** When the first of those that were made available was due. */
  readonly oldest: Instant | null
  /** Where to go on; null: this was the last. */
  readonly after: number | null
}

/** Beyond every number of rows. */
const ALL = 2 ** 53 - 1

async function slice(tx: Tx, queue: number, after: number, atOnce: number): Promise<Slice> {
  const counts: Record<State, number> = { ...NOTHING }
  const limit = Math.min(atOnce, ALL)
  const rows = await tx.all('queue.counts', [queue, tx.now, after, limit])
  for (const { state, jobs } of rows) if (state < RECEIPT) counts[STATES[state]] = jobs
  const dues = rows.flatMap(({ oldest }) => oldest ?? [])
  const isFull = rows.reduce((sum, { jobs }) => sum + jobs, 0) === limit
  return {
    counts,
    oldest: dues.length === 0 ? null : Math.min(...dues),
    after: isFull ? Math.max(...rows.map(({ last }) => last)) : null,
  }
}

/** One transaction of its own. */
export type Look = <T>(work: (tx: Tx, queues: Queues, nodes: Nodes) => Promise<T>) => Promise<T>

/** Each queue in as many looks as it takes, so that others come between; in one, where nobody waits. */
export function queueRows(look: Look, page: PageAsk, atOnce: number): Promise<Paged<QueueRow>> {
  if (atOnce < Infinity) return rowsBy(look, page, atOnce)
  return look((tx, queues, nodes) => rowsBy((work) => work(tx, queues, nodes), page, atOnce))
}

async function rowsBy(look: Look, page: PageAsk, atOnce: number): Promise<Paged<QueueRow>> {
  const { found, isMore } = await look((tx, queues, nodes) => namedRows(tx, queues, nodes, page))
  const items: QueueRow[] = []
  for (const { facts, ...row } of found) {
    const { counts, oldest } = await countWhole(look, facts, atOnce)
    const oldestDue = oldest ?? (await look((tx) => firstTimer(tx, facts)))
    items.push({ ...row, counts, oldestDue: oldestDue === null ? null : shown(oldestDue) })
  }
  return { items, cursor: isMore ? (items.at(-1)?.name ?? null) : null }
}

/** In as many looks as it takes. */
export async function countWhole(
  look: Look,
  { id }: QueueFacts,
  atOnce: number,
): Promise<Omit<Slice, 'after'>> {
  const counts: Record<State, number> = { ...NOTHING }
  let oldest: Instant | null = null
  for (let after: number | null = 0; after !== null;) {
    const from: number = after
    const part = await look((tx) => slice(tx, id, from, atOnce))
    for (const state of STATES) counts[state] += part.counts[state]
    if (part.oldest !== null) oldest = Math.min(part.oldest, oldest ?? Infinity)
    after = part.after
  }
  return { counts, oldest }
}

async function namedRows(tx: Tx, queues: Queues, nodes: Nodes, page: PageAsk) {
  const { scope } = queues
  const after = page.cursor ?? ''
  const rows = await tx.all('queue.page', [scope, after, page.limit + 1])
  const [whole] = await tx.all('scope.read', [scope])
  const workers = new Map<string, number>()
  for (const { card, gone } of await nodes.all(tx)) {
    if (gone) continue
    for (const { queue } of card.workers) workers.set(queue, (workers.get(queue) ?? 0) + 1)
  }
  const found = rows.slice(0, page.limit).map((row) => {
    const facts = queues.factsOf(row)
    return {
      facts,
      name: facts.name,
      paused: facts.paused !== null || whole.paused_since !== null,
      workers: workers.get(facts.name) ?? 0,
    }
  })
  return { found, isMore: rows.length > page.limit }
}

/** When the first of those is due whose time has not come, or was not noticed. */
async function firstTimer(tx: Tx, { id }: QueueFacts): Promise<Instant | null> {
  const lanes = await tx.each('lane.of', [], [[id]])
  const asked = lanes.map((lane) => [lane.id])
  const next = await tx.each('lane.next', [], asked)
  return next.length === 0 ? null : Math.min(...next.map(({ due }) => due))
}

/** What lies beyond every `Date` is shown as the last. */
function shown(instant: Instant): Instant {
  return Math.max(-LAST_INSTANT, Math.min(instant, LAST_INSTANT))
}

export async function groupRows(
  tx: Tx,
  queues: Queues,
  queue: string,
  page: PageAsk,
): Promise<Paged<GroupRow>> {
  const facts = (await queues.look(tx, [queue])).get(queue)
  if (facts === undefined) return { items: [], cursor: null }
  const hasCursor = page.cursor === null ? 0 : 1
  const asked = [facts.id, page.cursor ?? '', hasCursor, page.limit + 1]
  const names = (await tx.all('group.page', asked)).map(({ grp }) => grp)
  const shown = names.slice(0, page.limit)
  const counts = new Map(shown.map((grp) => [grp, { ...NOTHING }]))
  const range = [shown[0] ?? '', shown.at(-1) ?? '']
  const rows = await tx.all('group.counts', [facts.id, tx.now, ...range])
  for (const { grp, state, jobs } of rows) {
    const of = counts.get(grp)
    if (of !== undefined) of[STATES[state]] = jobs
  }
  const paused = new Set((await tx.each('group.paused', [], [[facts.id]])).map(({ grp }) => grp))
  const isBlocking = settingsOf(facts).order === 'blocking'
  const holders = isBlocking
    ? await tx.each(
        'group.holder',
        [],
        shown.map((grp) => [facts.id, grp]),
      )
    : []
  const holder = new Map(holders.map(({ grp, id }) => [grp, id]))
  const items = shown.map((group): GroupRow => {
    return {
      group,
      counts: counts.get(group) ?? NOTHING,
      paused: paused.has(group),
      blockedBy: holder.get(group) ?? null,
    }
  })
  return { items, cursor: names.length > page.limit ? (shown.at(-1) ?? null) : null }
}

export async function nodeRows(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  page: PageAsk,
): Promise<Paged<NodeRow>> {
  const all = (await nodes.all(tx)).sort((a, b) => (a.node < b.node ? -1 : 1))
  const { cursor, limit } = page
  const rest = cursor === null ? all : all.filter(({ node }) => node > cursor)
  const holding = new Map<string, number>()
  for (const { node, worker, held } of await tx.all('node.holding', [queues.scope])) {
    holding.set(`${node}\0${worker}`, held)
  }
  const items = rest.slice(0, limit).map(({ node, card, startedAt, lastBeat, gone }): NodeRow => {
    const { proof: _, ...said } = card
    const beatAgo = Math.max(0, tx.now - lastBeat)
    const running = card.workers.map(({ worker }) => holding.get(`${node}\0${worker}`) ?? 0)
    const isSilent = running.some((held) => held > 0) && beatAgo > card.lease
    const lost = gone || isSilent || nodes.liveness(card) === 'dead'
    return { ...said, startedAt, beatAgo, lost, running }
  })
  return { items, cursor: rest.length > limit ? (items.at(-1)?.node ?? null) : null }
}
