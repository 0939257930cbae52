/**
 * Words that statements share: the columns of a job, and what is asked of one again and again, in the
 * terms in which its indexes are declared.
 */
import { TAKEN_COLUMNS } from '../sql/row.js'

/** In this order. */
export const COLUMNS = [
  ...['seq', 'queue', 'id', 'state', 'flags', 'task', 'grp', 'priority', 'crashes', 'attempt'],
  ...['max_attempts', 'place', 'due', 'inserted_at', 'since', 'token', 'node', 'worker', 'claim'],
  ...['lane', 'expires', 'payload', 'codec', 'spec', 'extra'],
]
export const JOB = COLUMNS.join(', ')
/** The same, of `j`. */
export const J = COLUMNS.map((column) => `j.${column}`).join(', ')

/** The same, with the payload where that parameter is 1; a payload may be large. */
export const jOr = (whole: string): string =>
  J.replace('j.payload', () => `CASE WHEN ${whole}::int = 1 THEN j.payload END AS payload`)
/** The same without the payload. */
export const BARE = J.replace('j.payload', 'NULL::text AS payload')

export const TAKEN = TAKEN_COLUMNS.map((column) => `j.${column}`).join(', ')

/** The columns of a queue. */
export const QUEUE = `q.id, q.name, q.declared, q.overrides, q.revision, q.paused_since, q.paused_by, q.pass,
  q.transit`

/** The next block of numbers; a schema may have any name. */
export const nextBlock = (s: string, of: 'seq' | 'token'): string =>
  `nextval('${s.replaceAll("'", "''")}${of}_blocks')`

/** Runs, as the index of what is held has it. */
export const RUNS = `j.state = 2 AND j.state < 4 AND (j.flags & 64) <> 0`
/**
 * The turn of a group that is looked up by its name; not in the words of the index of all that are closed,
 * which may be a hundred thousand.
 */
export const IS_CLOSED = 'u.closed + 0 = 1'
/** Could be started: not past its last moment. */
export const inTime = (now: string): string => `(j.expires IS NULL OR j.expires >= ${now})`
/** Among the flags, beside those of the book: others come after it, or did. */
export const PARENT = 128
/** The first jobs of a lane that nobody else takes, in lines of jobs without a group; to be limited again. */
export const firstOfLane = (s: string, of: FirstOfLane): string => `
      LATERAL (SELECT u.priority, u.floor FROM ${s}turns AS u
               WHERE u.lane = ${of.lane} AND u.grp = '' ORDER BY u.priority DESC) AS u,
      LATERAL (SELECT j.seq, j.priority, j.place${of.columns ?? ''} FROM ${s}jobs AS j
               WHERE j.lane = ${of.lane} AND j.state = 1 AND j.grp = '' AND j.priority = u.priority
                 AND j.place >= u.floor AND ${inTime(of.now)}
                 ${of.skips === 'locked' ? '' : `AND ${of.skips}`}
               ORDER BY j.place, j.seq LIMIT ${of.most}
               ${of.skips === 'locked' ? 'FOR UPDATE SKIP LOCKED' : ''}) AS f`

interface FirstOfLane {
  readonly lane: string
  readonly now: string
  readonly most: string
  /** Those whose rows others hold, or those of which this is not so. */
  readonly skips: string
  /** Behind its number, priority and place. */
  readonly columns?: string
}
/** Its state, whether or not its time was noticed. */
export const stateAt = (now: string): string =>
  `CASE WHEN j.state IN (0, 3) AND j.due <= ${now} THEN 1 ELSE j.state END`

/** How rows are read that are to be changed; nothing where they are only shown. */
export type Locking = 'FOR UPDATE OF j' | ''

/** The queue `q` does not move to another store: what does, waits there for its end. */
export const STAYS = `coalesce(q.transit::json ->> 'side', '') <> 'moving'`
