/**
 * The statements of volleys: each is decided by what its handle knew before, which stands among its
 * conditions, so it does all that it is asked, or nothing. `volleys.ts` sends them.
 */
import { OWN_ID } from '../../job/book/columns.js'
import { NOW } from './beginning.js'
import { nextBlock } from './words.js'

/** `../sql/alike.ts`: jobs that differ in id, group and payload alone. */
export const insertAlike = (s: string): string => `
  WITH q AS MATERIALIZED (
    SELECT q.id, q.pass, ${nextBlock(s, 'seq')} AS first, coalesce($9::float8, ${NOW}) AS now
    FROM ${s}queues AS q
    WHERE q.id = $1::int AND q.revision = $2::int
      -- An id of ours is taken only by its own repetition.
      AND (($6::int2 & ${OWN_ID}) = 0
           OR NOT EXISTS (SELECT FROM unnest($10::text[]) AS k (id),
                          LATERAL (SELECT FROM ${s}jobs AS j
                                   WHERE j.queue = $1 AND j.id = k.id LIMIT 1) AS j))),
  added AS (
    INSERT INTO ${s}jobs (seq, queue, id, state, flags, task, grp, priority, crashes, attempt, place,
                          due, inserted_at, since, lane, expires, payload, codec)
    SELECT q.first + k.n - 1, q.id, k.id, 1, $6::int2, $4::text, k.grp, $5::int2, 0, 0, q.now,
           q.now, q.now, 0, $3::int, q.now + $8::float8, k.payload, $7::int2
    FROM q, unnest($10::text[], $11::text[], $12::text[]) WITH ORDINALITY AS k (id, grp, payload, n)
    ON CONFLICT DO NOTHING
    RETURNING seq, grp),
  -- The whole key of a turn, and in a row that is made: each is found by its index, however many.
  k AS MATERIALIZED (
    SELECT $3::int AS lane, q.id AS queue, a.grp, $5::int2 AS priority, q.pass, min(a.seq) AS tie,
           q.now AS floor
    FROM q, added AS a GROUP BY a.grp, q.id, q.pass, q.now),
  turned AS (
    INSERT INTO ${s}turns AS t (lane, queue, grp, priority, pass, tie, floor)
    SELECT k.lane, k.queue, k.grp, k.priority, k.pass, k.tie, k.floor FROM k
    WHERE NOT EXISTS (SELECT FROM ${s}turns AS u
                      WHERE u.lane = k.lane AND u.grp = k.grp AND u.priority = k.priority)
    -- One that somebody else makes at this moment is not seen.
    ON CONFLICT (lane, grp, priority) DO UPDATE SET floor = excluded.floor
    WHERE t.floor > excluded.floor),
  lowered AS (
    UPDATE ${s}turns AS u SET floor = k.floor FROM k
    WHERE u.lane = k.lane AND u.grp = k.grp AND u.priority = k.priority AND u.floor > k.floor)
  SELECT (SELECT count(*) FROM q)::int AS fits,
         CASE WHEN count(*) < cardinality($10::text[])
              THEN coalesce(json_agg(a.seq - (SELECT first FROM q)), '[]')::text END AS added,
         CASE WHEN count(*) > 0 AND $13::text IS NOT NULL
              THEN pg_notify($13::text, $14::text)::text END AS told
  FROM added AS a`
