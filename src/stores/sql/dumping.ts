/**
 * What a store of tables keeps, page by page, for another store to take over. Jobs are laid on a
 * sheet with what they come after and the keys that they hold, and told by the book as any are.
 */
import { DUMP_BYTES } from '../../job/defaults.js'
import { coarse } from '../../job/grants.js'
import type { Portable, PortablePause } from '../../job/portable.js'
import { weightOf } from '../../job/portable.js'
import type { RetiredSchedule, Schedule } from '../../job/schedule.js'
import type { Paged } from '../../job/selector.js'
import { portables } from '../../job/book/dump.js'
import { groupNamed, rateNames } from '../../job/book/rates.js'
import { pageOf } from '../book/dumping.js'
import type { Named } from '../book/dumping.js'
import type { DumpAsk } from '../../store.js'
import { Gatherer } from './gather.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { settingsOf } from './queues.js'
import type { JobRow } from './row.js'
import type { QueueFacts } from './sheet.js'
import { fromText } from './text.js'

export async function dump(tx: Tx, queues: Queues, ask: DumpAsk): Promise<Paged<Portable>> {
  switch (ask.part) {
    case 'queues':
      return dumpQueues(tx, queues, ask)
    case 'jobs':
      return dumpJobs(tx, queues, ask)
    case 'keys':
      return dumpKeys(tx, queues, ask)
    case 'rates':
      return pageOf(await ratesOf(tx, queues, ask), ask)
    case 'schedules':
      return pageOf(await schedulesOf(tx, queues, ask), ask)
  }
}

/** Those that are asked for, whether or not anything of them is left. */
async function asked(tx: Tx, queues: Queues, { queues: names }: DumpAsk): Promise<QueueFacts[]> {
  if (names !== null) return [...(await queues.look(tx, names)).values()]
  return (await tx.all('queue.all', [queues.scope])).map((row) => queues.factsOf(row))
}

async function dumpQueues(tx: Tx, queues: Queues, ask: DumpAsk): Promise<Paged<Portable>> {
  const { cursor, limit } = ask.page
  const items: Portable[] = []
  const [{ paused_since: since, paused_by: by }] = await tx.all('scope.read', [queues.scope])
  if (since !== null && cursor === null && ask.queues === null) {
    items.push({ kind: 'scope', paused: { since, by: by ?? '' } })
  }
  const rows = await tx.all('queue.page', [queues.scope, cursor ?? '', limit + 1])
  const chosen = rows.slice(0, limit).filter(({ name }) => ask.queues?.includes(name) ?? true)
  const ids = chosen.map(({ id }) => id)
  const keyed = new Set((await tx.all('dump.keyed', [ids, tx.now])).map(({ queue }) => queue))
  for (const row of chosen) {
    const { id, name, stored, paused, transit } = queues.factsOf(row)
    const groups = await tx.each('group.paused', [], [[id]])
    const pausedGroups = groups.map(({ grp, since: from, by: who }) => {
      return [grp, { since: from, by: who } satisfies PortablePause] as const
    })
    items.push({
      kind: 'queue',
      queue: name,
      ...{ declared: stored.declared, overrides: stored.overrides, paused },
      pausedGroups: pausedGroups.sort(([a], [b]) => (a < b ? -1 : 1)),
      transit: transit && { ...transit, groups: transit.groups && [...transit.groups] },
      hasKeys: keyed.has(id),
    })
  }
  const last = rows.length > limit ? rows[limit - 1].name : null
  return { items, cursor: last }
}

async function dumpJobs(tx: Tx, queues: Queues, ask: DumpAsk): Promise<Paged<Portable>> {
  const { cursor, limit } = ask.page
  const ids = (await asked(tx, queues, ask)).map(({ id }) => id)
  const after = Number(cursor ?? 0)
  const rows =
    ask.queues === null
      ? await tx.all('dump.jobs', [ids, after, limit + 1])
      : await firstOf(tx, ids, after, limit + 1)
  const more = rows.length > limit
  const page = rows.slice(0, limit)
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  sheet.addJobs(page)
  await gatherer.queuesOf(page)
  await gatherer.parentsOf(page)
  await gatherer.ownKeys()
  sheet.open()
  const jobs = portables(
    sheet.ledger,
    page.map(({ seq }) => sheet.slotOf(seq)),
  )
  sheet.close()
  let bytes = 0
  for (const [at, job] of jobs.entries()) {
    bytes += weightOf(job)
    if (bytes <= DUMP_BYTES || at === 0) continue
    return { items: jobs.slice(0, at), cursor: String(page[at].seq - 1) }
  }
  return { items: jobs, cursor: more ? String(page[limit - 1].seq) : null }
}

