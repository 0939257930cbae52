/**
 * Schedules as users have them: declared, looked at, changed, run by hand. Checks what was said,
 * makes the job that each slot is made of, and finds the first slot; keeping and firing them is the
 * store's and the engine's. The same declaration again changes nothing, so every process may make it
 * when it starts; another one of the same name replaces it.
 */
import { isDeepStrictEqual } from 'node:util'
import { invalid, name as nameOf } from '../job/check.js'
import { PLAN_TRIES, SCHEDULE_BYTES } from '../job/defaults.js'
import { millraceError } from '../job/errors.js'
import type { Instant, JobRef } from '../job/job.js'
import type { NewJob } from '../job/lot.js'
import { termsOf } from '../job/options.js'
import type { ScheduleChange, ScheduleRow, ScheduleSpec, Slot } from '../job/schedule.js'
import { countOf, planTerms, planText, refusePast, scheduleTerms } from '../job/schedule-options.js'
import type { PageAsk } from '../job/selector.js'
import { META_NAME, jobBeside } from '../job/slot-job.js'
import { nextSlot, timingOf } from '../job/slots.js'
import type { Timing } from '../job/slots.js'
import { metaOf } from '../job/view.js'
import type { Parts } from '../parts.js'
import { readyFor } from '../parts.js'
import { bytesOf } from '../perform.js'
import type { Enqueued } from './enqueued.js'
import { fit } from './fit.js'
import { fill, pageAsk } from './page.js'
import type { Page } from './page.js'
import { handIn, jobOf } from './produce.js'
import type { Aim } from './produce.js'

export interface ScheduleInfo {
  readonly name: string
  readonly queue: string
  readonly task: string
  /** `0 9 * * 1-5 (Europe/Paris)`, `every 15m`, `at 2026-01-01T00:00:00.000Z`. */
  readonly plan: string
  /** Grows with every change, but not with slots. */
  readonly revision: number
  readonly paused: boolean
  /** When it fires next, jitter included; `null`: not any more, or paused. */
  readonly next: Date | null
  /** The last job that a slot brought, and when that slot was due. */
  readonly last: { readonly at: Date; readonly job: JobRef } | null
}

/** Declares a schedule; answers when it is stored. OPTION_INVALID PAYLOAD_INVALID PAYLOAD_TOO_LARGE */
export async function declareSchedule(
  parts: Parts,
  aim: Aim,
  given: unknown,
  options: unknown,
): Promise<ScheduleInfo> {
  const name = nameOf(given, `${aim.subject}.schedule name`)
  const subject = `${aim.subject}.schedule(${JSON.stringify(name)})`
  const { payload, rest, ...said } = scheduleTerms(options, parts.clock.wall(), subject)
  const job = template(parts, aim, payload, rest, subject)
  const spec: ScheduleSpec = { ...said, job }
  if (aim.input !== null) await fit(aim.input, payload, `${subject}.payload`)
  await readyFor(parts, aim.queue)
  await refuseSize(parts, job, subject)
  const timing = timingOf(aim.queue, name, spec)
  const row = await change(parts, aim.queue, name, (row, floor) => {
    if (row !== null && isDeepStrictEqual(row.spec, spec)) return null
    const now = parts.clock.wall()
    refusePast(spec.plan, now, subject)
    const isSame = row !== null && isDeepStrictEqual(timing, timingOf(row.queue, name, row.spec))
    const next = isSame ? row.next : nextAfter(timing, now, floor)
    return { kind: 'put', spec, next }
  })
  if (row === null) throw unknown(aim.queue, name)
  return infoOf(row)
}

export async function schedulesOf(
  parts: Parts,
  queue: string,
  options: unknown,
): Promise<Page<ScheduleInfo>> {
  const ask = pageAsk(options, 'schedules')
  await readyFor(parts, queue)
  const { store } = parts.engine
  const look = (page: PageAsk) => store.schedules({ queue, name: null, by: 'name', page })
  return fill(parts.clock, ask, look, infoOf)
}

