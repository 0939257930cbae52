/**
 * Discarding what a parent's failure dooms, and what that dooms in turn: along a list and never by
 * recursion, so that a chain of any length comes to its end within the frame that began it.
 */
import type { Happening } from '../job.js'
import type { Ledger } from './ledger.js'
import { deadIdOf, discard } from './outcome.js'

/** One for each that was discarded, in the order in which they fell. */
export function bringDown(ledger: Ledger): Happening[] {
  const { columns, doomed } = ledger
  if (doomed.length === 0) return []
  const happened: Happening[] = []
  // It grows while it is gone through.
  for (let at = 0; at < doomed.length; at++) {
    if (!columns.isCurrent(doomed[at])) continue
    const slot = columns.slotOf(doomed[at])
    const fallen = {
      queue: ledger.queueOf(slot).name,
      id: ledger.ids.text(slot),
      task: ledger.taskNames.text(columns.task.get(slot)),
      group: ledger.groupNames.text(columns.group.get(slot)),
      attempt: columns.attempt.get(slot),
    }
    const { deadLetter } = discard(ledger, slot, 'parent-failed', null, deadIdOf(ledger, slot))
    const rest = { worker: '', state: 'discarded', late: 0, deadLetter } as const
    happened.push({ ...fallen, ...rest, kind: 'parent-failed' })
  }
  doomed.length = 0
  return happened
}
