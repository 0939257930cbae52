/**
 * The job as a handler holds it: its data, its signal, and the verdicts that it may return. Costs a
 * plain handler little: what needs work (meta, history, origin, the signal) is made when it is first
 * read. Progress and log lines go to the engine, which gathers them.
 */
import type { Live } from './engine/engine.js'
import { onlyOnce } from './engine/judge.js'
import type { Claimed } from './job/claim.js'
import { noTransactions } from './job/no-transactions.js'
import { invalid, word } from './job/check.js'
import type { Throttle } from './job/verdict.js'
import { historyOf, metaOf, originOf } from './job/view.js'
import type { Attempt, JobData, Origin } from './job/view.js'
import { parentsOf } from './parents.js'
import type { ParentView } from './parents.js'
import { JobSteps } from './steps.js'
import { millis } from './time/duration.js'
import type { Duration } from './time/duration.js'
import type { Write } from './store.js'
import type { PostgresClient, SqliteHandle } from './transaction.js'
import { discarding, snoozing } from './verdict.js'
import type { Bench, Ruled, Verdict } from './verdict.js'

/** Never exported and never made: keeps other strings from being taken for a token. */
declare const held: unique symbol

/** Opaque proof of holding one attempt: safe to print, good as a fencing token elsewhere. */
export type Token = string & { readonly [held]: true }

/** A job while its attempt is held. */
export interface LiveJob<P = unknown> extends JobData<P> {
  /** Aborts at the timeout, when cancelled, when the lease is lost, when the stop runs out. */
  readonly signal: AbortSignal
  readonly token: Token
  /** What it comes after, with their results, in the order of `after`; none: []. */
  parents(): Promise<readonly ParentView[]>
  /** 0…1; gathered, the last one counts. */
  progress(fraction: number): void
  /** A line that stays with the job, the last 100 do; gathered. */
  log(line: string): void
  /**
   * Done once over all attempts: its value is kept with the job, durable when it answers, and `run`
   * is not called for it again. Calls of one name share one run. At most 1,000 steps a job, and
   * together `limits.resultBytes`, else RESULT_INVALID. LEASE_LOST when the attempt is over.
   */
  step<T>(name: string, run: () => T | Promise<T>): Promise<T>
  /**
   * The other side asked us to wait: nothing more starts for so long, on any node, of this queue
   * ['queue'], of all queues that share its rate's key, or of this job's group. What runs goes on;
   * it lands before this job's verdict, which a `commit` that took effect is. The longest that was
   * asked for counts. OPTION_INVALID for 'key' on a queue whose rate has none.
   */
  throttle(delay: Duration, what?: 'queue' | 'key' | 'group'): void
}

/** The handler's second argument: return what these build. */
export interface Job<P = unknown, Ret = unknown, S extends string = string> extends LiveJob<P> {
  /**
   * Again later, at a new place; the attempt is given back. On an at-most-once queue it throws
   * OPTION_INVALID, which fails the attempt unless the handler catches it.
   */
  snooze(delay: Duration): Verdict
  /** Again at once, at its old place; the attempt is given back. Throws like `snooze`. */
  release(): Verdict
  /** A failed attempt, as by a throw. */
  fail(error: unknown): Verdict
  /** Given up: discarded, or moved to its dead-letter queue. */
  discard(reason: string): Verdict
  cancel(reason?: string): Verdict
  /** Your writes and the completion in one short transaction; only on stores that have them. */
  readonly commit: CommitOf<Ret>[S]
}

/** By store, like `TxOf`; `write` gets a client inside the store's own transaction. */
export interface CommitOf<Ret> {
  [other: string]: Commit<unknown, Ret>
  memory: never
  file: never
  maildir: never
  redis: never
  sqlite: Commit<SqliteHandle, Ret>
  postgres: Commit<PostgresClient, Ret>
}

export type Commit<Client, Ret> = (
  write: (tx: Client) => void | Promise<void>,
  ...result: ResultArgs<Ret>
) => Promise<Verdict>

/** A result that may be undefined may be left out. */
export type ResultArgs<Ret> = undefined extends Ret ? [result?: Ret] : [result: Ret]

/** Does a run's writes and completion together. */
export type Committer = (write: Write, result: unknown) => Promise<void>

interface Run {
  readonly live: Live
  readonly payload: unknown
  readonly bench: Bench
  /** Null where there are no transactions. */
  readonly committer: Committer | null
}

