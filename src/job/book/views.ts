/**
 * Showing the book: records, pages, counts. Reads only. Whoever looks first calls `advance` for
 * the queues that it shows, so that what has become due is called available.
 */
import { LAST_INSTANT } from '../../time/duration.js'
import { LOG_LINES } from '../defaults.js'
import type { ClaimAsk, Claimed } from '../claim.js'
import type { Encoded } from '../codec.js'
import type { Attempt, Found, Instant, JobRecord, Millis, Origin, Receipt, Step } from '../job.js'
import type { ParentRow } from '../job.js'
import type { NewJob } from '../lot.js'
import type { Settings } from '../settings.js'
import { FRESH, RECEIPT } from './columns.js'
import { emptyExtra } from './extra.js'
import type { ExtraView, Item, Past } from './extra.js'
import type { Ledger } from './ledger.js'

/** Jobs or a receipt, as found by id; null when there is neither. */
export function find(ledger: Ledger, slot: number): Found | null {
  if (slot < 0) return null
  if (ledger.columns.state.get(slot) === RECEIPT) {
    return { kind: 'receipt', receipt: receipt(ledger, slot) }
  }
  return { kind: 'job', job: records(ledger, [slot])[0] }
}

/** What the job in this slot comes after, in the order in which it was said. */
export function parents(ledger: Ledger, slot: number): ParentRow[] {
  const rows = ledger.findExtra(slot)?.kin?.parents ?? []
  return rows.map(({ queue, id, end, result, slot: at }) => {
    // One that has not ended has a slot.
    const state = end ?? ledger.state(at)
    return { queue, id, state, result: result && resultIn(ledger.shelf.read(result)) }
  })
}

function receipt(ledger: Ledger, slot: number): Receipt {
  const extra = ledger.findExtra(slot) ?? emptyExtra()
  return {
    queue: ledger.queueOf(slot).name,
    id: ledger.ids.text(slot),
    state: extra.final ?? 'completed',
    result: resultOf(ledger, extra),
    reason: extra.reason,
    movedTo: extra.movedTo,
  }
}

export function records(ledger: Ledger, slots: readonly number[]): JobRecord[] {
  const papers = ledger.shelf.jobs(slots)
  return slots.map((slot, at) => record(ledger, slot, papers[at]))
}

function record(ledger: Ledger, slot: number, paper: NewJob): JobRecord {
  const columns = ledger.columns
  const extra = ledger.findExtra(slot)
  const state = ledger.state(slot)
  return {
    queue: ledger.queueOf(slot).name,
    id: ledger.ids.text(slot),
    task: ledger.taskNames.text(columns.task.get(slot)),
    state,
    payload: payloadOf(ledger, paper, extra),
    attempt: columns.attempt.get(slot),
    maxAttempts: ledger.maxAttempts(slot),
    priority: columns.priority.get(slot) - 100,
    group: ledger.groupNames.text(columns.group.get(slot)),
    tags: paper.tags,
    meta: paper.meta,
    history: historyOf(ledger, extra),
    origin: originOf(ledger, extra),
    worker: ledger.holds.get(slot)?.worker ?? null,
    enqueuedAt: wallTime(ledger, columns.insertedAt.get(slot)),
    dueAt: wallTime(ledger, ledger.dueOf(slot)),
    finishedAt: isFinal(state) ? wallTime(ledger, columns.since.get(slot)) : null,
    progress: extra?.progress ?? null,
    log: logOf(ledger, extra),
    result: extra === undefined ? null : resultOf(ledger, extra),
    reason: extra?.reason ?? null,
  }
}

/** An instant of store time as one of the wall's; what lies beyond every `Date` is shown as the last. */
export function wallTime(ledger: Ledger, time: Instant): Instant {
  return Math.max(-LAST_INSTANT, Math.min(time + ledger.wallOffset, LAST_INSTANT))
}

function isFinal(state: JobRecord['state']): boolean {
  return state === 'completed' || state === 'cancelled' || state === 'discarded'
}

/** What the claimer is given of these jobs, which now run. */
export function claimed(
  ledger: Ledger,
  slots: readonly number[],
  tokens: readonly number[],
  now: Millis,
): Claimed[] {
  const papers = ledger.shelf.jobs(slots)
  return slots.map((slot, at) => claimedOne(ledger, slot, papers[at], tokens[at], now))
}

