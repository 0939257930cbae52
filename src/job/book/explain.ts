/**
 * Why a job is not running: the gates that are closed for it, with their numbers, and how many go
 * first. The gates are asked by the same questions as a claim asks (`gates.ts`); who goes first is
 * told by deciding a claim and putting everything back, so that the answer and the next claim cannot
 * disagree. Reads only; like any look it moves what has become due.
 */
import { AHEAD_LIMIT, CRASHES_UNTIL_ALONE } from '../defaults.js'
import type { Explained, Gate, QueueExplained } from '../gate.js'
import type { JobRef, Millis } from '../job.js'
import { AVAILABLE, COMPLETED, RECEIPT, RETRYABLE, RUNNING, WAITING } from './columns.js'
import { decideClaim, isLate } from './decide-claim.js'
import { blockingGate, groupGates, queueGates } from './explain-gates.js'
import type { Tally } from './gates.js'
import { parentsGate } from './kin.js'
import type { Ledger } from './ledger.js'
import { counts } from './select.js'
import type { QueueBook } from './queue.js'
import { idleNode, workersFor } from './workers.js'
import type { WorkerView } from './workers.js'

/** When someone looks, and what the store can tell of the nodes. */
export interface ExplainView extends WorkerView {
  readonly now: Millis
}

/** `slot`: of a job or of a receipt. */
export function explain(ledger: Ledger, slot: number, view: ExplainView): Explained {
  const told = explainAlone(ledger, slot, view)
  if (told !== null) return told
  return { state: 'available', ...dryRun(ledger, slot, Math.max(view.now, ledger.now), view) }
}

/** As far as those that go first do not matter; null: they do. Asks for none of them. */
export function explainAlone(ledger: Ledger, slot: number, view: ExplainView): Explained | null {
  const now = Math.max(view.now, ledger.now)
  const queue = ledger.queueOf(slot)
  ledger.advance(queue, now)
  const state = ledger.columns.state.get(slot)
  if (state === RUNNING) return { state: 'running', gates: [runningGate(ledger, slot)], ahead: 0 }
  if (state >= COMPLETED) return final(ledger, slot)
  const gates = closedFor(ledger, slot, now, null, view)
  return gates.length > 0 ? { state: ledger.state(slot), gates, ahead: 0 } : null
}

function final(ledger: Ledger, slot: number): Explained {
  const { columns } = ledger
  const since = columns.since.get(slot) + ledger.wallOffset
  const isReceipt = columns.state.get(slot) === RECEIPT
  const told = isReceipt ? (ledger.findExtra(slot)?.final ?? 'completed') : ledger.state(slot)
  const state = told === 'cancelled' || told === 'discarded' ? told : 'completed'
  return { state, gates: [{ kind: 'final', state, since }], ahead: 0 }
}

function runningGate(ledger: Ledger, slot: number): Gate {
  const { columns, wallOffset } = ledger
  const hold = ledger.holds.get(slot)
  const node = hold === undefined ? undefined : ledger.nodes.get(hold.node)
  return {
    kind: 'running',
    worker: hold?.worker ?? '',
    attempt: columns.attempt.get(slot),
    since: columns.since.get(slot) + wallOffset,
    until: (node === undefined ? ledger.now : node.lastBeat + node.card.lease) + wallOffset,
  }
}

/** All that is closed for a job that waits; with a tally, also by what a claim took before it. */
function closedFor(
  ledger: Ledger,
  slot: number,
  now: Millis,
  tally: Tally | null,
  view: ExplainView,
): Gate[] {
  const queue = ledger.queueOf(slot)
  const look = { ledger, queue, now, tally }
  return [
    ...timeGates(ledger, queue, slot, now),
    ...queueGates(look),
    ...groupGates(look, ledger.columns.group.get(slot)),
    ...blockingGate(look, slot),
    ...workerGates(ledger, slot, view),
  ]
}

/** Parents, time, and an end that only waits for a sweep. */
function timeGates(ledger: Ledger, queue: QueueBook, slot: number, now: Millis): Gate[] {
  const parents = parentsGate(ledger, slot)
  if (parents !== null) return [{ kind: 'parents', ...parents }]
  const { columns } = ledger
  if (columns.attempt.get(slot) >= ledger.maxAttempts(slot)) {
    return [{ kind: 'ending', reason: 'attempts-spent' }]
  }
  const opensIn = ledger.dueOf(slot) - now
  if (opensIn > 0) {
    const state = columns.state.get(slot) === RETRYABLE ? 'retryable' : 'scheduled'
    return [{ kind: 'not-due', state, opensIn }]
  }
  return isLate(ledger, queue, slot, now) ? [{ kind: 'ending', reason: 'expired' }] : []
}

