/**
 * Jobs of a plain claim, as the worker gets them. Nearly all have been through nothing yet, and their
 * rows say all there is; the others are read through a book, as everywhere.
 */
import type { Claimed } from '../../job/claim.js'
import type { Millis } from '../../job/job.js'
import type { Settings } from '../../job/settings.js'
import { FRESH, RUNNING } from '../../job/book/columns.js'
import { claimed } from '../../job/book/views.js'
import { settingsOf } from './queues.js'
import { payloadOf, specOfRow } from './row.js'
import type { JobRow, Taken } from './row.js'
import { Sheet } from './sheet.js'
import type { QueueFacts } from './sheet.js'

/** Of a queue without gates, in the order in which they were taken. */
export function taken(facts: QueueFacts, rows: readonly Taken[], now: Millis): Claimed[] {
  const told = rows.filter(hasPast)
  const jobs = told.length === 0 ? null : onSheet(facts, told, now)
  const settings = settingsOf(facts)
  return rows.map((row) => jobs?.get(row.seq) ?? plainly(facts.name, settings, row, now))
}

/** As the claim took them, token by token: the database answers in an order of its own. */
export function inOrder(a: Taken, b: Taken): number {
  return (a.token ?? 0) - (b.token ?? 0)
}

const MADE = {
  ...{ state: RUNNING, grp: '', node: null, worker: null, claim: null },
  ...{ lane: null, expires: null },
} as const

function hasPast({ extra, flags }: Taken): boolean {
  return extra !== null || (flags & FRESH) !== 0
}

function onSheet(
  facts: QueueFacts,
  rows: readonly Taken[],
  now: Millis,
): ReadonlyMap<number, Claimed> {
  const whole = rows.map((row): JobRow => ({ ...row, ...MADE, queue: facts.id, since: now }))
  const sheet = new Sheet(now)
  sheet.addQueue(facts)
  sheet.addJobs(whole)
  sheet.open()
  const slots = whole.map(({ seq }) => sheet.slotOf(seq))
  const tokens = whole.map(({ token }) => token ?? 0)
  const jobs = claimed(sheet.ledger, slots, tokens, now)
  sheet.close()
  return new Map(whole.map(({ seq }, at) => [seq, jobs[at]]))
}

function plainly(queue: string, settings: Settings, row: Taken, now: Millis): Claimed {
  const { timeout, tags, meta } = specOfRow(row)
  return {
    queue,
    id: row.id,
    token: String(row.token),
    task: row.task,
    payload: payloadOf(row),
    attempt: row.attempt,
    round: 1,
    maxAttempts: row.max_attempts ?? settings.attempts,
    priority: row.priority,
    group: '',
    tags,
    meta,
    history: [],
    origin: null,
    timeout: timeout ?? settings.timeout,
    waited: Math.max(0, now - row.due),
    crashes: row.crashes,
  }
}
