/**
 * The statements in PostgreSQL's words, one a purpose; what each is asked and answers stands in
 * `../sql/statements.ts`. Those that are asked for many rows take each of their parameters as an
 * array, so that a batch of any size is one statement. `s` stands before every name: the schema.
 *
 * Whatever reads a row to change it locks it, in the order of numbers, so that who waits gets the
 * row as it is then. The states are 0 scheduled, 1 available, 2 running, 3 retryable, 4 waiting,
 * 5 completed, 6 cancelled, 7 discarded, 8 receipt; 64 among the flags says that a job holds its
 * group.
 */
import type { Statement } from '../sql/statements.js'
import { backlogStatements } from './backlog-statements.js'
import { explainStatements } from './explain-statements.js'
import { jobStatements } from './job-statements.js'
import { peekStatements } from './peek-statements.js'
import { IS_CLOSED, J, QUEUE, RUNS, stateAt, STAYS } from './words.js'
import type { Locking } from './words.js'

/** What is left of a queue that nobody ever said anything of. */
const isKnown = (s: string): string => `
  (q.revision > 0 OR q.paused_since IS NOT NULL OR q.transit IS NOT NULL
   OR EXISTS (SELECT FROM ${s}jobs          WHERE queue = q.id)
   OR EXISTS (SELECT FROM ${s}paused_groups WHERE queue = q.id)
   OR EXISTS (SELECT FROM ${s}schedules     WHERE queue = q.id)
   OR EXISTS (SELECT FROM ${s}keys          WHERE queue = q.id))`

/** Of the line that `u` is the turn of, past its last moment or not. */
const firstPlace = (s: string): string => `
  coalesce((SELECT j.place FROM ${s}jobs AS j
            WHERE j.lane = u.lane AND j.state = 1 AND j.grp = u.grp AND j.priority = u.priority
              AND j.place >= u.floor
            ORDER BY j.place, j.seq LIMIT 1), u.floor)`