/** Of some queues among others, which may have many more. */
async function firstOf(
  tx: Tx,
  queues: readonly number[],
  after: number,
  limit: number,
): Promise<JobRow[]> {
  const found = await tx.each(
    'dump.numbers',
    [after, limit],
    queues.map((id) => [id]),
  )
  const seqs = found.map(({ seq }) => seq).sort((a, b) => a - b)
  const rows = await tx.each(
    'job.read',
    [],
    seqs.slice(0, limit).map((seq) => [seq]),
  )
  return rows.sort((a, b) => a.seq - b.seq)
}

async function dumpKeys(tx: Tx, queues: Queues, ask: DumpAsk): Promise<Paged<Portable>> {
  const { cursor, limit } = ask.page
  const facts = new Map((await asked(tx, queues, ask)).map(({ id, name }) => [id, name]))
  // as: what was handed out below.
  const [queue, key] = cursor === null ? [0, ''] : (JSON.parse(cursor) as [number, string])
  const of = [[...facts.keys()], queue, key, tx.now, limit + 1] as const
  const rows = await tx.all('dump.keys', of)
  const items = rows.slice(0, limit).map((row): Portable => {
    const how = row.waiting === 1 ? 'waiting' : 'unfinished'
    const { id, until } = row
    const name = facts.get(row.queue) ?? ''
    return { kind: 'key', queue: name, name: row.key, id, while: how, until }
  })
  const last = rows.length > limit ? rows[limit - 1] : null
  return { items, cursor: last && JSON.stringify([last.queue, last.key]) }
}

async function ratesOf(tx: Tx, queues: Queues, ask: DumpAsk): Promise<Named[]> {
  const own = new Set(
    (await asked(tx, queues, ask)).flatMap((facts) => rateNames(facts.name, settingsOf(facts))),
  )
  const isWanted = (name: string): boolean =>
    ask.queues?.includes(groupNamed(name)?.queue ?? '') !== false || own.has(name)
  const found: Named[] = []
  for (const { name, until } of await tx.all('throttle.all', [queues.scope, tx.now])) {
    if (isWanted(name)) found.push([`t${name}`, { kind: 'throttle', name, until }])
  }
  const windows = new Map<string, { moments: (readonly [number, number])[]; keep: number }>()
  for (const { name, at, n, until } of await tx.all('dump.grants', [queues.scope, tx.now])) {
    if (!isWanted(name)) continue
    const window = windows.get(name) ?? { moments: [], keep: 0 }
    window.moments.push([at, n])
    // What is asked for now is what the newest was kept for.
    window.keep = until - at
    windows.set(name, window)
  }
  for (const [name, { moments, keep }] of windows) {
    found.push([`w${name}`, { kind: 'grants', name, keep, moments: coarse(moments, keep) }])
  }
  return found
}

async function schedulesOf(tx: Tx, queues: Queues, ask: DumpAsk): Promise<Named[]> {
  const found: Named[] = []
  const names = ask.queues ?? [null]
  for (const name of names) {
    const of = [queues.scope, name, null, 1, '', '', MOST] as const
    for (const { queue_name: queue, body } of await tx.all('schedule.byName', of)) {
      const schedule = fromText<Schedule>(body)
      found.push([`${queue}\0${schedule.name}`, { kind: 'schedule', queue, schedule }])
    }
  }
  for (const { queue, name, body } of await tx.all('dump.retired', [queues.scope, tx.now])) {
    if (ask.queues?.includes(queue) === false) continue
    const { revision, passed, until, isAway } = fromText<RetiredSchedule>(body)
    if (isAway === true) continue
    found.push([`${queue}\0${name}`, { kind: 'retired', queue, name, revision, passed, until }])
  }
  return found
}

const MOST = 2_000_000_000
