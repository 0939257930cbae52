/** Words that statements share. */

export const JOB = `seq, queue, id, state, flags, task, grp, priority, crashes, attempt, max_attempts,
  place, due, inserted_at, since, token, node, worker, claim, lane, expires,
  payload, codec, spec, extra`

/** The same, with the payload where that parameter is 1; a payload may be large. */
export const jobOr = (whole: string): string =>
  JOB.replace('payload', `CASE WHEN ${whole} = 1 THEN payload END AS payload`)
/** The same without the payload. */
export const BARE = JOB.replace('payload', 'NULL AS payload')

/** It does not move to another store: what does, waits there for its end. */
export const STAYS = `coalesce(q.transit ->> '$.side', '') <> 'moving'`

/**
 * Jobs by an index that is named, since SQLite counts nothing by itself: it takes the one of all jobs
 * of a queue for as good, and walks through these.
 */
export const held = (t: string): string => `${t}jobs INDEXED BY ${t}jobs_held`
export const paged = (t: string): string => `${t}jobs INDEXED BY ${t}jobs_paged`
export const expiring = (t: string): string => `${t}jobs INDEXED BY ${t}jobs_expiring`

/** Runs, as the index of what is held has it. */
export const RUNS = 'state = 2 AND state < 4 AND (flags & 64) <> 0'