export function statements(s: string, locking: Locking): Readonly<Record<Statement, string>> {
  return {
    ...jobStatements(s, locking),
    ...peekStatements(s, locking),
    ...backlogStatements(s),
    ...explainStatements(s),

    // ── Scopes ───────────────────────────────────────────────────────────────────────────────────
    'scope.add': `
      INSERT INTO ${s}scopes (name) VALUES ($1)
      ON CONFLICT (name) DO UPDATE SET name = excluded.name
      RETURNING id`,
    'scope.find': `SELECT id FROM ${s}scopes WHERE name = $1`,
    'scope.read': `SELECT paused_since, paused_by FROM ${s}scopes WHERE id = $1`,
    'scope.pause': `
      UPDATE ${s}scopes SET paused_since = $2, paused_by = $3
      WHERE id = $1 AND (paused_since IS NULL) <> ($2::float8 IS NULL)
      RETURNING id`,

    // ── Queues, groups, lanes ────────────────────────────────────────────────────────────────────
    'queue.add': `
      INSERT INTO ${s}queues (scope, name)
      SELECT $1::int, k.name FROM unnest($2::text[]) AS k (name) ORDER BY k.name
      ON CONFLICT (scope, name) DO NOTHING
      RETURNING id`,
    'queue.find': `
      SELECT ${QUEUE} FROM ${s}queues AS q WHERE q.scope = $1::int AND q.name = ANY ($2::text[])`,
    'queue.name': `SELECT q.name FROM ${s}queues AS q WHERE q.id = ANY ($1::int[])`,
    'queue.all': `SELECT ${QUEUE} FROM ${s}queues AS q WHERE q.scope = $1`,
    'queue.sharing': `
      SELECT ${QUEUE} FROM ${s}queues AS q WHERE q.scope = $1 AND q.rate_key = $2`,
    'queue.say': `
      UPDATE ${s}queues SET revision = $2, declared = $3, overrides = $4, rate_key = $5
      WHERE id = $1
      RETURNING id`,
    'queue.pause': `
      UPDATE ${s}queues SET paused_since = $2, paused_by = $3
      WHERE id = $1 AND (paused_since IS NULL) <> ($2::float8 IS NULL)
      RETURNING id`,
    'queue.transit': `UPDATE ${s}queues SET transit = $2 WHERE id = $1 RETURNING id`,
    'queue.turned': `UPDATE ${s}queues SET pass = $2 WHERE id = $1`,
    'queue.known': `SELECT q.id FROM ${s}queues AS q WHERE q.id = $1 AND ${isKnown(s)}`,
    'queue.page': `
      SELECT ${QUEUE} FROM ${s}queues AS q
      WHERE q.scope = $1 AND q.name > $2 AND ${isKnown(s)}
      ORDER BY q.name LIMIT $3`,
    'queue.counts': `
      SELECT ${stateAt('$2::float8')} AS state, count(*)::int AS jobs, max(j.seq) AS last,
             min(j.due) FILTER (WHERE j.state = 1) AS oldest
      FROM (SELECT seq, state, due FROM ${s}jobs WHERE queue = $1 AND seq > $3
            ORDER BY seq LIMIT $4::bigint) AS j
      GROUP BY 1`,
    'queue.running': `
      SELECT count(*)::int AS running FROM ${s}jobs AS j WHERE j.queue = $1 AND ${RUNS}`,
    'queue.someRunning': `
      SELECT ${J} FROM ${s}jobs AS j WHERE j.queue = $1 AND ${RUNS} LIMIT $2`,
    'group.pause': `
      INSERT INTO ${s}paused_groups (queue, grp, since, by) VALUES ($1, $2, $3, $4)
      ON CONFLICT DO NOTHING
      RETURNING queue`,
    'group.resume': `DELETE FROM ${s}paused_groups WHERE queue = $1 AND grp = $2 RETURNING queue`,
    'group.paused': `
      SELECT grp, since, by FROM ${s}paused_groups WHERE queue = ANY ($1::int[])`,
    'group.page': `
      SELECT grp FROM (SELECT grp FROM ${s}jobs WHERE queue = $1 AND state < 8
                       UNION SELECT grp FROM ${s}paused_groups WHERE queue = $1) AS g
      WHERE $3::int = 0 OR grp > $2
      ORDER BY grp LIMIT $4`,
    'group.counts': `
      SELECT j.grp, ${stateAt('$2::float8')} AS state, count(*)::int AS jobs FROM ${s}jobs AS j
      WHERE j.queue = $1 AND j.grp BETWEEN $3 AND $4 AND j.state < 8
      GROUP BY 1, 2`,
    'group.holder': `
      SELECT k.grp, h.id FROM unnest($1::int[], $2::text[]) AS k (queue, grp),
      LATERAL (SELECT j.id FROM ${s}jobs AS j
               WHERE j.queue = k.queue AND j.grp = k.grp AND j.state < 4 AND (j.flags & 64) <> 0
               ORDER BY j.state = 2 DESC, j.since DESC LIMIT 1) AS h`,
    'group.running': `
      SELECT k.grp, r.running FROM unnest($1::int[], $2::text[]) AS k (queue, grp),
      LATERAL (SELECT count(*)::int AS running FROM ${s}jobs AS j
               WHERE j.queue = k.queue AND j.grp = k.grp AND ${RUNS}) AS r`,
    'group.someRunning': `
      SELECT r.* FROM unnest($1::int[], $2::text[], $3::int[]) AS k (queue, grp, most),
      LATERAL (SELECT ${J} FROM ${s}jobs AS j
               WHERE j.queue = k.queue AND j.grp = k.grp AND ${RUNS} LIMIT k.most) AS r`,
    'group.holding': `
      SELECT ${J} FROM unnest($1::int[], $2::text[]) AS k (queue, grp)
      JOIN ${s}jobs AS j ON j.queue = k.queue AND j.grp = k.grp
      WHERE j.state <> 2 AND j.state < 4 AND (j.flags & 64) <> 0`,
    'lane.of': `SELECT id, queue, task, kind FROM ${s}lanes WHERE queue = ANY ($1::int[])`,
    // One that is there is only read: a transaction of the user's would hold it until its end.
    'lane.add': `
      WITH old AS (SELECT id FROM ${s}lanes WHERE queue = $1::int AND task = $2::text AND kind = $3::int2),
      new AS (
        INSERT INTO ${s}lanes (queue, task, kind) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM old)
        ON CONFLICT (queue, task, kind) DO UPDATE SET kind = excluded.kind
        RETURNING id)
      SELECT id FROM old UNION ALL SELECT id FROM new`,
    'lane.next': `
      SELECT n.due FROM unnest($1::int[]) AS k (lane),
      LATERAL (SELECT j.due FROM ${s}jobs AS j
               WHERE j.lane = k.lane AND j.state IN (0, 3) ORDER BY j.due LIMIT 1) AS n`,

    // ── Turns ────────────────────────────────────────────────────────────────────────────────────
    // Nobody waits for a turn that is there already, unless its floor is to be lowered. One that
    // somebody else makes at this moment is not seen, and its floor is lowered where the two collide.
    'turn.add': `
      WITH k AS (SELECT * FROM unnest($1::int[], $2::int[], $3::text[], $4::int2[], $5::float8[],
                                      $6::bigint[], $7::float8[])
                   AS k (lane, queue, grp, priority, pass, tie, floor)),
           added AS (INSERT INTO ${s}turns AS t (lane, queue, grp, priority, pass, tie, floor)
                     SELECT * FROM k WHERE NOT EXISTS (
                       SELECT FROM ${s}turns AS u
                       WHERE u.lane = k.lane AND u.grp = k.grp AND u.priority = k.priority)
                     ON CONFLICT (lane, grp, priority) DO UPDATE SET floor = excluded.floor
                     WHERE t.floor > excluded.floor)
      UPDATE ${s}turns AS u SET floor = k.floor FROM k
      WHERE u.lane = k.lane AND u.grp = k.grp AND u.priority = k.priority AND u.floor > k.floor`,
    'turn.first': `
      SELECT f.* FROM unnest($3::int[]) AS k (lane),
      LATERAL (SELECT u.lane, u.grp, u.priority, u.pass, u.tie, u.floor FROM ${s}turns AS u
               WHERE u.lane = k.lane AND u.closed = 0 AND u.grp <> ALL ($1::text[])
               ORDER BY u.priority DESC, u.pass, u.tie LIMIT $2) AS f`,
    'turn.move': `
      UPDATE ${s}turns AS u SET pass = k.pass
      FROM unnest($1::int[], $2::text[], $3::float8[]) AS k (queue, grp, pass)
      WHERE u.queue = k.queue AND u.grp = k.grp`,
    'turn.raise': `
      UPDATE ${s}turns AS u SET floor = ${firstPlace(s)}
      FROM unnest($1::int[], $2::text[], $3::int2[]) AS k (lane, grp, priority)
      WHERE u.lane = k.lane AND u.grp = k.grp AND u.priority = k.priority`,
    'turn.raiseAll': `
      UPDATE ${s}turns AS u SET floor = ${firstPlace(s)} WHERE u.lane = $1`,
    'turn.close': `
      UPDATE ${s}turns AS u SET closed = 1, opens_at = k.opens_at
      FROM unnest($1::int[], $2::text[], $3::float8[]) AS k (queue, grp, opens_at)
      WHERE u.queue = k.queue AND u.grp = k.grp`,
    'turn.remove': `
      DELETE FROM ${s}turns AS u
      USING unnest($1::int[], $2::text[], $3::int2[]) AS k (lane, grp, priority)
      WHERE u.lane = k.lane AND u.grp = k.grp AND u.priority = k.priority`,
    'turn.open': `
      UPDATE ${s}turns AS u SET closed = 0, opens_at = NULL, pass = greatest(u.pass, k.pass)
      FROM unnest($1::int[], $2::text[], $3::float8[]) AS k (queue, grp, pass)
      WHERE u.queue = k.queue AND u.grp = k.grp AND ${IS_CLOSED}`,
    'turn.openAll': `
      UPDATE ${s}turns SET closed = 0, opens_at = NULL, pass = greatest(pass, $2)
      WHERE queue = $1 AND closed = 1`,
    'turn.openDue': `
      UPDATE ${s}turns SET closed = 0, opens_at = NULL, pass = greatest(pass, $3)
      WHERE queue = $1 AND closed = 1 AND opens_at <= $2`,

    // ── Rates and rests ──────────────────────────────────────────────────────────────────────────
    'grant.add': `
      INSERT INTO ${s}grants AS g (scope, name, at, n, until)
      SELECT $1::int, k.name, k.at, k.n, k.until
      FROM unnest($2::text[], $3::float8[], $4::int[], $5::float8[]) AS k (name, at, n, until)
      ON CONFLICT (scope, name, at) DO UPDATE
      SET n = g.n + excluded.n, until = greatest(g.until, excluded.until)`,
    'grant.oldest': `
      SELECT k.name, f.at, f.n
      FROM unnest($2::text[], $3::float8[], $4::int[]) AS k (name, since, most),
      LATERAL (SELECT g.at, g.n FROM ${s}grants AS g
               WHERE g.scope = $1::int AND g.name = k.name AND g.at > k.since
               ORDER BY g.at LIMIT k.most) AS f
      ORDER BY k.name, f.at`,
    'grant.total': `
      SELECT k.name, t.total, t.last FROM unnest($2::text[], $3::float8[]) AS k (name, since),
      LATERAL (SELECT sum(g.n)::int AS total, max(g.at) AS last FROM ${s}grants AS g
               WHERE g.scope = $1::int AND g.name = k.name AND g.at > k.since) AS t
      WHERE t.total > 0`,
    'dump.grants': `
      SELECT name, at, n, until FROM ${s}grants
      WHERE scope = $1 AND until > $2 ORDER BY name, at`,
    'grant.load': `
      INSERT INTO ${s}grants (scope, name, at, n, until)
      SELECT $1::int, k.* FROM unnest($2::text[], $3::float8[], $4::int[], $5::float8[]) AS k
      ON CONFLICT (scope, name, at) DO NOTHING`,
    'grant.lapse': `DELETE FROM ${s}grants WHERE scope = $1 AND until <= $2`,
    'throttle.all': `SELECT name, until FROM ${s}throttles WHERE scope = $1 AND until > $2`,
    'throttle.named': `
      SELECT h.name, h.until FROM unnest($3::text[]) AS k (name)
      JOIN ${s}throttles AS h ON h.scope = $1::int AND h.name = k.name AND h.until > $2::float8`,
    'throttle.from': `
      SELECT name, until FROM ${s}throttles
      WHERE scope = $1 AND until > $2 AND name >= $3 AND name < $4`,
    'throttle.put': `
      INSERT INTO ${s}throttles AS h (scope, name, until)
      SELECT $1::int, k.name, k.until FROM unnest($2::text[], $3::float8[]) AS k (name, until)
      ORDER BY k.name
      ON CONFLICT (scope, name) DO UPDATE SET until = greatest(h.until, excluded.until)`,
    'throttle.lapse': `DELETE FROM ${s}throttles WHERE scope = $1 AND until <= $2`,

    // ── Nodes ────────────────────────────────────────────────────────────────────────────────────
    'node.all': `
      SELECT node, card, started_at, beats, last_beat, overdue, gone FROM ${s}nodes
      WHERE scope = $1 ORDER BY id`,
    'node.find': `
      SELECT j.node, j.card, j.started_at, j.beats, j.last_beat, j.overdue, j.gone
      FROM ${s}nodes AS j WHERE j.scope = $1 AND j.node = $2 ${locking}`,
    'node.lock': `
      SELECT j.node, j.card, j.started_at, j.beats, j.last_beat, j.overdue, j.gone
      FROM ${s}nodes AS j WHERE j.scope = $1 AND j.node = ANY ($2::text[])
      ORDER BY j.id ${locking}${locking && ' SKIP LOCKED'}`,
    'node.put': `
      INSERT INTO ${s}nodes (scope, node, card, started_at, beats, last_beat, overdue, gone)
      SELECT $1::int, k.* FROM unnest($2::text[], $3::text[], $4::float8[], $5::int[], $6::float8[],
                                 $7::text[], $8::int2[]) AS k
      ON CONFLICT (scope, node) DO UPDATE
      SET card = excluded.card, beats = excluded.beats, last_beat = excluded.last_beat,
          overdue = excluded.overdue, gone = excluded.gone`,
    'node.remove': `DELETE FROM ${s}nodes WHERE scope = $1 AND node = ANY ($2::text[])`,
    'node.remember': `
      UPDATE ${s}nodes SET last_beat = $3
      WHERE scope = $1 AND node = $2 AND gone = 0 AND last_beat < $3::float8 - 30000
        AND NOT EXISTS (SELECT FROM ${s}jobs AS j WHERE ${RUNS} AND j.node = $2)`,
    // Who was heard a moment ago need not be: each change leaves a dead row where all look.
    'node.touch': `
      UPDATE ${s}nodes SET beats = beats + 1, last_beat = $3
      WHERE scope = $1 AND node = $2 AND gone = 0 AND last_beat <= $3::float8 - 25
      RETURNING node`,
    'node.beat': `
      UPDATE ${s}nodes SET beats = beats + 1, last_beat = $3, overdue = $4
      WHERE scope = $1 AND node = $2 AND gone = 0
      RETURNING node`,
    'node.held': `
      SELECT f.* FROM unnest($3::text[]) AS k (node),
      LATERAL (SELECT ${J} FROM ${s}jobs AS j
               WHERE ${RUNS} AND j.node = k.node
                 AND j.queue IN (SELECT id FROM ${s}queues WHERE scope = $1)
               ORDER BY j.token LIMIT $2 ${locking}) AS f`,
    'node.lost': `
      SELECT ${J} FROM ${s}jobs AS j
      WHERE ${RUNS} AND j.node = $2 AND j.claim <= $3 AND j.claim <> ALL ($4::int[])
        AND j.queue IN (SELECT id FROM ${s}queues WHERE scope = $1)
      ${locking}`,
    rules: `
      SELECT concat_ws(' ',
        (SELECT concat_ws(' ', sum(revision), sum(paused_since), string_agg(transit, ' ' ORDER BY id))
         FROM ${s}queues),
        (SELECT sum(paused_since) FROM ${s}scopes),
        (SELECT concat_ws(' ', count(*), sum(since)) FROM ${s}paused_groups),
        (SELECT concat_ws(' ', count(*), sum(until)) FROM ${s}throttles)) AS rules`,
    'node.holds': `
      SELECT j.token, j.flags FROM ${s}jobs AS j
      WHERE ${RUNS} AND j.node = $2
        AND j.queue IN (SELECT id FROM ${s}queues WHERE scope = $1)`,
    'node.holding': `
      SELECT j.node, j.worker, count(*)::int AS held FROM ${s}jobs AS j
      WHERE ${RUNS} AND j.queue IN (SELECT id FROM ${s}queues WHERE scope = $1)
      GROUP BY j.node, j.worker`,

    // ── Schedules ────────────────────────────────────────────────────────────────────────────────
    'schedule.find': `
      SELECT c.queue, c.name, c.body FROM unnest($1::int[], $2::text[]) AS k (queue, name)
      JOIN ${s}schedules AS c ON c.queue = k.queue AND c.name = k.name`,
    'schedule.count': `SELECT count(*)::int AS schedules FROM ${s}schedules WHERE queue = $1`,
    'schedule.put': `
      INSERT INTO ${s}schedules (queue, name, due, body)
      SELECT * FROM unnest($1::int[], $2::text[], $3::float8[], $4::text[])
      ON CONFLICT (queue, name) DO UPDATE SET due = excluded.due, body = excluded.body`,
    'schedule.remove': `
      DELETE FROM ${s}schedules AS c USING unnest($1::int[], $2::text[]) AS k (queue, name)
      WHERE c.queue = k.queue AND c.name = k.name`,
    'schedule.byDue': `
      SELECT q.name AS queue_name, c.body
      FROM ${s}schedules AS c JOIN ${s}queues AS q ON q.id = c.queue
      WHERE q.scope = $1 AND ($2::text IS NULL OR q.name = $2) AND ($3::text IS NULL OR c.name = $3)
        AND c.due IS NOT NULL AND ${STAYS}
        AND ($4::int = 1 OR (c.due, q.name, c.name) > ($5::float8, $6, $7))
      ORDER BY c.due, q.name, c.name LIMIT $8`,
    'schedule.byName': `
      SELECT q.name AS queue_name, c.body
      FROM ${s}schedules AS c JOIN ${s}queues AS q ON q.id = c.queue
      WHERE q.scope = $1 AND ($2::text IS NULL OR q.name = $2) AND ($3::text IS NULL OR c.name = $3)
        AND ($4::int = 1 OR (q.name, c.name) > ($5, $6))
      ORDER BY q.name, c.name LIMIT $7`,
    'retired.find': `
      SELECT q.id AS queue, r.name, r.body FROM unnest($1::int[], $2::text[]) AS k (queue, name)
      JOIN ${s}queues AS q ON q.id = k.queue
      JOIN ${s}retired AS r ON r.scope = q.scope AND r.queue = q.name AND r.name = k.name`,
    'dump.retired': `
      SELECT queue, name, body FROM ${s}retired WHERE scope = $1 AND until > $2`,
    'retired.put': `
      INSERT INTO ${s}retired (scope, queue, name, until, body)
      SELECT $1::int, k.* FROM unnest($2::text[], $3::text[], $4::float8[], $5::text[]) AS k
      ON CONFLICT (scope, queue, name) DO UPDATE SET until = excluded.until, body = excluded.body`,
    'retired.remove': `
      DELETE FROM ${s}retired AS r USING unnest($2::text[], $3::text[]) AS k (queue, name)
      WHERE r.scope = $1 AND r.queue = k.queue AND r.name = k.name`,
  }
}
