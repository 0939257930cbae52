/**
 * Parents and children: who waits for whom, and what an end means for those that wait. A child's
 * row of each parent holds how it ended and the paper of its result, so a child knows them however
 * long it waits. A parent that failed may come back, by an operator's retry: its children then count
 * it as unfinished again. What is to be discarded because a parent failed is only named here, in
 * `ledger.doomed`; `cascade.ts` does it.
 *
 *     complete, cancel, discard, delete ──▶ parentEnded ──▶ the child is released, or doomed, or waits
 *     retry ──▶ parentBack ──▶ unfinished again
 */
import { madeAt } from '../id.js'
import { effective, NEVER_SAID } from '../effective.js'
import { FINAL_STATES } from '../job.js'
import type { FinalState, JobRef } from '../job.js'
import type { NewJob, ParentPolicy } from '../lot.js'
import {
  AT_WALL,
  CANCELLED,
  COMPLETED,
  DISCARDED,
  FREE,
  RECEIPT,
  SCHEDULED,
  WAITING,
} from './columns.js'
import type { Kin, KinView, Paper, Parent } from './extra.js'
import type { Ledger } from './ledger.js'

// ── Insertion ───────────────────────────────────────────────────────────────────────────────────

const UNSAID = effective(NEVER_SAID)

/**
 * Not in the book, and not known to have completed either: its id is not one of ours, or older than
 * its queue's receipts. A plain job that completed leaves nothing, so a young id of ours is believed.
 */
export function isUnknown(ledger: Ledger, ref: JobRef): boolean {
  if (ledger.find(ref) >= 0) return false
  const made = madeAt(ref.id)
  // It may have been moved a while ago, and not have ended at all.
  if (made === null || ledger.findQueue(ref.queue)?.transit?.side === 'moving') return true
  const { receipts } = ledger.findQueue(ref.queue)?.settings ?? UNSAID
  return ledger.now + ledger.wallOffset - made >= receipts
}

/** Gives a new job, which waits, its parents; it goes on at once when none keeps it. */
export function bear(
  ledger: Ledger,
  slot: number,
  job: NewJob,
  actual: (ref: JobRef) => JobRef,
): void {
  const parents: Parent[] = []
  const kin: Kin = { policy: job.onParentFailed, parents, unfinished: 0, failed: 0 }
  ledger.extra(slot).kin = kin
  const seen = new Set<string>()
  for (const named of job.after) {
    const { queue, id } = actual(named)
    const row = rowOf(ledger, { queue, id })
    // A dead letter and the job that it was look at one slot, and end apart.
    const same = `${row.slot}/${row.end}`
    if (row.slot >= 0 && seen.has(same)) continue
    seen.add(same)
    if (row.end === null) kin.unfinished++
    else if (row.end !== 'completed') kin.failed++
    parents.push(row)
    if (row.slot >= 0) ledger.children.add(row.slot, slot, parents.length - 1)
  }
  if (outlook(kin) === 'free') ledger.waitOn(slot)
  else goOn(ledger, slot, kin)
}

/** Looks again at what has become of the parents of a job, which nobody has told it. */
export function lookAgain(ledger: Ledger, slot: number): void {
  if (ledger.findExtra(slot)?.kin == null) return
  const kin = kinOf(ledger, slot)
  kin.parents.forEach((row, at) => {
    if (row.end === 'completed' || row.isWaived) return
    const now = { ...rowOf(ledger, row), queue: row.queue, id: row.id }
    kin.parents[at] = now
    if (now.slot >= 0 && now.slot !== row.slot) ledger.children.add(now.slot, slot, at)
  })
  count(kin)
  goOn(ledger, slot, kin)
}

function count(kin: Kin): void {
  kin.unfinished = kin.parents.filter(isUnfinished).length
  kin.failed = kin.parents.filter(isInTheWay).length
}

/** A parent as another store knew it. */
export interface Foreign extends Omit<Parent, 'slot'> {
  readonly looksAt: JobRef | null
}