function claimedOne(
  ledger: Ledger,
  slot: number,
  paper: NewJob,
  token: number,
  now: Millis,
): Claimed {
  const columns = ledger.columns
  const extra = ledger.findExtra(slot)
  const queue = ledger.queueOf(slot)
  const own = columns.has(slot, FRESH) ? null : paper.timeout
  return {
    queue: queue.name,
    id: ledger.ids.text(slot),
    token: String(token),
    task: ledger.taskNames.text(columns.task.get(slot)),
    payload: payloadOf(ledger, paper, extra),
    attempt: columns.attempt.get(slot),
    round: ledger.roundOf(slot),
    maxAttempts: ledger.maxAttempts(slot),
    priority: columns.priority.get(slot) - 100,
    group: ledger.groupNames.text(columns.group.get(slot)),
    tags: paper.tags,
    meta: paper.meta,
    history: historyOf(ledger, extra),
    origin: originOf(ledger, extra),
    timeout: own ?? queue.settings.timeout,
    waited: Math.max(0, now - ledger.dueOf(slot)),
    crashes: columns.crashes.get(slot),
    ...(extra === undefined || extra.steps === null ? {} : { steps: stepsOf(ledger, extra.steps) }),
  }
}

/** A value that rotted is not left out: whoever did the step must not do it again. */
export function stepsOf(
  ledger: Ledger,
  { kept }: NonNullable<ExtraView['steps']>,
): readonly Step[] {
  return kept.map(({ name, paper }) => {
    const item = ledger.shelf.read(paper)
    const value = 'log' in item ? item.step?.value : undefined
    return { name, value: value ?? UNREADABLE }
  })
}

/** Text that no codec reads. */
const UNREADABLE: Encoded = { text: '', codec: 'json' }

/** Nothing may be fetched beyond the free slots. */
export function isFrugal(settings: Settings): boolean {
  return (
    settings.delivery === 'at-most-once' ||
    settings.order === 'blocking' ||
    settings.concurrency !== Infinity ||
    settings.rate !== null ||
    settings.groups.concurrency !== Infinity ||
    settings.groups.rate !== null
  )
}

/** The settings that a claim is answered with, also for a queue that does not exist yet. */
export function settingsFor(ledger: Ledger, ask: ClaimAsk, unsaid: Settings): Settings {
  return ledger.findQueue(ask.queue)?.settings ?? unsaid
}

const NO_HISTORY: readonly Attempt[] = []

function historyOf(ledger: Ledger, extra: ExtraView | undefined): readonly Attempt[] {
  if (extra === undefined || extra.history.length === 0) return NO_HISTORY
  return extra.history.map((past) => attemptOf(ledger, past))
}

export function attemptOf(ledger: Ledger, past: Past): Attempt {
  const { attempt, round, outcome, worker, duration } = past
  const startedAt = wallTime(ledger, past.startedAt)
  const error = past.paper === null ? past.error : errorOf(ledger.shelf.read(past.paper))
  const told = { attempt, round, outcome, worker, startedAt, duration, error }
  return past.steps === undefined ? told : { ...told, steps: past.steps }
}

function errorOf(item: Item): Attempt['error'] {
  return 'ran' in item ? (item.ran?.error ?? null) : null
}

function originOf(ledger: Ledger, extra: ExtraView | undefined): Origin | null {
  if (extra?.origin == null) return null
  const { queue, id, reason, history } = extra.origin
  return { queue, id, reason, history: history.map((past) => attemptOf(ledger, past)) }
}

export function payloadOf(
  ledger: Ledger,
  paper: NewJob,
  extra: ExtraView | undefined,
): NewJob['payload'] {
  if (extra?.payload == null) return paper.payload
  const item = ledger.shelf.read(extra.payload)
  return 'action' in item && item.action === 'update'
    ? (item.payload ?? paper.payload)
    : paper.payload
}

function resultOf(ledger: Ledger, extra: ExtraView): JobRecord['result'] {
  if (extra.result === null) return null
  return resultIn(ledger.shelf.read(extra.result))
}

export function resultIn(item: Item): JobRecord['result'] {
  return 'verdict' in item && item.verdict.kind === 'complete' ? item.verdict.result : null
}

export function logOf(ledger: Ledger, extra: ExtraView | undefined): readonly string[] {
  if (extra === undefined || extra.log.length === 0) return []
  const lines = extra.log.flatMap(({ paper }) => {
    const item = ledger.shelf.read(paper)
    return 'log' in item ? item.log : []
  })
  return lines.slice(-LOG_LINES)
}
