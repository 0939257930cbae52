/**
 * The statements about jobs, and about what stands beside them: keys, kin, settlements. See
 * `statements.ts` for how they are written.
 */
import { OWN_ID } from '../../job/book/columns.js'
import type { Statement } from '../sql/statements.js'
import { seeJobs } from './handful-statements.js'
import { BARE, firstOfLane, inTime, J, JOB, jOr, nextBlock, PARENT, RUNS } from './words.js'
import { STAYS, stateAt, TAKEN } from './words.js'
import type { Locking } from './words.js'

export function jobStatements(s: string, locking: Locking) {
  return {
    // ── Jobs ─────────────────────────────────────────────────────────────────────────────────────
    // Each call takes a block of its own; what is left of it is left.
    'seq.take': `SELECT ${nextBlock(s, 'seq')} + $1::bigint - 1 AS last`,
    'token.take': `
      SELECT g.base + n.at + $1::bigint - 1 AS last, g.until
      FROM (SELECT ${nextBlock(s, 'token')} AS at) AS n LEFT JOIN ${s}token_grant AS g ON true`,
    // What the server itself is set to, if that waits for the disk at all.
    'token.wait': `
      SELECT ceiling, set_config('synchronous_commit',
               (SELECT CASE reset_val WHEN 'off' THEN 'on' ELSE reset_val END
                FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit'), true)
      FROM ${s}token_ceiling FOR UPDATE`,
    // One more than was reserved is passed over: a standby that took over may not have heard of it.
    'token.reserve': `
      WITH n AS (SELECT ${nextBlock(s, 'token')} AS at),
           c AS (UPDATE ${s}token_ceiling SET ceiling = ceiling + 2 * $1::bigint RETURNING ceiling)
      INSERT INTO ${s}token_grant (base, until)
      SELECT c.ceiling - $1::bigint - n.at, c.ceiling FROM c, n
      ON CONFLICT (one) DO UPDATE SET until = excluded.until`,
    'job.add': `
      INSERT INTO ${s}jobs (${JOB})
      SELECT * FROM unnest(
        $1::bigint[], $2::int[], $3::text[], $4::int2[], $5::int2[], $6::text[], $7::text[],
        $8::int2[], $9::int2[], $10::int[], $11::bigint[], $12::float8[], $13::float8[],
        $14::float8[], $15::float8[], $16::bigint[], $17::text[], $18::text[], $19::int[],
        $20::int[], $21::float8[], $22::text[], $23::int2[], $24::text[], $25::text[])
      ON CONFLICT DO NOTHING
      RETURNING seq`,
    'job.deleted': `
      SELECT j.seq FROM unnest($1::int[], $2::text[]) AS k (queue, id)
      JOIN ${s}jobs AS j ON j.queue = k.queue AND j.id = k.id
      -- Not by the index of what has ended, which has all receipts of the queue.
      WHERE j.state + 0 = 8 AND j.extra::json ->> 'isDeleted' = 'true'`,
    'job.find': `
      SELECT ${J} FROM unnest($1::int[], $2::text[]) AS k (queue, id)
      JOIN ${s}jobs AS j ON j.queue = k.queue AND j.id = k.id
      ORDER BY j.seq ${locking}`,
    'job.see': seeJobs(s),
    'job.read': `
      SELECT ${J} FROM unnest($1::bigint[]) AS k (seq) JOIN ${s}jobs AS j ON j.seq = k.seq
      ORDER BY j.seq ${locking}`,
    'job.free': `
      SELECT ${J} FROM unnest($1::bigint[]) AS k (seq) JOIN ${s}jobs AS j ON j.seq = k.seq
      ORDER BY j.seq FOR UPDATE OF j SKIP LOCKED`,
    'job.isThere': `SELECT seq FROM ${s}jobs WHERE seq = ANY ($1::bigint[])`,
    // One that runs is not waited for, and is not held up.
    'job.hold': `
      SELECT ${J} FROM unnest($1::bigint[]) AS k (seq) JOIN ${s}jobs AS j ON j.seq = k.seq
      WHERE j.state <> 2 ORDER BY j.seq FOR UPDATE OF j`,
    'bare.find': `
      SELECT ${BARE} FROM unnest($1::int[], $2::text[]) AS k (queue, id)
      JOIN ${s}jobs AS j ON j.queue = k.queue AND j.id = k.id
      ORDER BY j.seq ${locking}`,
    'bare.read': `
      SELECT ${BARE} FROM unnest($1::bigint[]) AS k (seq) JOIN ${s}jobs AS j ON j.seq = k.seq
      ORDER BY j.seq ${locking}`,
    'job.change': `
      UPDATE ${s}jobs AS j
      SET state = k.state, flags = k.flags | (j.flags & ${PARENT}::int2), priority = k.priority, crashes = k.crashes,
          attempt = k.attempt, max_attempts = k.max_attempts, place = k.place, due = k.due,
          since = k.since, token = k.token, node = k.node, worker = k.worker, claim = k.claim,
          lane = k.lane, expires = k.expires, extra = k.extra
      FROM unnest($1::bigint[], $2::int2[], $3::int2[], $4::int2[], $5::int2[], $6::int[],
                  $7::bigint[], $8::float8[], $9::float8[], $10::float8[], $11::bigint[],
                  $12::text[], $13::text[], $14::int[], $15::int[], $16::float8[], $17::text[])
        AS k (seq, state, flags, priority, crashes, attempt, max_attempts, place, due, since,
              token, node, worker, claim, lane, expires, extra)
      WHERE j.seq = k.seq`,
    'job.describe': `
      UPDATE ${s}jobs AS j SET payload = k.payload, codec = k.codec, spec = k.spec
      FROM unnest($1::bigint[], $2::text[], $3::int2[], $4::text[])
        AS k (seq, payload, codec, spec)
      WHERE j.seq = k.seq`,
    'job.remove': `DELETE FROM ${s}jobs WHERE seq = ANY ($1::bigint[])`,
    'job.complete': `
      DELETE FROM ${s}jobs AS j
      USING unnest($1::int[], $2::text[], $3::bigint[]) AS k (queue, id, token)
      WHERE j.queue = k.queue AND j.id = k.id AND j.token = k.token AND j.state = 2
        AND j.extra IS NULL AND (j.flags & ${OWN_ID | PARENT}) = 0
      RETURNING j.queue, j.id, j.grp`,
    'job.due': `
      UPDATE ${s}jobs AS j SET state = 1
      FROM (SELECT d.seq FROM unnest($3::int[]) AS k (lane),
            LATERAL (SELECT i.seq FROM ${s}jobs AS i
                     WHERE i.lane = k.lane AND i.state IN (0, 3) AND i.due <= $1
                     ORDER BY i.due LIMIT $2 FOR UPDATE SKIP LOCKED) AS d) AS due
      WHERE j.seq = due.seq
      RETURNING j.lane, j.grp, j.priority, j.seq, j.place`,
    'job.take': `
      WITH first AS (
        SELECT f.*
        FROM ${firstOfLane(s, { lane: '$1', now: '$2::float8', most: '$3', skips: 'locked' })}
        LIMIT $3),
      numbered AS (
        SELECT seq, row_number() OVER (ORDER BY priority DESC, place, seq) AS n FROM first)
      UPDATE ${s}jobs AS j
      SET state = 2, attempt = j.attempt + 1, flags = j.flags | 64::int2, since = $2, lane = NULL,
          expires = NULL, token = $4::bigint + numbered.n, node = $5, worker = $6, claim = $7
      FROM numbered WHERE j.seq = numbered.seq
      RETURNING ${TAKEN}`,
    'line.first': `
      SELECT f.* FROM unnest($3::int[], $4::text[], $5::int2[], $6::int[], $7::float8[])
               AS k (lane, grp, priority, most, floor),
      LATERAL (SELECT ${jOr('$2')} FROM ${s}jobs AS j
               WHERE j.lane = k.lane AND j.state = 1 AND j.grp = k.grp AND j.priority = k.priority
                 AND j.place >= k.floor AND ${inTime('$1::float8')}
               ORDER BY j.place, j.seq LIMIT k.most) AS f`,
    'lane.first': `
      SELECT f.* FROM unnest($3::int[], $4::text[]) AS k (lane, grp),
      LATERAL (SELECT ${jOr('$2')} FROM ${s}jobs AS j
               WHERE j.lane = k.lane AND j.state = 1 AND j.grp = k.grp AND ${inTime('$1::float8')}
               ORDER BY j.priority DESC, j.place, j.seq LIMIT 1) AS f`,
    'lane.ready': `
      SELECT f.seq FROM unnest($1::int[], $2::float8[]) AS k (lane, now),
      LATERAL (SELECT h.seq FROM ${s}turns AS u,
               LATERAL (SELECT j.seq FROM ${s}jobs AS j
                        WHERE j.lane = u.lane AND j.state = 1 AND j.grp = u.grp
                          AND j.priority = u.priority AND j.place >= u.floor AND ${inTime('k.now')}
                        ORDER BY j.place LIMIT 1) AS h
               WHERE u.lane = k.lane LIMIT 1) AS f`,
    'job.waiting': `
      SELECT ${J} FROM ${s}jobs AS j
      WHERE j.queue = $1 AND j.state IN (0, 1, 3) AND j.attempt >= $2 AND j.seq > $3
      ORDER BY j.seq LIMIT $4 ${locking}`,
    'job.expired': `
      SELECT ${J} FROM ${s}jobs AS j
      WHERE j.expires < $2
        AND j.queue IN (SELECT q.id FROM ${s}queues AS q WHERE q.scope = $1 AND ${STAYS})
      ORDER BY j.expires LIMIT $3 ${locking}${locking && ' SKIP LOCKED'}`,
    'job.spent': `
      SELECT ${J} FROM ${s}jobs AS j
      WHERE j.state = 1 AND j.lane IS NULL
        AND j.queue IN (SELECT q.id FROM ${s}queues AS q WHERE q.scope = $1 AND ${STAYS})
      LIMIT $2 ${locking}${locking && ' SKIP LOCKED'}`,
    'job.orphans': `
      SELECT ${J} FROM ${s}jobs AS j
      WHERE ${RUNS} AND j.queue IN (SELECT id FROM ${s}queues WHERE scope = $1)
        AND NOT EXISTS (SELECT FROM ${s}nodes AS n WHERE n.scope = $1 AND n.node = j.node)
      LIMIT $2 ${locking}${locking && ' SKIP LOCKED'}`,
    'ended.count': `
      SELECT k.queue, k.state, c.ended FROM unnest($1::int[], $2::int2[]) AS k (queue, state),
      LATERAL (SELECT count(*)::int AS ended FROM ${s}jobs AS j
               WHERE j.queue = k.queue AND j.state = k.state AND j.state >= 5) AS c`,
    'ended.past': `
      SELECT f.* FROM unnest($1::int[], $2::int2[], $3::float8[], $4::int[])
               AS k (queue, state, until, most),
      LATERAL (SELECT ${BARE} FROM ${s}jobs AS j
               WHERE j.queue = k.queue AND j.state = k.state AND j.state >= 5
                 AND j.since <= k.until
               ORDER BY j.since, j.seq LIMIT k.most ${locking}${locking && ' SKIP LOCKED'}) AS f`,
    // By number: by the queues all that is left would be sorted for each page.
    'dump.jobs': `
      SELECT ${J} FROM ${s}jobs AS j
      WHERE j.queue + 0 = ANY ($1::int[]) AND j.seq > $2
        AND (j.state < 8 OR j.extra::json ->> 'isAway' IS NULL)
      ORDER BY j.seq LIMIT $3`,
    'dump.numbers': `
      SELECT f.seq FROM unnest($3::int[]) AS k (queue),
      LATERAL (SELECT j.seq FROM ${s}jobs AS j
               WHERE j.queue = k.queue AND j.seq > $1
                 AND (j.state < 8 OR j.extra::json ->> 'isAway' IS NULL)
               ORDER BY j.seq LIMIT $2) AS f`,
    'page.any': `
      SELECT ${jOr('$8')} FROM (SELECT * FROM ${s}jobs WHERE queue = $1 AND seq < $2
                        ORDER BY seq DESC LIMIT $9) AS j
      WHERE ${stateAt('$6::float8')} = ANY ($3::int[])
        AND ($4::text IS NULL OR j.task = $4) AND ($5::text IS NULL OR j.grp = $5)
      ORDER BY j.seq DESC LIMIT $7`,
    'page.ended': `
      SELECT f.* FROM unnest($8::int[]) AS k (state),
      LATERAL (SELECT ${jOr('$7')} FROM (SELECT * FROM ${s}jobs AS e
                                 WHERE e.queue = $1 AND e.state = k.state AND e.state BETWEEN 5 AND 7
                                   AND e.seq < $2
                                 ORDER BY e.seq DESC LIMIT $6) AS j
               WHERE ($3::text IS NULL OR j.task = $3) AND ($4::text IS NULL OR j.grp = $4)
               ORDER BY j.seq DESC LIMIT $5) AS f`,
    'page.endedBound': `
      SELECT f.seq FROM unnest($4::int[]) AS k (state),
      LATERAL (SELECT j.seq FROM ${s}jobs AS j
               WHERE j.queue = $1 AND j.state = k.state AND j.state BETWEEN 5 AND 7 AND j.seq < $2
               ORDER BY j.seq DESC LIMIT 1 OFFSET $3::int - 1) AS f`,
    'page.running': `
      SELECT ${jOr('$8')} FROM ${s}jobs AS j
      WHERE j.queue = $1 AND ${RUNS} AND j.seq < $2 AND $3::int[] IS NOT NULL
        AND ($4::text IS NULL OR j.task = $4) AND ($5::text IS NULL OR j.grp = $5)
        AND $6::float8 IS NOT NULL
      ORDER BY j.seq DESC LIMIT $7`,
    'page.bound': `
      SELECT j.seq FROM ${s}jobs AS j WHERE j.queue = $1 AND j.seq < $2
      ORDER BY j.seq DESC LIMIT 1 OFFSET $3::int - 1`,

    // ── Keys, kin, settlements ───────────────────────────────────────────────────────────────────
    // Who looks at a key to change it owns it until the end: a row that says nothing stands for one
    // that nobody has.
    'key.find':
      locking === ''
        ? `
      SELECT y.queue, y.key, y.seq, y.id, y.until, y.waiting
      FROM unnest($1::int[], $2::text[]) AS k (queue, key)
      JOIN ${s}keys AS y ON y.queue = k.queue AND y.key = k.key`
        : ownKeys(s),
    'key.own': ownKeys(s),
    'dump.keys': `
      SELECT queue, key, seq, id, until, waiting FROM ${s}keys
      WHERE queue = ANY ($1::int[]) AND seq IS NULL AND until > $4 AND (queue, key) > ($2, $3)
      ORDER BY queue, key LIMIT $5`,
    'dump.keyed': `
      SELECT DISTINCT queue FROM ${s}keys
      WHERE queue = ANY ($1::int[]) AND (seq IS NOT NULL OR until > $2)`,
    'key.put': `
      INSERT INTO ${s}keys (queue, key, seq, id, until, waiting)
      SELECT * FROM unnest($1::int[], $2::text[], $3::bigint[], $4::text[], $5::float8[], $6::int2[])
      ON CONFLICT (queue, key) DO UPDATE
      SET seq = excluded.seq, id = excluded.id, until = excluded.until, waiting = excluded.waiting`,
    'key.remove': `
      DELETE FROM ${s}keys AS y USING unnest($1::int[], $2::text[]) AS k (queue, key)
      WHERE y.queue = k.queue AND y.key = k.key`,
    'key.started': `
      UPDATE ${s}keys SET seq = NULL
      WHERE seq = ANY ($2::bigint[]) AND waiting = 1 AND $1::float8 IS NOT NULL`,
    'key.lapse': `
      DELETE FROM ${s}keys
      WHERE (queue, key) IN (SELECT y.queue, y.key FROM ${s}keys AS y
                             WHERE y.seq IS NULL AND y.until <= $2
                               AND y.queue IN (SELECT id FROM ${s}queues WHERE scope = $1)
                             LIMIT 1000 FOR UPDATE SKIP LOCKED)`,
    'kin.children': `SELECT DISTINCT child FROM ${s}kin WHERE parent = ANY ($1::bigint[])`,
    'kin.parents': `SELECT DISTINCT parent, child FROM ${s}kin WHERE child = ANY ($1::bigint[])`,
    // Whoever completes a parent at this moment waits for the mark, and sees it then; what only stands
    // in another table he would not.
    'kin.add': `WITH marked AS (${mark(s)}) ${link(s)}`,
    'kin.link': link(s),
    'kin.mark': mark(s),
    'arrival.add': `INSERT INTO ${s}arrivals (scope, child) SELECT $1::int, unnest($2::bigint[])`,
    'arrival.take': `
      DELETE FROM ${s}arrivals
      WHERE scope = $1 AND child IN (SELECT a.child FROM ${s}arrivals AS a WHERE a.scope = $1
                      ORDER BY a.child LIMIT $2 FOR UPDATE SKIP LOCKED)
      RETURNING child`,
    'arrival.breath': `SELECT pg_sleep(0.02)`,
    'kin.remove': `
      DELETE FROM ${s}kin AS l
      USING unnest($1::bigint[], $2::bigint[], $3::int[]) AS k (parent, child, at)
      WHERE l.parent = k.parent AND l.child = k.child AND l.at = k.at`,
    'kin.forget': `DELETE FROM ${s}kin WHERE child = ANY ($1::bigint[])`,
    'settled.add': `
      INSERT INTO ${s}settled (scope, at, low, high, body) VALUES ($1, $2, $3, $4, $5)`,
    'settled.find': `
      SELECT body FROM ${s}settled WHERE scope = $1 AND high >= $2 AND low <= $2 ORDER BY high`,
    'settled.lapse': `DELETE FROM ${s}settled WHERE scope = $1 AND at < $2`,
  } satisfies Partial<Record<Statement, string>>
}

/** Each key is owned until the end, by a row that says nothing where nobody has it. */
const ownKeys = (s: string): string => `
      INSERT INTO ${s}keys AS y (queue, key, seq, id, until, waiting)
      SELECT k.queue, k.key, NULL, '', 0, 0 FROM unnest($1::int[], $2::text[]) AS k (queue, key)
      ORDER BY k.queue, k.key
      ON CONFLICT (queue, key) DO UPDATE SET waiting = y.waiting
      RETURNING y.queue, y.key, y.seq, y.id, y.until, y.waiting`

const mark = (s: string): string => `
      UPDATE ${s}jobs SET flags = flags | ${PARENT}::int2
      WHERE seq = ANY ($1::bigint[]) AND (flags & ${PARENT}) = 0`

const link = (s: string): string => `
      INSERT INTO ${s}kin (parent, child, at)
      SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[])
      ON CONFLICT DO NOTHING`
