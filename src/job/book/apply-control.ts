/**
 * Applying what an operator does, job by job. What runs is only ever asked: its holder's verdict
 * or a sweep ends it.
 */
import type { FinalState, Happening, JobRef } from '../job.js'
import type { ControlFrame, ControlItem } from './frame.js'
import type { Filing, OwnKey, PastOrigin } from './extra.js'
import { bringDown } from './cascade.js'
import {
  AT_WALL,
  CANCELLED,
  CANCEL_ASKED,
  COMPLETED,
  DISCARDED,
  RECEIPT,
  RUNNING,
  SCHEDULED,
  WAITING,
} from './columns.js'
import { findHold } from './apply-insert.js'
import { HISTORY_KEPT } from '../defaults.js'
import { goOnWithout, parentBack, parentEnded, waitsAgain } from './kin.js'
import type { Ledger } from './ledger.js'
import { cancel, deadIdOf, leaveReceipt, transplant } from './outcome.js'
import { NEWS_CONTROL } from './register.js'

export interface ControlledJobs {
  readonly changed: number
  readonly happened: readonly Happening[]
}

export function applyControl(ledger: Ledger, frame: ControlFrame, filing: Filing): ControlledJobs {
  let changed = 0
  const happened: Happening[] = []
  frame.items.forEach((item, at) => {
    const slot = ledger.find(item)
    if (slot < 0 || ledger.columns.state.get(slot) >= RECEIPT) return
    if (!controlOne(ledger, slot, item, filing, at, happened)) return
    changed++
  })
  happened.push(...bringDown(ledger))
  return { changed, happened }
}

function controlOne(
  ledger: Ledger,
  slot: number,
  item: ControlItem,
  filing: Filing,
  at: number,
  happened: Happening[],
): boolean {
  const isMoving = ledger.queueOf(slot).transit?.side === 'moving'
  // It may stand in the other store already, and is heard there.
  if (isMoving && item.action !== 'depart' && !isRunning(ledger, slot)) return false
  switch (item.action) {
    case 'cancel':
      return cancelOne(ledger, slot, item.reason, happened)
    case 'retry':
      return retryOne(ledger, slot)
    case 'delete':
      return deleteOne(ledger, slot)
    case 'depart':
      return departOne(ledger, slot, item.to)
    case 'update':
      return updateOne(ledger, slot, item, filing, at)
  }
}

function isRunning(ledger: Ledger, slot: number): boolean {
  return ledger.columns.state.get(slot) === RUNNING
}

function cancelOne(
  ledger: Ledger,
  slot: number,
  reason: string | null,
  happened: Happening[],
): boolean {
  const columns = ledger.columns
  const state = columns.state.get(slot)
  if (state >= COMPLETED) return false
  if (state === RUNNING) {
    if (columns.has(slot, CANCEL_ASKED)) return false
    columns.raise(slot, CANCEL_ASKED)
    if (reason !== null) ledger.extra(slot).reason = reason
    ledger.tell(ledger.queueOf(slot), NEWS_CONTROL)
    return true
  }
  happened.push({
    kind: 'cancelled',
    queue: ledger.queueOf(slot).name,
    id: ledger.ids.text(slot),
    task: ledger.taskNames.text(columns.task.get(slot)),
    group: ledger.groupNames.text(columns.group.get(slot)),
    attempt: columns.attempt.get(slot),
    worker: '',
    state: 'cancelled',
    late: 0,
    deadLetter: null,
  })
  cancel(ledger, slot, reason)
  return true
}

/** It failed before and its time has not come. Asked of the time, not of what a timer has moved. */
function isBackingOff(ledger: Ledger, slot: number): boolean {
  const { state, attempt } = ledger.columns
  const waits = state.get(slot) !== RUNNING && state.get(slot) < COMPLETED
  return waits && attempt.get(slot) > 0 && ledger.dueOf(slot) > ledger.now
}

/**
 * Attempts from 0 in a new round, at a place of its own; a dead letter goes back where it came from.
 * What had ended takes its unique key back; while somebody else has it, it stays as it is.
 */
