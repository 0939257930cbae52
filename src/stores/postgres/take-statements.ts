/**
 * What a plain claim takes (`../sql/plainly.ts`), in one statement, which is decided by what its handle
 * knew before: where that is so no longer it takes nothing, and answers no row. Either the row of each
 * job says from then on that it runs, or they stand in a handful (`handful-statements.ts`).
 *
 * $1 queue, $2 revision, $3 scope, $4 lane, $5 all lanes, $6 node, $7 worker, $8 claim, $9 limit, $10 now;
 * of a handful $11, a token before the first of any handful of the queue. `isLimited`: it is told what
 * leaves the backlog.
 */
import { HOLDS } from '../../job/book/columns.js'
import type { Millis } from '../../job/job.js'
import { TAKEN_COLUMNS, takenFrom } from '../sql/row.js'
import type { Taken } from '../sql/row.js'
import { leaving } from './backlog-statements.js'
import { NOW } from './beginning.js'
import { isInNone } from './handful-statements.js'
import { firstOfLane, inTime, nextBlock, TAKEN } from './words.js'

/** Where claims of this kind look, and in which order they take. */
const ORDER = 'priority DESC, place, seq'

export const takePlainly = (s: string, isLimited: boolean): string => `
  ${whatFits(s, 'fit')},
  numbered AS MATERIALIZED (
    SELECT seq, priority, place, now, before + row_number() OVER (ORDER BY ${ORDER}) AS token
    FROM (SELECT f.*, fit.before, fit.now
          FROM fit, ${firstOfLane(s, { lane: '$4::int', now: 'fit.now', most: '$9', skips: 'locked' })}
          LIMIT $9) AS first),
  changed AS (${runs(s, 'numbered')}),
  ${isLimited ? `moved AS (${leaving(s, 'changed')}),` : ''}
  ${signs(s, '')}
  ${answer(s, 'changed', '0')}`

/** It has been through nothing, and will leave nothing behind. */
const IS_NEW = `j.flags = 0 AND j.attempt = 0 AND j.crashes = 0 AND j.token IS NULL
             AND j.extra IS NULL AND j.expires IS NULL`

/**
 * The same for who is alone in it with the queue; of jobs that are new the rows stay as they are. Where the
 * row of another is held, as by who replaces it in a transaction that is open, nothing is taken.
 */
export const takeHandful = (s: string, isLimited: boolean): string => `
  ${whatFits(s, 'fitting')},
  first AS MATERIALIZED (
    SELECT f.* FROM fitting AS fit, ${firstOfLane(s, {
      ...{ lane: '$4::int', now: 'fit.now', most: '$9' },
      skips: isInNone(s, '$1', '$11::bigint'),
      columns: `, ${NEEDED}, (${IS_NEW}) AS is_new`,
    })}
    LIMIT $9),
  free AS MATERIALIZED (
    SELECT j.seq FROM ${s}jobs AS j
    WHERE j.seq IN (SELECT f.seq FROM first AS f WHERE NOT f.is_new) AND j.state = 1
    FOR UPDATE SKIP LOCKED),
  fit AS MATERIALIZED (
    SELECT * FROM fitting
    WHERE NOT EXISTS (SELECT FROM first AS f WHERE NOT f.is_new AND f.seq NOT IN (SELECT seq FROM free))),
  numbered AS MATERIALIZED (
    SELECT first.*, fit.before, fit.now, before + row_number() OVER (ORDER BY ${ORDER}) AS token
    FROM fit, first),
  put AS (
    INSERT INTO ${s}handfuls (first, scope, queue, node, worker, claim, at, jobs, held, seqs)
    SELECT min(token), $3, $1, $6, $7, $8, min(now), count(*), count(*) FILTER (WHERE is_new),
           array_agg(CASE WHEN is_new THEN seq ELSE 0 END ORDER BY token)
    FROM numbered HAVING bool_or(is_new)),
  old AS (SELECT seq, now, token FROM numbered WHERE NOT is_new),
  changed AS (${runs(s, 'old')}),
  taken AS (
    SELECT * FROM changed
    UNION ALL
    SELECT NULL, id, NULL, task, priority, NULL, NULL, max_attempts, NULL, due,
           NULL, token, payload, codec, spec, NULL
    FROM numbered WHERE is_new),
  ${isLimited ? `moved AS (${leaving(s, 'taken')}),` : ''}
  ${signs(s, `AND ${isInNone(s, '$1', '$11')}`)}
  ${answer(s, 'taken', `(SELECT min(h.first) FROM ${s}handfuls AS h WHERE h.queue = $1 AND h.first >= $11)`)}`

/**
 * A row that tells of the claim, which has a time, and a row for each job, which has none: the driver
 * reads each value of each row as a text of its own, and a null for nothing.
 */
function answer(s: string, taken: string, floor: string): string {
  const none = TAKEN_COLUMNS.map(() => 'NULL').join(', ')
  return `
  SELECT fit.now, (SELECT count(*) FROM more)::int, ${nextDue(s)}, ${floor}::bigint, ${none} FROM fit
  UNION ALL
  SELECT NULL, NULL, NULL, NULL, k.* FROM ${taken} AS k`
}

/** Where the columns of a job begin, behind those of the claim. */
const JOB_AT = 4