/** False: there was none. */
export async function unschedule(parts: Parts, queue: string, given: unknown): Promise<boolean> {
  const name = nameOf(given, 'unschedule')
  await readyFor(parts, queue)
  const planned = await parts.engine.plan({ kind: 'remove', queue, name })
  return planned.status === 'done' && planned.changed
}

/** False: there is none. */
export async function pauseSchedule(parts: Parts, queue: string, given: unknown): Promise<boolean> {
  const name = nameOf(given, 'pauseSchedule')
  await readyFor(parts, queue)
  const row = await change(parts, queue, name, (row) => {
    return row === null || row.paused ? null : { kind: 'pause' }
  })
  return row !== null
}

/** What came while it was paused is over. False: there is none. */
export async function resumeSchedule(
  parts: Parts,
  queue: string,
  given: unknown,
): Promise<boolean> {
  const name = nameOf(given, 'resumeSchedule')
  await readyFor(parts, queue)
  const row = await change(parts, queue, name, (row, floor) => {
    if (row === null || !row.paused) return null
    const timing = timingOf(queue, name, row.spec)
    return { kind: 'resume', next: nextAfter(timing, parts.clock.wall(), floor) }
  })
  return row !== null
}

export async function runNow(parts: Parts, aim: Aim, given: unknown): Promise<Enqueued<unknown>> {
  const name = nameOf(given, 'runNow')
  await readyFor(parts, aim.queue)
  const row = await lookUp(parts, aim.queue, name)
  if (row === null) throw unknown(aim.queue, name)
  return handIn(parts, aim, jobBeside(row, parts.engine.newId()))
}

/** The next moments of a schedule, or of what is not declared yet. */
export async function preview(
  parts: Parts,
  queue: string,
  which: unknown,
  count: unknown = 5,
): Promise<readonly Date[]> {
  const most = countOf(count, 'preview count')
  const now = parts.clock.wall()
  if (typeof which !== 'string') {
    const plan = planTerms(which, now, 'preview')
    refusePast(plan, now, 'preview')
    // Jitter follows from a name, which is not known yet.
    const timing = { plan, jitter: 0, of: '' }
    return momentsFrom(timing, nextSlot(timing, now), most)
  }
  const name = nameOf(which, 'preview')
  await readyFor(parts, queue)
  const row = await lookUp(parts, queue, name)
  if (row === null) throw unknown(queue, name)
  const timing = timingOf(queue, name, row.spec)
  const waits = row.next !== null && row.next.due > now
  return momentsFrom(timing, waits ? row.next : nextAfter(timing, now, row.passed), most)
}

function momentsFrom(timing: Timing, first: Slot | null, most: number): readonly Date[] {
  const moments: Date[] = []
  for (let slot = first; slot !== null && moments.length < most;) {
    moments.push(new Date(slot.due))
    slot = nextSlot(timing, slot.at)
  }
  return moments
}

// ── What the others share ──────────────────────────────────────────────────────────────────────

/** What each slot's job is made of. */
function template(
  parts: Parts,
  aim: Aim,
  payload: unknown,
  rest: unknown,
  subject: string,
): NewJob {
  const terms = termsOf(rest, aim.base, 'schedule', subject)
  if (META_NAME in metaOf(terms.meta)) {
    const remedy = 'choose another name: this one says which schedule and slot a job is for'
    throw invalid(`${subject}.meta.${META_NAME}`, 'a name that is free', META_NAME, remedy)
  }
  const job = jobOf(parts, aim, payload, terms, `${subject}.payload`)
  return { ...job, id: '', ownId: true }
}

async function refuseSize(parts: Parts, job: NewJob, subject: string): Promise<void> {
  const { limits } = await parts.declared.settings(job.queue, 'now')
  const { payload, meta } = job
  const most = Math.min(limits.payloadBytes, SCHEDULE_BYTES)
  const ofPayload = bytesOf(payload, most)
  if (ofPayload > most) throw tooLarge(`${subject}.payload`, most, ofPayload)
  const ofMeta = meta === null ? 0 : bytesOf(meta, limits.metaBytes)
  if (ofMeta > limits.metaBytes) throw tooLarge(`${subject}.meta`, limits.metaBytes, ofMeta)
}

