/**
 * Taking over what stood beside jobs in another store. What was said here before stays: a copy fills
 * what is empty and never overrules whoever works here. Twice is once.
 */
import type { Millis } from '../job.js'
import type { PortableFact, PortableGrants, PortablePause, PortableQueue } from '../portable.js'
import type { PortableKey, PortableRetired, PortableSchedule } from '../portable.js'
import { findHold } from './apply-insert.js'
import { applySettings } from './apply-settings.js'
import type { Ledger } from './ledger.js'
import type { Pause, QueueBook } from './queue.js'
import { NEWS_CONTROL, NEWS_SCHEDULES } from './register.js'
import { keyOf } from './schedules.js'
import { GrantWindow } from './window.js'

/** False: it was there before. */
export function loadFact(ledger: Ledger, fact: PortableFact): boolean {
  switch (fact.kind) {
    case 'scope':
      if (ledger.paused !== null) return false
      ledger.paused = pauseOf(ledger, fact.paused)
      for (const queue of ledger.queues.values()) ledger.tell(queue, NEWS_CONTROL)
      return true
    case 'queue':
      return loadQueue(ledger, fact)
    case 'key':
      return loadKey(ledger, fact)
    case 'schedule':
      return loadSchedule(ledger, fact)
    case 'retired':
      return loadRetired(ledger, fact)
    case 'throttle': {
      const until = fact.until - ledger.wallOffset
      const { throttles } = ledger.rates
      if (until <= (throttles.get(fact.name) ?? ledger.now)) return false
      throttles.set(fact.name, until)
      return true
    }
    case 'grants':
      return loadGrants(ledger, fact)
  }
}

function pauseOf({ wallOffset }: Ledger, { since, by }: PortablePause): Pause {
  return { since: since - wallOffset, by }
}

function loadQueue(ledger: Ledger, fact: PortableQueue): boolean {
  const queue = ledger.queue(fact.queue)
  let changed = false
  for (const layer of ['declared', 'overrides'] as const) {
    if (isEmpty(fact[layer]) || !isEmpty(queue.stored[layer])) continue
    const revision = queue.stored.revision + 1
    const settings = fact[layer]
    applySettings(ledger, { kind: 'settings', queue: queue.name, revision, layer, settings })
    changed = true
  }
  if (fact.paused !== null && queue.paused === null) {
    queue.paused = pauseOf(ledger, fact.paused)
    changed = true
  }
  for (const [group, pause] of fact.pausedGroups) {
    if (queue.pausedGroups.has(group)) continue
    queue.pausedGroups.set(group, pauseOf(ledger, pause))
    changed = true
  }
  if (changed) ledger.tell(queue, NEWS_CONTROL)
  ledger.forget(queue)
  return changed
}

function isEmpty(layer: object): boolean {
  return Object.keys(layer).length === 0
}

function loadKey(ledger: Ledger, { queue: name, ...key }: PortableKey): boolean {
  const queue: QueueBook = ledger.queue(name)
  const until = key.until - ledger.wallOffset
  const isOver = until <= ledger.now || findHold(ledger, queue, key.name) !== null
  if (!isOver) {
    queue.keys.set(key.name, { slot: -1, id: key.id, while: key.while, until })
    queue.lapsing.push({ key: key.name, until })
  }
  ledger.forget(queue)
  return !isOver
}

/** Of one that was removed here, slots may have passed that this one still has to come. */
function loadSchedule(ledger: Ledger, { queue: name, schedule }: PortableSchedule): boolean {
  const queue = ledger.queue(name)
  const key = keyOf({ queue: name, name: schedule.name })
  const retired = ledger.retired.get(key)
  // What went away from here may come back; what was removed here stays so.
  const isGone = retired !== undefined && retired.isAway !== true
  if (isGone || queue.schedules.has(schedule.name)) {
    ledger.forget(queue)
    return false
  }
  ledger.retired.delete(key)
  queue.schedules.set(schedule.name, schedule)
  ledger.tell(queue, NEWS_SCHEDULES)
  return true
}

function loadRetired(ledger: Ledger, { queue, name, ...said }: PortableRetired): boolean {
  const key = keyOf({ queue, name })
  const isKnown = ledger.retired.has(key) || ledger.findQueue(queue)?.schedules.has(name) === true
  const until = said.until - ledger.wallOffset
  if (isKnown || until <= ledger.now) return false
  ledger.retired.set(key, { revision: said.revision, passed: said.passed, until })
  return true
}

function loadGrants(ledger: Ledger, { name, keep, moments }: PortableGrants): boolean {
  const known = ledger.findWindow(name)
  if (known?.isOver(ledger.now) === false || moments.length === 0) return false
  const at: Millis[] = []
  const sums: number[] = []
  let sum = 0
  for (const [moment, count] of moments) {
    sum += count
    at.push(moment - ledger.wallOffset)
    sums.push(sum)
  }
  const window = GrantWindow.of({ at, sums, keep, gatherAt: GATHER_AT })
  if (window.isOver(ledger.now)) return false
  ledger.replaceWindow(name, window)
  return true
}

/** As a window that was begun here has it. */
const GATHER_AT = 4096
