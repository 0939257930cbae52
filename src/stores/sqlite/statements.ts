/**
 * The statements in SQLite's words, one a purpose; what each is asked and answers stands in
 * `../sql/statements.ts`. Those that are asked for many rows are run for each in turn: a prepared
 * statement costs a microsecond or two. Lists are JSON. `t` stands before every name of a table.
 *
 * The states are 0 scheduled, 1 available, 2 running, 3 retryable, 4 waiting, 5 completed,
 * 6 cancelled, 7 discarded, 8 receipt; 64 among the flags says that a job holds its group.
 */
import type { Statement } from '../sql/statements.js'
import { backlogStatements } from './backlog-statements.js'
import { besideStatements } from './beside-statements.js'
import { explainStatements } from './explain-statements.js'
import { peekStatements } from './peek-statements.js'
import { scheduleStatements } from './schedule-statements.js'
import { BARE, expiring, held, JOB, jobOr, paged, STAYS } from './words.js'

const QUEUE = `id, name, declared, overrides, revision, paused_since, paused_by, pass, transit`

/** What is left of a queue that nobody ever said anything of. */
const isKnown = (t: string): string => `
  (q.revision > 0 OR q.paused_since IS NOT NULL OR q.transit IS NOT NULL
   OR EXISTS (SELECT 1 FROM ${t}jobs          WHERE queue = q.id)
   OR EXISTS (SELECT 1 FROM ${t}paused_groups WHERE queue = q.id)
   OR EXISTS (SELECT 1 FROM ${t}schedules     WHERE queue = q.id)
   OR EXISTS (SELECT 1 FROM ${t}keys          WHERE queue = q.id))`