/** What `Handler`s are given. Its face is `Job`; see there for what the members mean. */
export class RunningJob {
  readonly id: string
  readonly queue: string
  readonly task: string
  readonly payload: unknown
  readonly attempt: number
  readonly maxAttempts: number
  readonly priority: number
  readonly group: string
  readonly tags: readonly string[]
  readonly token: Token
  readonly #run: Run
  #meta: Readonly<Record<string, unknown>> | null = null
  #history: readonly Attempt[] | null = null
  #origin: Origin | null = null
  #steps: JobSteps | null = null

  constructor(run: Run) {
    const { claimed } = run.live
    this.id = claimed.id
    this.queue = claimed.queue
    this.task = claimed.task
    this.payload = run.payload
    this.attempt = claimed.attempt
    this.maxAttempts = claimed.maxAttempts
    this.priority = claimed.priority
    this.group = claimed.group
    this.tags = claimed.tags
    this.token = tokenOf(claimed)
    this.#run = run
  }

  get meta(): Readonly<Record<string, unknown>> {
    return (this.#meta ??= metaOf(this.#run.live.claimed.meta))
  }
  get history(): readonly Attempt[] {
    return (this.#history ??= historyOf(this.#run.live.claimed.history))
  }
  get origin(): Origin | null {
    return (this.#origin ??= originOf(this.#run.live.claimed.origin))
  }
  get signal(): AbortSignal {
    return this.#run.live.signal
  }

  parents(): Promise<readonly ParentView[]> {
    return parentsOf(this.#run.live)
  }

  progress(fraction: number): void {
    this.#run.live.progress(fractionOf(fraction))
  }
  log(line: string): void {
    this.#run.live.log(String(line))
  }
  step<T>(name: string, run: () => T | Promise<T>): Promise<T> {
    this.#steps ??= new JobSteps(this.#run.live)
    return this.#steps.do(name, run) as Promise<T> // as: the caller names the type, as with any stored data
  }

  throttle(delay: Duration, what: unknown = 'queue'): void {
    this.#run.live.throttle(throttling(this.#run.live, delay, what))
  }

  snooze(delay: Duration): Verdict {
    return this.#again(snoozing(delay))
  }
  release(): Verdict {
    return this.#again({ kind: 'release' })
  }
  fail(error: unknown): Verdict {
    return this.#run.bench.build({ kind: 'fail', error })
  }
  discard(reason: string): Verdict {
    return this.#run.bench.build(discarding(reason))
  }
  cancel(reason?: string): Verdict {
    return this.#run.bench.build({ kind: 'cancel', reason: reason ?? null })
  }

  async commit(write: Write, result?: unknown): Promise<Verdict> {
    const { committer, bench } = this.#run
    if (committer === null) throw noTransactions('job.commit')
    if (typeof write !== 'function') {
      const remedy = 'write job.commit(async (tx) => …, result)'
      throw invalid('job.commit', 'a function that writes', write, remedy)
    }
    await committer(write, result)
    return bench.build({ kind: 'complete', value: result })
  }

  #again(asked: Extract<Ruled, { readonly kind: 'snooze' | 'release' }>): Verdict {
    const { live, bench } = this.#run
    if (live.settings.delivery === 'at-most-once') throw onlyOnce(this, asked.kind)
    return bench.build(asked)
  }
}

export function tokenOf(claimed: Claimed): Token {
  return claimed.token as Token // as: the seam's token is the face's, under another name
}

/** A share of the work that is done; refused when it is no number from 0 to 1. */
export function fractionOf(fraction: number): number {
  if (fraction >= 0 && fraction <= 1) return fraction
  throw invalid(
    'job.progress',
    'a number from 0 to 1',
    fraction,
    'divide what is done by the whole',
  )
}

/** A throttle, checked. */
export function throttling(live: Live, delay: unknown, what: unknown): Throttle {
  const asked = word(what, ['queue', 'key', 'group'], 'job.throttle of')
  const { queue } = live.claimed
  if (asked === 'key' && live.settings.rate?.key == null) {
    const subject = `job.throttle of 'key'`
    const expected = `a rate with a key in queue(${JSON.stringify(queue)})`
    throw invalid(
      subject,
      expected,
      live.settings.rate,
      "declare rate.key, or throttle the 'queue'",
    )
  }
  return { what: asked, delay: millis(delay, 'job.throttle delay') }
}
