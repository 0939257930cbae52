/**
 * What a job comes after, as its holder sees it: how each ended, and what it left. Asked of the
 * store when somebody wants it, since most jobs have no parents and most handlers never ask.
 */
import type { Live } from './engine/engine.js'
import type { JobRef, ParentRow, State } from './job/job.js'
import { resultOf } from './job/view.js'
import { leaseLost } from './steps.js'

/** A job that another one comes after. */
export interface ParentView extends JobRef {
  /** 'completed', unless `onParentFailed` or an operator let the job run without it. */
  readonly state: State
  /** What its handler returned; undefined when that was nothing, or when it did not complete. */
  readonly result: unknown
}

/** In the order of `after`. LEASE_LOST when the job is gone; else as the store fails. */
export async function parentsOf(live: Live): Promise<readonly ParentView[]> {
  const rows = await live.parents()
  if (rows === null) throw leaseLost(live.claimed)
  return rows.map(parentView)
}

export function parentView({ queue, id, state, result }: ParentRow): ParentView {
  return { queue, id, state, result: resultOf(result) }
}
