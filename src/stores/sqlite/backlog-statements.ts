/**
 * Limited backlogs (`../sql/backlog.ts`): whoever writes is alone, so what is told is added at once.
 */
import type { Statement } from '../sql/statements.js'
import { held, RUNS } from './words.js'

export function backlogStatements(t: string) {
  return {
    'backlog.read': `
      SELECT waiting, counted_at, 0 AS told FROM ${t}backlogs WHERE queue = ?1`,
    // By indexes alone: all, without what runs, what has ended and receipts.
    'backlog.count': `
      INSERT INTO ${t}backlogs (queue, waiting, counted_at)
      SELECT ?1,
             (SELECT count(*) FROM ${t}jobs INDEXED BY ${t}jobs_list WHERE queue = ?1)
             - (SELECT count(*) FROM ${held(t)} WHERE queue = ?1 AND ${RUNS})
             - (SELECT count(*) FROM ${t}jobs INDEXED BY ${t}jobs_ended
                WHERE queue = ?1 AND state >= 5),
             ?2
      WHERE true
      ON CONFLICT DO UPDATE SET waiting = excluded.waiting, counted_at = excluded.counted_at
      RETURNING waiting`,
    'backlog.move': `UPDATE ${t}backlogs SET waiting = waiting + ?2 WHERE queue = ?1`,
    'backlog.fold': `SELECT 1 AS id WHERE ?1 IS NULL`,
    'backlog.forget': `DELETE FROM ${t}backlogs WHERE queue = ?1`,
    // The user's transaction keeps all others from writing.
    'backlog.reserve': `SELECT 1 AS id WHERE ?1 + ?2 + ?3 IS NULL`,
    'tx.number': `SELECT 0 AS xid`,
  } satisfies Partial<Record<Statement, string>>
}
