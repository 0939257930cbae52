/**
 * One run of a handler, as the engine calls it: from a claimed job to what is asked for it. Reads
 * the payload, asks the input schema again, runs the middleware round the handler, and judges what
 * came back. Promises never to reject: whatever users throw becomes an answer. Timeouts, retries
 * and the settling itself are the engine's.
 */
import type { Asked, Live, Perform } from './engine/engine.js'
import { decode, encode } from './job/codec.js'
import { DEFAULT_TASK } from './job/defaults.js'
import type { Encoded } from './job/codec.js'
import { MillraceError, millraceError } from './job/errors.js'
import { check, objection } from './job/schema.js'
import type { Problem, Schema } from './job/schema.js'
import { RunningJob } from './job-face.js'
import type { Committer, Job } from './job-face.js'
import { leaseLost } from './steps.js'
import { Bench, askedByThrow } from './verdict.js'
import type { Verdict } from './verdict.js'

/** Return: the result. Throw: a failed attempt. */
export type Handler<P = unknown, Ret = unknown, S extends string = string> = (
  payload: P,
  job: Job<P, Ret, S>,
) => Ret | Verdict | Promise<Ret | Verdict>

/**
 * Runs the rest by `next()` (its value is the handler's answer); what it returns is ignored; it
 * calls `next` once or throws.
 */
export type Middleware<S extends string = string> = (
  job: Job<unknown, unknown, S>,
  next: () => Promise<unknown>,
) => unknown

/** A handler and what surrounds it, with the user's types taken off. */
export interface Duty {
  readonly handle: (payload: unknown, job: RunningJob) => unknown
  readonly input: Schema | null
  readonly output: Schema | null
}

/** What surrounds every run of a Millrace. `middlewares` is read at each run. */
export interface Surroundings {
  readonly middlewares: readonly Middleware[]
  /** 'store': in a transaction of the store's; null: there are none. */
  readonly committer: Committer | 'store' | null
}

/** What the engine runs for each claimed job. `dutyOf`: who does a task; undefined: nobody here. */
export function performer(
  dutyOf: (task: string) => Duty | undefined,
  around: Surroundings,
): Perform {
  return async (live) => {
    const { task, origin } = live.claimed
    // A dead-letter queue that many tasks share may be served by one plain handler.
    const duty = dutyOf(task) ?? (origin === null ? undefined : dutyOf(DEFAULT_TASK))
    if (duty === undefined) return { kind: 'release' } // claims name their tasks, so this stays away
    try {
      const read = readPayload(live, duty.input)
      const given = read instanceof Promise ? await read : read
      if (!given.fits) return given.asked
      return await run(live, duty, given.value, around)
    } catch (error) {
      return askedByThrow(error)
    }
  }
}

/** A payload for the handler, or what becomes of a job that has none to give. */
export type Given =
  | { readonly fits: true; readonly value: unknown }
  | { readonly fits: false; readonly asked: Extract<Asked, { kind: 'discard' }> }

/**
 * The payload as the input schema gives it out. What does not fit will not fit next time either, so
 * the job is discarded and not retried; a schema that throws is a fault like any other.
 */
export function readPayload(live: Live, input: Schema | null): Given | Promise<Given> {
  let value: unknown
  try {
    value = decode(live.claimed.payload)
  } catch (error) {
    if (!MillraceError.is(error, 'PAYLOAD_INVALID')) throw error
    return { fits: false, asked: invalidPayload(error.message) }
  }
  if (input === null) return { fits: true, value }
  const checked = check(input, value)
  return checked instanceof Promise ? checked.then(given) : given(checked)
}

function given(checked: Awaited<ReturnType<typeof check>>): Given {
  if (checked.fits) return checked
  return { fits: false, asked: invalidPayload(told('payload', checked.problem)) }
}

function invalidPayload(message: string): Extract<Asked, { kind: 'discard' }> {
  return { kind: 'discard', reason: 'payload-invalid', message }
}

