/**
 * What an idle worker asks before it asks in earnest (`../sql/peeking.ts`), which locks nothing; and
 * what a claim asks first and last. Each of their parts reads one row of an index.
 */
import type { Statement } from '../sql/statements.js'
import { expiring, held, RUNS } from './words.js'

export function peekStatements(t: string) {
  const queues = `(SELECT id FROM ${t}queues WHERE scope = ?1)`
  return {
    'claim.peek': `
      SELECT q.id, q.name, q.declared, q.overrides, q.revision, q.paused_since, q.paused_by, q.pass,
             q.transit, l.id AS lane, l.task, l.kind,
             EXISTS (SELECT 1 FROM ${t}nodes AS n WHERE n.scope = ?1 AND n.node = ?3 AND n.gone = 0
                       AND n.last_beat >= ?4 - 30000) AS is_fresh,
             (EXISTS (SELECT 1 FROM ${t}jobs AS j
                      WHERE j.lane = l.id AND j.state = 1 AND j.grp = ''
                        AND (j.expires IS NULL OR j.expires >= ?4))
              OR EXISTS (SELECT 1 FROM ${t}turns AS u
                         WHERE u.lane = l.id AND u.closed = 0 AND u.grp > '')
              OR EXISTS (SELECT 1 FROM ${t}turns AS u
                         WHERE u.queue = q.id AND u.closed = 1 AND u.opens_at <= ?4)) AS is_ready,
             (SELECT min(at) FROM (
                SELECT min(j.due) AS at FROM ${t}jobs AS j WHERE j.lane = l.id AND j.state IN (0, 3)
                UNION ALL
                SELECT min(u.opens_at) FROM ${t}turns AS u WHERE u.queue = q.id AND u.closed = 1)
             ) AS next
      FROM ${t}queues AS q LEFT JOIN ${t}lanes AS l ON l.queue = q.id
      WHERE q.scope = ?1 AND q.name = ?2`,
    'claim.look': `
      SELECT l.id AS lane, l.task, l.kind, c.paused_since, c.paused_by,
             EXISTS (SELECT 1 FROM ${t}nodes AS n
                     WHERE n.scope = ?2 AND n.node = ?3 AND n.gone = 0) AS is_known,
             EXISTS (SELECT 1 FROM ${t}turns AS u WHERE u.queue = ?1 AND u.grp > '') AS is_grouped,
             (EXISTS (SELECT 1 FROM ${t}lanes AS d JOIN ${t}jobs AS j ON j.lane = d.id
                      WHERE d.queue = ?1 AND j.state IN (0, 3) AND j.due <= ?4)
              OR EXISTS (SELECT 1 FROM ${t}turns AS u
                         WHERE u.queue = ?1 AND u.closed = 1 AND u.opens_at <= ?4)) AS is_due,
             EXISTS (SELECT 1 FROM ${t}throttles AS h
                     WHERE h.scope = ?2 AND h.until > ?4) AS is_resting,
             EXISTS (SELECT 1 FROM ${t}paused_groups AS p WHERE p.queue = ?1) AS is_group_paused
      FROM ${t}scopes AS c LEFT JOIN ${t}lanes AS l ON l.queue = ?1 WHERE c.id = ?2`,
    'claim.next': `
      SELECT (SELECT min((SELECT min(j.due) FROM ${t}jobs AS j
                          WHERE j.lane = k.value AND j.state IN (0, 3)))
              FROM json_each(?2) AS k) AS due,
             (SELECT min(u.opens_at) FROM ${t}turns AS u
              WHERE u.queue = ?1 AND u.closed = 1) AS opens_at`,
    'sweep.peek': `
      SELECT EXISTS (SELECT 1 FROM ${expiring(t)} WHERE expires < ?2 AND queue IN ${queues})
          OR EXISTS (SELECT 1 FROM ${t}jobs WHERE state = 1 AND lane IS NULL AND queue IN ${queues})
          OR EXISTS (SELECT 1 FROM ${held(t)} WHERE ${RUNS} AND queue IN ${queues}
                       AND node NOT IN (SELECT node FROM ${t}nodes WHERE scope = ?1))
          OR EXISTS (SELECT 1 FROM ${t}keys
                     WHERE seq IS NULL AND until <= ?2 AND queue IN ${queues})
          OR EXISTS (SELECT 1 FROM ${t}grants WHERE scope = ?1 AND until <= ?2)
          OR EXISTS (SELECT 1 FROM ${t}throttles WHERE scope = ?1 AND until <= ?2)
          OR EXISTS (SELECT 1 FROM ${t}settled WHERE scope = ?1 AND at < ?3) AS is_due`,
  } satisfies Partial<Record<Statement, string>>
}
