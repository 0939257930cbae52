/** What is asked to say why a job, or a queue, does not run (`../sql/explaining.ts`): however much waits. */
import type { Statement } from '../sql/statements.js'
import { inTime, J } from './words.js'

export function explainStatements(s: string) {
  return {
    'queue.firstDue': `
      SELECT ${J} FROM ${s}jobs AS j WHERE j.seq = (
        SELECT f.seq FROM (
          SELECT h.seq, h.priority, h.place FROM ${s}turns AS u,
          LATERAL (SELECT j.seq, j.priority, j.place FROM ${s}jobs AS j
                   WHERE j.lane = u.lane AND j.state = 1 AND j.grp = u.grp
                     AND j.priority = u.priority AND j.place >= u.floor
                   ORDER BY j.place, j.seq LIMIT 1) AS h
          WHERE u.queue = $1
          UNION ALL
          SELECT j.seq, j.priority, j.place FROM ${s}jobs AS j
          WHERE j.queue = $1 AND j.state = 1 AND j.lane IS NULL
          UNION ALL
          -- A line in which all are late may have no turn.
          SELECT j.seq, j.priority, j.place FROM ${s}jobs AS j
          WHERE j.expires IS NOT NULL AND j.expires < $2::float8 AND j.queue + 0 = $1 AND j.state = 1) AS f
        ORDER BY f.priority DESC, f.place, f.seq LIMIT 1)`,
    'lane.firstTimer': `
      SELECT f.* FROM unnest($1::int[]) AS k (lane),
      LATERAL (SELECT ${J} FROM ${s}jobs AS j
               WHERE j.lane = k.lane AND j.state IN (0, 3)
               ORDER BY j.due, j.seq LIMIT 1) AS f`,
    'queue.next': `
      SELECT ${J} FROM ${s}jobs AS j WHERE j.queue = $1 AND j.state IN (0, 3, 4)
      ORDER BY j.state = 4, j.due, j.seq LIMIT 1`,
    'line.ahead': `
      SELECT count(*)::int AS ahead FROM (
        SELECT FROM ${s}turns AS u,
        LATERAL (SELECT FROM ${s}jobs AS j
                 WHERE j.lane = u.lane AND j.state = 1 AND j.grp = u.grp
                   AND j.priority = u.priority AND j.place >= u.floor
                   AND (j.place, j.seq)
                     < (CASE WHEN u.priority > $2::int2 THEN 'infinity' ELSE $3::float8 END, $4::bigint)
                   AND ${inTime('$5::float8')}
                 LIMIT $6) AS h
        WHERE u.lane = $1 AND u.grp = '' AND u.priority >= $2
        LIMIT $6) AS a`,
  } satisfies Partial<Record<Statement, string>>
}