function retryOne(ledger: Ledger, slot: number): boolean {
  const columns = ledger.columns
  const state = columns.state.get(slot)
  const extra = ledger.findExtra(slot)
  if (state === RUNNING) return false
  if (extra?.origin != null) return sendBack(ledger, slot, extra.origin)
  if (state === WAITING) return goOnWithout(ledger, slot)
  if (state === DISCARDED || state === CANCELLED) {
    const key = extra?.key ?? null
    const ref = { queue: ledger.queueOf(slot).name, id: ledger.ids.text(slot) }
    if (!isFreeFor(ledger, key, ref)) return false
    takeKey(ledger, slot, key)
  } else if (!isBackingOff(ledger, slot)) {
    return false
  }
  columns.attempt.set(slot, 0)
  columns.crashes.set(slot, 0)
  const anew = ledger.extra(slot)
  anew.round++
  anew.reason = null
  anew.discarded = null
  anew.expiresIn = null
  columns.lower(slot, CANCEL_ASKED)
  columns.lower(slot, AT_WALL)
  // What holds its group goes on holding it: whoever retries it wants it next, not last.
  columns.place.set(slot, ledger.now)
  parentBack(ledger, slot)
  const isFinal = state >= COMPLETED
  if (!isFinal || !waitsAgain(ledger, slot)) ledger.wait(slot, ledger.now, SCHEDULED)
  return true
}

/** A dead letter, to the queue that it came from. */
function sendBack(ledger: Ledger, slot: number, origin: PastOrigin): boolean {
  if (!isFreeFor(ledger, origin.key, origin)) return false
  const letter = ledger.extra(slot)
  const copy = transplant(ledger, slot, origin.queue, deadIdOf(ledger, slot), null)
  ledger.extra(copy).history = [...origin.history, ...letter.history].slice(-HISTORY_KEPT)
  takeKey(ledger, copy, origin.key)
  letter.movedTo = { queue: origin.queue, id: ledger.ids.text(copy) }
  parentBack(ledger, slot, copy)
  letter.reason = 'retried'
  leaveReceipt(ledger, ledger.queueOf(slot), slot, 'cancelled')
  return true
}

/** Nobody has the key, or only the period that this job itself began. */
function isFreeFor(ledger: Ledger, key: OwnKey | null, job: JobRef): boolean {
  const queue = ledger.findQueue(job.queue)
  const hold = key === null || queue === undefined ? null : findHold(ledger, queue, key.name)
  return hold === null || (hold.slot < 0 && hold.id === job.id)
}

function takeKey(ledger: Ledger, slot: number, key: OwnKey | null): void {
  if (key === null) return
  const queue = ledger.queueOf(slot)
  const until = findHold(ledger, queue, key.name)?.until ?? 0
  ledger.extra(slot).key = key
  ledger.changes?.key(queue.name, key.name)
  queue.keys.set(key.name, { slot, id: ledger.ids.text(slot), while: key.while, until })
}

/** Gone, but for a receipt: whoever waits for its result hears that it will not come. */
function deleteOne(ledger: Ledger, slot: number): boolean {
  const columns = ledger.columns
  const state = columns.state.get(slot)
  if (state === RUNNING) return false
  const queue = ledger.queueOf(slot)
  ledger.freeKey(queue, slot)
  const extra = ledger.extra(slot)
  extra.isDeleted = true
  extra.reason = 'deleted'
  const final = state === COMPLETED ? 'completed' : state === DISCARDED ? 'discarded' : 'cancelled'
  if (state < COMPLETED) parentEnded(ledger, slot, 'cancelled', null)
  leaveReceipt(ledger, queue, slot, final)
  return true
}

/** It stands in another store now, and nothing of it may start here any more. */
function departOne(ledger: Ledger, slot: number, to: string): boolean {
  const state = ledger.columns.state.get(slot)
  const queue = ledger.queueOf(slot)
  if (state === RUNNING || queue.transit?.side !== 'moving') return false
  ledger.freeKey(queue, slot)
  const extra = ledger.extra(slot)
  extra.isAway = true
  if (state < COMPLETED) extra.reason = `moved to ${to}`
  const final = FINALS[state] ?? 'cancelled'
  leaveReceipt(ledger, queue, slot, final)
  return true
}

const FINALS: Readonly<Record<number, FinalState>> = {
  [COMPLETED]: 'completed',
  [DISCARDED]: 'discarded',
}

function updateOne(
  ledger: Ledger,
  slot: number,
  item: ControlItem & { readonly action: 'update' },
  filing: Filing,
  at: number,
): boolean {
  const columns = ledger.columns
  const state = columns.state.get(slot)
  if (state === RUNNING || state >= COMPLETED) return false
  if (item.payload !== null) ledger.extra(slot).payload = ledger.shelf.paper(filing, at)
  if (item.priority !== null) columns.priority.set(slot, item.priority + 100)
  columns.mark(slot)
  if (item.at !== null || item.delay !== null) {
    const due = item.at === null ? ledger.now + (item.delay ?? 0) : item.at - ledger.wallOffset
    if (item.at === null) columns.lower(slot, AT_WALL)
    else columns.raise(slot, AT_WALL)
    ledger.place(slot, due)
    if (state !== WAITING) ledger.wait(slot, due, SCHEDULED)
  } else if (state !== WAITING) {
    ledger.waitOn(slot)
  }
  return true
}
