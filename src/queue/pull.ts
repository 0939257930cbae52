/**
 * Pulling: `take` for one or some jobs, `jobs` for a stream of them with back-pressure, both without
 * a worker. Any task is taken, since `job.task` says which it is; a payload that does not fit the
 * queue's input schema is discarded here as before a run, and the next is taken in its stead.
 */
import type { Held } from '../engine/engine.js'
import { invalid, onlyKnown, record, whole } from '../job/check.js'
import { CONCURRENCY_LIMIT, DEFAULT_TASK, TAKE_LIMIT } from '../job/defaults.js'
import type { Millis } from '../job/job.js'
import { MillraceError } from '../job/errors.js'
import type { Parts } from '../parts.js'
import { readyFor } from '../parts.js'
import { readPayload } from '../perform.js'
import { millis } from '../time/duration.js'
import type { Duration } from '../time/duration.js'
import { backoffOf } from '../worker.js'
import { PulledJob } from './held.js'
import type { OnLetGo } from './held.js'

export interface TakeOptions {
  /** How long to wait for a first one [0]. */
  readonly wait?: Duration
  readonly signal?: AbortSignal
}

/** `take` without `limit`: one or null; with it: an array. */
export async function takeBy(
  parts: Parts,
  queue: string,
  options: unknown = {},
): Promise<PulledJob | null | readonly PulledJob[]> {
  const given = record(options, 'take')
  onlyKnown(given, ['limit', 'wait', 'signal'], 'take')
  const wait = given.wait === undefined ? 0 : millis(given.wait, 'take.wait', { infinite: true })
  const signal = signalOf(given.signal, 'take.signal')
  const one = given.limit === undefined
  const bounds = { least: 1, most: TAKE_LIMIT }
  const limit = one ? 1 : whole(given.limit, 'take.limit', bounds)
  const jobs = await take(parts, queue, { limit, wait, signal, onLetGo: null })
  return one ? (jobs[0] ?? null) : jobs
}

interface Taking {
  readonly limit: number
  readonly wait: Millis
  readonly signal: AbortSignal | undefined
  readonly onLetGo: OnLetGo | null
}

async function take(parts: Parts, queue: string, taking: Taking): Promise<PulledJob[]> {
  await readyFor(parts, queue)
  const end = parts.clock.mono() + taking.wait
  for (;;) {
    const left = taking.wait === Infinity ? Infinity : Math.max(0, end - parts.clock.mono())
    const { limit, signal } = taking
    const backoff = backoffOf(parts, queue)
    const spec = { queue, limit, wait: left, backoff }
    const held = await parts.engine.take(signal === undefined ? spec : { ...spec, signal })
    const jobs = await Promise.all(held.map((each) => open(parts, each, taking.onLetGo)))
    const fitting = jobs.filter((job) => job !== null)
    if (fitting.length > 0 || held.length === 0) return fitting
  }
}

/** A held job with its payload read; null when the payload did not fit and the job was discarded. */
async function open(parts: Parts, held: Held, onLetGo: OnLetGo | null): Promise<PulledJob | null> {
  const { queue, task } = held.live.claimed
  const duty = task === DEFAULT_TASK ? parts.declared.of(queue) : null
  try {
    const read = await readPayload(held.live, duty?.input ?? null)
    if (read.fits) return new PulledJob(held, read.value, duty?.output ?? null, onLetGo)
    await held.settle(read.asked)
    return null
  } catch (error) {
    if (MillraceError.is(error)) throw error
    await held.settle({ kind: 'fail', error })
    return null
  }
}

/** Pull for ever; ends when the signal aborts. Leaving the loop releases what is not settled. */
export async function* stream(
  parts: Parts,
  queue: string,
  options: unknown = {},
): AsyncGenerator<PulledJob, void, undefined> {
  const { concurrency, signal } = streamOptions(options)
  const unsettled = new Set<PulledJob>()
  const room = new Room()
  const onLetGo = (job: PulledJob): void => {
    unsettled.delete(job)
    room.open()
  }
  const stopped = (): void => room.open()
  signal?.addEventListener('abort', stopped)
  try {
    while (signal?.aborted !== true) {
      if (unsettled.size >= concurrency) {
        await room.wait()
        continue
      }
      const job = await next(parts, queue, signal, onLetGo)
      if (job === null) continue
      unsettled.add(job)
      yield job
    }
  } finally {
    signal?.removeEventListener('abort', stopped)
    await Promise.all([...unsettled].map((job) => job[Symbol.asyncDispose]()))
  }
}

/** The next job, however long it takes; null when the signal ended the wait. */
async function next(
  parts: Parts,
  queue: string,
  signal: AbortSignal | undefined,
  onLetGo: OnLetGo,
): Promise<PulledJob | null> {
  try {
    const [job] = await take(parts, queue, { limit: 1, wait: Infinity, signal, onLetGo })
    return job ?? null
  } catch (error) {
    if (signal?.aborted === true && error === signal.reason) return null
    throw error
  }
}

/** One waiter at most, woken by any number of calls. */
class Room {
  #wake: (() => void) | null = null

  wait(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  open(): void {
    this.#wake?.()
    this.#wake = null
  }
}

function streamOptions(options: unknown): {
  readonly concurrency: number
  readonly signal: AbortSignal | undefined
} {
  const given = record(options, 'jobs')
  onlyKnown(given, ['signal', 'concurrency'], 'jobs')
  const bounds = { least: 1, most: CONCURRENCY_LIMIT }
  const concurrency =
    given.concurrency === undefined ? 1 : whole(given.concurrency, 'jobs.concurrency', bounds)
  return { concurrency, signal: signalOf(given.signal, 'jobs.signal') }
}

function signalOf(value: unknown, path: string): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value
  throw invalid(path, 'an AbortSignal', value)
}
