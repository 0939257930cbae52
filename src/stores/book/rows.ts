/**
 * Queues, groups and nodes as operators see them, in pages by name.
 */
import type { GroupRow } from '../../job/gate.js'
import { STATES } from '../../job/job.js'
import type { Counts, Millis, State } from '../../job/job.js'
import type { PageAsk, Paged } from '../../job/selector.js'
import type { Liveness } from '../../job/book/decide-sweep.js'
import { RECEIPT } from '../../job/book/columns.js'
import { holderOf } from '../../job/book/explain-gates.js'
import type { Card } from '../../job/book/frame.js'
import type { Ledger } from '../../job/book/ledger.js'
import type { NodeState } from '../../job/book/register.js'
import type { QueueBook } from '../../job/book/queue.js'
import { NOTHING, counts } from '../../job/book/select.js'
import { wallTime } from '../../job/book/views.js'
import type { NodeRow, QueueRow } from '../../store.js'

export function queueRows(ledger: Ledger, now: Millis, page: PageAsk): Paged<QueueRow> {
  const names = [...ledger.queues.values()].map(({ name }) => name)
  return paged(names, page, (name) => {
    const queue = ledger.queue(name)
    ledger.advance(queue, now)
    let workers = 0
    for (const { card, gone } of ledger.nodes.values()) {
      if (!gone) workers += card.workers.filter((one) => one.queue === name).length
    }
    const oldest = queue.oldestDue((slot) => ledger.dueOf(slot))
    const oldestDue = oldest === null ? null : wallTime(ledger, oldest)
    const paused = ledger.paused !== null || queue.paused !== null
    return { name, counts: counts(queue), paused, workers, oldestDue }
  })
}

/** What is counted of a page of groups takes one look at every job of the book. */
export function groupRows(
  ledger: Ledger,
  queue: QueueBook,
  now: Millis,
  page: PageAsk,
): Paged<GroupRow> {
  ledger.advance(queue, now)
  const names = new Set(queue.pausedGroups.keys())
  for (const [group] of queue.groups.entries()) names.add(ledger.groupNames.text(group))
  const { items, cursor } = paged([...names], page, (name) => name)
  const counted = countGroups(ledger, queue, items)
  const rows = items.map((group): GroupRow => {
    const number = ledger.groupNames.find(group)
    const isHeld = queue.groups.isBlocking && number !== undefined
    const holder = isHeld ? holderOf(ledger, queue, number) : -1
    return {
      group,
      counts: counted.get(group) ?? NOTHING,
      paused: queue.pausedGroups.has(group),
      blockedBy: holder < 0 ? null : ledger.ids.text(holder),
    }
  })
  // A group of which only receipts are left is none to operators.
  const isSeen = ({ paused, counts: of }: GroupRow): boolean =>
    paused || Object.values(of).some((count) => count > 0)
  return { items: rows.filter(isSeen), cursor }
}

function countGroups(
  { columns, groupNames }: Ledger,
  queue: QueueBook,
  names: readonly string[],
): ReadonlyMap<string, Counts> {
  const counted = new Map<number, Record<State, number>>()
  const byName = new Map<string, Counts>()
  for (const name of names) {
    const number = groupNames.find(name)
    if (number === undefined) continue
    const of = { ...NOTHING }
    counted.set(number, of)
    byName.set(name, of)
  }
  for (let slot = 0; slot < columns.used; slot++) {
    const state = columns.state.get(slot)
    if (state >= RECEIPT || columns.queue.get(slot) !== queue.number) continue
    const of = counted.get(columns.group.get(slot))
    if (of !== undefined) of[STATES[state]]++
  }
  return byName
}

export function nodeRows(
  ledger: Ledger,
  now: Millis,
  page: PageAsk,
  liveness: (card: Card) => Liveness,
): Paged<NodeRow> {
  const held = new Map<string, number>()
  for (const { node, worker } of ledger.holds.values()) {
    const name = `${node}\0${worker}`
    held.set(name, (held.get(name) ?? 0) + 1)
  }
  return paged([...ledger.nodes.keys()], page, (name) => {
    const node = ledger.nodes.get(name) as NodeState // the name was taken from this very map
    const { proof: _, ...card } = node.card
    const beatAgo = Math.max(0, now - node.lastBeat)
    const isSilent = node.holds > 0 && beatAgo > node.card.lease
    return {
      ...card,
      startedAt: wallTime(ledger, node.startedAt),
      beatAgo,
      lost: node.gone || isSilent || liveness(node.card) === 'dead',
      running: card.workers.map(({ worker }) => held.get(`${name}\0${worker}`) ?? 0),
    }
  })
}

function paged<T>(names: string[], page: PageAsk, row: (name: string) => T): Paged<T> {
  names.sort()
  const { cursor, limit } = page
  const from = cursor === null ? 0 : names.findIndex((name) => name > cursor)
  const chosen = from < 0 ? [] : names.slice(from, from + limit)
  const last = chosen.at(-1)
  const more = last !== undefined && from + limit < names.length
  return { items: chosen.map(row), cursor: more ? last : null }
}
