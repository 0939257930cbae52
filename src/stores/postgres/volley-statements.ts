/**
 * The statements of volleys: each is decided by what its handle knew before, which stands among its
 * conditions, so it does all that it is asked, or nothing. `volleys.ts` sends them.
 */
import { OWN_ID } from '../../job/book/columns.js'
import { NOW } from './beginning.js'
import { firstOfLane, inTime, TAKEN } from './words.js'

/** `../sql/alike.ts`: jobs that differ in id, group and payload alone. */
export const insertAlike = (s: string): string => `
  WITH q AS MATERIALIZED (
    SELECT q.id, q.pass, nextval('${s}seq_blocks') AS first, coalesce($9::float8, ${NOW}) AS now
    FROM ${s}queues AS q
    WHERE q.id = $1::int AND q.revision = $2::int
      -- An id of ours is taken only by its own repetition.
      AND (($6::int2 & ${OWN_ID}) = 0
           OR NOT EXISTS (SELECT FROM ${s}jobs AS j
                          WHERE j.queue = $1 AND j.id = ANY ($10::text[])))),
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
              THEN coalesce(json_agg(a.seq - (SELECT first FROM q)), '[]')::text END AS added
  FROM added AS a`

/** `../sql/plainly.ts`: the first jobs of a lane; a row of its own answers that none was there. */
export const takePlainly = (s: string): string => `
  WITH t AS MATERIALIZED (SELECT coalesce($10::float8, ${NOW}) AS now),
  q AS MATERIALIZED (
    SELECT t.now, g.until, g.base + nextval('${s}token_blocks') - 1 AS before
    FROM t, ${s}queues AS q, ${s}scopes AS c, ${s}token_grant AS g, ${s}nodes AS n
    WHERE q.id = $1::int AND q.revision = $2::int AND q.paused_since IS NULL AND q.transit IS NULL
      AND c.id = $3::int AND c.paused_since IS NULL
      AND n.scope = $3 AND n.node = $6 AND n.gone = 0 AND n.last_beat >= t.now - 30000
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
  fit AS MATERIALIZED (SELECT q.now, q.before FROM q WHERE q.before + $9::bigint <= q.until),
  first AS (
    SELECT f.*, fit.before, fit.now FROM fit, ${firstOfLane(s, '$4::int', 'fit.now', '$9')}
    LIMIT $9),
  numbered AS (
    SELECT seq, now, before + row_number() OVER (ORDER BY priority DESC, place, seq) AS token
    FROM first),
  taken AS (
    UPDATE ${s}jobs AS j
    SET state = 2, attempt = j.attempt + 1, flags = j.flags | 64::int2, since = n.now, lane = NULL,
        expires = NULL, token = n.token, node = $6::text, worker = $7::text, claim = $8::int
    FROM numbered AS n WHERE j.seq = n.seq
    RETURNING ${TAKEN}),
  -- Keys that are held only until the first start.
  freed AS (
    UPDATE ${s}keys AS y SET seq = NULL FROM taken AS k
    WHERE k.extra IS NOT NULL AND y.seq = k.seq AND y.waiting = 1),
  touched AS (
    UPDATE ${s}nodes AS n SET beats = n.beats + 1, last_beat = fit.now FROM fit
    WHERE n.scope = $3 AND n.node = $6 AND n.gone = 0 AND n.last_beat <= fit.now - 25
      AND EXISTS (SELECT FROM taken)),
  last AS (SELECT * FROM first ORDER BY priority, place DESC, seq DESC LIMIT 1),
  -- Whether there are more than it asked for.
  more AS (
    SELECT FROM last, ${s}turns AS u, LATERAL (
      SELECT FROM ${s}jobs AS j
      WHERE j.lane = $4 AND j.state = 1 AND j.grp = '' AND j.priority = u.priority
        AND j.place >= CASE WHEN u.priority = last.priority THEN last.place ELSE u.floor END
        AND (u.priority < last.priority OR (j.place, j.seq) > (last.place, last.seq))
        AND ${inTime('last.now')}
      ORDER BY j.place, j.seq LIMIT 1) AS j
    WHERE u.lane = $4 AND u.grp = '' AND u.priority <= last.priority
      AND (SELECT count(*) FROM first) = $9
    LIMIT 1)
  SELECT fit.now, (SELECT count(*) FROM more)::int AS more,
         (SELECT j.due FROM ${s}jobs AS j WHERE j.lane = $4 AND j.state IN (0, 3)
          ORDER BY j.due LIMIT 1) AS next, k.*
  FROM fit LEFT JOIN taken AS k ON true`

/** `../sql/plainly.ts`: deletes those that are plain, and remembers that they were settled. */
export const completePlainly = (s: string): string => `
  WITH q AS MATERIALIZED (
    SELECT coalesce($7::float8, ${NOW}) AS now
    FROM unnest($2::int[], $3::int[]) AS k (id, revision)
    JOIN ${s}queues AS q ON q.id = k.id AND q.revision = k.revision
    HAVING count(*) = cardinality($2::int[])),
  gone AS (
    DELETE FROM ${s}jobs AS j
    USING q, unnest($4::int[], $5::text[], $6::bigint[]) AS k (queue, id, token)
    WHERE j.queue = k.queue AND j.id = k.id AND j.token = k.token AND j.state = 2
      AND j.extra IS NULL AND (j.flags & ${OWN_ID}) = 0
      AND NOT EXISTS (SELECT FROM ${s}kin WHERE parent = j.seq)
    RETURNING j.token),
  said AS (
    INSERT INTO ${s}settled (scope, at, low, high, body)
    SELECT $1::int, q.now, min(g.token), max(g.token),
           '{"plain":[' || string_agg(g.token::text, ',') || '],"rest":[]}'
    FROM q, gone AS g GROUP BY q.now)
  SELECT (SELECT count(*) FROM q)::int AS fits,
         CASE WHEN count(*) < cardinality($6::bigint[])
              THEN coalesce(json_agg(g.token), '[]')::text END AS done
  FROM gone AS g`
