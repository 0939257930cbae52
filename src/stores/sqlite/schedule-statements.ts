/** The statements about schedules; see `statements.ts` for how they are written. */
import type { Statement } from '../sql/statements.js'
import { STAYS } from './words.js'

export function scheduleStatements(t: string) {
  return {
    'schedule.find': `
      SELECT queue, name, body FROM ${t}schedules WHERE queue = ?1 AND name = ?2`,
    'schedule.count': `SELECT count(*) AS schedules FROM ${t}schedules WHERE queue = ?1`,
    'schedule.put': `
      INSERT INTO ${t}schedules (queue, name, due, body) VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT DO UPDATE SET due = excluded.due, body = excluded.body`,
    'schedule.remove': `DELETE FROM ${t}schedules WHERE queue = ?1 AND name = ?2`,
    'schedule.byDue': `
      SELECT q.name AS queue_name, s.body FROM ${t}schedules AS s JOIN ${t}queues AS q ON q.id = s.queue
      WHERE q.scope = ?1 AND (?2 IS NULL OR q.name = ?2) AND (?3 IS NULL OR s.name = ?3)
        AND s.due IS NOT NULL AND ${STAYS}
        AND (?4 = 1 OR (s.due, q.name, s.name) > (?5, ?6, ?7))
      ORDER BY s.due, q.name, s.name LIMIT ?8`,
    'schedule.byName': `
      SELECT q.name AS queue_name, s.body FROM ${t}schedules AS s JOIN ${t}queues AS q ON q.id = s.queue
      WHERE q.scope = ?1 AND (?2 IS NULL OR q.name = ?2) AND (?3 IS NULL OR s.name = ?3)
        AND (?4 = 1 OR (q.name, s.name) > (?5, ?6))
      ORDER BY q.name, s.name LIMIT ?7`,
    'retired.find': `
      SELECT q.id AS queue, r.name, r.body
      FROM ${t}queues AS q JOIN ${t}retired AS r ON r.scope = q.scope AND r.queue = q.name
      WHERE q.id = ?1 AND r.name = ?2`,
    'dump.retired': `
      SELECT queue, name, body FROM ${t}retired WHERE scope = ?1 AND until > ?2`,
    'retired.put': `
      INSERT INTO ${t}retired (scope, queue, name, until, body) VALUES (?1, ?2, ?3, ?4, ?5)
      ON CONFLICT DO UPDATE SET until = excluded.until, body = excluded.body`,
    'retired.remove': `DELETE FROM ${t}retired WHERE scope = ?1 AND queue = ?2 AND name = ?3`,
  } satisfies Partial<Record<Statement, string>>
}
