/** The statements about what stands beside jobs: keys, kin, settlements. See `statements.ts`. */
import type { Statement } from '../sql/statements.js'

export function besideStatements(t: string) {
  return {
    'key.find': `
      SELECT queue, key, seq, id, until, waiting FROM ${t}keys WHERE queue = ?1 AND key = ?2`,
    'key.own': `
      SELECT queue, key, seq, id, until, waiting FROM ${t}keys WHERE queue = ?1 AND key = ?2`,
    'dump.keys': `
      SELECT queue, key, seq, id, until, waiting FROM ${t}keys
      WHERE queue IN (SELECT value FROM json_each(?1)) AND seq IS NULL AND until > ?4
        AND (queue, key) > (?2, ?3)
      ORDER BY queue, key LIMIT ?5`,
    'dump.keyed': `
      SELECT DISTINCT queue FROM ${t}keys
      WHERE queue IN (SELECT value FROM json_each(?1)) AND (seq IS NOT NULL OR until > ?2)`,
    'key.put': `
      INSERT INTO ${t}keys (queue, key, seq, id, until, waiting) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      ON CONFLICT DO UPDATE
      SET seq = excluded.seq, id = excluded.id, until = excluded.until, waiting = excluded.waiting`,
    'key.remove': `DELETE FROM ${t}keys WHERE queue = ?1 AND key = ?2`,
    'key.started': `
      UPDATE ${t}keys SET seq = NULL WHERE seq = ?2 AND waiting = 1 AND ?1 IS NOT NULL`,
    'key.lapse': `
      DELETE FROM ${t}keys
      WHERE seq IS NULL AND until <= ?2
        AND queue IN (SELECT id FROM ${t}queues WHERE scope = ?1)`,
    'kin.children': `SELECT DISTINCT child FROM ${t}kin WHERE parent = ?1`,
    'kin.parents': `SELECT DISTINCT parent, child FROM ${t}kin WHERE child = ?1`,
    'kin.add': link(t),
    'kin.link': link(t),
    // Who writes is alone: nobody ends a parent meanwhile, and no child comes unseen.
    'kin.mark': `SELECT ?1 WHERE 0`,
    'arrival.add': `SELECT ?1, ?2 WHERE 0`,
    'arrival.take': `SELECT ?1 AS child WHERE ?2 < 0`,
    'arrival.breath': `SELECT 1`,
    'kin.remove': `DELETE FROM ${t}kin WHERE parent = ?1 AND child = ?2 AND at = ?3`,
    'kin.forget': `DELETE FROM ${t}kin WHERE child = ?1`,
    'settled.add': `
      INSERT INTO ${t}settled (scope, at, low, high, body) VALUES (?1, ?2, ?3, ?4, ?5)`,
    'settled.find': `
      SELECT body FROM ${t}settled WHERE scope = ?1 AND high >= ?2 AND low <= ?2 ORDER BY high`,
    'settled.lapse': `DELETE FROM ${t}settled WHERE scope = ?1 AND at < ?2`,
  } satisfies Partial<Record<Statement, string>>
}

const link = (t: string): string => `
      INSERT INTO ${t}kin (parent, child, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`
