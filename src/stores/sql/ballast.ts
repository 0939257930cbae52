/**
 * Rows that are nothing: so many that no count of a table ever says that it has a row or two. A database
 * plans by what was counted last, and for a table of one row it may read all of it for each of a hundred
 * jobs. A quiet queue that is analyzed and then fills would be worked off by such plans until it is
 * analyzed again (docs/internals/decisions/14). They belong to queue and lane 0, which nobody has, and are
 * never read: nothing is looked for but by a queue, a lane, a node or a number above 0.
 */

/** A condition on rows of jobs: that they are some. */
export const IS_SOME = 'queue > 0'

/** `rows`: of each kind, in each table; `floored`: turns have a floor. */
export function ballast(s: string, rows: number, { floored }: { floored: boolean }): string[] {
  const n = `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${rows})`
  return [
    // Of both kinds that lie in indexes of their own: those that ended, and those that hold a group.
    `INSERT INTO ${s}jobs (seq, queue, id, state, flags, task, grp, priority, crashes, attempt,
       place, due, inserted_at, since, codec)
     ${n} SELECT -n, 0, n, CASE n % 2 WHEN 0 THEN 7 ELSE 3 END, CASE n % 2 WHEN 0 THEN 0 ELSE 64 END,
       '', n, 0, 0, 0, 0, 0, 0, 0, 0 FROM n`,
    `INSERT INTO ${s}turns (lane, queue, grp, priority, pass, tie, closed${floored ? ', floor' : ''})
     ${n} SELECT 0, 0, n, 0, 0, 0, n % 2${floored ? ', 0' : ''} FROM n`,
    `INSERT INTO ${s}keys (queue, key, seq, id, until, waiting) ${n} SELECT 0, n, -n, n, 0, 0 FROM n`,
    `INSERT INTO ${s}kin (parent, child, at) ${n} SELECT -n, -n, 0 FROM n`,
  ]
}
