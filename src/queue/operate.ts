/**
 * What operators do to one queue: look, count, cancel, retry, delete, change. Each function checks
 * what it was given, sees that the store is open and the queue's declaration written, and asks the
 * store; commands go through the engine, which repeats their bounded steps and tells observers.
 */
import { encode } from '../job/codec.js'
import type { Encoded } from '../job/codec.js'
import { invalid, name, onlyKnown, record } from '../job/check.js'
import { overridesOf } from '../job/declare.js'
import { DEFAULT_TASK } from '../job/defaults.js'
import { millraceError } from '../job/errors.js'
import { FINAL_STATES, STATES } from '../job/job.js'
import type { Counts, State } from '../job/job.js'
import { instant } from '../job/options.js'
import { priorityOf } from '../job/priority.js'
import type * as job from '../job/selector.js'
import { viewOf } from '../job/view.js'
import type { JobView } from '../job/view.js'
import { parentView } from '../parents.js'
import type { ParentView } from '../parents.js'
import type { Parts } from '../parts.js'
import { readyFor } from '../parts.js'
import { bytesOf } from '../perform.js'
import type { JobChange, JobsCommand, Store } from '../store.js'
import { nextTurn } from '../time/clock.js'
import { millis } from '../time/duration.js'
import { fit } from './fit.js'
import { fill, page, pageAsk } from './page.js'
import type { Page } from './page.js'
import { selectorOf, selectsNothing, targetOf } from './select.js'
import { settingsView } from './settings-view.js'
import type { SettingsView } from './settings-view.js'

export interface Changed {
  readonly changed: number
}

/** Unfinished and not running: what `limits.backlog` counts. */
const BACKLOG: readonly State[] = ['scheduled', 'available', 'retryable', 'waiting']

export async function length(parts: Parts, queue: string): Promise<number> {
  const all = await counts(parts, queue, undefined)
  return BACKLOG.reduce((sum, state) => sum + all[state], 0)
}

export async function counts(parts: Parts, queue: string, which: unknown): Promise<Counts> {
  const selector = selectorOf(which, 'counts')
  const store = await storeOf(parts, queue)
  const sum = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number> // as: STATES names them all
  if (selectsNothing(selector)) return sum
  let cursor: string | null = null
  for (;;) {
    const seen: Awaited<ReturnType<Store['count']>> = await store.count({
      queue,
      which: selector,
      cursor,
    })
    for (const state of STATES) sum[state] += seen.counts[state]
    cursor = seen.cursor
    if (cursor === null) return sum
    await nextTurn(parts.clock)
  }
}

export async function get<P, R>(
  parts: Parts,
  queue: string,
  id: string,
): Promise<JobView<P, R> | null> {
  const ref = { queue, id: name(id, 'get') }
  const store = await storeOf(parts, queue)
  const [found] = await store.get([ref])
  return found?.kind === 'job' ? viewOf<P, R>(found.job) : null
}

export async function list<P, R>(
  parts: Parts,
  queue: string,
  which: unknown,
  options: unknown,
): Promise<Page<JobView<P, R>>> {
  const selector = selectorOf(which, 'list')
  const ask = pageAsk(options, 'list')
  const store = await storeOf(parts, queue)
  if (selectsNothing(selector)) return page([], null)
  const look = (next: job.PageAsk) => store.list({ queue, which: selector, page: next })
  return fill(parts.clock, ask, look, viewOf<P, R>)
}

export async function parents(
  parts: Parts,
  queue: string,
  id: string,
): Promise<readonly ParentView[] | null> {
  const ref = { queue, id: name(id, 'parents') }
  const store = await storeOf(parts, queue)
  return (await store.parents(ref))?.map(parentView) ?? null
}

/** Cancels, retries or deletes what `which` means, which may not be everything by accident. */
export async function command(
  parts: Parts,
  kind: 'cancel' | 'retry' | 'delete',
  queue: string,
  which: unknown,
): Promise<Changed> {
  const selector = targetOf(which, kind)
  switch (kind) {
    case 'cancel':
      return order(parts, selector, { kind, queue, which: selector, reason: null })
    case 'retry':
    case 'delete':
      return order(parts, selector, { kind, queue, which: selector })
  }
}