async function run(live: Live, duty: Duty, payload: unknown, around: Surroundings): Promise<Asked> {
  const bench = new Bench()
  const committer = around.committer === 'store' ? inStore(live, duty.output) : around.committer
  const job = new RunningJob({ live, payload, bench, committer })
  const answer =
    around.middlewares.length === 0
      ? await duty.handle(payload, job)
      : await throughAll(around.middlewares, job, () => duty.handle(payload, job))
  const ruled = bench.read(answer)
  if (ruled !== null && ruled.kind !== 'complete') return ruled
  const value = ruled === null ? answer : ruled.value
  return { kind: 'complete', result: await resultFor(live, value, duty.output) }
}

function inStore(live: Live, output: Schema | null): Committer {
  return async (write, value) => {
    const result = await resultFor(live, value, output)
    const { status } = await live.commit(result, write)
    if (status === 'lost') throw leaseLost(live.claimed)
  }
}

/** Calls the first middleware, whose `next` calls the second, and so on down to the handler. */
async function throughAll(
  middlewares: readonly Middleware[],
  job: RunningJob,
  handle: () => unknown,
): Promise<unknown> {
  const around = middlewares.slice() // what is added during this run counts from the next one on
  const face = job as unknown as Job<unknown, unknown> // as: RunningJob is Job without the user's types
  const from = async (at: number): Promise<unknown> => {
    const middleware = around[at]
    if (middleware === undefined) return handle()
    let rest: Promise<unknown> | null = null
    const next = (): Promise<unknown> => {
      if (rest !== null) throw misused('called next() twice')
      return (rest = from(at + 1))
    }
    try {
      await middleware(face, next)
    } catch (error) {
      await settled(rest)
      throw error
    }
    if (rest === null) throw misused('returned without next()')
    return rest // `next` wrote it
  }
  return from(0)
}

/**
 * The middleware has thrown, and that is the run's outcome; but the handler's part must not run on
 * beside it, and its own error is the middleware's to have looked at.
 */
async function settled(rest: Promise<unknown> | null): Promise<void> {
  if (rest !== null) await Promise.allSettled([rest])
}

function misused(received: string): MillraceError {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: 'middleware',
    expected: 'one call of next(), or a throw',
    received,
    remedy: 'await next() exactly once; to keep a job from running, throw',
  })
}

/** The result as it is stored: checked by the output schema, encoded, within its limit. */
export async function resultFor(
  live: Live,
  value: unknown,
  output: Schema | null,
): Promise<Encoded | null> {
  let stored = value
  if (output !== null) {
    const checked = await check(output, value)
    if (!checked.fits) {
      throw resultInvalid(live, 'what the output schema describes', told('result', checked.problem))
    }
    stored = checked.value
  }
  return stored === undefined ? null : encodeResult(live, stored)
}

function encodeResult(live: Live, value: unknown): Encoded {
  let encoded: Encoded
  try {
    encoded = encode(value, 'result')
  } catch (cause) {
    throw resultInvalid(live, 'what JSON says, or Date, Map, Set, BigInt, undefined', value, cause)
  }
  const limit = live.settings.limits.resultBytes
  const bytes = bytesOf(encoded, limit)
  if (bytes <= limit) return encoded
  throw resultInvalid(live, `at most ${limit} bytes (limits.resultBytes)`, `${bytes} bytes`)
}

/** The bytes of a text; counted only where it could pass the limit, three bytes a letter at most. */
export function bytesOf(encoded: Encoded, limit: number): number {
  const { text } = encoded
  return text.length * 3 <= limit ? text.length : Buffer.byteLength(text)
}

function resultInvalid(
  live: Live,
  expected: string,
  received: unknown,
  cause?: unknown,
): MillraceError {
  const { queue, id } = live.claimed
  return millraceError({
    code: 'RESULT_INVALID',
    subject: `result of job ${JSON.stringify(id)} of queue ${JSON.stringify(queue)}`,
    expected,
    received,
    remedy: 'return less, or what the schema describes; large things belong elsewhere',
    cause,
  })
}

function told(subject: string, problem: Problem): string {
  return `${subject}${problem.path}: ${objection(problem)}`
}
