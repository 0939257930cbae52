/**
 * Applying schedules: what is declared, changed and removed, and slots that fire. Promises that a
 * slot fires at most once, for ever and whoever tries: the next slot of a schedule only moves
 * forward, over changes of its plan, over removal and a new declaration, and when the wall's clock
 * is set back; that none fires in the store's own future; and that a slot and its job are one.
 *
 * Of a removed schedule it is remembered for a while which slot was its last. The limits here belong
 * to the rules of applying: a store that keeps frames freezes them.
 */
import { RETIRED, RETIRED_FOR, SCHEDULES } from '../defaults.js'
import type { Instant, JobRef, Millis } from '../job.js'
import type { Inserted } from '../lot.js'
import type { Planned, Schedule, ScheduleChange, Tick, Ticked } from '../schedule.js'
import { insertLot } from './apply-insert.js'
import { COMPLETED } from './columns.js'
import type { Filing } from './extra.js'
import type { ScheduleFrame, TickFrame } from './frame.js'
import type { Ledger } from './ledger.js'
import { NEWS_SCHEDULES } from './register.js'

export function applySchedule(ledger: Ledger, frame: ScheduleFrame): Planned[] {
  return frame.items.map((change) => {
    const planned = weighChange(ledger, change)
    if (planned.status === 'done' && planned.changed) makeChange(ledger, change, planned.revision)
    return planned
  })
}

/** What a change would be answered; it changes nothing. */
export function weighChange(ledger: Ledger, change: ScheduleChange): Planned {
  const queue = ledger.findQueue(change.queue)
  const known = queue?.schedules.get(change.name)
  const before = known ?? ledger.retired.get(keyOf(change))
  const revision = before?.revision ?? 0
  switch (change.kind) {
    case 'put':
      if (known === undefined && queue !== undefined && queue.schedules.size >= SCHEDULES) {
        return { status: 'full', limit: SCHEDULES }
      }
      return moves(change, revision, before?.passed ?? null)
    case 'resume':
      if (known?.paused !== true) return unchanged(revision)
      return moves(change, revision, known.passed)
    case 'pause':
      if (known === undefined || known.paused) return unchanged(revision)
      return { status: 'done', changed: true, revision: revision + 1 }
    case 'remove':
    case 'depart':
      return { status: 'done', changed: known !== undefined, revision }
  }
}

/** The revision is the one that was seen, and the next slot is later than all that are over. */
function moves(
  change: Extract<ScheduleChange, { kind: 'put' | 'resume' }>,
  revision: number,
  passed: Instant | null,
): Planned {
  const isLater = change.next === null || passed === null || change.next.at > passed
  if (change.revision !== revision || !isLater) return { status: 'stale', revision, after: passed }
  return { status: 'done', changed: true, revision: revision + 1 }
}

function unchanged(revision: number): Planned {
  return { status: 'done', changed: false, revision }
}

function makeChange(ledger: Ledger, change: ScheduleChange, revision: number): void {
  const queue = ledger.queue(change.queue)
  const { name } = change
  const known = queue.schedules.get(name)
  ledger.tell(queue, NEWS_SCHEDULES)
  if (change.kind === 'remove' || change.kind === 'depart') {
    queue.schedules.delete(name)
    if (known !== undefined) retire(ledger, change, known)
    ledger.forget(queue)
    return
  }
  if (change.kind === 'put') {
    const { spec, next } = change
    const passed = (known ?? ledger.retired.get(keyOf(change)))?.passed ?? null
    const { paused, last } = known ?? { paused: false, last: null }
    queue.schedules.set(name, { name, revision, spec, paused, next, passed, last })
    ledger.retired.delete(keyOf(change))
    return
  }
  if (known === undefined) return
  const paused = change.kind === 'pause'
  const next = change.kind === 'pause' ? known.next : change.next
  queue.schedules.set(name, { ...known, revision, paused, next })
}

function retire(ledger: Ledger, { kind, queue, name }: ScheduleChange, was: Schedule): void {
  const { retired, now } = ledger
  const { revision, passed } = was
  const ahead = passed === null ? 0 : Math.max(0, passed - wallOf(ledger))
  const said = { revision, passed, until: now + ahead + RETIRED_FOR }
  retired.set(keyOf({ queue, name }), kind === 'depart' ? { ...said, isAway: true } : said)
  for (const [key, { until }] of retired) {
    if (until > now && retired.size <= RETIRED) break
    retired.delete(key)
  }
}

export function keyOf({ queue, name }: { readonly queue: string; readonly name: string }): string {
  return `${queue}\0${name}`
}

/** By the store's clock, as all replicas know it. */
function wallOf(ledger: Ledger): Instant {
  return ledger.now + ledger.wallOffset
}

/** Rounding must make no slot early: instants since 1970 are sums that are good to a tenth of this. */
export const ROUNDING: Millis = 0.001

// ── Slots ──────────────────────────────────────────────────────────────────────────────────────

export function applyTick(ledger: Ledger, frame: TickFrame, filing: Filing): Ticked[] {
  return frame.items.map((tick, at) => {
    const schedule = firingHere(ledger, tick)
    const weighed = weighTick(schedule, tick, wallOf(ledger))
    if (weighed !== null || schedule === undefined) return weighed ?? STALE
    return tickOne(ledger, schedule, tick, filing, at)
  })
}

const STALE: Ticked = { status: 'stale' }

/** The schedule; of a queue that moves to another store nothing fires here any more. */
export function firingHere(
  ledger: Ledger,
  { queue, name }: Pick<Tick, 'queue' | 'name'>,
): Schedule | undefined {
  const known = ledger.findQueue(queue)
  return known?.transit?.side === 'moving' ? undefined : known?.schedules.get(name)
}

/** Why it cannot take effect at that moment of wall time; null: it can. */
export function weighTick(
  schedule: Schedule | undefined,
  tick: Tick,
  wall: Instant,
): Ticked | null {
  if (schedule === undefined || schedule.paused || schedule.next === null) return STALE
  if (schedule.revision !== tick.revision || schedule.next.at !== tick.slot) return STALE
  const until = tick.run?.slot ?? schedule.next
  if (until.at < tick.slot || (tick.next !== null && tick.next.at <= until.at)) return STALE
  return Math.max(schedule.next.due, until.due) > wall + ROUNDING ? { status: 'early' } : null
}

function tickOne(
  ledger: Ledger,
  schedule: Schedule,
  tick: Tick,
  filing: Filing,
  at: number,
): Ticked {
  const queue = ledger.queue(tick.queue)
  const { name, run, next } = tick
  const { spec, last } = schedule
  const passed = run?.slot.at ?? tick.slot
  const waits = spec.overlap === 'skip' && last !== null && isUnfinished(ledger, last.job)
  if (run === null || waits) {
    queue.schedules.set(name, { ...schedule, next, passed })
    return { status: 'passed' }
  }
  const answers: Inserted[] = []
  insertLot(ledger, [run.job], { from: 0, to: 1, filed: at }, filing, answers)
  const [answer] = answers
  if (answer.status === 'refused') return { status: 'refused', answer }
  const job = { queue: tick.queue, id: run.job.id }
  queue.schedules.set(name, { ...schedule, next, passed, last: { at: run.slot.due, job } })
  return { status: 'fired', id: run.job.id }
}

function isUnfinished(ledger: Ledger, job: JobRef): boolean {
  const slot = ledger.find(job)
  return slot >= 0 && ledger.columns.state.get(slot) < COMPLETED
}
