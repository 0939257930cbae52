/**
 * Limited backlogs (`../sql/backlog.ts`): what comes and goes is told by a row each, since whoever changed
 * one that is there would make others wait for his commit. Each statement sees one state of the
 * database, so what it counts and what it takes for told go together.
 *
 * What is reserved for a transaction of the user's counts while that is under way, by the snapshot by
 * which its own rows are not seen yet; afterwards these say what came of it, or nothing does.
 */
import type { Statement } from '../sql/statements.js'

/** Of those that are under way; a number that another server gave is among them never. */
const IS_OPEN = `m.xid IN (SELECT txid_snapshot_xip(txid_current_snapshot()))`
const IS_OVER = `(m.xid IS NULL OR NOT ${IS_OPEN})`

/** All that was told and counts, of the queue. */
export const toldOf = (s: string, queue: string): string => `
  (SELECT coalesce(sum(m.moved), 0) FROM ${s}backlog_moves AS m
   WHERE m.queue = ${queue} AND (m.xid IS NULL OR ${IS_OPEN}))`

export const countOf = (s: string, queue: string): string => `
  (SELECT count(*) - coalesce((SELECT sum(f.held) FROM ${s}handfuls AS f WHERE f.queue = ${queue}), 0)
   FROM ${s}jobs AS j WHERE j.queue = ${queue} AND j.state IN (0, 1, 3, 4))`

/** So many leave it, if any: within a claim, of which `$1` is the queue. */
export const leaving = (s: string, taken: string): string => `
  INSERT INTO ${s}backlog_moves (queue, moved) SELECT $1, -count(*) FROM ${taken} HAVING count(*) > 0`

export function backlogStatements(s: string) {
  return {
    'backlog.read': `
      SELECT (b.waiting + ${toldOf(s, 'b.queue')})::int AS waiting, b.counted_at,
             (SELECT count(*) FROM ${s}backlog_moves AS m
              WHERE m.queue = b.queue AND ${IS_OVER})::int AS told
      FROM ${s}backlogs AS b WHERE b.queue = $1::int`,
    'backlog.count': `
      WITH told AS (DELETE FROM ${s}backlog_moves AS m WHERE m.queue = $1::int AND ${IS_OVER})
      INSERT INTO ${s}backlogs (queue, waiting, counted_at)
      SELECT $1, ${countOf(s, '$1')}, $2
      ON CONFLICT (queue) DO UPDATE
      SET waiting = excluded.waiting, counted_at = excluded.counted_at
      RETURNING (waiting + (SELECT coalesce(sum(m.moved), 0) FROM ${s}backlog_moves AS m
                            WHERE m.queue = $1 AND ${IS_OPEN}))::int AS waiting`,
    'backlog.move': `
      INSERT INTO ${s}backlog_moves (queue, moved) SELECT * FROM unnest($1::int[], $2::int[])`,
    'backlog.fold': `
      WITH told AS (
        DELETE FROM ${s}backlog_moves AS m
        WHERE m.queue = $1::int AND ${IS_OVER} RETURNING m.moved, m.xid)
      UPDATE ${s}backlogs
      SET waiting = waiting + (SELECT coalesce(sum(moved), 0) FROM told WHERE xid IS NULL)
      WHERE queue = $1`,
    'backlog.forget': `
      WITH told AS (DELETE FROM ${s}backlog_moves AS m WHERE m.queue = $1::int AND ${IS_OVER})
      DELETE FROM ${s}backlogs WHERE queue = $1`,
    'backlog.reserve': `
      INSERT INTO ${s}backlog_moves (queue, moved, xid) VALUES ($1, $2, $3)`,
    'tx.number': `SELECT txid_current() AS xid`,
  } satisfies Partial<Record<Statement, string>>
}
