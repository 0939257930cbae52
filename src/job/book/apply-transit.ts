/**
 * Applying that a queue begins to move, arrives, or is on no way any more. A claim asks for it item by
 * item, so nothing of what is closed is given behind this frame, whenever the claim was decided.
 */
import type { TransitFrame } from './frame.js'
import type { Ledger } from './ledger.js'
import type { BookTransit } from './queue.js'
import { NEWS_CONTROL, NEWS_JOBS, NEWS_SCHEDULES } from './register.js'

/** False: it was so before. */
export function applyTransit(ledger: Ledger, { queue: name, transit }: TransitFrame): boolean {
  const queue = transit === null ? ledger.findQueue(name) : ledger.queue(name)
  if (queue === undefined) return false
  const before = queue.transit
  const after = transit && following(before, transit, ledger.now)
  if (isSame(before, after)) return false
  queue.transit = after
  queue.groups.unparkAll()
  ledger.tell(queue, NEWS_CONTROL | NEWS_JOBS | NEWS_SCHEDULES)
  ledger.forget(queue)
  return true
}

type Words = NonNullable<TransitFrame['transit']>

/** The same way, said again, began when it was first said. */
function following(before: BookTransit | null, words: Words, now: number): BookTransit {
  const { side, with: other, groups } = words
  const isSameWay =
    before !== null && before.with === other && (before.side === 'moving') === (side === 'moving')
  const since = isSameWay ? before.since : now
  return { side, with: other, since, groups: groups && new Set(groups) }
}

function isSame(a: BookTransit | null, b: BookTransit | null): boolean {
  if (a === null || b === null) return a === b
  return a.side === b.side && a.with === b.with && namesOf(a) === namesOf(b)
}

function namesOf({ groups }: BookTransit): string {
  return groups === null ? 'all' : JSON.stringify([...groups].sort())
}
