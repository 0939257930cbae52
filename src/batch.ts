/**
 * Batches as users write them: one call of a handler for many jobs of one task, and how its one
 * answer becomes an answer for each of them. Promises: payloads and jobs stand in the order in
 * which they were claimed; schemas, middleware and verdicts are those of each job by itself, so one
 * that does not fit ends alone; a throw fails all. Gathering the jobs, their timeouts and their
 * verdicts' way to the store are the engine's.
 */
import type { Batching, Live, Perform } from './engine/engine.js'
import { invalid, onlyKnown, record, whole } from './job/check.js'
import {
  BATCH_SIZE,
  BATCH_SIZE_LIMIT,
  BATCH_WAIT,
  CONCURRENCY,
  DEFAULT_TASK,
} from './job/defaults.js'
import { millraceError } from './job/errors.js'
import type { MillraceError } from './job/errors.js'
import type { Millis } from './job/job.js'
import type { Schema } from './job/schema.js'
import type { Job, RunningJob } from './job-face.js'
import { committerOf } from './parts.js'
import type { Parts } from './parts.js'
import { performer } from './perform.js'
import type { Surroundings } from './perform.js'
import { millis } from './time/duration.js'
import type { Duration } from './time/duration.js'
import { askedByThrow } from './verdict.js'
import type { Verdict } from './verdict.js'
import { slotsOf } from './worker.js'
import type { Crew, WorkOptions } from './worker.js'

/**
 * Nothing: all completed. An array: one result or verdict per job, in order. A throw: all failed,
 * but a thrown `Snooze` or `Release` holds for all.
 */
export type BatchHandler<P = unknown, Ret = unknown, S extends string = string> = (
  payloads: readonly P[],
  jobs: readonly Job<P, Ret, S>[],
) => BatchAnswer<Ret> | Promise<BatchAnswer<Ret>>

export type BatchAnswer<Ret> = void | readonly (Ret | Verdict)[]

export interface BatchOptions extends WorkOptions {
  /** Jobs in one call at most; at most 1,000 [100]. */
  readonly size?: number
  /** How long a batch that is not full waits for more, from its first job on ['200ms']. */
  readonly wait?: Duration
}

/** Options, checked. */
export interface Gathering {
  readonly size: number
  readonly wait: Millis
  readonly concurrency: number
}

export function batchOptions(options: unknown, subject: string): Gathering {
  if (options === undefined) return { size: BATCH_SIZE, wait: BATCH_WAIT, concurrency: CONCURRENCY }
  const given = record(options, subject)
  onlyKnown(given, ['size', 'wait', 'concurrency'], subject)
  const { size = BATCH_SIZE, wait = BATCH_WAIT } = given
  return {
    size: whole(size, `${subject}.size`, { least: 1, most: BATCH_SIZE_LIMIT }),
    wait: millis(wait, `${subject}.wait`),
    concurrency: slotsOf(given, subject),
  }
}

export interface BatchDuty {
  readonly handler: unknown
  readonly input: Schema | null
  readonly output: Schema | null
  readonly size: number
  readonly wait: Millis
}

/** A batch handler in this process, for the plain jobs of a queue. */
export function batchHandlersHere(parts: Parts, duty: BatchDuty, subject: string): Crew {
  const { middlewares } = parts
  const committer = committerOf(parts)
  return {
    tasks: [DEFAULT_TASK],
    perform: batching(duty, { middlewares, committer }, subject),
    ready: () => null,
    close: () => Promise.resolve(),
  }
}

type HandleBatch = (payloads: readonly unknown[], jobs: readonly RunningJob[]) => unknown

function batching(duty: BatchDuty, around: Surroundings, subject: string): Batching {
  const { handler, input, output, size, wait } = duty
  if (typeof handler !== 'function') {
    const remedy = 'give the handler'
    throw invalid(subject, 'a function (payloads, jobs) => results', handler, remedy)
  }
  const handle = handler as HandleBatch // as: called as `BatchHandler` says
  return {
    size,
    wait,
    together(lives: readonly Live[]): Perform {
      const company = new Company(lives, handle)
      const join = (payload: unknown, job: RunningJob): unknown => company.join(payload, job)
      const perform = performer(() => ({ handle: join, input, output }), around)
      return async (live) => {
        try {
          return await perform(live)
        } finally {
          company.leave(live.claimed.token)
        }
      }
    },
  }
}

/** One who waits for the answer of the batch. */
interface Member {
  readonly payload: unknown
  readonly job: RunningJob
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * The jobs of one call. Each of them comes through its own schema and middleware and joins, or
 * leaves before that because something of it did not fit; when nobody is expected any more, the
 * handler is called with those that joined.
 */
class Company {
  readonly #handle: HandleBatch
  readonly #expected: Set<string>
  /** In the order in which the jobs were claimed; null: it has not joined. */
  readonly #members: Map<string, Member | null>

  constructor(lives: readonly Live[], handle: HandleBatch) {
    this.#handle = handle
    this.#members = new Map(lives.map(({ claimed }) => [claimed.token, null]))
    this.#expected = new Set(this.#members.keys())
  }

  /** The answer of the batch for this job. */
  join(payload: unknown, job: RunningJob): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#members.set(job.token, { payload, job, resolve, reject })
      this.leave(job.token)
    })
  }

  /** It is not expected any more. */
  leave(token: string): void {
    if (this.#expected.delete(token) && this.#expected.size === 0) void this.#call()
  }

  /** Never rejects: what the handler throws is each member's. */
  async #call(): Promise<void> {
    const members = [...this.#members.values()].filter((member) => member !== null)
    if (members.length === 0) return
    try {
      const payloads = members.map(({ payload }) => payload)
      const jobs = members.map(({ job }) => job)
      const answers = answersOf(await this.#handle(payloads, jobs), members.length)
      members.forEach((member, at) => member.resolve(answers?.[at]))
    } catch (error) {
      const { kind } = askedByThrow(error)
      const told = kind === 'discard' || kind === 'cancel' ? whose(kind, error) : error
      for (const member of members) member.reject(told)
    }
  }
}

/** An answer for each; null: nothing was said, so all are completed. */
function answersOf(answer: unknown, jobs: number): readonly unknown[] | null {
  if (answer === undefined) return null
  if (Array.isArray(answer) && answer.length === jobs) return answer as readonly unknown[] // as: isArray says any[]
  throw millraceError({
    code: 'RESULT_INVALID',
    subject: 'answer of a batch handler',
    expected: `nothing, or an array of ${jobs} results or verdicts, one per job in order`,
    received: Array.isArray(answer) ? `an array of ${answer.length}` : answer,
    remedy: 'return payloads.map(…) so that each job has its place; job.fail(error) fails one',
  })
}

/** What ends a job for good is never guessed for all of them. */
function whose(kind: 'discard' | 'cancel', cause: unknown): MillraceError {
  return millraceError({
    code: 'VERDICT_NOT_RETURNED',
    subject: 'batch handler',
    expected: `to be told which of its jobs it means to ${kind}`,
    received: cause,
    remedy: `catch what was thrown, and return job.${kind}(…) in the place of that job`,
    cause,
  })
}
