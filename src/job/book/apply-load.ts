/**
 * Applying what another store kept. A job is entered as it stood there; one whose id is known here is
 * left as it is, so loading twice is loading once. What it comes after must be here, or come in the
 * same frame; else it is deferred, and nothing of it is done. So no child ever forgets a parent.
 */
import { STATES } from '../job.js'
import type { JobRef } from '../job.js'
import type { Loaded } from '../portable.js'
import { findHold } from './apply-insert.js'
import { bringDown } from './cascade.js'
import {
  AT_WALL,
  BY_SETTINGS,
  FRESH,
  HOLDS,
  OWN_ID,
  RECEIPT,
  RETRYABLE,
  SCHEDULED,
} from './columns.js'
import type { Filing, Paper, Past } from './extra.js'
import type { JobFacts, LoadFrame, LoadItem, PastFacts } from './frame.js'
import { adopt } from './kin.js'
import type { Ledger } from './ledger.js'
import { loadFact } from './load-facts.js'
import { NEWS_ENDS } from './register.js'

const LOADED: Loaded = { status: 'loaded' }
const PRESENT: Loaded = { status: 'present' }

/** One answer for each job and fact, in order. */
export function applyLoad(ledger: Ledger, frame: LoadFrame, filing: Filing): Loaded[] {
  const arrivals = new Map<number, Arrival>()
  const coming = new Map<string, JobRef>()
  frame.items.forEach((item, at) => {
    if (item.as === 'job') coming.set(nameOf(item.job), item.job)
    if (item.as === 'job') arrivals.set(at, { ...item, at, papers: new Map() })
    if (item.as === 'paper') paperOf(arrivals, frame.items, at)
  })
  const entered: (readonly [slot: number, arrival: Arrival])[] = []
  // Whoever comes after one that is not taken is not taken either, in whatever order they stand.
  const answers = new Map<number, Loaded>()
  for (const [at, arrival] of arrivals) {
    const answer = obstacle(ledger, arrival)
    if (answer === null) continue
    answers.set(at, answer)
    if (answer.status !== 'present') coming.delete(nameOf(arrival.job))
  }
  for (let more = true; more;) {
    more = false
    for (const [at, arrival] of arrivals) {
      if (answers.has(at)) continue
      const parent = missingParent(ledger, arrival.facts, coming)
      if (parent === null) continue
      answers.set(at, { status: 'deferred', parent })
      coming.delete(nameOf(arrival.job))
      more = true
    }
  }
  const loaded: Loaded[] = []
  frame.items.forEach((item, at) => {
    if (item.as === 'fact') loaded.push(loadFact(ledger, item.fact) ? LOADED : PRESENT)
    const arrival = arrivals.get(at)
    if (arrival === undefined) return
    // One that came before it in this frame may have its id, or its key.
    const answer = answers.get(at) ?? obstacle(ledger, arrival)
    if (answer === null) entered.push([enter(ledger, arrival, filing), arrival])
    loaded.push(answer ?? LOADED)
  })
  for (const [slot, arrival] of entered) giveParents(ledger, slot, arrival, filing)
  bringDown(ledger)
  return loaded
}

type Arrival = Extract<LoadItem, { as: 'job' }> & {
  readonly at: number
  /** From its number to where it lies in the frame. */
  readonly papers: Map<number, number>
}

/** To whose job it belongs: the last one before it. */
function paperOf(arrivals: Map<number, Arrival>, items: readonly LoadItem[], at: number): void {
  const item = items[at]
  for (let before = at - 1; before >= 0 && item.as === 'paper'; before--) {
    const owner = arrivals.get(before)
    if (owner === undefined) continue
    const { queue, id, token } = item.paper
    if (owner.job.queue === queue && owner.job.id === id) owner.papers.set(token, at)
    return
  }
}

function nameOf({ queue, id }: JobRef): string {
  return `${queue}\0${id}`
}

/** Why it is not taken, whatever it comes after; null: nothing is in its way. */
function obstacle(ledger: Ledger, { job, facts }: Arrival): Loaded | null {
  if (facts.state === 'running') return { status: 'refused', why: 'running' }
  const known = ledger.find(job)
  // What went away from here may come back.
  if (known >= 0 && ledger.findExtra(known)?.isAway !== true) return PRESENT
  const queue = ledger.findQueue(job.queue)
  if (facts.key?.holds !== true || queue === undefined) return null
  const { name } = facts.key
  const hold = findHold(ledger, queue, name)
  if (hold === null || hold.id === job.id) return null
  return { status: 'refused', why: 'key-held', key: name, by: hold.id }
}

/** What it looks at and would not find. */
function missingParent(
  ledger: Ledger,
  { parents }: JobFacts,
  coming: ReadonlyMap<string, JobRef>,
): JobRef | null {
  for (const { looksAt, isAway } of parents) {
    if (looksAt === null || isAway || ledger.find(looksAt) >= 0) continue
    if (!coming.has(nameOf(looksAt))) return looksAt
  }
  return null
}

