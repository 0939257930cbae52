/**
 * Handfuls: what a plain claim took, as one row. The rows of its jobs stay as they were, which spares
 * the server most of what a claim costs it: a new version of each row, its entries in every index, and
 * a dead row. A handful has the numbers of its jobs in the order of their tokens, 0 for one whose row
 * was changed after all. Only jobs that have been through nothing are taken so, and of queues where
 * a completed job leaves nothing but a receipt of its result. Who must see them spread, `Lock` and
 * `Handfuls` in `../sql/port.ts` say.
 *
 *     taken ── each is completed ──▶ gone
 *       └───── somebody looks ─────▶ spread: their rows say that they run
 *
 * Who looks for a job by its name, as whoever waits for its end does all the time, has it shown as if
 * its handful were spread (`seeJobs`).
 *
 * Whoever takes one is alone in that with its queue and sees those of all others, so that no job stands
 * in two. Until it is gone, no row of it is changed but by its completion, which deletes it or makes
 * it a receipt, and by a child's coming, which marks it: so what a handful has and still waits in
 * `jobs` is held.
 */
import { HOLDS, OWN_ID, RECEIPT } from '../../job/book/columns.js'
import type { Handfuls } from '../sql/port.js'
import { NOW } from './beginning.js'
import { COLUMNS, IS_CLOSED, PARENT } from './words.js'

/** No handful has more: the tokens of one call. */
const MOST = 16384

/** The job `j` stands in no handful of the queue; those before `floor` are gone. */
export const isInNone = (s: string, queue: string, floor: string): string => `
  j.seq NOT IN (SELECT unnest(h.seqs) FROM ${s}handfuls AS h
                WHERE h.queue = ${queue} AND h.first >= ${floor})`

/** Those in which any of these tokens was given. */
const hasOneOf = (tokens: string): string => `
  f.first > (SELECT min(t) - ${MOST} FROM unnest(${tokens}::bigint[]) AS t WHERE t > 0)
  AND f.first <= (SELECT max(t) FROM unnest(${tokens}::bigint[]) AS t)
  AND EXISTS (SELECT FROM unnest(${tokens}::bigint[]) AS t
              WHERE t >= f.first AND t < f.first + f.jobs)`

/** Who holds a job no longer stands on its row, and what it was is told no more. */
const AS_RECEIPT = `
  state = ${RECEIPT}, flags = (j.flags & ${OWN_ID})::int2, crashes = 0, since = k.now, token = NULL,
  node = NULL, worker = NULL, claim = NULL, lane = NULL, expires = NULL, payload = NULL, codec = 0,
  spec = NULL, extra = k.receipt`

/**
 * Completes those that are plain, and remembers that they were settled; $8: of all, as `settledRow`
 * has it. They are gone, or, where $9 says what it tells, a receipt is left of each. `opens`: the turns
 * of their groups are open again.
 */
export const completePlainly = (
  s: string,
  leaves: 'nothing' | 'receipts',
  opens: boolean,
): string => {
  const isGone = leaves === 'nothing'
  const ended = opens ? 'token, queue, grp' : 'token'
  const end = (attempt: string): string =>
    isGone
      ? `DELETE FROM ${s}jobs AS j USING k`
      : `UPDATE ${s}jobs AS j SET ${AS_RECEIPT}, attempt = ${attempt} FROM k`
  return `
  WITH q AS MATERIALIZED (
    SELECT coalesce($7::float8, ${NOW}) AS now
    FROM unnest($2::int[], $3::int[]) AS k (id, revision)
    JOIN ${s}queues AS q ON q.id = k.id AND q.revision = k.revision
    HAVING count(*) = cardinality($2::int[])),
  h AS MATERIALIZED (
    -- The array as it is looked into: whole, and read once.
    SELECT f.first, f.jobs, f.seqs || '{}'::bigint[] AS seqs
    FROM ${s}handfuls AS f WHERE ${hasOneOf('$6')}
    ORDER BY f.first FOR UPDATE),
  k AS MATERIALIZED (
    SELECT k.*, q.now, h.first, coalesce(h.seqs[k.token - h.first + 1], 0) AS seq
    FROM q, unnest($4::int[], $5::text[], $6::bigint[]${isGone ? '' : ', $9::text[]'})
              AS k (queue, id, token${isGone ? '' : ', receipt'})
    LEFT JOIN h ON k.token >= h.first AND k.token < h.first + h.jobs),
  gone AS (
    ${end('1')}
    WHERE k.seq > 0 AND j.seq = k.seq AND j.queue = k.queue AND j.id = k.id
      AND j.state = 1 AND j.flags = 0 AND j.extra IS NULL
    RETURNING k.token, k.first${opens ? ', j.queue, j.grp' : ''}),
  ran AS (
    ${end('j.attempt')}
    WHERE k.seq = 0 AND j.queue = k.queue AND j.id = k.id AND j.token = k.token AND j.state = 2
      AND j.extra IS NULL AND ${isGone ? `(j.flags & ${OWN_ID | PARENT}) = 0` : `(j.flags & ~${OWN_ID}) = ${HOLDS}`}
    RETURNING k.token${opens ? ', j.queue, j.grp' : ''}),
  done AS (SELECT ${ended} FROM gone UNION ALL SELECT ${ended} FROM ran),
  ${opens ? `opened AS (${opening(s)}),` : ''}
  c AS (SELECT first, count(*)::int AS ended FROM gone GROUP BY first),
  emptied AS (DELETE FROM ${s}handfuls AS f USING c WHERE f.first = c.first AND f.held <= c.ended),
  lessened AS (
    UPDATE ${s}handfuls AS f SET held = f.held - c.ended FROM c
    WHERE f.first = c.first AND f.held > c.ended),
  said AS (
    INSERT INTO ${s}settled (scope, at, low, high, body)
    SELECT $1::int, q.now, min(d.token), max(d.token),
           CASE WHEN count(*) = cardinality($6::bigint[]) THEN $8::text
                ELSE (SELECT '{"plain":[' || string_agg(one.token::text, ',') || '],"rest":[]}'
                      FROM done AS one) END
    FROM q, done AS d GROUP BY q.now)
  SELECT (SELECT count(*) FROM q)::int AS fits,
         CASE WHEN count(*) < cardinality($6::bigint[])
              THEN coalesce(json_agg(d.token), '[]')::text END AS done
  FROM done AS d`
}

