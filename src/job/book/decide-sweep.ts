/**
 * Deciding a sweep: who is dead, what has expired, what is to be pruned. It only proposes; the
 * frames name what they saw, so any number of sweepers may propose the same.
 */
import type { Millis } from '../job.js'
import { FINAL_STATES } from '../job.js'
import type { DropFrame, SweepFrame, SweepItem } from './frame.js'
import { COMPLETED } from './columns.js'
import { holdsOf } from './apply-node.js'
import type { Ledger } from './ledger.js'
import type { NodeState } from './register.js'
import type { Card } from './frame.js'
import type { QueueBook } from './queue.js'

/** What the store can tell of a node from outside the book. */
export type Liveness = 'dead' | 'alive' | 'unknown'

export interface SweepProposal {
  readonly frames: readonly (SweepFrame | DropFrame)[]
  readonly more: boolean
  /** The frames did not take effect: what was looked at must be looked at again. */
  undo(): void
}

export interface SweepView {
  readonly self: string
  readonly now: Millis
  readonly limit: number
  /** See `SweepAsk`. */
  readonly calm?: Millis
  liveness(card: Card): Liveness
}

export function decideSweep(ledger: Ledger, view: SweepView): SweepProposal {
  const round = new Round(ledger, view)
  round.nodes()
  for (const queue of ledger.queues.values()) round.queue(queue)
  return round.proposal()
}

/** How long nothing was heard that could have been heard. */
export function silence(lastBeat: Millis, now: Millis, calm: Millis = Infinity): Millis {
  return Math.min(now - lastBeat, calm)
}

/** How many silent leases a node that holds nothing is kept, where nothing proves that it is dead. */
const IDLE_LEASES = 20

class Round {
  readonly #ledger: Ledger
  readonly #view: SweepView
  readonly #frames: (SweepFrame | DropFrame)[] = []
  readonly #undo: (() => void)[] = []
  #room: number
  #more = false

  constructor(ledger: Ledger, view: SweepView) {
    this.#ledger = ledger
    this.#view = view
    this.#room = view.limit
  }

  proposal(): SweepProposal {
    const undo = this.#undo
    return {
      frames: this.#frames,
      more: this.#more,
      undo: () => {
        for (const one of undo) one()
      },
    }
  }

  nodes(): void {
    for (const [name, node] of this.#ledger.nodes) {
      if (name === this.#view.self) continue
      if (this.#isGone(node)) this.#bury(name, node)
      else this.#timeOut(name, node)
    }
  }

  /** Proved dead, silent past its lease while it holds something, or begun before. */
  #isGone(node: NodeState): boolean {
    if (node.gone) return true
    const liveness = this.#view.liveness(node.card)
    if (liveness === 'dead') return true
    const silent = silence(node.lastBeat, this.#view.now, this.#view.calm)
    if (node.holds > 0) return silent > node.card.lease
    return liveness === 'unknown' && silent > node.card.lease * IDLE_LEASES
  }

  #bury(name: string, node: NodeState): void {
    const items: SweepItem[] = []
    for (const [slot, hold] of holdsOf(this.#ledger, name)) {
      if (!this.#hasRoom()) break
      items.push({ ...this.#ref(slot), why: 'lost', token: hold.token })
    }
    this.#frames.push({ kind: 'sweep', gone: { node: name, beats: node.beats }, items })
  }

  /** Its loop does not answer and the time of these attempts is over. */
  #timeOut(name: string, node: NodeState): void {
    if (node.overdue.size === 0) return
    const items: SweepItem[] = []
    for (const [slot, hold] of holdsOf(this.#ledger, name)) {
      if (!node.overdue.has(hold.token)) continue
      if (!this.#hasRoom()) break
      items.push({ ...this.#ref(slot), why: 'timeout', token: hold.token })
    }
    this.#sweep(items)
  }

  queue(queue: QueueBook): void {
    this.#ledger.advance(queue, this.#view.now)
    // What moves to another store comes to its end there.
    if (queue.transit?.side !== 'moving') {
      this.#sweep([...this.#expired(queue), ...this.#spent(queue)])
    }
    this.#prune(queue)
  }

  #expired(queue: QueueBook): SweepItem[] {
    const { columns } = this.#ledger
    const items: SweepItem[] = []
    const heap = queue.expiries
    while (heap.size > 0 && heap.key < this.#view.now) {
      if (!columns.isCurrent(heap.value)) {
        heap.pop()
        continue
      }
      if (!this.#hasRoom()) break
      const { key, tie, value } = heap
      heap.pop()
      this.#undo.push(() => heap.push(key, tie, value))
      items.push({ ...this.#ref(columns.slotOf(value)), why: 'expired', token: 0 })
    }
    return items
  }

  #spent(queue: QueueBook): SweepItem[] {
    const { columns } = this.#ledger
    const items: SweepItem[] = []
    for (let entry = queue.spent.first; entry !== undefined; entry = queue.spent.first) {
      const kept = entry
      if (columns.isCurrent(kept)) {
        if (!this.#hasRoom()) break
        this.#undo.push(() => queue.spent.push(kept))
        items.push({ ...this.#ref(columns.slotOf(kept)), why: 'spent', token: 0 })
      }
      queue.spent.shift()
    }
    return items
  }

  #prune(queue: QueueBook): void {
    const items: DropFrame['items'][number][] = []
    FINAL_STATES.forEach((state, index) => {
      items.push(...this.#endedPast(queue, index, queue.settings.keep[state]))
    })
    const { columns } = this.#ledger
    const heap = queue.receipts
    while (heap.size > 0 && heap.key <= this.#view.now) {
      const { key, tie, value } = heap
      if (columns.isCurrent(value)) {
        if (!this.#hasRoom()) break
        this.#undo.push(() => heap.push(key, tie, value))
        items.push(this.#dropItem(columns.slotOf(value)))
      }
      heap.pop()
    }
    if (items.length > 0) this.#frames.push({ kind: 'drop', items })
  }

  /** Finals beyond their time or their number, oldest first. */
  #endedPast(
    queue: QueueBook,
    index: number,
    keep: { readonly count: number; readonly for: Millis },
  ): DropFrame['items'][number][] {
    const { columns } = this.#ledger
    const items: DropFrame['items'][number][] = []
    const ended = queue.ended[index]
    while (ended.length > 0 && !columns.isCurrent(ended.first ?? 0)) ended.shift()
    let alive = queue.counts[COMPLETED + index]
    for (let n = 0; n < ended.length; n++) {
      const entry = ended.at(n) ?? 0
      if (!columns.isCurrent(entry)) continue
      const slot = columns.slotOf(entry)
      if (alive <= keep.count && columns.since.get(slot) + keep.for > this.#view.now) break
      if (!this.#hasRoom()) break
      items.push(this.#dropItem(slot))
      alive--
    }
    return items
  }

  #dropItem(slot: number): DropFrame['items'][number] {
    return { ...this.#ref(slot), ended: this.#ledger.columns.since.get(slot) }
  }

  #sweep(items: readonly SweepItem[]): void {
    if (items.length > 0) this.#frames.push({ kind: 'sweep', gone: null, items })
  }

  #ref(slot: number): { readonly queue: string; readonly id: string } {
    return { queue: this.#ledger.queueOf(slot).name, id: this.#ledger.ids.text(slot) }
  }

  #hasRoom(): boolean {
    if (this.#room > 0) {
      this.#room--
      return true
    }
    this.#more = true
    return false
  }
}
