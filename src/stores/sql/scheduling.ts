/**
 * Schedules: their changes, and slots, each a compare-and-set with its insert: on a sheet that has
 * the schedule, the job that its last slot brought, and all that the new one may meet.
 */
import { SCHEDULES } from '../../job/defaults.js'
import type { Planned, Schedule, ScheduleAsk, ScheduleChange } from '../../job/schedule.js'
import type { RetiredSchedule, ScheduleRow, Tick, Ticked } from '../../job/schedule.js'
import type { Paged } from '../../job/selector.js'
import { ROUNDING } from '../../job/book/schedules.js'
import { oversized } from '../book/sizes.js'
import { flush } from './flush.js'
import { retiredKey } from './flush-rest.js'
import { Gatherer } from './gather.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { fromText } from './text.js'

interface OfSchedule {
  readonly queue: string
  readonly name: string
}

export async function plan(
  tx: Tx,
  queues: Queues,
  change: ScheduleChange,
  news: News,
): Promise<Planned> {
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  await gatherer.queues([change.queue], 'make', 'alone')
  const [facts] = [...sheet.queues.values()]
  await gatherSchedules(gatherer, [change])
  if (change.kind === 'put' && sheet.schedules.size === 0) {
    const [{ schedules }] = await tx.all('schedule.count', [facts.id])
    if (schedules >= SCHEDULES) return { status: 'full', limit: SCHEDULES }
  }
  sheet.open()
  const frame = { kind: 'schedule', items: [change] } as const
  const [planned] = sheet.book.apply<'schedule'>(frame, tx.now, [])
  await flush(tx, queues, sheet, news)
  sheet.close()
  return planned
}

/** One answer for each, in order. */
export async function tick(
  tx: Tx,
  queues: Queues,
  ticks: readonly Tick[],
  news: News,
): Promise<readonly Ticked[]> {
  if (ticks.length === 0) return []
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  const jobs = ticks.flatMap(({ run }) => (run === null ? [] : [run.job]))
  await gatherer.queues(
    ticks.map(({ queue }) => queue),
    'find',
    'alone',
  )
  await gatherer.arrivals(jobs)
  await gatherSchedules(gatherer, ticks)
  const lasts = [...sheet.schedules.values()].flatMap(([, { last }]) => last?.job ?? [])
  await gatherer.jobsAnywhere(lasts)
  sheet.open()
  const tooLarge = ticks.map(({ run }): Ticked | null => {
    const answer = run === null ? undefined : oversized(sheet.ledger, [run.job])?.[0]
    return answer?.status === 'refused' ? { status: 'refused', answer } : null
  })
  const items = ticks.filter((_, at) => tooLarge[at] === null)
  const filed = items.map(({ run }) => run?.job)
  const ticked = sheet.book.apply<'tick'>({ kind: 'tick', items }, tx.now, filed).values()
  await flush(tx, queues, sheet, news)
  sheet.close()
  return tooLarge.map((answer) => answer ?? ticked.next().value ?? { status: 'stale' })
}

/** These schedules, and what is remembered of those that were removed. */
export async function gatherSchedules(
  { tx, sheet }: Gatherer,
  names: readonly OfSchedule[],
): Promise<void> {
  const ids = new Map([...sheet.queues.values()].map(({ name, id }) => [name, id]))
  const asked = new Map<string, readonly [number, string]>()
  for (const { queue, name } of names) {
    const id = ids.get(queue)
    if (id !== undefined) asked.set(`${id}/${name}`, [id, name])
  }
  for (const row of await tx.each('schedule.find', [], [...asked.values()])) {
    const schedule = fromText<Schedule>(row.body)
    sheet.schedules.set(`${row.queue}/${schedule.name}`, [row.queue, schedule])
  }
  for (const row of await tx.each('retired.find', [], [...asked.values()])) {
    const queue = sheet.queues.get(row.queue)?.name ?? ''
    sheet.retired.set(retiredKey(queue, row.name), fromText<RetiredSchedule>(row.body))
  }
}

/** A row by what it is ordered by: when it is due, or nothing; then queue and name. */
type Rank = readonly [due: number, queue: string, name: string]

export async function scheduleRows(
  tx: Tx,
  queues: Queues,
  ask: ScheduleAsk,
): Promise<Paged<ScheduleRow>> {
  const { cursor, limit } = ask.page
  // as: what was handed out below.
  const [due, queue, name] = cursor === null ? FIRST : (JSON.parse(cursor) as Rank)
  const isFirst = cursor === null ? 1 : 0
  const of = [queues.scope, ask.queue, ask.name]
  const rows =
    ask.by === 'due'
      ? await tx.all('schedule.byDue', [...of, isFirst, due, queue, name, limit + 1])
      : await tx.all('schedule.byName', [...of, isFirst, queue, name, limit + 1])
  const items = rows.slice(0, limit).map((row): ScheduleRow => {
    const schedule = fromText<Schedule>(row.body)
    const { next, paused } = schedule
    if (next === null || paused) return { queue: row.queue_name, ...schedule, dueIn: null }
    const left = next.due - tx.now
    return { queue: row.queue_name, ...schedule, dueIn: left > ROUNDING ? left : Math.min(left, 0) }
  })
  const last = items.at(-1)
  const more = rows.length > limit && last !== undefined
  const rank = more ? [ask.by === 'due' ? (last.next?.due ?? 0) : 0, last.queue, last.name] : null
  return { items, cursor: rank === null ? null : JSON.stringify(rank) }
}

const FIRST: Rank = [0, '', '']
