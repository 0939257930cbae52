/**
 * Applying what nodes say of themselves and what is done when they fall silent: hello, leave, beat,
 * sweep, drop. A node lives by its beats; a sweep names the last beat that it saw, so that a
 * sweeper which was stopped cannot free what the living hold.
 */
import type { Happening } from '../job.js'
import type {
  BeatFrame,
  Card,
  DropFrame,
  HelloFrame,
  LeaveFrame,
  SweepFrame,
  SweepItem,
} from './frame.js'
import { bringDown } from './cascade.js'
import { COMPLETED, OWN_ID, RECEIPT, RUNNING, WAITING } from './columns.js'
import type { Ledger } from './ledger.js'
import type { Hold } from './register.js'
import { deadIdOf, discard, giveBack, leaveReceipt, lose } from './outcome.js'
import type { Done } from './outcome.js'

/** False: the node was swept, and its name is not used again. */
export function applyHello(ledger: Ledger, frame: HelloFrame): boolean {
  const known = ledger.nodes.get(frame.card.node)
  if (known?.gone === true) return false
  if (known !== undefined) {
    known.card = frame.card
    known.beats++
    known.lastBeat = ledger.now
    return true
  }
  ledger.nodes.set(frame.card.node, {
    card: frame.card,
    startedAt: ledger.now,
    beats: 0,
    lastBeat: ledger.now,
    overdue: new Set(),
    gone: false,
    holds: 0,
  })
  return true
}

/** What it still holds goes back, the attempts with it. */
export function applyLeave(ledger: Ledger, frame: LeaveFrame): void {
  const node = ledger.nodes.get(frame.node)
  if (node === undefined || node.gone) return
  for (const [slot] of holdsOf(ledger, frame.node)) giveBack(ledger, slot)
  ledger.nodes.delete(frame.node)
}

/** False: the node is not known any more. A claim that was lost on its way goes back at once. */
export function applyBeat(ledger: Ledger, frame: BeatFrame): boolean {
  const node = ledger.nodes.get(frame.node)
  if (node === undefined || node.gone) return false
  node.beats++
  node.lastBeat = ledger.now
  node.overdue = new Set(frame.overdue)
  const open = new Set(frame.open)
  for (const [slot, hold] of holdsOf(ledger, frame.node)) {
    if (hold.claim <= frame.upTo && !open.has(hold.claim)) giveBack(ledger, slot)
  }
  return true
}

export function holdsOf(ledger: Ledger, node: string): [number, Hold][] {
  return [...ledger.holds].filter(([, hold]) => hold.node === node)
}

export interface SweptJobs {
  readonly happened: readonly Happening[]
  /** The node that this very frame declared gone: of sweepers side by side only one is told. */
  readonly lost: Card | null
}

export function applySweep(ledger: Ledger, frame: SweepFrame): SweptJobs {
  const gone = frame.gone === null ? null : ledger.nodes.get(frame.gone.node)
  let lost: Card | null = null
  if (frame.gone !== null) {
    if (gone == null || gone.beats !== frame.gone.beats) return { happened: [], lost }
    if (!gone.gone) lost = gone.card
    gone.gone = true
  }
  const happened: Happening[] = []
  for (const item of frame.items) {
    const slot = ledger.find(item)
    if (slot < 0 || !isStill(ledger, slot, item, frame.gone?.node ?? null)) continue
    happened.push(sweepOne(ledger, slot, item))
  }
  if (frame.gone !== null && gone?.holds === 0) ledger.nodes.delete(frame.gone.node)
  return { happened: [...happened, ...bringDown(ledger)], lost }
}

function isStill(ledger: Ledger, slot: number, item: SweepItem, gone: string | null): boolean {
  const hold = ledger.holds.get(slot)
  switch (item.why) {
    case 'lost':
      return hold?.token === item.token && hold.node === gone
    case 'timeout':
      return (
        hold?.token === item.token && ledger.nodes.get(hold.node)?.overdue.has(item.token) === true
      )
    case 'spent':
      return isWaiting(ledger, slot) && ledger.columns.attempt.get(slot) >= ledger.maxAttempts(slot)
    case 'expired':
      return (
        isWaiting(ledger, slot) &&
        ledger.columns.attempt.get(slot) === 0 &&
        lateBy(ledger, slot) > 0
      )
  }
}

/** For its time or its turn, not for other jobs or another store: those neither expire nor run. */
function isWaiting(ledger: Ledger, slot: number): boolean {
  if (ledger.queueOf(slot).transit?.side === 'moving') return false
  const state = ledger.columns.state.get(slot)
  return state !== RUNNING && state !== WAITING && state < COMPLETED
}

/** By how much it is past its last moment to start. */
export function lateBy(ledger: Ledger, slot: number): number {
  return ledger.now - ledger.columns.place.get(slot) - ledger.lifespan(ledger.queueOf(slot), slot)
}

function sweepOne(ledger: Ledger, slot: number, item: SweepItem): Happening {
  const columns = ledger.columns
  const before = {
    queue: item.queue,
    id: item.id,
    task: ledger.taskNames.text(columns.task.get(slot)),
    group: ledger.groupNames.text(columns.group.get(slot)),
    attempt: columns.attempt.get(slot),
    worker: ledger.holds.get(slot)?.worker ?? '',
    kind: item.why,
    late: item.why === 'expired' ? lateBy(ledger, slot) : 0,
  }
  const isOnce = ledger.queueOf(slot).settings.delivery === 'at-most-once'
  const done = sweepEnd(ledger, slot, item)
  const { state, deadLetter } = done
  const isTold = state !== 'discarded' || item.why === 'expired' || item.why === 'spent'
  if (isTold) return { ...before, state, deadLetter }
  return { ...before, state, deadLetter, reason: isOnce ? 'unknown' : 'attempts-spent' }
}

function sweepEnd(ledger: Ledger, slot: number, item: SweepItem): Done {
  switch (item.why) {
    case 'lost':
    case 'timeout':
      return lose(ledger, slot, item.why)
    case 'spent':
      return discard(ledger, slot, 'attempts-spent', null, deadIdOf(ledger, slot))
    case 'expired':
      return discard(ledger, slot, 'expired', null, deadIdOf(ledger, slot))
  }
}

/** How many went. A final that someone may still ask for leaves its receipt. */
export function applyDrop(ledger: Ledger, frame: DropFrame): number {
  let dropped = 0
  for (const item of frame.items) {
    const slot = ledger.find(item)
    if (slot < 0) continue
    const state = ledger.columns.state.get(slot)
    if (state < COMPLETED || ledger.columns.since.get(slot) !== item.ended) continue
    dropped++
    if (state === RECEIPT || !owesReceipt(ledger, slot)) ledger.remove(slot)
    else leaveReceipt(ledger, ledger.queueOf(slot), slot, finalOf(state))
  }
  return dropped
}

function owesReceipt(ledger: Ledger, slot: number): boolean {
  const receipts = ledger.queueOf(slot).settings.receipts
  if (ledger.columns.since.get(slot) + receipts <= ledger.now) return false
  if (ledger.columns.state.get(slot) !== COMPLETED || ledger.columns.has(slot, OWN_ID)) return true
  const extra = ledger.findExtra(slot)
  return extra?.result != null || extra?.key != null
}

function finalOf(state: number): 'completed' | 'cancelled' | 'discarded' {
  return (['completed', 'cancelled', 'discarded'] as const)[state - COMPLETED]
}
