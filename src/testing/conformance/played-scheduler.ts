/**
 * A scheduler as the laws play it: it looks, decides what is due, and ticks, as an engine would, but
 * only when the test says so. And the words for schedules that the laws share.
 */
import assert from 'node:assert/strict'
import type { Instant } from '../../job/job.js'
import type { NewJob } from '../../job/lot.js'
import type { Plan, ScheduleChange, ScheduleRow, ScheduleSpec } from '../../job/schedule.js'
import type { Slot, Tick, Ticked } from '../../job/schedule.js'
import { firing, nextSlot, timingOf } from '../../job/slots.js'
import type { Store } from '../../store.js'
import { QUEUE, newJob } from './build.js'
import type { Rig } from './rig.js'

export const MINUTE = 60_000
export const EACH_MINUTE: Plan = { kind: 'every', span: MINUTE }

export function specOf(words: Partial<ScheduleSpec> = {}): ScheduleSpec {
  const job = newJob('', { ownId: true })
  return { plan: EACH_MINUTE, jitter: 0, missed: 'once', overlap: 'queue', job, ...words }
}

/** The id follows from queue, schedule and slot. */
export function idOf(name: string, at: Instant): string {
  return `${name}@${at}`
}

function jobOf(row: ScheduleRow, at: Instant): NewJob {
  return { ...row.spec.job, id: idOf(row.name, at) }
}

/** The tick that fires the next slot of what this row shows. */
export function tickOf(row: ScheduleRow, run: Slot | null = row.next): Tick {
  assert.ok(row.next !== null, 'a slot is to come')
  const { queue, name, revision, next } = row
  const last = run ?? next
  return {
    ...{ queue, name, revision, slot: next.at },
    run: run === null ? null : { slot: run, job: jobOf(row, run.at) },
    next: nextSlot(timingOf(queue, name, row.spec), last.at),
  }
}

export const STALE = { status: 'stale' }

export function player(rig: Rig, store: Store = rig.store): PlayedScheduler {
  return new PlayedScheduler(store)
}

/** A schedule of each minute, at its first slot. */
export async function dueOne(
  rig: Rig,
  words: Partial<ScheduleSpec> = {},
  name = 's',
): Promise<PlayedScheduler> {
  const scheduler = player(rig)
  await scheduler.put(name, words, rig.clock.wall())
  await rig.clock.advance(MINUTE)
  return scheduler
}

export class PlayedScheduler {
  readonly store: Store

  constructor(store: Store) {
    this.store = store
  }

  async rows(by: 'name' | 'due' = 'name', limit = 100): Promise<ScheduleRow[]> {
    const rows: ScheduleRow[] = []
    let cursor: string | null = null
    do {
      const ask = { queue: null, name: null, by, page: { limit, cursor } }
      const page: Awaited<ReturnType<Store['schedules']>> = await this.store.schedules(ask)
      assert.ok(page.items.length <= limit, 'a page holds at most its limit')
      rows.push(...page.items)
      cursor = page.cursor
    } while (cursor !== null)
    return rows
  }

  /** The row of this name, which must be there. */
  async row(name: string, queue = QUEUE): Promise<ScheduleRow> {
    const page = { limit: 10, cursor: null }
    const { items } = await this.store.schedules({ queue, name, by: 'name', page })
    assert.equal(items.length, 1, `there is a schedule ${name}`)
    return items[0]
  }

  /** Declares it, its first slot being the first after `after`. Answers the revision. */
  async put(
    name: string,
    words: Partial<ScheduleSpec>,
    after: Instant,
    revision = 0,
    queue = QUEUE,
  ): Promise<number> {
    const spec = specOf(words)
    const next = nextSlot(timingOf(queue, name, spec), after)
    return this.change({ kind: 'put', queue, name, revision, spec, next })
  }

  /** A change that takes effect; answers the revision. */
  async change(change: ScheduleChange): Promise<number> {
    const planned = await this.store.plan(change)
    assert.equal(planned.status, 'done', `${change.kind} takes effect`)
    return planned.status === 'done' ? planned.revision : NaN
  }

  async tick(...ticks: Tick[]): Promise<readonly Ticked[]> {
    const ticked = await this.store.tick(ticks)
    assert.equal(ticked.length, ticks.length, 'as many answers as ticks')
    return ticked
  }

  /** Fires what is due, as each schedule says of missed slots. Answers what became of each tick. */
  async fire(): Promise<(readonly [Tick, Ticked])[]> {
    const ticks: Tick[] = []
    for (const row of await this.rows('due', 3)) {
      if (row.next === null || row.dueIn === null || row.dueIn > 0) continue
      ticks.push(...dueTicks(row, row.next))
    }
    const ticked = await this.tick(...ticks)
    return ticks.map((tick, at) => [tick, ticked[at]] as const)
  }

  async round(): Promise<Ticked[]> {
    return (await this.fire()).map(([, ticked]) => ticked)
  }
}

function dueTicks(row: ScheduleRow, from: Slot): Tick[] {
  const { queue, name, revision, spec } = row
  const steps = firing(timingOf(queue, name, spec), spec.missed, from, from.due - (row.dueIn ?? 0))
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  const { run, next } = step.value
  const of = { queue, name, revision }
  if (run.length === 0) return [{ ...of, slot: from.at, run: null, next }]
  return run.map((slot, at): Tick => {
    const expected = at === 0 ? from.at : slot.at
    return {
      ...of,
      slot: expected,
      run: { slot, job: jobOf(row, slot.at) },
      next: run[at + 1] ?? next,
    }
  })
}
