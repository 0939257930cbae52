/**
 * Deciding a claim: looks at the gates and picks the jobs. Only the process that asks runs this;
 * what it picked goes into a frame, and applying the frame checks it. Picked jobs are taken out of
 * the pools at once; when the frame does not take effect, `undo` puts back what still waits.
 */
import type { ClaimAsk } from '../claim.js'
import { DEFAULT_TASK } from '../defaults.js'
import type { Millis } from '../job.js'
import { AVAILABLE } from './columns.js'
import type { ClaimFrame, ClaimItem, ClaimPart } from './frame.js'
import type { Ledger } from './ledger.js'
import type { Pool } from './pool.js'
import { ALONE, DEAD, kindOf, poolKey } from './queue.js'
import type { QueueBook } from './queue.js'

export interface ClaimProposal {
  /** Null when there is nothing to claim. */
  readonly frame: ClaimFrame | null
  /** The slot of each item of the frame. */
  readonly slots: readonly number[]
  undo(): void
}

export function decideClaim(
  ledger: Ledger,
  node: string,
  asks: readonly ClaimAsk[],
  now: Millis,
): ClaimProposal {
  const slots: number[] = []
  const items: ClaimItem[] = []
  const parts: ClaimPart[] = []
  const guards = new Map<string, number>()
  for (const ask of asks) {
    const queue = ledger.findQueue(ask.queue)
    const before = slots.length
    if (queue !== undefined && ask.limit > 0) {
      ledger.advance(queue, now)
      pick(ledger, queue, ask, now, slots)
      guards.set(queue.name, queue.version)
    }
    for (let at = before; at < slots.length; at++) {
      const attempt = ledger.columns.attempt.get(slots[at]) + 1
      items.push({ queue: ask.queue, id: ledger.ids.text(slots[at]), attempt })
    }
    const { queue: name, worker, claim } = ask
    parts.push({ queue: name, worker, claim, count: slots.length - before })
  }
  const frame: ClaimFrame | null =
    slots.length === 0
      ? null
      : {
          kind: 'claim',
          node,
          asks: parts,
          guards: [...guards].map(([queue, version]) => ({ queue, version })),
          items,
        }
  return { frame, slots, undo: () => putBack(ledger, slots) }
}

/** What was picked and is still runnable goes back to where claims look. */
export function putBack(ledger: Ledger, slots: readonly number[]): void {
  for (const slot of slots) {
    if (ledger.columns.state.get(slot) === AVAILABLE) ledger.offer(ledger.queueOf(slot), slot)
  }
}

function pick(ledger: Ledger, queue: QueueBook, ask: ClaimAsk, now: Millis, into: number[]): void {
  const shared = poolsOf(ledger, queue, ask.tasks, 0)
  const alone = ask.alone ? poolsOf(ledger, queue, ask.tasks, ALONE) : []
  const until = into.length + ask.limit
  let taken = 0
  while (into.length < until) {
    const pool = best(ledger, shared, taken === 0 ? alone : [])
    if (pool === null) return
    const slot = pool.shift()
    if (isLate(ledger, queue, slot, now)) continue
    into.push(slot)
    taken++
    if (alone.includes(pool)) return
  }
}

/** It was not started in time: sweep will end it. */
function isLate(ledger: Ledger, queue: QueueBook, slot: number, now: Millis): boolean {
  if (ledger.columns.attempt.get(slot) > 0) return false
  return now - ledger.columns.place.get(slot) > ledger.lifespan(queue, slot)
}

/**
 * The pools that the asker may take from. Dead letters of any task are also for those who know the
 * plain task, so that one handler can serve a dead-letter queue that many tasks share.
 */
function poolsOf(
  ledger: Ledger,
  queue: QueueBook,
  tasks: readonly string[] | null,
  alone: number,
): Pool[] {
  const pools: Pool[] = []
  const takesDead = tasks === null || tasks.includes(DEFAULT_TASK)
  if (takesDead) {
    for (const [key, pool] of queue.pools) {
      const kind = kindOf(key)
      const isDead = (kind & DEAD) !== 0
      if ((kind & ALONE) === alone && (tasks === null || isDead)) pools.push(pool)
    }
  }
  for (const task of tasks ?? []) {
    const number = ledger.taskNames.find(task)
    if (number === undefined) continue
    for (const dead of takesDead ? [0] : [0, DEAD]) {
      const pool = queue.pools.get(poolKey(number, alone | dead))
      if (pool !== undefined) pools.push(pool)
    }
  }
  return pools
}

function best(ledger: Ledger, shared: readonly Pool[], alone: readonly Pool[]): Pool | null {
  let chosen: Pool | null = null
  let slot = -1
  for (const pools of [shared, alone]) {
    for (const pool of pools) {
      const first = pool.first()
      if (first < 0) continue
      if (chosen !== null && !isBefore(ledger, pool, first, chosen, slot)) continue
      chosen = pool
      slot = first
    }
  }
  return chosen
}

/** Priority, then the groups' rotation, then place, then insertion. */
function isBefore(ledger: Ledger, a: Pool, slotA: number, b: Pool, slotB: number): boolean {
  const columns = ledger.columns
  const byPriority = columns.priority.get(slotA) - columns.priority.get(slotB)
  if (byPriority !== 0) return byPriority > 0
  const isSameGroup = columns.group.get(slotA) === columns.group.get(slotB)
  if (!isSameGroup && a.pass !== b.pass) return a.pass < b.pass
  const byPlace = columns.place.get(slotA) - columns.place.get(slotB)
  if (byPlace !== 0) return byPlace < 0
  return columns.seq.get(slotA) < columns.seq.get(slotB)
}

/** A job that must run alone is due for this asker. */
export function waitsAlone(ledger: Ledger, ask: ClaimAsk): boolean {
  const queue = ledger.findQueue(ask.queue)
  if (queue === undefined) return false
  return poolsOf(ledger, queue, ask.tasks, ALONE).some((pool) => pool.first() >= 0)
}

/** When the asker's next job is due, from now; 0: one is; null: none is known. */
export function nextIn(ledger: Ledger, ask: ClaimAsk, now: Millis): Millis | null {
  const queue = ledger.findQueue(ask.queue)
  if (queue === undefined) return null
  ledger.advance(queue, now)
  for (const pool of poolsOf(ledger, queue, ask.tasks, 0)) if (pool.first() >= 0) return 0
  if (ask.alone) {
    for (const pool of poolsOf(ledger, queue, ask.tasks, ALONE)) if (pool.first() >= 0) return 0
  }
  const takesAny = ask.tasks === null || (queue.hasDead && ask.tasks.includes(DEFAULT_TASK))
  const tasks = takesAny ? null : ask.tasks.map((task) => ledger.taskNames.find(task) ?? -1)
  const due = queue.nextDue(tasks)
  return due === null ? null : Math.max(0, due - now)
}