export async function purge(parts: Parts, queue: string, given: unknown): Promise<Changed> {
  const states = given ?? FINAL_STATES
  const { states: checked = [] } = selectorOf({ states }, 'purge')
  if (checked.includes('running')) {
    throw invalid('purge', 'states other than running', states, 'cancel the running jobs first')
  }
  const which = { states: checked }
  return order(parts, which, { kind: 'delete', queue, which })
}

export async function update(
  parts: Parts,
  queue: string,
  id: string,
  change: unknown,
): Promise<boolean> {
  const given = record(change, 'update')
  onlyKnown(given, ['payload', 'priority', 'in', 'at'], 'update')
  if (given.in !== undefined && given.at !== undefined) {
    throw invalid('update.at', "either 'in' or 'at'", given.at, 'give one of the two')
  }
  const checked: JobChange = {
    ...('payload' in given && { payload: encode(given.payload, 'update.payload') }),
    ...(given.priority !== undefined && {
      priority: priorityOf(given.priority, 'update.priority'),
    }),
    ...(given.in !== undefined && { delay: millis(given.in, 'update.in') }),
    ...(given.at !== undefined && { at: instant(given.at, 'update.at') }),
  }
  const ref = { queue, id: name(id, 'update') }
  if (checked.payload !== undefined) {
    await refuseLarge(parts, queue, checked.payload)
    await fitJob(parts, ref, given.payload)
  }
  const { changed } = await order(parts, {}, { kind: 'update', ...ref, change: checked })
  return changed > 0
}

export async function settings(parts: Parts, queue: string): Promise<SettingsView> {
  const store = await storeOf(parts, queue)
  return settingsView(await store.settings(queue))
}

export async function override(
  parts: Parts,
  queue: string,
  overrides: unknown,
): Promise<SettingsView> {
  const change = overridesOf(queue, overrides)
  const store = await storeOf(parts, queue)
  // What is taken back leaves what was declared.
  const isTakenBack = change.takeBack.includes('deadLetter')
  const { deadLetter } = isTakenBack ? (await store.settings(queue)).declared : change.say
  await parts.declared.refuseCircle(queue, deadLetter)
  const stored = await store.override(queue, change)
  parts.declared.remember(queue, stored)
  return settingsView(stored)
}

/** A new payload has the limit of a first one. */
async function refuseLarge(parts: Parts, queue: string, payload: Encoded): Promise<void> {
  await readyFor(parts, queue)
  const limit = (await parts.declared.settings(queue)).limits.payloadBytes
  const bytes = bytesOf(payload, limit)
  if (bytes <= limit) return
  throw millraceError({
    code: 'PAYLOAD_TOO_LARGE',
    subject: `queue(${JSON.stringify(queue)}).update.payload`,
    expected: `at most ${limit} bytes (limits.payloadBytes)`,
    received: bytes,
    remedy: 'store the large part elsewhere and give its address, or raise the limit',
  })
}

/** A plain job's new payload is checked like its first one; a task's schema is not known here. */
async function fitJob(
  parts: Parts,
  ref: { readonly queue: string; readonly id: string },
  payload: unknown,
): Promise<void> {
  const input = parts.declared.of(ref.queue)?.input ?? null
  if (input === null) return
  const store = await storeOf(parts, ref.queue)
  const [found] = await store.get([ref])
  const isPlain = found?.kind === 'job' && found.job.task === DEFAULT_TASK
  if (isPlain) await fit(input, payload, 'update.payload')
}

async function order(parts: Parts, which: job.Selector, command: JobsCommand): Promise<Changed> {
  await readyFor(parts, command.queue)
  if (selectsNothing(which)) return { changed: 0 }
  return { changed: await parts.engine.control(command) }
}

async function storeOf(parts: Parts, queue: string): Promise<Store> {
  await readyFor(parts, queue)
  return parts.engine.store
}
