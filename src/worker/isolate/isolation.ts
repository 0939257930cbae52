/**
 * Handlers in isolation, as a worker sees them: the same runs with the same checks and middleware
 * as in its own process, but the handler itself runs in an isolate, which can be killed. The
 * queue's schemas and the middleware stay here, since neither can be sent: what the input schema
 * gives out is what travels, and the result is checked when it is back. A task's own schemas are
 * in its module, and are asked there.
 *
 * An isolate gets the whole environment of this process.
 */
import type { Asked, Live, Perform } from '../../engine/engine.js'
import { invalid, onlyKnown, record, whole, word } from '../../job/check.js'
import { decode, encode } from '../../job/codec.js'
import { CONCURRENCY, ISOLATES } from '../../job/defaults.js'
import { MillraceError, millraceError } from '../../job/errors.js'
import type { Schema } from '../../job/schema.js'
import type { RunningJob } from '../../job-face.js'
import { performer } from '../../perform.js'
import type { Middleware } from '../../perform.js'
import type { Parts } from '../../parts.js'
import type { Clock } from '../../time/clock.js'
import { asking } from '../../verdict.js'
import type { Assignment, Crew } from '../../worker.js'
import type { Kind } from './cell.js'
import { Pool } from './pool.js'
import { openProcess } from './process-cell.js'
import { openThread } from './thread-cell.js'
import type { Shape } from './wire.js'

export interface IsolationOptions {
  readonly module: URL
  readonly kind: Kind
  /** How many isolates at most: one for each slot. */
  readonly size: number
  readonly clock: Clock
  /** Grows with `mill.use`. */
  readonly middlewares: readonly Middleware[]
}

/** What the module handles: plain jobs under one task, or the tasks that it names itself. */
export type Handling =
  | {
      readonly shape: 'handler'
      readonly task: string
      readonly input: Schema | null
      readonly output: Schema | null
    }
  | { readonly shape: 'tasks' }

export class Isolation implements Crew {
  readonly #options: IsolationOptions
  readonly #handling: Handling
  readonly #pool: Pool

  constructor(options: IsolationOptions, handling: Handling) {
    const { module, kind, size, clock } = options
    const shape: Shape = handling.shape
    const open = kind === 'thread' ? openThread : openProcess
    this.#options = options
    this.#handling = handling
    this.#pool = new Pool({ kind, module, shape, open, clock }, size)
  }

  /** Known at once for plain jobs; else once an isolate has loaded the module. */
  get tasks(): readonly string[] {
    return this.#handling.shape === 'handler' ? [this.#handling.task] : (this.#pool.tasks ?? [])
  }

  /** Null when it knows its tasks; else it looks. Rejects with OPTION_INVALID: the module is bad. */
  ready(): Promise<void> | null {
    if (this.#handling.shape === 'handler' || this.#options.size === 0) return null
    return this.#pool.tasks === null ? this.#learn() : null
  }

  readonly perform: Perform = (live) => {
    const { middlewares } = this.#options
    const { input, output } =
      this.#handling.shape === 'handler' ? this.#handling : { input: null, output: null }
    const handle = (payload: unknown, job: RunningJob): Promise<unknown> =>
      this.#through(live, job, input === null ? null : { payload })
    return performer(() => ({ handle, input, output }), { middlewares, committer: null })(live)
  }

  /** Ends the isolates; those that still run a job are killed. */
  close(): Promise<void> {
    return this.#pool.close()
  }

  async #learn(): Promise<void> {
    try {
      await this.#pool.learn()
    } catch (cause) {
      if (MillraceError.is(cause)) throw cause
      throw millraceError({
        code: 'OPTION_INVALID',
        subject: `work module ${this.#options.module.href}`,
        expected: 'a module that loads, with an array of task.handle(…) as its default export',
        received: cause,
        remedy: 'mend the module: nothing is taken until it loads',
        cause,
      })
    }
  }

  /** The handler's part of a run. `changed`: what the input schema made of the payload. */
  async #through(
    live: Live,
    job: RunningJob,
    changed: { readonly payload: unknown } | null,
  ): Promise<unknown> {
    const payload =
      changed === null
        ? live.claimed.payload
        : encode(changed.payload, 'payload as the input schema gives it out')
    return answerOf(await this.#pool.run(live, payload), job)
  }
}

/** What the handler over there said, as a handler here would have. */
function answerOf(asked: Asked, job: RunningJob): unknown {
  switch (asked.kind) {
    case 'complete':
      return asked.result === null ? undefined : decode(asked.result, 'result')
    case 'fail':
      throw asked.error
    case 'snooze':
      return job.snooze(asked.delay)
    case 'release':
      return job.release()
    case 'cancel':
      return job.cancel(asked.reason ?? undefined)
    case 'discard':
      throw asking(asked) // its reason may be one that no handler could give
  }
}

/** A `work(URL)`, as it was asked. */
export interface IsolationAsk {
  readonly queue: string
  readonly module: URL
  readonly options: unknown
  readonly handling: Handling
  readonly subject: string
}

/** Its options checked, and its pool ready to begin. */
export function isolated(parts: Parts, ask: IsolationAsk): Assignment {
  const { queue, module, handling } = ask
  const { kind, size } = isolateOptions(ask)
  const { clock, middlewares } = parts
  const most = parts.workers === 'idle' ? 0 : size
  const crew = new Isolation({ module, kind, size: most, clock, middlewares }, handling)
  return { queue, crew, concurrency: size }
}

function isolateOptions(ask: IsolationAsk): { readonly kind: Kind; readonly size: number } {
  const { module, options, subject } = ask
  if (module.protocol !== 'file:') {
    const remedy = "write new URL('./handler.js', import.meta.url)"
    throw invalid(subject, 'the file: URL of a module', module.href, remedy)
  }
  const given = record(options, `${subject} options`)
  onlyKnown(given, ['isolate', 'concurrency'], subject)
  const kind = word(given.isolate, ['thread', 'process'], `${subject}.isolate`)
  const { concurrency = CONCURRENCY } = given
  const size = whole(concurrency, `${subject}.concurrency`, { least: 0, most: ISOLATES })
  return { kind, size }
}
