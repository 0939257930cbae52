/**
 * What an idle worker asks before it asks in earnest (`../sql/peeking.ts`), which locks nothing; and
 * what a claim asks first and last. Each of their parts reads one row of an index.
 */
import type { Statement } from '../sql/statements.js'
import { isInNone } from './handful-statements.js'
import { QUEUE, RUNS, inTime } from './words.js'
import type { Locking } from './words.js'

export function peekStatements(s: string, locking: Locking) {
  const queues = `(SELECT id FROM ${s}queues WHERE scope = $1)`
  return {
    'claim.peek': `
      SELECT ${QUEUE}, l.id AS lane, l.task, l.kind,
             EXISTS (SELECT FROM ${s}nodes AS n WHERE n.scope = $1 AND n.node = $3 AND n.gone = 0
                       AND n.last_beat >= $4::float8 - 30000)::int AS is_fresh,
             (EXISTS (SELECT FROM ${s}turns AS u,
                      LATERAL (SELECT FROM ${s}jobs AS j
                               WHERE j.lane = u.lane AND j.state = 1 AND j.grp = u.grp
                                 AND j.priority = u.priority AND j.place >= u.floor
                                 AND ${inTime('$4::float8')} AND ${isInNone(s, 'q.id', '0')}
                               ORDER BY j.place LIMIT 1) AS h
                      WHERE u.lane = l.id AND u.grp = '')
              OR EXISTS (SELECT FROM ${s}turns AS u
                         WHERE u.lane = l.id AND u.closed = 0 AND u.grp > '')
              OR EXISTS (SELECT FROM ${s}turns AS u
                         WHERE u.queue = q.id AND u.closed = 1 AND u.opens_at <= $4))::int AS is_ready,
             least((SELECT min(j.due) FROM ${s}jobs AS j WHERE j.lane = l.id AND j.state IN (0, 3)),
                   (SELECT min(u.opens_at) FROM ${s}turns AS u
                    WHERE u.queue = q.id AND u.closed = 1)) AS next
      FROM ${s}queues AS q LEFT JOIN ${s}lanes AS l ON l.queue = q.id
      WHERE q.scope = $1 AND q.name = $2`,
    // Nobody takes the node for dead before the transaction is over: whoever does so locks it `FOR UPDATE`.
    'claim.look': `
      WITH n AS MATERIALIZED (
        SELECT n.id FROM ${s}nodes AS n WHERE n.scope = $2::int AND n.node = $3::text AND n.gone = 0
        ${locking && 'FOR KEY SHARE'})
      SELECT l.id AS lane, l.task, l.kind, c.paused_since, c.paused_by,
             EXISTS (SELECT FROM n)::int AS is_known,
             EXISTS (SELECT FROM ${s}turns AS u WHERE u.queue = $1 AND u.grp > '')::int AS is_grouped,
             (EXISTS (SELECT FROM ${s}lanes AS d,
                      LATERAL (SELECT FROM ${s}jobs AS j
                               WHERE j.lane = d.id AND j.state IN (0, 3) AND j.due <= $4::float8
                               LIMIT 1) AS j
                      WHERE d.queue = $1)
              OR EXISTS (SELECT FROM ${s}turns AS u
                         WHERE u.queue = $1 AND u.closed = 1 AND u.opens_at <= $4))::int AS is_due,
             EXISTS (SELECT FROM ${s}throttles AS h
                     WHERE h.scope = $2 AND h.until > $4)::int AS is_resting,
             EXISTS (SELECT FROM ${s}paused_groups AS p
                     WHERE p.queue = $1)::int AS is_group_paused
      FROM ${s}scopes AS c LEFT JOIN ${s}lanes AS l ON l.queue = $1::int WHERE c.id = $2`,
    'claim.next': `
      SELECT (SELECT min(n.due) FROM unnest($2::int[]) AS k (lane),
              LATERAL (SELECT j.due FROM ${s}jobs AS j
                       WHERE j.lane = k.lane AND j.state IN (0, 3) ORDER BY j.due LIMIT 1) AS n) AS due,
             (SELECT min(u.opens_at) FROM ${s}turns AS u
              WHERE u.queue = $1::int AND u.closed = 1) AS opens_at`,
    'sweep.peek': `
      SELECT (EXISTS (SELECT FROM ${s}jobs AS j
                      WHERE j.expires < $2 AND j.queue IN ${queues})
              OR EXISTS (SELECT FROM ${s}jobs AS j
                         WHERE j.state = 1 AND j.lane IS NULL
                           AND j.queue IN ${queues})
              OR EXISTS (SELECT FROM ${s}jobs AS j
                         WHERE ${RUNS} AND j.queue IN ${queues}
                           AND NOT EXISTS (SELECT FROM ${s}nodes AS n
                                           WHERE n.scope = $1 AND n.node = j.node))
              OR EXISTS (SELECT FROM ${s}handfuls AS h
                         WHERE h.scope = $1
                           AND NOT EXISTS (SELECT FROM ${s}nodes AS n
                                           WHERE n.scope = $1 AND n.node = h.node))
              OR EXISTS (SELECT FROM ${s}keys AS y
                         WHERE y.seq IS NULL AND y.until <= $2
                           AND y.queue IN ${queues})
              OR EXISTS (SELECT FROM ${s}arrivals WHERE scope = $1)
              OR EXISTS (SELECT FROM ${s}grants WHERE scope = $1 AND until <= $2)
              OR EXISTS (SELECT FROM ${s}throttles WHERE scope = $1 AND until <= $2)
              OR EXISTS (SELECT FROM ${s}settled WHERE scope = $1 AND at < $3))::int AS is_due`,
  } satisfies Partial<Record<Statement, string>>
}