/** Gives a job that was loaded what it comes after: as it was, and where it is open, as it is here. */
export function adopt(
  ledger: Ledger,
  slot: number,
  policy: ParentPolicy,
  known: readonly Foreign[],
): void {
  const parents = known.map(({ looksAt, ...row }): Parent => {
    const { queue, id, end, result, isWaived } = row
    if (end === null) return { ...rowOf(ledger, looksAt ?? row), queue, id }
    const at = looksAt === null ? -1 : ledger.find(looksAt)
    return { queue, id, end, result, slot: at, isWaived }
  })
  const kin: Kin = { policy, parents, unfinished: 0, failed: 0 }
  count(kin)
  ledger.extra(slot).kin = kin
  parents.forEach((row, at) => {
    if (row.slot >= 0) ledger.children.add(row.slot, slot, at)
  })
  goOn(ledger, slot, kin)
}

function rowOf(ledger: Ledger, { queue, id }: JobRef): Parent {
  const row = { queue, id, end: null, result: null, slot: -1, isWaived: false }
  const named = ledger.find({ queue, id })
  if (named < 0) return { ...row, end: 'completed' }
  const { slot, isDead, lost } = heir(ledger, named)
  if (isDead) return { ...row, end: 'discarded', slot: isOver(ledger, slot) ? -1 : slot }
  // What came back of it is not there any more, as when a plain job has completed.
  if (lost !== null && !isUnknown(ledger, lost)) return { ...row, end: 'completed' }
  const end = endOf(ledger, slot)
  if (end === null) return { ...row, slot }
  const result = end === 'completed' ? (ledger.findExtra(slot)?.result ?? null) : null
  return { ...row, end, result, slot: mayReturn(ledger, slot) ? slot : -1 }
}

interface Heir {
  readonly slot: number
  /** It is a dead letter, or was one: whatever became of that, the job itself was discarded. */
  readonly isDead: boolean
  /** Where it went from there, and is no longer. */
  readonly lost: JobRef | null
}

/** Where the job went: into a dead-letter queue, and perhaps back from there under a new id. */
function heir(ledger: Ledger, from: number): Heir {
  let slot = from
  let isDead = false
  while (ledger.columns.state.get(slot) === RECEIPT) {
    const extra = ledger.findExtra(slot)
    if (extra?.movedTo == null) break
    // By its receipt, since the letter's own forgets its origin. One that was sent back was cancelled.
    isDead = extra.final === 'discarded'
    const next = ledger.find(extra.movedTo)
    if (next < 0) return { slot, isDead, lost: extra.movedTo }
    slot = next
  }
  return { slot, isDead, lost: null }
}

/** A receipt, of what does not go on elsewhere. */
function isOver(ledger: Ledger, slot: number): boolean {
  const isReceipt = ledger.columns.state.get(slot) === RECEIPT
  return isReceipt && ledger.findExtra(slot)?.isAway !== true
}

/** Null: it has not ended. A job of this very lot may have no state yet. */
function endOf(ledger: Ledger, slot: number): FinalState | null {
  const state = ledger.columns.state.get(slot)
  if (state === RECEIPT) {
    const extra = ledger.findExtra(slot)
    // Elsewhere it may go on; whoever comes after it follows it there.
    const end = extra?.final ?? 'completed'
    return extra?.isAway === true && end !== 'completed' ? null : end
  }
  return state < COMPLETED || state === FREE ? null : FINAL_STATES[state - COMPLETED]
}

function mayReturn(ledger: Ledger, slot: number): boolean {
  const state = ledger.columns.state.get(slot)
  return state === CANCELLED || state === DISCARDED
}

// ── What becomes of parents ─────────────────────────────────────────────────────────────────────

/** Called before the parent leaves its place. `result`: what a completed one leaves. */
export function parentEnded(
  ledger: Ledger,
  parent: number,
  end: FinalState,
  result: Paper | null,
): void {
  const { children } = ledger
  if (!children.has(parent)) return
  for (const child of children.of(parent)) {
    // The end of a dead letter is not the end of the job that it was, which has ended before.
    if (child.row.end !== null) continue
    children.change(child, { end, result })
    const kin = kinOf(ledger, child.slot)
    kin.unfinished--
    if (end !== 'completed') kin.failed++
    goOn(ledger, child.slot, kin)
  }
  // A dead letter may go back to its origin even then.
  const isLast = end === 'completed' && ledger.findExtra(parent)?.origin == null
  if (isLast) children.close(parent)
}

/** It stands in its dead-letter queue now. */
export function parentBuried({ children }: Ledger, parent: number, letter: number): void {
  children.move(parent, letter)
}

