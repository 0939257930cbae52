/**
 * The gates of a queue, of a group and of blocking order as `explain` tells them: each that is
 * closed, with its numbers. Whether it is closed is asked in `gates.ts`, as a claim asks it.
 */
import type { Gate } from '../gate.js'
import type { JobRef, Millis } from '../job.js'
import { HOLDS, RUNNING } from './columns.js'
import { passLate } from './decide-claim.js'
import {
  capRoom,
  grantsOf,
  groupPause,
  groupRateOpens,
  groupRoom,
  groupThrottledUntil,
  groupTransit,
  keyThrottledUntil,
  queueThrottledUntil,
  queueTransit,
  rateOpens,
} from './gates.js'
import type { Tally } from './gates.js'
import type { Ledger } from './ledger.js'
import type { BookTransit, Pause, QueueBook } from './queue.js'
import type { RateLimit } from './rates.js'
import { OPEN } from './window.js'
import type { GrantWindow } from './window.js'

export interface GateLook {
  readonly ledger: Ledger
  readonly queue: QueueBook
  readonly now: Millis
  readonly tally: Tally | null
}

/** How many of those that run are named. */
const NAMED = 10

export function queueGates(look: GateLook): Gate[] {
  const { ledger, queue, now, tally } = look
  const gates: Gate[] = []
  if (ledger.paused !== null) gates.push(pausedGate(ledger, 'all', ledger.paused))
  if (queue.paused !== null) gates.push(pausedGate(ledger, 'queue', queue.paused))
  const transit = queueTransit(queue)
  if (transit !== null) gates.push(transitGate(ledger, 'queue', transit))
  const ownRest = queueThrottledUntil(ledger, queue, now)
  if (ownRest !== OPEN) gates.push({ kind: 'throttled', what: 'queue', opensIn: ownRest - now })
  const keyRest = keyThrottledUntil(ledger, queue, now)
  if (keyRest !== OPEN) gates.push({ kind: 'throttled', what: 'key', opensIn: keyRest - now })
  if (capRoom(queue, tally) <= 0) {
    const { running } = queue
    const limit = queue.settings.concurrency
    gates.push({ kind: 'cap', what: 'queue', limit, running, first: runningOf(look, null) })
  }
  const opens = rateOpens(ledger, queue, now, tally)
  if (opens !== OPEN && queue.rate !== null) {
    const key = queue.settings.rate?.key ?? null
    const what = key === null ? 'queue' : 'key'
    const grants = ledger.rates.windows.get(queue.rate.name)
    gates.push(rateGate(look, { what, key: key ?? queue.name }, queue.rate, grants, opens))
  }
  return gates
}

export function groupGates(look: GateLook, group: number): Gate[] {
  const { ledger, queue, now, tally } = look
  const gates: Gate[] = []
  const pause = groupPause(ledger, queue, group)
  if (pause !== null) gates.push(pausedGate(ledger, 'group', pause))
  const transit = groupTransit(ledger, queue, group)
  if (transit !== null) gates.push(transitGate(ledger, 'group', transit))
  const rest = groupThrottledUntil(ledger, queue, group, now)
  if (rest !== OPEN) gates.push({ kind: 'throttled', what: 'group', opensIn: rest - now })
  // In blocking order its cap is that order, and told as such.
  if (!queue.groups.isBlocking && groupRoom(queue, group, tally) <= 0) {
    const running = queue.groups.get(group)?.running ?? 0
    const limit = queue.settings.groups.concurrency
    gates.push({ kind: 'cap', what: 'group', limit, running, first: runningOf(look, group) })
  }
  const opens = groupRateOpens(ledger, queue, group, now, tally)
  const { groupRate } = queue
  if (opens !== OPEN && groupRate !== null) {
    const of = { what: 'group', key: ledger.groupNames.text(group) } as const
    gates.push(rateGate(look, of, groupRate, grantsOf(ledger, queue, group), opens))
  }
  return gates
}

/** Who of its group runs, holds it, or stands before it; none when nobody does. */
export function blockingGate({ ledger, queue, now }: GateLook, slot: number): Gate[] {
  if (!queue.groups.isBlocking) return []
  const { columns } = ledger
  const group = columns.group.get(slot)
  passLate(ledger, queue, group, now)
  const by = leaderOf(ledger, queue, slot)
  if (by < 0 || by === slot) return []
  const state = ledger.state(by)
  const due = ledger.dueOf(by) - now
  return [
    {
      kind: 'group-blocked',
      group: ledger.groupNames.text(group),
      by: refOf(ledger, by),
      state,
      attempt: columns.attempt.get(by),
      maxAttempts: ledger.maxAttempts(by),
      opensIn: state === 'retryable' ? Math.max(0, due) : null,
    },
  ]
}

/** -1: nobody of the group stands before this job. */
function leaderOf(ledger: Ledger, queue: QueueBook, slot: number): number {
  const { columns } = ledger
  const known = queue.groups.get(columns.group.get(slot))
  if (known === undefined) return -1
  if (known.running > 0 || (known.held > 0 && !columns.has(slot, HOLDS))) {
    return holderOf(ledger, queue, columns.group.get(slot))
  }
  return known.head < 0 ? -1 : columns.slotOf(known.head)
}

/** The job that runs, else one that holds the group. */
export function holderOf(ledger: Ledger, queue: QueueBook, group: number): number {
  const { columns } = ledger
  const known = queue.groups.get(group)
  if (known === undefined || known.held === 0) return -1
  const holds = (slot: number): boolean => {
    if (columns.queue.get(slot) !== queue.number || columns.group.get(slot) !== group) return false
    if (!columns.has(slot, HOLDS)) return false
    return known.running === 0 || columns.state.get(slot) === RUNNING
  }
  if (holds(known.holder)) return known.holder
  // More than one held it, as in another order before.
  for (let slot = 0; slot < columns.used; slot++) if (holds(slot)) return slot
  return -1
}

function pausedGate(ledger: Ledger, what: 'all' | 'queue' | 'group', { since, by }: Pause): Gate {
  return { kind: 'paused', what, where: 'everywhere', since: since + ledger.wallOffset, by }
}

function transitGate(
  { wallOffset }: Ledger,
  what: 'queue' | 'group',
  { side, with: other, since }: BookTransit,
): Gate {
  const way = side === 'moving' ? 'moving' : 'arriving'
  return { kind: 'moving', what, side: way, with: other, since: since + wallOffset }
}

function rateGate(
  { now }: GateLook,
  of: { readonly what: 'queue' | 'key' | 'group'; readonly key: string },
  { count, per, span }: RateLimit,
  grants: GrantWindow | undefined,
  opens: Millis,
): Gate {
  const spent = grants?.used(now, span) ?? 0
  return { kind: 'rate', ...of, count, per, spent, opensIn: opens - now }
}

/** Some of those that run, of one group or of all. */
function runningOf({ ledger, queue }: GateLook, group: number | null): JobRef[] {
  const { columns } = ledger
  const first: JobRef[] = []
  for (const slot of ledger.holds.keys()) {
    if (first.length === NAMED) break
    if (columns.queue.get(slot) !== queue.number) continue
    if (group === null || columns.group.get(slot) === group) first.push(refOf(ledger, slot))
  }
  return first
}

function refOf(ledger: Ledger, slot: number): JobRef {
  return { queue: ledger.queueOf(slot).name, id: ledger.ids.text(slot) }
}
