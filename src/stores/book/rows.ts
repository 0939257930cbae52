/**
 * Queues and nodes as operators see them, in pages by name.
 */
import type { Millis } from '../../job/job.js'
import type { PageAsk, Paged } from '../../job/selector.js'
import type { Liveness } from '../../job/book/decide-sweep.js'
import type { Card } from '../../job/book/frame.js'
import type { Ledger } from '../../job/book/ledger.js'
import type { NodeState } from '../../job/book/register.js'
import { counts } from '../../job/book/select.js'
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