/** The first slot after now, and after all that are over. */
function nextAfter(timing: Timing, now: Instant, floor: Instant | null): Slot | null {
  return nextSlot(timing, floor === null ? now : Math.max(now, floor))
}

type Wanted =
  | { readonly kind: 'put'; readonly spec: ScheduleSpec; readonly next: Slot | null }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume'; readonly next: Slot | null }

/**
 * Looks, decides, changes; again when somebody else was faster. `floor`: the last slot that is over,
 * also of one that was removed. Null is wanted: as it is. Answers the schedule as it is then; null:
 * there is none.
 */
async function change(
  parts: Parts,
  queue: string,
  name: string,
  decide: (row: ScheduleRow | null, floor: Instant | null) => Wanted | null,
): Promise<ScheduleRow | null> {
  let known = { revision: 0, after: null as Instant | null } // as: the compiler would take it for null
  for (let tries = 0; tries < PLAN_TRIES; tries++) {
    const row = await lookUp(parts, queue, name)
    const wanted = decide(row, row === null ? known.after : row.passed)
    if (wanted === null) return row
    const revision = row?.revision ?? known.revision
    const planned = await parts.engine.plan(changeOf(wanted, { queue, name, revision }))
    switch (planned.status) {
      case 'done':
        return wanted.kind === 'put' ? putRow(row, wanted, queue, name, planned.revision) : row
      case 'full':
        throw full(queue, planned.limit)
      case 'stale':
        known = planned
    }
  }
  throw millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject: `schedule ${JSON.stringify(name)} of queue ${JSON.stringify(queue)}`,
    expected: 'to be first once',
    received: `${PLAN_TRIES} changes by others meanwhile`,
    remedy: 'somebody changes it all the time: find out who, and try again',
  })
}

function changeOf(
  wanted: Wanted,
  of: { readonly queue: string; readonly name: string; readonly revision: number },
): ScheduleChange {
  if (wanted.kind !== 'pause') return { ...of, ...wanted }
  return { kind: 'pause', queue: of.queue, name: of.name }
}

function putRow(
  before: ScheduleRow | null,
  wanted: Extract<Wanted, { kind: 'put' }>,
  queue: string,
  name: string,
  revision: number,
): ScheduleRow {
  const { paused, passed, last } = before ?? { paused: false, passed: null, last: null }
  const { spec, next } = wanted
  return { queue, name, revision, spec, paused, next, passed, last, dueIn: null }
}

async function lookUp(parts: Parts, queue: string, name: string): Promise<ScheduleRow | null> {
  const ask = { queue, name, by: 'name', page: { limit: 1, cursor: null } } as const
  const { items } = await parts.engine.store.schedules(ask)
  return items[0] ?? null
}

function infoOf(row: ScheduleRow): ScheduleInfo {
  const { name, queue, spec, revision, paused, next, last } = row
  return {
    ...{ name, queue, task: spec.job.task, plan: planText(spec.plan), revision, paused },
    next: next === null || paused ? null : new Date(next.due),
    last: last === null ? null : { at: new Date(last.at), job: last.job },
  }
}

function unknown(queue: string, name: string): Error {
  const subject = `queue(${JSON.stringify(queue)})`
  return invalid(
    subject,
    'the name of a schedule',
    name,
    '`schedules()` lists those that there are',
  )
}

function full(queue: string, limit: number): Error {
  const remedy = 'for many single moments enqueue jobs with `at`'
  return invalid(`queue(${JSON.stringify(queue)})`, `at most ${limit} schedules`, 'more', remedy)
}

function tooLarge(subject: string, limit: number, received: number): Error {
  return millraceError({
    code: 'PAYLOAD_TOO_LARGE',
    subject,
    expected: `at most ${limit} bytes`,
    received,
    remedy: 'put the large part elsewhere and its address here',
  })
}
