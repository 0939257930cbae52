/** Applying what is said of a queue: declared, or by an operator. */
import type { StoredSettings } from '../settings.js'
import type { SettingsFrame } from './frame.js'
import { FREE, RETRYABLE, RUNNING } from './columns.js'
import type { Ledger } from './ledger.js'

/** Null: someone else was first; look again. */
export function applySettings(ledger: Ledger, frame: SettingsFrame): StoredSettings | null {
  const queue = ledger.queue(frame.queue)
  if (frame.revision !== queue.stored.revision + 1) return null
  const before = queue.settings
  ledger.say(queue, { ...queue.stored, revision: frame.revision, [frame.layer]: frame.settings })
  const after = queue.settings
  const isOtherOrder = before.order !== after.order
  const isOtherEnd = before.attempts !== after.attempts || before.limits.age !== after.limits.age
  if (isOtherOrder || isOtherEnd) reconsider(ledger, queue.number)
  ledger.tell(queue, 7)
  return queue.stored
}

/** What waits is put where the new settings want it. */
function reconsider(ledger: Ledger, queue: number): void {
  const columns = ledger.columns
  for (let slot = 0; slot < columns.used; slot++) {
    const state = columns.state.get(slot)
    if (state === FREE || columns.queue.get(slot) !== queue) continue
    if (state > RETRYABLE || state === RUNNING) continue
    ledger.waitOn(slot)
  }
}