function enter(ledger: Ledger, { job, facts, at, papers }: Arrival, filing: Filing): number {
  const { columns, wallOffset } = ledger
  const before = ledger.find(job)
  if (before >= 0) ledger.remove(before)
  const queue = ledger.queue(job.queue)
  const slot = ledger.enter(queue, job.id, job.task, job.group)
  if (job.ownId) columns.raise(slot, OWN_ID)
  if (facts.isAtWall) columns.raise(slot, AT_WALL)
  if (facts.isFresh) columns.raise(slot, FRESH)
  columns.priority.set(slot, job.priority + 100)
  columns.crashes.set(slot, facts.crashes)
  columns.attempt.set(slot, facts.attempt)
  columns.maxAttempts.set(slot, job.attempts ?? BY_SETTINGS)
  columns.insertedAt.set(slot, facts.insertedAt - wallOffset)
  if (facts.isDescribed) ledger.shelf.put(slot, filing, at)
  giveExtra(ledger, slot, facts, (number) => {
    const item = number === null ? undefined : papers.get(number)
    return item === undefined ? null : ledger.shelf.paper(filing, item)
  })
  takeKey(ledger, slot, job.id, facts)
  settle(ledger, slot, facts)
  return slot
}

function settle(ledger: Ledger, slot: number, facts: JobFacts): void {
  const { columns, wallOffset } = ledger
  const queue = ledger.queueOf(slot)
  columns.place.set(slot, facts.place - wallOffset)
  if (facts.holdsGroup) {
    columns.raise(slot, HOLDS)
    queue.groups.restored(columns.group.get(slot), slot, false)
  }
  const { state } = facts
  if (facts.endedAt !== null) {
    if (facts.due !== facts.place) ledger.extra(slot).dueAt = facts.due - wallOffset
    columns.since.set(slot, facts.endedAt - wallOffset)
    ledger.restoreEnded(queue, slot, state === 'receipt' ? RECEIPT : STATES.indexOf(state))
    ledger.tell(queue, NEWS_ENDS)
  } else if (state === 'waiting') {
    ledger.waitForParents(slot)
  } else {
    const isRetry = state === 'available' ? facts.attempt > 0 : state === 'retryable'
    ledger.wait(slot, facts.due - wallOffset, isRetry ? RETRYABLE : SCHEDULED)
    // Blocking order: what holds its group is shown first, and keeps others back until it is due.
    if (queue.groups.isBlocking) ledger.show(queue, columns.group.get(slot))
  }
}

function takeKey(ledger: Ledger, slot: number, id: string, { key }: JobFacts): void {
  if (key === null) return
  ledger.extra(slot).key = { name: key.name, while: key.while }
  if (!key.holds) return
  const until = key.until === null ? 0 : key.until - ledger.wallOffset
  ledger.queueOf(slot).keys.set(key.name, { slot, id, while: key.while, until })
}

type FindPaper = (number: number | null) => Paper | null

function giveExtra(ledger: Ledger, slot: number, facts: JobFacts, find: FindPaper): void {
  const { round, expiresIn, progress, discarded, reason, movedTo, isDeleted, final } = facts
  const { history, origin, result, log, steps, stepsTold } = facts
  const isPlain =
    round === 1 && history.length + steps.length === 0 && !isDeleted && result === null
  const isSilent = [expiresIn, progress, discarded, reason, movedTo, final, origin, log].every(
    (word) => word === null,
  )
  if (isPlain && isSilent) return
  const past = ({ paper, ...rest }: PastFacts): Past => ({
    ...{ ...rest, startedAt: rest.startedAt - ledger.wallOffset },
    ...{ error: null, paper: find(paper) },
  })
  const extra = ledger.extra(slot)
  Object.assign(extra, { round, expiresIn, progress, discarded, reason, movedTo, isDeleted, final })
  extra.history = history.map(past)
  extra.origin = origin && {
    ...{ queue: origin.queue, id: origin.id, reason: origin.reason },
    ...{ maxAttempts: origin.maxAttempts ?? BY_SETTINGS, key: origin.key },
    history: origin.history.map(past),
  }
  extra.result = find(result)
  const lines = log === null ? null : find(log.paper)
  if (log !== null && lines !== null) {
    extra.log = [{ paper: lines, lines: log.lines }]
    extra.lines = log.lines
  }
  if (steps.length === 0) return
  const kept = steps.flatMap(({ name, paper }) => {
    const found = find(paper)
    return found === null ? [] : [{ name, paper: found }]
  })
  extra.steps = { kept, told: Math.min(stepsTold, kept.length) }
}

function giveParents(
  ledger: Ledger,
  slot: number,
  { facts, papers }: Arrival,
  filing: Filing,
): void {
  if (facts.parents.length === 0) return
  const parents = facts.parents.map(({ result, ...parent }) => {
    const item = result === null ? undefined : papers.get(result)
    return { ...parent, result: item === undefined ? null : ledger.shelf.paper(filing, item) }
  })
  adopt(ledger, slot, facts.onParentFailed, parents)
}
