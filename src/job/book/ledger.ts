/**
 * The book's moves: the few steps between states that all commands are made of. What a command may
 * do is decided in `apply-*.ts`; here it is done, with counts, groups, timers, keys and news kept
 * true. Nothing here asks the time or chance.
 */
import { CRASHES_UNTIL_ALONE } from '../defaults.js'
import { STATES } from '../job.js'
import type { FinalState, Millis } from '../job.js'
import { AVAILABLE, COMPLETED, HAS_EXTRA, HOLDS, RECEIPT } from './columns.js'
import { RETRYABLE, RUNNING, SCHEDULED, WAITING } from './columns.js'
import type { Pool } from './pool.js'
import { ALONE, DEAD } from './queue.js'
import type { QueueBook } from './queue.js'
import { NEWS_ENDS, NEWS_JOBS, Register } from './register.js'
import type { Hold } from './register.js'

export class Ledger extends Register {
  /** It waits at its place until `due`, and is runnable then. `state` is what it is called until then. */
  wait(slot: number, due: Millis, state: typeof SCHEDULED | typeof RETRYABLE): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    columns.touch(slot)
    const dueAt = due === columns.place.get(slot) ? null : due
    if ((this.findExtra(slot)?.dueAt ?? null) !== dueAt) this.extra(slot).dueAt = dueAt
    if (columns.attempt.get(slot) >= this.maxAttempts(slot)) {
      this.#count(queue, slot, AVAILABLE)
      queue.spent.push(columns.entry(slot))
      return
    }
    this.#watchExpiry(queue, slot)
    if (due > this.now) {
      this.#count(queue, slot, state)
      const timers = queue.timer(columns.task.get(slot))
      // Who sleeps until the next is due, or until a poll, must hear that one comes sooner.
      if (timers.size === 0 || due < timers.key) this.tell(queue, NEWS_JOBS)
      timers.push(due, columns.seq.get(slot), columns.entry(slot))
    } else {
      this.#count(queue, slot, AVAILABLE)
      this.offer(queue, slot)
    }
  }

  /** It waits on as before, under what may have changed of it. */
  waitOn(slot: number): void {
    const hasFailed = this.columns.attempt.get(slot) > 0
    this.wait(slot, this.dueOf(slot), hasFailed ? RETRYABLE : SCHEDULED)
  }

  /** It waits at its place until its parents have ended. */
  waitForParents(slot: number): void {
    this.columns.touch(slot)
    this.extra(slot).dueAt = null
    this.#count(this.queueOf(slot), slot, WAITING)
  }

  /** Puts a runnable job where claims look. */
  offer(queue: QueueBook, slot: number): void {
    if (queue.groups.isBlocking) {
      const group = this.columns.group.get(slot)
      queue.groups.rank(group, slot)
      this.show(queue, group)
    } else {
      this.poolOf(queue, slot).add(slot)
    }
    this.tell(queue, NEWS_JOBS)
  }

  /** Where claims look for this job. */
  poolOf(queue: QueueBook, slot: number): Pool {
    const alone = this.columns.crashes.get(slot) >= CRASHES_UNTIL_ALONE ? ALONE : 0
    const dead = this.findExtra(slot)?.origin == null ? 0 : DEAD
    return queue.pool(this.columns.task.get(slot), alone | dead)
  }

  /** Blocking order: what the group has to show now comes where claims look. */
  show(queue: QueueBook, group: number): void {
    const slot = queue.groups.show(group)
    if (slot < 0) return
    this.poolOf(queue, slot).add(slot)
    this.tell(queue, NEWS_JOBS)
  }

  /**
   * Moves what has become due. Follows from the time alone, so no frame tells it; and since `now`
   * is this replica's own, nothing that applying a frame reads may depend on it.
   */
  advance(queue: QueueBook, now: Millis): void {
    for (const timers of queue.timers.values()) {
      while (timers.size > 0 && timers.key <= now) {
        const entry = timers.pop()
        if (!this.columns.isCurrent(entry)) continue
        const slot = this.columns.slotOf(entry)
        this.#count(queue, slot, AVAILABLE)
        this.offer(queue, slot)
      }
    }
    queue.groups.advance(now)
    for (let end = queue.lapsing.first; end !== undefined; end = queue.lapsing.first) {
      if (end.until > this.now) break
      queue.lapsing.shift()
      const hold = queue.keys.get(end.key)
      if (hold === undefined || hold.slot >= 0 || hold.until > this.now) continue
      queue.keys.delete(end.key)
      this.changes?.key(queue.name, end.key)
    }
  }

  run(slot: number, hold: Hold, now: Millis): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    columns.touch(slot)
    columns.attempt.set(slot, columns.attempt.get(slot) + 1)
    columns.since.set(slot, now)
    this.#count(queue, slot, RUNNING)
    this.holds.set(slot, hold)
    const node = this.nodes.get(hold.node)
    if (node !== undefined) node.holds++
    queue.groups.started(columns.group.get(slot), slot)
    const key = columns.has(slot, HAS_EXTRA) ? this.extras.get(slot)?.key?.name : null
    if (key != null && queue.keys.get(key)?.while === 'waiting') this.freeKey(queue, slot)
  }

  /** Its holder holds it no more. */
  letGo(slot: number): void {
    const hold = this.holds.get(slot)
    if (hold === undefined) return
    this.holds.delete(slot)
    const queue = this.queueOf(slot)
    const group = this.columns.group.get(slot)
    queue.groups.stopped(group)
    if (queue.groups.isBlocking) this.show(queue, group)
    // Others may have waited for this one to end.
    if (queue.isGated && queue.backlog > 0) this.tell(queue, NEWS_JOBS)
    const node = this.nodes.get(hold.node)
    if (node === undefined) return
    node.holds--
    if (node.gone && node.holds === 0) this.nodes.delete(hold.node)
  }

  /** It stands there from now on, and holds its group no more. */
  place(slot: number, place: Millis): void {
    this.columns.mark(slot)
    this.columns.place.set(slot, place)
    this.freeGroup(slot)
  }

  /** It holds its group no more; the next may start. */
  freeGroup(slot: number): void {
    if (this.columns.has(slot, HOLDS)) this.#leaveGroup(this.queueOf(slot), slot)
  }

  #leaveGroup(queue: QueueBook, slot: number): void {
    const group = this.columns.group.get(slot)
    queue.groups.free(group, slot)
    if (queue.groups.isBlocking) this.show(queue, group)
  }

  /** It becomes final and stays to be seen. */
  end(slot: number, state: FinalState): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    columns.touch(slot)
    columns.since.set(slot, this.now)
    this.#leaveGroup(queue, slot)
    this.#count(queue, slot, STATES.indexOf(state))
    queue.ended[STATES.indexOf(state) - COMPLETED].push(columns.entry(slot))
    this.tell(queue, NEWS_ENDS)
  }

  /** Only a receipt of it stays, for so long. */
  toReceipt(slot: number, state: FinalState, keep: Millis): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    columns.touch(slot)
    if (columns.state.get(slot) < RECEIPT) columns.since.set(slot, this.now)
    this.#leaveGroup(queue, slot)
    this.#count(queue, slot, RECEIPT)
    this.shelf.drop(slot)
    const extra = this.extra(slot)
    extra.final = state
    extra.history = []
    extra.log = []
    extra.steps = null
    extra.payload = null
    extra.origin = null
    extra.kin = null
    queue.receipts.push(columns.since.get(slot) + keep, slot, columns.entry(slot))
    this.tell(queue, NEWS_ENDS)
  }

  /** Nothing of it stays. */
  remove(slot: number): void {
    const columns = this.columns
    const queue = this.queueOf(slot)
    this.#uncount(queue, slot)
    this.ids.remove(slot)
    this.taskNames.drop(columns.task.get(slot))
    columns.touch(slot)
    this.#leaveGroup(queue, slot)
    const group = columns.group.get(slot)
    queue.groups.part(group)
    this.groupNames.drop(group)
    if (columns.has(slot, HAS_EXTRA)) this.extras.delete(slot)
    this.children.close(slot)
    this.shelf.drop(slot)
    columns.release(slot)
    queue.slots--
    this.tell(queue, NEWS_ENDS)
    this.forget(queue)
  }

  // ── From an image ────────────────────────────────────────────────────────────────────────────

  restoreEnded(queue: QueueBook, slot: number, state: number): void {
    const columns = this.columns
    this.#count(queue, slot, state)
    if (state !== RECEIPT) return void queue.ended[state - COMPLETED].push(columns.entry(slot))
    const until = columns.since.get(slot) + queue.settings.receipts
    queue.receipts.push(until, slot, columns.entry(slot))
  }

  restoreHeld(queue: QueueBook, slot: number, state: number): void {
    this.#count(queue, slot, state)
  }

  // ── Keys ─────────────────────────────────────────────────────────────────────────────────────

  /** The key is free, unless its period still runs. */
  freeKey(queue: QueueBook, slot: number): void {
    const key = this.findExtra(slot)?.key?.name
    if (key == null) return
    const hold = queue.keys.get(key)
    if (hold === undefined || hold.slot !== slot) return
    this.changes?.key(queue.name, key)
    if (hold.until <= this.now) {
      queue.keys.delete(key)
    } else {
      hold.slot = -1
      queue.lapsing.push({ key, until: hold.until })
    }
  }

  // ── Counts ───────────────────────────────────────────────────────────────────────────────────

  #count(queue: QueueBook, slot: number, state: number): void {
    this.#uncount(queue, slot)
    this.columns.state.set(slot, state)
    if (state < RECEIPT) queue.counts[state]++
  }

  #uncount(queue: QueueBook, slot: number): void {
    const before = this.columns.state.get(slot)
    if (before < RECEIPT) queue.counts[before]--
  }

  /** A job that was never started must be started in time. */
  #watchExpiry(queue: QueueBook, slot: number): void {
    const span = this.lifespan(queue, slot)
    if (span === Infinity || this.columns.attempt.get(slot) > 0) return
    const columns = this.columns
    queue.expiries.push(columns.place.get(slot) + span, columns.seq.get(slot), columns.entry(slot))
  }
}