/** An operator retries it: in its place, or under a new id, in another slot. */
export function parentBack(ledger: Ledger, parent: number, copy = parent): void {
  const { children } = ledger
  for (const child of children.of(parent)) {
    const { end, isWaived } = child.row
    if (end === 'completed') continue
    if (end !== null) {
      const kin = kinOf(ledger, child.slot)
      kin.unfinished++
      if (!isWaived) kin.failed--
    }
    children.change(child, { end: null, isWaived: false })
  }
  if (copy !== parent) children.move(parent, copy)
}

/** For changing. */
function kinOf(ledger: Ledger, child: number): Kin {
  return ledger.extra(child).kin as Kin // as: it was found by a row in it
}

// ── What becomes of the child ───────────────────────────────────────────────────────────────────

/** 'stuck': all have ended, and one has failed; only an operator's word goes on from there. */
type Outlook = 'free' | 'doomed' | 'waits' | 'stuck'

function outlook(kin: KinView): Outlook {
  if (kin.failed > 0 && kin.policy === 'discard') return 'doomed'
  if (kin.unfinished > 0) return 'waits'
  return kin.failed > 0 && kin.policy === 'wait' ? 'stuck' : 'free'
}

function goOn(ledger: Ledger, slot: number, kin: KinView): void {
  if (ledger.columns.state.get(slot) !== WAITING) return
  switch (outlook(kin)) {
    case 'free':
      return release(ledger, slot)
    case 'doomed':
      ledger.doomed.push(ledger.columns.entry(slot))
      return
    case 'waits':
    case 'stuck':
  }
}

/** It is due at its time, or now if that has passed: its age and its order count from then. */
function release(ledger: Ledger, slot: number): void {
  const { columns, now } = ledger
  if (columns.place.get(slot) < now) {
    ledger.place(slot, now)
    columns.lower(slot, AT_WALL)
  }
  ledger.wait(slot, columns.place.get(slot), SCHEDULED)
}

/** An operator retries what waits: when all have ended, it goes on without those that failed. */
export function goOnWithout(ledger: Ledger, slot: number): boolean {
  const kin = ledger.findExtra(slot)?.kin
  if (kin == null || outlook(kin) !== 'stuck') return false
  waive(kinOf(ledger, slot))
  release(ledger, slot)
  return true
}

/** An operator retries what had ended; true when it waits again for parents that are unfinished. */
export function waitsAgain(ledger: Ledger, slot: number): boolean {
  const kin = ledger.findExtra(slot)?.kin
  if (kin == null) return false
  waive(kinOf(ledger, slot))
  if (kin.unfinished === 0) return false
  ledger.waitForParents(slot)
  return true
}

function waive(kin: Kin): void {
  kin.failed = 0
  kin.parents.forEach((row, at) => {
    const hasFailed = row.end !== null && row.end !== 'completed'
    if (hasFailed) kin.parents[at] = { ...row, isWaived: true }
  })
}

// ── Showing and restoring ───────────────────────────────────────────────────────────────────────

/** How many of those that keep a job waiting are named. */
const NAMED = 10

/** Why a job waits for its parents; null: it does not. `first`: some of them, unfinished ones first. */
export function parentsGate(
  ledger: Ledger,
  slot: number,
): { readonly unfinished: number; readonly failed: number; readonly first: JobRef[] } | null {
  const kin = ledger.findExtra(slot)?.kin
  if (kin == null || ledger.columns.state.get(slot) !== WAITING) return null
  const { unfinished, failed, parents } = kin
  const first: JobRef[] = []
  for (const isWanted of [isUnfinished, isInTheWay]) {
    for (const row of parents) {
      if (first.length === NAMED) break
      if (isWanted(row)) first.push({ queue: row.queue, id: row.id })
    }
  }
  return { unfinished, failed, first }
}

function isUnfinished(row: Parent): boolean {
  return row.end === null
}

function isInTheWay(row: Parent): boolean {
  return row.end !== null && row.end !== 'completed' && !row.isWaived
}

/** When the rows and extras of an image are in. */
export function restoreKin(ledger: Ledger): void {
  for (const [slot, { kin }] of ledger.extras.entries(0, ledger.columns.used)) {
    kin?.parents.forEach((row, at) => {
      if (row.slot >= 0) ledger.children.add(row.slot, slot, at)
    })
  }
}
