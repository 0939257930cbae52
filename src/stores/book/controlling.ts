/**
 * One bounded step of an operator's command over jobs: which of them it means now, and what is to
 * be done to each. Doing it is left to the frame that comes of it.
 */
import { CONTROL_JOBS } from '../../job/defaults.js'
import type { Millis } from '../../job/job.js'
import type { ControlItem } from '../../job/book/frame.js'
import type { Ledger } from '../../job/book/ledger.js'
import { select } from '../../job/book/select.js'
import type { JobsCommand } from '../../store.js'

export interface ControlStep {
  readonly items: ControlItem[]
  /** Where to go on; null: nothing is left. */
  readonly cursor: string | null
}

export function controlStep(
  ledger: Ledger,
  command: JobsCommand,
  cursor: string | null,
  now: Millis,
): ControlStep {
  const queue = ledger.findQueue(command.queue)
  if (queue === undefined) return { items: [], cursor: null }
  if (command.kind === 'update') {
    const { payload, priority, delay, at } = command.change
    const change = {
      payload: payload ?? null,
      priority: priority ?? null,
      delay: delay ?? null,
      at: at ?? null,
    }
    const { id } = command
    return { items: [{ queue: queue.name, id, action: 'update', ...change }], cursor: null }
  }
  const page = { limit: CONTROL_JOBS, cursor }
  const found = select(ledger, queue, command.which, page, now)
  const items = found.slots.map((slot): ControlItem => {
    const ref = { queue: queue.name, id: ledger.ids.text(slot) }
    if (command.kind === 'cancel') return { ...ref, action: 'cancel', reason: command.reason }
    if (command.kind === 'depart') return { ...ref, action: 'depart', to: command.to }
    return { ...ref, action: command.kind }
  })
  return { items, cursor: found.cursor }
}
