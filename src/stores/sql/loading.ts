/**
 * Taking over what another store kept: jobs, keys, schedules and rests on a sheet, by the frame that
 * every store applies; settings, pauses and grants by their own statements. One transaction for all.
 */
import type { Millis } from '../../job/job.js'
import type { Loaded, Portable, PortableFact, PortableGrants } from '../../job/portable.js'
import type { PortableJob, PortableQueue } from '../../job/portable.js'
import { linesOf, papersIn } from '../../job/book/load-lines.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { fill } from './saying.js'
import { gatherSchedules } from './scheduling.js'

const LOADED: Loaded = { status: 'loaded' }
const PRESENT: Loaded = { status: 'present' }

export async function load(
  tx: Tx,
  queues: Queues,
  items: readonly Portable[],
  news: News,
): Promise<Loaded[]> {
  const answers = new Map<Portable, Loaded>()
  for (const item of items) {
    const done = await loadPlainly(tx, queues, item, news)
    if (done !== null) answers.set(item, done ? LOADED : PRESENT)
  }
  const rest = items.filter((item) => !answers.has(item))
  const loaded = rest.length === 0 ? [] : await loadOnSheet(tx, queues, rest, news)
  rest.forEach((item, at) => answers.set(item, loaded[at]))
  return items.map((item) => answers.get(item) ?? PRESENT)
}

/** Null: it wants a sheet. */
async function loadPlainly(
  tx: Tx,
  queues: Queues,
  item: Portable,
  news: News,
): Promise<boolean | null> {
  switch (item.kind) {
    case 'scope': {
      const { since, by } = item.paused
      return (await tx.all('scope.pause', [queues.scope, since, by])).length > 0
    }
    case 'queue':
      return loadQueue(tx, queues, item, news)
    case 'grants':
      return loadGrants(tx, queues, item)
    default:
      return null
  }
}

async function loadQueue(
  tx: Tx,
  queues: Queues,
  fact: PortableQueue,
  news: News,
): Promise<boolean> {
  let changed = false
  for (const layer of ['declared', 'overrides'] as const) {
    changed = (await fill(tx, queues, fact.queue, layer, fact[layer], news)) || changed
  }
  const found = await queues.enter(tx, [fact.queue], 'make', 'alone')
  const facts = found.get(fact.queue)
  if (facts === undefined) throw new Error(`queue ${fact.queue} was not made`)
  if (fact.paused !== null) {
    const { since, by } = fact.paused
    changed = (await tx.all('queue.pause', [facts.id, since, by])).length > 0 || changed
  }
  for (const [group, { since, by }] of fact.pausedGroups) {
    changed = (await tx.all('group.pause', [facts.id, group, since, by])).length > 0 || changed
  }
  if (changed) news.control(fact.queue)
  return changed
}

async function loadGrants(
  tx: Tx,
  queues: Queues,
  { name, keep, moments }: PortableGrants,
): Promise<boolean> {
  const alive = moments.filter(([at]) => at + keep > tx.now)
  if (alive.length === 0) return false
  const known = await tx.each('grant.oldest', [queues.scope], [[name, tx.now - keep, 1]])
  if (known.length > 0) return false
  const rows = alive.map(([at, count]): [string, Millis, number, Millis] => {
    return [name, at, count, at + keep]
  })
  await tx.each('grant.load', [queues.scope], rows)
  return true
}

type OnSheet = PortableJob | Exclude<PortableFact, { kind: 'scope' | 'queue' | 'grants' }>

async function loadOnSheet(
  tx: Tx,
  queues: Queues,
  items: readonly Portable[],
  news: News,
): Promise<readonly Loaded[]> {
  const wanted = items as readonly OnSheet[] // as: the others were done plainly
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  const named = wanted.flatMap((item) => (item.kind === 'throttle' ? [] : item.queue))
  await gatherer.queues(named, 'make', 'shared')
  if (wanted.some(({ kind }) => kind === 'throttle')) await gatherer.throttles()
  await gatherer.loads(wanted.filter((item) => item.kind === 'job'))
  await gatherer.keys(
    wanted.flatMap((item) => (item.kind === 'key' ? [[item.queue, item.name] as const] : [])),
  )
  await gatherSchedules(
    gatherer,
    wanted.flatMap((item) => {
      if (item.kind === 'retired') return [{ queue: item.queue, name: item.name }]
      if (item.kind === 'schedule') return [{ queue: item.queue, name: item.schedule.name }]
      return []
    }),
  )
  sheet.open()
  const lines = linesOf(items)
  const loaded = sheet.book.apply<'load'>({ kind: 'load', items: lines }, tx.now, papersIn(lines))
  await flush(tx, queues, sheet, news)
  sheet.close()
  return loaded
}
