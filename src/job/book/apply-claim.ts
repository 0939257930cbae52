/**
 * Applying claims. The decider looked at its own book; here it is checked that what it saw still
 * holds. A stale guard or an unknown node voids the whole frame; a job that someone else took
 * meanwhile, or whose gate has closed, is passed over alone.
 */
import type { Filing } from './extra.js'
import type { ClaimFrame } from './frame.js'
import { AVAILABLE, RETRYABLE, SCHEDULED } from './columns.js'
import { Door } from './gates.js'
import type { Ledger } from './ledger.js'

/** One token per item, 0 where it was not given; null: the frame is void. */
export function applyClaim(ledger: Ledger, frame: ClaimFrame, filing: Filing): Float64Array | null {
  const node = ledger.nodes.get(frame.node)
  if (node === undefined || node.gone) return null
  for (const guard of frame.guards) {
    if ((ledger.findQueue(guard.queue)?.version ?? 0) !== guard.version) return null
  }
  node.beats++
  node.lastBeat = ledger.now
  const tokens = new Float64Array(frame.items.length)
  let at = 0
  let door: Door | null = null
  for (const ask of frame.asks) {
    for (const to = at + ask.count; at < to; at++) {
      const item = frame.items[at]
      const slot = ledger.find(item)
      if (slot < 0 || !isRunnable(ledger, slot, item.attempt)) continue
      door = doorOf(ledger, slot, door)
      if (!door.admits(slot)) continue
      const token = ledger.shelf.token(filing, at)
      const hold = { token, node: frame.node, worker: ask.worker, claim: ask.claim }
      ledger.run(slot, hold, ledger.now)
      door.granted(slot, ask.margin ?? 0)
      tokens[at] = token
    }
  }
  door?.close()
  return tokens
}

/** The one that is open, unless it is another queue's. */
function doorOf(ledger: Ledger, slot: number, open: Door | null): Door {
  const queue = ledger.queueOf(slot)
  if (open?.queue === queue) return open
  open?.close()
  return new Door(ledger, queue)
}

function isRunnable(ledger: Ledger, slot: number, attempt: number): boolean {
  const columns = ledger.columns
  const state = columns.state.get(slot)
  if (state !== AVAILABLE && state !== SCHEDULED && state !== RETRYABLE) return false
  if (ledger.dueOf(slot) > ledger.now) return false
  return columns.attempt.get(slot) === attempt - 1 && attempt <= ledger.maxAttempts(slot)
}
