/**
 * Words that statements share: the columns of a job, and what is asked of one again and again, in the
 * terms in which its indexes are declared.
 */

const COLUMNS = [
  ...['seq', 'queue', 'id', 'state', 'flags', 'task', 'grp', 'priority', 'crashes', 'attempt'],
  ...['max_attempts', 'place', 'due', 'inserted_at', 'since', 'token', 'node', 'worker', 'claim'],
  ...['lane', 'expires', 'payload', 'codec', 'spec', 'extra'],
]
export const JOB = COLUMNS.join(', ')
/** The same, of `j`. */
export const J = COLUMNS.map((column) => `j.${column}`).join(', ')

/** Runs, as the index of what is held has it. */
export const RUNS = `j.state = 2 AND j.state < 4 AND (j.flags & 64) <> 0`
/** Could be started: not past its last moment. */
export const inTime = (now: string): string => `(j.expires IS NULL OR j.expires >= ${now})`
/** Its state, whether or not its time was noticed. */
export const stateAt = (now: string): string =>
  `CASE WHEN j.state IN (0, 3) AND j.due <= ${now} THEN 1 ELSE j.state END`

/** How rows are read that are to be changed; nothing where they are only shown. */
export type Locking = 'FOR UPDATE OF j' | ''