export function statements(t: string): Readonly<Record<Statement, string>> {
  return {
    ...peekStatements(t),
    ...scheduleStatements(t),
    ...explainStatements(t),
    ...besideStatements(t),

    // ── Scopes ───────────────────────────────────────────────────────────────────────────────────
    'scope.add': `INSERT INTO ${t}scopes (name) VALUES (?1) RETURNING id`,
    'scope.find': `SELECT id FROM ${t}scopes WHERE name = ?1`,
    'scope.read': `SELECT paused_since, paused_by FROM ${t}scopes WHERE id = ?1`,
    'scope.pause': `
      UPDATE ${t}scopes SET paused_since = ?2, paused_by = ?3
      WHERE id = ?1 AND (paused_since IS NULL) <> (?2 IS NULL)
      RETURNING id`,

    // ── Queues, groups, lanes ────────────────────────────────────────────────────────────────────
    'queue.add': `
      INSERT INTO ${t}queues (scope, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING id`,
    'queue.find': `SELECT ${QUEUE} FROM ${t}queues WHERE scope = ?1 AND name = ?2`,
    'queue.name': `SELECT name FROM ${t}queues WHERE id = ?1`,
    'queue.all': `SELECT ${QUEUE} FROM ${t}queues WHERE scope = ?1`,
    'queue.sharing': `SELECT ${QUEUE} FROM ${t}queues WHERE scope = ?1 AND rate_key = ?2`,
    'queue.say': `
      UPDATE ${t}queues SET revision = ?2, declared = ?3, overrides = ?4, rate_key = ?5
      WHERE id = ?1
      RETURNING id`,
    'queue.pause': `
      UPDATE ${t}queues SET paused_since = ?2, paused_by = ?3
      WHERE id = ?1 AND (paused_since IS NULL) <> (?2 IS NULL)
      RETURNING id`,
    'queue.transit': `UPDATE ${t}queues SET transit = ?2 WHERE id = ?1 RETURNING id`,
    'queue.turned': `UPDATE ${t}queues SET pass = ?2 WHERE id = ?1`,
    'queue.known': `SELECT id FROM ${t}queues AS q WHERE id = ?1 AND ${isKnown(t)}`,
    'queue.page': `
      SELECT ${QUEUE} FROM ${t}queues AS q
      WHERE scope = ?1 AND name > ?2 AND ${isKnown(t)}
      ORDER BY name LIMIT ?3`,
    'queue.counts': `
      SELECT CASE WHEN state IN (0, 3) AND due <= ?2 THEN 1 ELSE state END AS state,
             count(*) AS jobs, max(seq) AS last,
             min(CASE WHEN state = 1 THEN due END) AS oldest
      FROM (SELECT seq, state, due FROM ${t}jobs WHERE queue = ?1 AND seq > ?3
            ORDER BY seq LIMIT ?4)
      GROUP BY 1`,
    ...backlogStatements(t),
    'queue.running': `
      SELECT count(*) AS running FROM ${held(t)}
      WHERE queue = ?1 AND state = 2 AND state < 4 AND (flags & 64) <> 0`,
    'queue.someRunning': `
      SELECT ${JOB} FROM ${held(t)}
      WHERE queue = ?1 AND state = 2 AND state < 4 AND (flags & 64) <> 0
      LIMIT ?2`,
    'group.pause': `
      INSERT INTO ${t}paused_groups (queue, grp, since, by) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT DO NOTHING
      RETURNING queue`,
    'group.resume': `DELETE FROM ${t}paused_groups WHERE queue = ?1 AND grp = ?2 RETURNING queue`,
    'group.paused': `SELECT grp, since, by FROM ${t}paused_groups WHERE queue = ?1`,
    'group.page': `
      SELECT grp FROM (SELECT grp FROM ${t}jobs WHERE queue = ?1 AND state < 8
                       UNION SELECT grp FROM ${t}paused_groups WHERE queue = ?1)
      WHERE ?3 = 0 OR grp > ?2
      ORDER BY grp LIMIT ?4`,
    'group.counts': `
      SELECT grp, CASE WHEN state IN (0, 3) AND due <= ?2 THEN 1 ELSE state END AS state,
             count(*) AS jobs
      FROM ${t}jobs WHERE queue = ?1 AND grp BETWEEN ?3 AND ?4 AND state < 8
      GROUP BY 1, 2`,
    'group.holder': `
      SELECT grp, id FROM ${t}jobs
      WHERE queue = ?1 AND grp = ?2 AND state < 4 AND (flags & 64) <> 0
      ORDER BY state = 2 DESC, since DESC LIMIT 1`,
    'group.running': `
      SELECT ?2 AS grp, count(*) AS running FROM ${t}jobs
      WHERE queue = ?1 AND grp = ?2 AND state = 2 AND state < 4 AND (flags & 64) <> 0`,
    'group.someRunning': `
      SELECT ${JOB} FROM ${t}jobs
      WHERE queue = ?1 AND grp = ?2 AND state = 2 AND state < 4 AND (flags & 64) <> 0
      LIMIT ?3`,
    'group.holding': `
      SELECT ${JOB} FROM ${t}jobs
      WHERE queue = ?1 AND grp = ?2 AND state <> 2 AND state < 4 AND (flags & 64) <> 0`,
    'lane.of': `SELECT id, queue, task, kind FROM ${t}lanes WHERE queue = ?1`,
    'lane.add': `
      INSERT INTO ${t}lanes (queue, task, kind) VALUES (?1, ?2, ?3)
      ON CONFLICT DO UPDATE SET kind = kind
      RETURNING id`,
    'lane.next': `
      SELECT due FROM ${t}jobs WHERE lane = ?1 AND state IN (0, 3) ORDER BY due LIMIT 1`,

    // ── Jobs ─────────────────────────────────────────────────────────────────────────────────────
    'seq.take': `UPDATE ${t}counters SET value = value + ?1 WHERE name = 'seq' RETURNING value AS last`,
    'token.take': `
      UPDATE ${t}counters SET value = value + ?1 WHERE name = 'token'
      RETURNING value AS last, value AS until`,
    // All that come after a power cut are beyond it, see opening.
    'token.wait': `SELECT 1`,
    'token.reserve': `SELECT ?1`,
    'job.add': `
      INSERT INTO ${t}jobs (${JOB})
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
              ?20, ?21, ?22, ?23, ?24, ?25)
      ON CONFLICT DO NOTHING
      RETURNING seq`,
    'job.deleted': `
      SELECT seq FROM ${t}jobs
      WHERE queue = ?1 AND id = ?2 AND state = 8 AND extra ->> '$.isDeleted' = 1`,
    'job.find': `SELECT ${JOB} FROM ${t}jobs WHERE queue = ?1 AND id = ?2`,
    'job.see': `SELECT ${JOB} FROM ${t}jobs WHERE queue = ?1 AND id = ?2`,
    'job.free': `SELECT ${JOB} FROM ${t}jobs WHERE seq = ?1`,
    'job.isThere': `SELECT seq FROM ${t}jobs WHERE seq = ?1`,
    'job.hold': `SELECT ${JOB} FROM ${t}jobs WHERE seq = ?1 AND state <> 2`,
    'job.read': `SELECT ${JOB} FROM ${t}jobs WHERE seq = ?1`,
    'bare.find': `SELECT ${BARE} FROM ${t}jobs WHERE queue = ?1 AND id = ?2`,
    'bare.read': `SELECT ${BARE} FROM ${t}jobs WHERE seq = ?1`,
    'job.change': `
      UPDATE ${t}jobs
      SET state = ?2, flags = ?3, priority = ?4, crashes = ?5, attempt = ?6, max_attempts = ?7,
          place = ?8, due = ?9, since = ?10, token = ?11, node = ?12, worker = ?13, claim = ?14,
          lane = ?15, expires = ?16, extra = ?17
      WHERE seq = ?1`,
    'job.describe': `UPDATE ${t}jobs SET payload = ?2, codec = ?3, spec = ?4 WHERE seq = ?1`,
    'job.remove': `DELETE FROM ${t}jobs WHERE seq = ?1`,
    'job.complete': `
      DELETE FROM ${t}jobs
      WHERE queue = ?1 AND id = ?2 AND state = 2 AND token = ?3 AND extra IS NULL
        AND (flags & 1) = 0 AND NOT EXISTS (SELECT 1 FROM ${t}kin WHERE parent = seq)
      RETURNING queue, id, grp`,
    'job.due': `
      UPDATE ${t}jobs SET state = 1
      WHERE seq IN (SELECT seq FROM ${t}jobs
                    WHERE lane = ?3 AND state IN (0, 3) AND due <= ?1
                    ORDER BY due LIMIT ?2)
      RETURNING lane, grp, priority, seq, place`,
    'job.take': `
      UPDATE ${t}jobs
      SET state = 2, attempt = attempt + 1, flags = flags | 64, since = ?2, lane = NULL,
          expires = NULL, token = ?4 + first.n, node = ?5, worker = ?6, claim = ?7
      FROM (SELECT seq AS chosen, row_number() OVER (ORDER BY priority DESC, place, seq) AS n
            FROM (SELECT seq, priority, place FROM ${t}jobs
                  WHERE lane = ?1 AND state = 1 AND grp = ''
                    AND (expires IS NULL OR expires >= ?2)
                  ORDER BY priority DESC, place, seq LIMIT ?3)) AS first
      WHERE seq = first.chosen
      RETURNING seq, id, flags, task, priority, crashes, attempt, max_attempts, place, due,
                inserted_at, token, payload, codec, spec, extra`,
    'line.first': `
      SELECT ${jobOr('?2')} FROM ${t}jobs
      WHERE lane = ?3 AND state = 1 AND grp = ?4 AND priority = ?5
        AND place >= ?7 AND (expires IS NULL OR expires >= ?1)
      ORDER BY place, seq LIMIT ?6`,
    'lane.first': `
      SELECT ${jobOr('?2')} FROM ${t}jobs
      WHERE lane = ?3 AND state = 1 AND grp = ?4 AND (expires IS NULL OR expires >= ?1)
      ORDER BY priority DESC, place, seq LIMIT 1`,
    'lane.ready': `
      SELECT seq FROM ${t}jobs
      WHERE lane = ?1 AND state = 1 AND (expires IS NULL OR expires >= ?2)
      LIMIT 1`,
    'job.waiting': `
      SELECT ${JOB} FROM ${t}jobs
      WHERE queue = ?1 AND state IN (0, 1, 3) AND attempt >= ?2 AND seq > ?3
      ORDER BY seq LIMIT ?4`,
    'job.expired': `
      SELECT ${JOB} FROM ${expiring(t)}
      WHERE expires < ?2
        AND queue IN (SELECT id FROM ${t}queues AS q WHERE scope = ?1 AND ${STAYS})
      ORDER BY expires LIMIT ?3`,
    'job.spent': `
      SELECT ${JOB} FROM ${t}jobs
      WHERE state = 1 AND lane IS NULL
        AND queue IN (SELECT id FROM ${t}queues AS q WHERE scope = ?1 AND ${STAYS})
      LIMIT ?2`,
    'job.orphans': `
      SELECT ${JOB} FROM ${held(t)}
      WHERE state = 2 AND state < 4 AND (flags & 64) <> 0
        AND queue IN (SELECT id FROM ${t}queues WHERE scope = ?1)
        AND node NOT IN (SELECT node FROM ${t}nodes WHERE scope = ?1)
      LIMIT ?2`,
    'ended.count': `
      SELECT ?1 AS queue, ?2 AS state, count(*) AS ended FROM ${t}jobs
      WHERE queue = ?1 AND state = ?2 AND state >= 5`,
    'ended.past': `
      SELECT ${BARE} FROM ${t}jobs
      WHERE queue = ?1 AND state = ?2 AND state >= 5 AND since <= ?3
      ORDER BY since, seq LIMIT ?4`,
    // By number: by the queues all that is left would be sorted for each page.
    'dump.jobs': `
      SELECT ${JOB} FROM ${t}jobs
      WHERE +queue IN (SELECT value FROM json_each(?1)) AND seq > ?2
        AND (state < 8 OR extra ->> '$.isAway' IS NULL)
      ORDER BY seq LIMIT ?3`,
    'dump.numbers': `
      SELECT seq FROM ${t}jobs
      WHERE queue = ?3 AND seq > ?1 AND (state < 8 OR extra ->> '$.isAway' IS NULL)
      ORDER BY seq LIMIT ?2`,
    'page.any': `
      SELECT ${jobOr('?8')} FROM ${t}jobs
      WHERE queue = ?1 AND seq < ?2
        AND seq >= (SELECT coalesce(min(seq), 0)
                    FROM (SELECT seq FROM ${t}jobs WHERE queue = ?1 AND seq < ?2
                          ORDER BY seq DESC LIMIT ?9))
        AND CASE WHEN state IN (0, 3) AND due <= ?6 THEN 1 ELSE state END
              IN (SELECT value FROM json_each(?3))
        AND (?4 IS NULL OR task = ?4) AND (?5 IS NULL OR grp = ?5)
      ORDER BY seq DESC LIMIT ?7`,
    'page.ended': `
      SELECT ${jobOr('?7')} FROM ${paged(t)}
      WHERE queue = ?1 AND state = ?8 AND state BETWEEN 5 AND 7 AND seq < ?2
        AND seq >= (SELECT coalesce(min(seq), 0)
                    FROM (SELECT seq FROM ${paged(t)}
                          WHERE queue = ?1 AND state = ?8 AND state BETWEEN 5 AND 7 AND seq < ?2
                          ORDER BY seq DESC LIMIT ?6))
        AND (?3 IS NULL OR task = ?3) AND (?4 IS NULL OR grp = ?4)
      ORDER BY seq DESC LIMIT ?5`,
    'page.endedBound': `
      SELECT seq FROM ${paged(t)}
      WHERE queue = ?1 AND state = ?4 AND state BETWEEN 5 AND 7 AND seq < ?2
      ORDER BY seq DESC LIMIT 1 OFFSET ?3 - 1`,
    'page.running': `
      SELECT ${jobOr('?8')} FROM ${held(t)}
      WHERE queue = ?1 AND state = 2 AND state < 4 AND (flags & 64) <> 0 AND seq < ?2
        AND ?3 IS NOT NULL AND (?4 IS NULL OR task = ?4) AND (?5 IS NULL OR grp = ?5)
        AND ?6 IS NOT NULL
      ORDER BY seq DESC LIMIT ?7`,
    'page.bound': `
      SELECT seq FROM ${t}jobs WHERE queue = ?1 AND seq < ?2
      ORDER BY seq DESC LIMIT 1 OFFSET ?3 - 1`,

    // ── Turns ────────────────────────────────────────────────────────────────────────────────────
    'turn.add': `
      INSERT INTO ${t}turns (lane, queue, grp, priority, pass, tie)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE ?7 IS NOT NULL
      ON CONFLICT DO NOTHING`,
    // There are no dead rows to be passed by.
    'turn.raise': `SELECT 1 AS id WHERE ?1 + ?3 IS NULL AND ?2 IS NULL`,
    'turn.raiseAll': `SELECT 1 AS id WHERE ?1 IS NULL`,
    'turn.first': `
      SELECT lane, grp, priority, pass, tie, -1e300 AS floor FROM ${t}turns
      WHERE lane = ?3 AND closed = 0 AND grp NOT IN (SELECT value FROM json_each(?1))
      ORDER BY priority DESC, pass, tie LIMIT ?2`,
    'turn.move': `UPDATE ${t}turns SET pass = ?3 WHERE queue = ?1 AND grp = ?2`,
    'turn.close': `
      UPDATE ${t}turns SET closed = 1, opens_at = ?3 WHERE queue = ?1 AND grp = ?2`,
    'turn.remove': `DELETE FROM ${t}turns WHERE lane = ?1 AND grp = ?2 AND priority = ?3`,
    'turn.open': `
      UPDATE ${t}turns SET closed = 0, opens_at = NULL, pass = max(pass, ?3)
      WHERE queue = ?1 AND grp = ?2 AND closed = 1`,
    'turn.openAll': `
      UPDATE ${t}turns SET closed = 0, opens_at = NULL, pass = max(pass, ?2)
      WHERE queue = ?1 AND closed = 1`,
    'turn.openDue': `
      UPDATE ${t}turns SET closed = 0, opens_at = NULL, pass = max(pass, ?3)
      WHERE queue = ?1 AND closed = 1 AND opens_at <= ?2`,

    // ── Rates and rests ──────────────────────────────────────────────────────────────────────────
    'grant.add': `
      INSERT INTO ${t}grants (scope, name, at, n, until) VALUES (?1, ?2, ?3, ?4, ?5)
      ON CONFLICT DO UPDATE SET n = n + excluded.n, until = max(until, excluded.until)`,
    'grant.oldest': `
      SELECT name, at, n FROM ${t}grants WHERE scope = ?1 AND name = ?2 AND at > ?3
      ORDER BY at LIMIT ?4`,
    'grant.total': `
      SELECT name, sum(n) AS total, max(at) AS last FROM ${t}grants
      WHERE scope = ?1 AND name = ?2 AND at > ?3 GROUP BY name`,
    'dump.grants': `
      SELECT name, at, n, until FROM ${t}grants
      WHERE scope = ?1 AND until > ?2 ORDER BY name, at`,
    'grant.load': `
      INSERT INTO ${t}grants (scope, name, at, n, until) VALUES (?1, ?2, ?3, ?4, ?5)
      ON CONFLICT DO NOTHING`,
    'grant.lapse': `DELETE FROM ${t}grants WHERE scope = ?1 AND until <= ?2`,
    'throttle.all': `SELECT name, until FROM ${t}throttles WHERE scope = ?1 AND until > ?2`,
    'throttle.named': `
      SELECT name, until FROM ${t}throttles WHERE scope = ?1 AND until > ?2 AND name = ?3`,
    'throttle.from': `
      SELECT name, until FROM ${t}throttles
      WHERE scope = ?1 AND until > ?2 AND name >= ?3 AND name < ?4`,
    'throttle.put': `
      INSERT INTO ${t}throttles (scope, name, until) VALUES (?1, ?2, ?3)
      ON CONFLICT DO UPDATE SET until = max(until, excluded.until)`,
    'throttle.lapse': `DELETE FROM ${t}throttles WHERE scope = ?1 AND until <= ?2`,

    // ── Nodes ────────────────────────────────────────────────────────────────────────────────────
    'node.all': `
      SELECT node, card, started_at, beats, last_beat, overdue, gone FROM ${t}nodes
      WHERE scope = ?1 ORDER BY id`,
    'node.find': `
      SELECT node, card, started_at, beats, last_beat, overdue, gone FROM ${t}nodes
      WHERE scope = ?1 AND node = ?2`,
    'node.lock': `
      SELECT node, card, started_at, beats, last_beat, overdue, gone FROM ${t}nodes
      WHERE scope = ?1 AND node = ?2`,
    'node.put': `
      INSERT INTO ${t}nodes (scope, node, card, started_at, beats, last_beat, overdue, gone)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
      ON CONFLICT DO UPDATE
      SET card = excluded.card, beats = excluded.beats, last_beat = excluded.last_beat,
          overdue = excluded.overdue, gone = excluded.gone`,
    'node.remove': `DELETE FROM ${t}nodes WHERE scope = ?1 AND node = ?2`,
    'node.remember': `
      UPDATE ${t}nodes SET last_beat = ?3
      WHERE scope = ?1 AND node = ?2 AND gone = 0 AND last_beat < ?3 - 30000
        AND NOT EXISTS (SELECT 1 FROM ${t}jobs
                        WHERE state = 2 AND state < 4 AND (flags & 64) <> 0 AND node = ?2)`,
    'node.touch': `
      UPDATE ${t}nodes SET beats = beats + 1, last_beat = ?3
      WHERE scope = ?1 AND node = ?2 AND gone = 0
      RETURNING node`,
    'node.beat': `
      UPDATE ${t}nodes SET beats = beats + 1, last_beat = ?3, overdue = ?4
      WHERE scope = ?1 AND node = ?2 AND gone = 0
      RETURNING node`,
    'node.held': `
      SELECT ${JOB} FROM ${held(t)}
      WHERE state = 2 AND state < 4 AND (flags & 64) <> 0 AND node = ?3
        AND queue IN (SELECT id FROM ${t}queues WHERE scope = ?1)
      ORDER BY token LIMIT ?2`,
    'node.lost': `
      SELECT ${JOB} FROM ${held(t)}
      WHERE state = 2 AND state < 4 AND (flags & 64) <> 0 AND node = ?2
        AND claim <= ?3 AND claim NOT IN (SELECT value FROM json_each(?4))
        AND queue IN (SELECT id FROM ${t}queues WHERE scope = ?1)`,
    rules: `
      SELECT json_array(
        (SELECT json_array(total(revision), total(paused_since), group_concat(transit)) FROM ${t}queues),
        (SELECT total(paused_since) FROM ${t}scopes),
        (SELECT json_array(count(*), total(since)) FROM ${t}paused_groups),
        (SELECT json_array(count(*), total(until)) FROM ${t}throttles)) AS rules`,
    'node.holds': `
      SELECT token, flags FROM ${held(t)}
      WHERE state = 2 AND state < 4 AND (flags & 64) <> 0 AND node = ?2
        AND queue IN (SELECT id FROM ${t}queues WHERE scope = ?1)`,
    'node.holding': `
      SELECT node, worker, count(*) AS held FROM ${held(t)}
      WHERE state = 2 AND state < 4 AND (flags & 64) <> 0
        AND queue IN (SELECT id FROM ${t}queues WHERE scope = ?1)
      GROUP BY node, worker`,
  }
}