/** Of the row that tells of the claim. */
export interface TakeTold {
  readonly now: Millis
  /** How many more are known to wait: none, or one. */
  readonly more: number
  /** When the next is due. */
  readonly next: Millis | null
  readonly floor: number | null
}

/** Null: the row is that of a job. */
export function toldIn([now, more, next, floor]: readonly unknown[]): TakeTold | null {
  return now === null ? null : ({ now, more, next, floor } as TakeTold) // as: the columns of `answer`
}

/** The row of a job. Of a new one in a handful nothing is told that is the same for all of them. */
export function takenOf(row: readonly unknown[]): Taken {
  const taken = takenFrom(row, JOB_AT)
  if (row[JOB_AT] !== null) return taken
  taken.seq = NOT_TOLD
  taken.flags = HOLDS
  taken.crashes = 0
  taken.attempt = 1
  taken.place = NOT_TOLD
  taken.inserted_at = NOT_TOLD
  return taken
}
const NOT_TOLD = 0

/** What of a job's row is answered, but for what stands in `firstOfLane` and for the token. */
const NEEDED = `j.id, j.flags, j.task, j.crashes, j.attempt, j.max_attempts, j.due, j.inserted_at, j.payload,
           j.codec, j.spec, j.extra`

/** A row, where all is as the handle knew, with the time and the token before the first. */
function whatFits(s: string, name: string): string {
  return `
  WITH t AS MATERIALIZED (SELECT coalesce($10::float8, ${NOW}) AS now),
  q AS MATERIALIZED (
    SELECT t.now, g.until, g.base + ${nextBlock(s, 'token')} - 1 AS before
    FROM t, ${s}queues AS q, ${s}scopes AS c, ${s}token_grant AS g, ${s}nodes AS n
    WHERE q.id = $1::int AND q.revision = $2::int AND q.paused_since IS NULL AND q.transit IS NULL
      AND c.id = $3::int AND c.paused_since IS NULL
      AND n.scope = $3 AND n.node = $6::text AND n.gone = 0 AND n.last_beat >= t.now - 30000
      AND NOT EXISTS (SELECT FROM ${s}lanes AS l WHERE l.queue = $1 AND l.id <> ALL ($5::int[]))
      AND NOT EXISTS (SELECT FROM ${s}throttles AS h WHERE h.scope = $3 AND h.until > t.now)
      AND NOT EXISTS (SELECT FROM ${s}paused_groups AS p WHERE p.queue = $1)
      AND NOT EXISTS (SELECT FROM ${s}turns AS u WHERE u.queue = $1 AND u.grp > '')
      -- What has become due is brought where claims look first.
      AND NOT EXISTS (SELECT FROM unnest($5::int[]) AS k (lane),
                      LATERAL (SELECT FROM ${s}jobs AS j
                               WHERE j.lane = k.lane AND j.state IN (0, 3) AND j.due <= t.now
                               LIMIT 1) AS d)
    -- Nobody takes it for dead before this is over.
    FOR KEY SHARE OF n),
  ${name} AS MATERIALIZED (SELECT q.now, q.before FROM q WHERE q.before + $9::bigint <= q.until)`
}

/** From now on these run. */
function runs(s: string, numbered: string): string {
  return `
    UPDATE ${s}jobs AS j
    SET state = 2, attempt = j.attempt + 1, flags = j.flags | 64::int2, since = n.now, lane = NULL,
        expires = NULL, token = n.token, node = $6::text, worker = $7::text, claim = $8::int
    FROM ${numbered} AS n WHERE j.seq = n.seq
    RETURNING ${TAKEN}`
}

/** What comes with the claim; and whether there are more than it asked for, of those that `skips` allows. */
function signs(s: string, skips: string): string {
  return `
  -- Keys that are held only until the first start.
  freed AS (
    UPDATE ${s}keys AS y SET seq = NULL
    WHERE y.seq = ANY (ARRAY(SELECT k.seq FROM changed AS k WHERE k.extra IS NOT NULL)) AND y.waiting = 1),
  touched AS (
    UPDATE ${s}nodes AS n SET beats = n.beats + 1, last_beat = fit.now FROM fit
    WHERE n.scope = $3 AND n.node = $6 AND n.gone = 0 AND n.last_beat <= fit.now - 25
      AND EXISTS (SELECT FROM numbered)),
  last AS (SELECT * FROM numbered ORDER BY token DESC LIMIT 1),
  more AS (
    SELECT FROM last, ${s}turns AS u, LATERAL (
      SELECT FROM ${s}jobs AS j
      WHERE j.lane = $4 AND j.state = 1 AND j.grp = '' AND j.priority = u.priority
        AND j.place >= CASE WHEN u.priority = last.priority THEN last.place ELSE u.floor END
        AND (u.priority < last.priority OR (j.place, j.seq) > (last.place, last.seq))
        AND ${inTime('last.now')} ${skips}
      ORDER BY j.place, j.seq LIMIT 1) AS j
    WHERE u.lane = $4 AND u.grp = '' AND u.priority <= last.priority
      AND (SELECT count(*) FROM numbered) = $9
    LIMIT 1)`
}

/** When the first of the lane that is not due yet is. */
function nextDue(s: string): string {
  return `(SELECT j.due FROM ${s}jobs AS j WHERE j.lane = $4 AND j.state IN (0, 3)
          ORDER BY j.due LIMIT 1)`
}