function workerGates(ledger: Ledger, slot: number, view: ExplainView): Gate[] {
  const task = ledger.taskNames.text(ledger.columns.task.get(slot))
  const { know, others } = workersFor(ledger, slot, view)
  if (know.length === 0) return [{ kind: 'no-worker', task, workers: others }]
  const crashes = ledger.columns.crashes.get(slot)
  if (crashes < CRASHES_UNTIL_ALONE || idleNode(know)) return []
  return [{ kind: 'alone', crashes, busyWorkers: know.length }]
}

/** Decides the claim of a worker that knows the task, and puts everything back. */
function dryRun(
  ledger: Ledger,
  slot: number,
  now: Millis,
  view: ExplainView,
): Pick<Explained, 'gates' | 'ahead'> {
  const { columns } = ledger
  const crashes = columns.crashes.get(slot)
  const alone = crashes >= CRASHES_UNTIL_ALONE
  const tasks = [ledger.taskNames.text(columns.task.get(slot))]
  const queue = ledger.queueOf(slot).name
  const ask = { queue, worker: '', claim: 0, tasks, limit: AHEAD_LIMIT + 1, alone }
  const proposal = decideClaim(ledger, '', [ask], now)
  try {
    const at = proposal.slots.indexOf(slot)
    if (at >= 0) return { gates: [], ahead: at }
    const ahead = Math.min(proposal.slots.length, AHEAD_LIMIT)
    if (alone) return { gates: [{ kind: 'alone', crashes, busyWorkers: 0 }], ahead }
    // Those before it fill a cap, a rate, or its group's turn; or there are simply too many.
    return { gates: closedFor(ledger, slot, now, proposal.tally, view), ahead }
  } finally {
    proposal.undo()
  }
}

// ── A whole queue ───────────────────────────────────────────────────────────────────────────────

export function explainQueue(ledger: Ledger, queue: QueueBook, view: ExplainView): QueueExplained {
  const now = Math.max(view.now, ledger.now)
  ledger.advance(queue, now)
  const own = queueGates({ ledger, queue, now, tally: null })
  const slot = nextOf(ledger, queue, now)
  const next = slot < 0 ? null : refOf(ledger, slot)
  const rest = slot < 0 ? [] : explain(ledger, slot, view).gates.filter((gate) => !isOfQueue(gate))
  return { queue: queue.name, gates: [...own, ...rest], counts: counts(queue), next }
}

function isOfQueue(gate: Gate): boolean {
  return 'what' in gate && gate.what !== 'group'
}

function refOf(ledger: Ledger, slot: number): JobRef {
  return { queue: ledger.queueOf(slot).name, id: ledger.ids.text(slot) }
}

/** What the next claim takes; else what is due behind a gate, comes next, or waits for parents. */
function nextOf(ledger: Ledger, queue: QueueBook, now: Millis): number {
  const ask = { queue: queue.name, worker: '', claim: 0, tasks: null, limit: 1, alone: true }
  const proposal = decideClaim(ledger, '', [ask], now)
  proposal.undo()
  if (proposal.slots.length > 0) return proposal.slots[0]
  const { columns } = ledger
  let next = -1
  let isNextDue = false
  if (queue.backlog === 0) return next
  for (let slot = 0; slot < columns.used; slot++) {
    if (columns.queue.get(slot) !== queue.number) continue
    const state = columns.state.get(slot)
    if (state >= COMPLETED || state === RUNNING) continue
    const isDue = state === AVAILABLE
    const isFirst = next < 0 || (isDue === isNextDue ? isSooner(ledger, slot, next) : isDue)
    if (!isFirst) continue
    next = slot
    isNextDue = isDue
  }
  return next
}

/** Both are due, or neither is. */
function isSooner(ledger: Ledger, a: number, b: number): boolean {
  const { columns } = ledger
  const byParents =
    Number(columns.state.get(a) === WAITING) - Number(columns.state.get(b) === WAITING)
  if (byParents !== 0) return byParents < 0
  const isDue = columns.state.get(a) === AVAILABLE
  const byPriority = columns.priority.get(a) - columns.priority.get(b)
  if (isDue && byPriority !== 0) return byPriority > 0
  const byTime = isDue
    ? columns.place.get(a) - columns.place.get(b)
    : ledger.dueOf(a) - ledger.dueOf(b)
  return byTime === 0 ? columns.seq.get(a) < columns.seq.get(b) : byTime < 0
}
