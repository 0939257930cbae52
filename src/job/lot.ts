/**
 * What producers hand in, and what they hear back. A lot is the unit of all or none: one call of
 * `enqueue` or `enqueueMany`. Lots in one batch are independent of each other.
 */
import type { Encoded } from './codec.js'
import type { Instant, JobRef, Millis, Origin } from './job.js'

/** One job to insert. `null` means "by the queue's settings". */
export interface NewJob {
  readonly queue: string
  /** Made above the seam, so that an insert whose answer was lost can be repeated. */
  readonly id: string
  /** The id is the user's own, so it leaves a receipt. */
  readonly ownId: boolean
  readonly task: string
  readonly payload: Encoded
  /** -100 to 100, higher first. */
  readonly priority: number
  /** '' for none. */
  readonly group: string
  /** A span from the store's now; ignored when `at` is given. */
  readonly delay: Millis
  /** The user's own instant; a past one runs now, in its place by time. */
  readonly at: Instant | null
  readonly unique: UniqueKey | null
  readonly attempts: number | null
  /** Infinity: none. */
  readonly timeout: Millis | null
  /** From when it is due. */
  readonly expiresIn: Millis | null
  /** It waits for these; they may stand later in the same lot. */
  readonly after: readonly JobRef[]
  readonly onParentFailed: ParentPolicy
  readonly tags: readonly string[]
  readonly meta: Encoded | null
  readonly origin: Origin | null
}

/**
 * What a job does when one that it comes after is cancelled, discarded or deleted. 'wait': it waits
 * on; 'discard': it is discarded, too; 'run': it runs when all have ended, however they did.
 */
export type ParentPolicy = 'wait' | 'discard' | 'run'

export interface UniqueKey {
  readonly key: string
  /** Held until the job is final, or only until it first starts. */
  readonly while: 'unfinished' | 'waiting'
  /** And at least this long from its insertion. */
  readonly for: Millis
  readonly onConflict: 'keep' | 'replace' | 'reject'
}

export interface Lot {
  readonly jobs: readonly NewJob[]
  /** The caller's own transaction; only where `traits.transactions`. */
  readonly tx?: unknown
}

/** What it wants and nobody else may have: ids of the user's own, and unique keys. */
export function wantsOf({ jobs }: Lot): readonly string[] {
  if (!jobs.some(({ ownId, unique }) => ownId || unique !== null)) return NOTHING
  return jobs.flatMap(({ queue, id, ownId, unique }) => [
    ...(ownId ? [`id ${queue} ${id}`] : []),
    ...(unique === null ? [] : [`key ${queue} ${unique.key}`]),
  ])
}

const NOTHING: readonly string[] = []

/** One answer per job, in order. When one of a lot is refused, the others are `withdrawn`. */
export type Inserted =
  | {
      readonly status: 'inserted'
      readonly id: string
      /** Of a job with parents, where it is not as its `delay` and `at` say. */
      readonly state?: 'waiting' | 'discarded'
      /** Of one that was discarded at once. */
      readonly deadLetter?: JobRef | null
    }
  /** The job that was there before: by id, or by unique key. */
  | { readonly status: 'duplicate'; readonly id: string }
  | { readonly status: 'replaced'; readonly id: string }
  | { readonly status: 'refused'; readonly code: 'QUEUE_FULL'; readonly limit: number }
  | { readonly status: 'refused'; readonly code: 'DUPLICATE'; readonly id: string }
  /** Nobody knows a job of that name, nor can it have completed a while ago. */
  | { readonly status: 'refused'; readonly code: 'PARENT_UNKNOWN'; readonly parent: JobRef }
  | {
      readonly status: 'refused'
      readonly code: 'PAYLOAD_TOO_LARGE'
      readonly limit: number
      readonly bytes: number
    }
  | { readonly status: 'withdrawn' }
