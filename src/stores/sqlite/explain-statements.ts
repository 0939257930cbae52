/** What is asked to say why a job, or a queue, does not run (`../sql/explaining.ts`): however much waits. */
import type { Statement } from '../sql/statements.js'
import { expiring, JOB } from './words.js'

export function explainStatements(t: string) {
  return {
    'queue.firstDue': `
      SELECT ${JOB} FROM ${t}jobs WHERE seq = (
        SELECT f.seq FROM (
          SELECT j.seq, j.priority, j.place FROM ${t}turns AS u CROSS JOIN ${t}jobs AS j
          WHERE u.queue = ?1 AND j.seq = (
            SELECT h.seq FROM ${t}jobs AS h
            WHERE h.lane = u.lane AND h.state = 1 AND h.grp = u.grp AND h.priority = u.priority
            ORDER BY h.place, h.seq LIMIT 1)
          UNION ALL
          SELECT seq, priority, place FROM ${t}jobs
          WHERE queue = ?1 AND state = 1 AND lane IS NULL
          UNION ALL
          -- A line in which all are late may have no turn.
          SELECT seq, priority, place FROM ${expiring(t)}
          WHERE expires < ?2 AND queue = ?1 AND state = 1) AS f
        ORDER BY f.priority DESC, f.place, f.seq LIMIT 1)`,
    'lane.firstTimer': `
      SELECT ${JOB} FROM ${t}jobs WHERE lane = ?1 AND state IN (0, 3) ORDER BY due, seq LIMIT 1`,
    'queue.next': `
      SELECT ${JOB} FROM ${t}jobs WHERE queue = ?1 AND state IN (0, 3, 4)
      ORDER BY state = 4, due, seq LIMIT 1`,
    'line.ahead': `
      SELECT count(*) AS ahead FROM (
        SELECT 1 FROM ${t}turns AS u CROSS JOIN ${t}jobs AS j
        WHERE u.lane = ?1 AND u.grp = '' AND u.priority >= ?2
          AND j.lane = u.lane AND j.state = 1 AND j.grp = u.grp AND j.priority = u.priority
          AND (j.place, j.seq) < (CASE WHEN u.priority > ?2 THEN 9e999 ELSE ?3 END, ?4)
          AND (j.expires IS NULL OR j.expires >= ?5)
        LIMIT ?6)`,
  } satisfies Partial<Record<Statement, string>>
}
