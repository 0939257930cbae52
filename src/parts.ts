/**
 * What the faces of one Millrace share: handed to each of them, so that none reaches for another.
 */
import type { Engine } from './engine/engine.js'
import type { Declared } from './declared.js'
import type { JobRef, Millis } from './job/job.js'
import type { Committer } from './job-face.js'
import type { Middleware } from './perform.js'
import type { Clock } from './time/clock.js'

export interface Parts {
  readonly engine: Engine
  readonly clock: Clock
  /** The longest sleep between two looks. */
  readonly poll: Millis
  readonly declared: Declared
  /** Grows with `mill.use`. */
  readonly middlewares: Middleware[]
  /** How `tx` and `job.commit` are taken. */
  readonly transactions: Transactions
  /** Awaited after every lot with the jobs that are new; null but in test mode. */
  readonly onInserted: ((refs: readonly JobRef[]) => Promise<void>) | null
  /** 'idle': workers start, but run nothing, as when a test only records. */
  readonly workers: 'run' | 'idle'
}

/**
 * 'store': the store's, where it has them, else refused with TX_UNSUPPORTED. 'pretended', in the
 * user's tests: `tx` is passed over, and `commit` hands out the client that the test gave.
 */
export type Transactions =
  { readonly kind: 'store' } | { readonly kind: 'pretended'; readonly committer: Committer }

/** What `job.commit` does here; null: it is refused. */
export function committerOf({ transactions, engine }: Parts): Committer | 'store' | null {
  if (transactions.kind === 'pretended') return transactions.committer
  return engine.store.traits.transactions ? 'store' : null
}

/** The store is open and knows what this process declared of the queue. */
export async function readyFor(parts: Parts, queue: string): Promise<void> {
  const ready = parts.declared.ready(queue)
  if (ready !== null) await ready
}
