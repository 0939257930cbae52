/**
 * Deciding a claim: looks at the gates and picks the jobs. Only the process that asks runs this;
 * what it picked goes into a frame, and applying the frame checks it. Picked jobs are taken out of
 * the pools at once; when the frame does not take effect, `undo` puts back what still waits.
 */
import type { ClaimAsk } from '../claim.js'
import { DEFAULT_TASK } from '../defaults.js'
import type { Millis } from '../job.js'
import type { ClaimFrame, ClaimItem, ClaimPart } from './frame.js'
import { gatesGroups, groupOpens, isGated, queueOpens, queueRoom, Tally } from './gates.js'
import type { Ledger } from './ledger.js'
import type { Pool } from './pool.js'
import { ALONE, DEAD, kindOf, poolKey } from './queue.js'
import type { QueueBook } from './queue.js'
import { OPEN } from './window.js'

export interface ClaimProposal {
  /** Null when there is nothing to claim. */
  readonly frame: ClaimFrame | null
  /** The slot of each item of the frame. */
  readonly slots: readonly number[]
  /** What this claim has picked, as its own gates see it. */
  readonly tally: Tally
  undo(): void
}

export function decideClaim(
  ledger: Ledger,
  node: string,
  asks: readonly ClaimAsk[],
  time: Millis,
): ClaimProposal {
  const now = Math.max(time, ledger.now)
  const slots: number[] = []
  const stood: number[] = []
  const items: ClaimItem[] = []
  const parts: ClaimPart[] = []
  const guards = new Map<string, number>()
  const tally = new Tally()
  for (const ask of asks) {
    const queue = ledger.findQueue(ask.queue)
    const before = slots.length
    if (queue !== undefined && ask.limit > 0) {
      ledger.advance(queue, now)
      pick({ ledger, queue, ask, now, tally }, slots, stood)
      guards.set(queue.name, queue.version)
    }
    for (let at = before; at < slots.length; at++) {
      const attempt = ledger.columns.attempt.get(slots[at]) + 1
      items.push({ queue: ask.queue, id: ledger.ids.text(slots[at]), attempt })
    }
    const { queue: name, worker, claim, margin } = ask
    const part = { queue: name, worker, claim, count: slots.length - before }
    parts.push(margin === undefined ? part : { ...part, margin })
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
  const entries = slots.map((slot) => ledger.columns.entry(slot))
  const undo = (): void => {
    putBack(ledger, entries, stood)
    tally.unpark()
  }
  return { frame, slots, tally, undo }
}

/** What was picked and still waits goes back to where claims look. */
function putBack(ledger: Ledger, entries: readonly number[], stood: readonly number[]): void {
  for (const [at, entry] of entries.entries()) {
    if (!ledger.columns.isCurrent(entry)) continue
    const slot = ledger.columns.slotOf(entry)
    const queue = ledger.queueOf(slot)
    const { groups } = queue
    const back = groups.isBlocking ? groups.show(ledger.columns.group.get(slot)) : slot
    if (back >= 0) ledger.poolOf(queue, back).giveBack(back, stood[2 * at], stood[2 * at + 1])
  }
}

/** One ask for jobs of one queue. */
interface Look {
  readonly ledger: Ledger
  readonly queue: QueueBook
  readonly ask: ClaimAsk
  readonly now: Millis
  readonly tally: Tally
}

function pick(look: Look, into: number[], stood: number[]): void {
  const { ledger, queue, ask, now, tally } = look
  const gated = isGated(ledger, queue)
  const room = gated ? Math.min(ask.limit, queueRoom(ledger, queue, now, tally)) : ask.limit
  if (room <= 0) return
  behindGates(look, () => {
    const shared = poolsOf(ledger, queue, ask.tasks, 0)
    const alone = ask.alone ? poolsOf(ledger, queue, ask.tasks, ALONE) : []
    let taken = 0
    while (taken < room) {
      const pool = best(ledger, shared, taken === 0 ? alone : NONE)
      if (pool === null) return
      const { slot, pass, tie } = pool
      pool.shift()
      const late = isLate(ledger, queue, slot, now)
      if (queue.groups.isBlocking) take(ledger, queue, slot, late)
      if (late) continue
      into.push(slot)
      stood.push(pass, tie)
      taken++
      if (gated) tally.pick(queue, ledger.columns.group.get(slot))
      if (alone.includes(pool)) return
    }
  })
}

/** Runs with groups whose gates are closed out of sight. */
function behindGates({ ledger, queue, ask, now, tally }: Look, run: () => void): void {
  const { groups } = queue
  const without = new Set<number>()
  for (const name of ask.without ?? []) {
    const group = ledger.groupNames.find(name)
    if (group !== undefined) without.add(group)
  }
  if (without.size > 0 || gatesGroups(ledger, queue)) {
    groups.keeper = (group) =>
      without.has(group) ? Infinity : groupOpens(ledger, queue, group, now, tally)
  }
  try {
    run()
  } finally {
    groups.keeper = null
    for (const group of without) groups.unpark(group, true)
  }
}

/** Blocking order: what a group showed is taken; one that is late gives way to the next. */
function take(ledger: Ledger, queue: QueueBook, slot: number, late: boolean): void {
  const group = ledger.columns.group.get(slot)
  queue.groups.taken(group, late)
  if (late) ledger.show(queue, group)
}

/** Blocking order: heads that were not started in time give way, as in a claim. */
export function passLate(ledger: Ledger, queue: QueueBook, group: number, now: Millis): void {
  for (;;) {
    const head = queue.groups.get(group)?.head ?? -1
    if (head < 0 || !isLate(ledger, queue, ledger.columns.slotOf(head), now)) return
    take(ledger, queue, ledger.columns.slotOf(head), true)
  }
}

/** It was not started in time: sweep will end it. */
export function isLate(ledger: Ledger, queue: QueueBook, slot: number, now: Millis): boolean {
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

const NONE: readonly Pool[] = []

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

/** What an asker is told beside its jobs. */
export interface Outlook {
  /** When its next job can be taken, from now; 0: now; null: none is known, or only an event opens it. */
  readonly nextIn: Millis | null
  /** A job that must run alone is due for it. */
  readonly aloneDue: boolean
}

export function outlook(ledger: Ledger, ask: ClaimAsk, time: Millis): Outlook {
  const now = Math.max(time, ledger.now)
  const queue = ledger.findQueue(ask.queue)
  if (queue === undefined) return { nextIn: null, aloneDue: false }
  ledger.advance(queue, now)
  const tally = new Tally()
  const opens = isGated(ledger, queue) ? queueOpens(ledger, queue, now, tally) : OPEN
  if (opens === Infinity) return { nextIn: null, aloneDue: false }
  let isDue = false
  let aloneDue = false
  behindGates({ ledger, queue, ask, now, tally }, () => {
    const hasJob = (pool: Pool): boolean => hasInTime(ledger, queue, pool, now)
    aloneDue = poolsOf(ledger, queue, ask.tasks, ALONE).some(hasJob)
    isDue = poolsOf(ledger, queue, ask.tasks, 0).some(hasJob) || (aloneDue && ask.alone)
  })
  aloneDue &&= opens === OPEN
  const next = isDue ? now : earlier(nextDue(ledger, queue, ask), queue.groups.nextOpening())
  return { nextIn: next === null ? null : Math.max(0, Math.max(next, opens) - now), aloneDue }
}

/** Whether anything of it can be taken; what is late is passed by for good, as in a claim. */
function hasInTime(ledger: Ledger, queue: QueueBook, pool: Pool, now: Millis): boolean {
  for (;;) {
    const slot = pool.first()
    if (slot < 0 || !isLate(ledger, queue, slot, now)) return slot >= 0
    pool.shift()
    if (queue.groups.isBlocking) take(ledger, queue, slot, true)
  }
}

function nextDue(ledger: Ledger, queue: QueueBook, ask: ClaimAsk): Millis | null {
  const takesAny = ask.tasks === null || (queue.hasDead && ask.tasks.includes(DEFAULT_TASK))
  return queue.nextDue(takesAny ? null : ask.tasks.map((task) => ledger.taskNames.find(task) ?? -1))
}

function earlier(a: Millis | null, b: Millis | null): Millis | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}