/** All that are closed, of the groups of what is `done`; locked in one order by everybody. */
const opening = (s: string): string => `
    UPDATE ${s}turns AS u SET closed = 0, opens_at = NULL, pass = greatest(u.pass, t.pass)
    FROM (SELECT u.lane, u.grp, u.priority, q.pass
          FROM (SELECT DISTINCT queue, grp FROM done) AS d
          JOIN ${s}queues AS q ON q.id = d.queue
          JOIN ${s}turns AS u ON u.queue = d.queue AND u.grp = d.grp AND ${IS_CLOSED}
          ORDER BY u.lane, u.grp, u.priority FOR UPDATE OF u) AS t
    WHERE u.lane = t.lane AND u.grp = t.grp AND u.priority = t.priority`

/** What the row of a job in a handful `h` will say when that is spread, where it says something else now. */
const HELD: Readonly<Record<string, string>> = {
  ...{ state: '2::int2', attempt: '1', flags: `j.flags | ${HOLDS}::int2`, since: 'h.at' },
  ...{ lane: 'NULL::int', token: 'h.token', node: 'h.node', worker: 'h.worker', claim: 'h.claim' },
}

/** The jobs of these names, for who only looks at them: those in handfuls as if these were spread. */
export const seeJobs = (s: string): string => {
  const columns = COLUMNS.map((column) => {
    const held = HELD[column]
    if (held === undefined) return `j.${column}`
    return `CASE WHEN h.seq IS NULL THEN j.${column} ELSE ${held} END AS ${column}`
  })
  return `
  WITH j AS MATERIALIZED (
    SELECT j.* FROM unnest($1::int[], $2::text[]) AS k (queue, id)
    JOIN ${s}jobs AS j ON j.queue = k.queue AND j.id = k.id),
  h AS MATERIALIZED (
    SELECT u.seq, f.first + u.n - 1 AS token, f.node, f.worker, f.claim, f.at
    FROM ${s}handfuls AS f, unnest(f.seqs) WITH ORDINALITY AS u (seq, n)
    WHERE f.queue IN (SELECT w.queue FROM j AS w WHERE w.state = 1)
      AND u.seq IN (SELECT w.seq FROM j AS w WHERE w.state = 1))
  SELECT ${columns.join(', ')} FROM j LEFT JOIN h ON j.state = 1 AND h.seq = j.seq
  ORDER BY j.seq`
}

/** Those of a queue, besides those of `Handfuls`. */
type Which = Handfuls['of'] | 'queues'

const WHICH: Readonly<Record<Which, (s: string) => string>> = {
  queues: () => 'f.queue = ANY ($1::int[])',
  scope: () => 'f.scope = $1::int',
  tokens: () => hasOneOf('$1'),
  nodes: () => 'f.scope = $1::int AND f.node = ANY ($2::text[])',
  strangers: (s) => `
    f.scope = $1::int AND NOT EXISTS (SELECT FROM ${s}nodes AS n WHERE n.scope = $1 AND n.node = f.node)`,
  claims: () => `
    f.scope = $1::int AND f.node = $2::text AND f.claim <= $3::int AND f.claim <> ALL ($4::int[])`,
}

export interface Spreading {
  readonly name: string
  readonly text: string
  readonly values: unknown[]
}

/** As a statement: their rows say from now on that they run, and they are gone. */
export function spreading(s: string, which: Handfuls | QueueHandfuls): Spreading {
  return { name: `handful.${which.of}`, text: spread(s, which.of), values: valuesOf(which) }
}

interface QueueHandfuls {
  readonly of: 'queues'
  readonly queues: readonly number[]
}

function spread(s: string, which: Which): string {
  return `
  WITH h AS MATERIALIZED (
    SELECT f.* FROM ${s}handfuls AS f WHERE ${WHICH[which](s)} ORDER BY f.first FOR UPDATE),
  k AS MATERIALIZED (
    SELECT u.seq, h.first + u.n - 1 AS token, h.node, h.worker, h.claim, h.at
    FROM h, unnest(h.seqs) WITH ORDINALITY AS u (seq, n) WHERE u.seq > 0 ORDER BY u.seq),
  ran AS (
    UPDATE ${s}jobs AS j
    SET state = 2, attempt = 1, flags = j.flags | 64::int2, since = k.at, lane = NULL,
        token = k.token, node = k.node, worker = k.worker, claim = k.claim
    FROM k WHERE j.seq = k.seq AND j.state = 1)
  DELETE FROM ${s}handfuls AS f USING h WHERE f.first = h.first`
}

function valuesOf(which: Handfuls | QueueHandfuls): unknown[] {
  switch (which.of) {
    case 'queues':
      return [which.queues]
    case 'scope':
    case 'strangers':
      return [which.scope]
    case 'tokens':
      return [which.tokens]
    case 'nodes':
      return [which.scope, which.nodes]
    case 'claims':
      return [which.scope, which.node, which.upTo, which.open]
  }
}
