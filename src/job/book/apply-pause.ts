/**
 * Applying pauses and their ends: of everything, of a queue, of a group. Each is a layer of its own:
 * the end of one wakes nothing that is paused by another. A claim asks for pauses item by item, so
 * nothing of what is paused is given behind this frame, whenever the claim was decided.
 */
import type { PauseFrame } from './frame.js'
import type { Ledger } from './ledger.js'
import type { Pause, QueueBook } from './queue.js'
import { NEWS_CONTROL, NEWS_JOBS } from './register.js'

/** False: it was so before. */
export function applyPause(ledger: Ledger, frame: PauseFrame): boolean {
  const pause = frame.action === 'pause' ? { since: ledger.now, by: frame.by } : null
  if (frame.queue === null) return pauseAll(ledger, pause)
  // Nothing of a queue that nobody knows is paused; a pause makes it known.
  const queue = pause === null ? ledger.findQueue(frame.queue) : ledger.queue(frame.queue)
  if (queue === undefined) return false
  const changed =
    frame.group === null ? pauseQueue(queue, pause) : pauseGroup(ledger, queue, frame.group, pause)
  if (changed) ledger.tell(queue, pause === null ? NEWS_CONTROL | NEWS_JOBS : NEWS_CONTROL)
  ledger.forget(queue)
  return changed
}

function pauseAll(ledger: Ledger, pause: Pause | null): boolean {
  if ((ledger.paused === null) === (pause === null)) return false
  ledger.paused = pause
  const bits = pause === null ? NEWS_CONTROL | NEWS_JOBS : NEWS_CONTROL
  for (const queue of ledger.queues.values()) ledger.tell(queue, bits)
  return true
}

function pauseQueue(queue: QueueBook, pause: Pause | null): boolean {
  if ((queue.paused === null) === (pause === null)) return false
  queue.paused = pause
  return true
}

function pauseGroup(ledger: Ledger, queue: QueueBook, group: string, pause: Pause | null): boolean {
  if (pause === null) {
    if (!queue.pausedGroups.delete(group)) return false
    const number = ledger.groupNames.find(group)
    if (number !== undefined) queue.groups.unpark(number)
    return true
  }
  if (queue.pausedGroups.has(group)) return false
  queue.pausedGroups.set(group, pause)
  return true
}
