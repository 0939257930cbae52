// The statements that are asked all the time, what each is asked with, and how the server would do it.
import pg from 'pg'
import type { Statement } from '../../src/stores/sql/statements.js'
import { completePlainly, spreading } from '../../src/stores/postgres/handful-statements.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import { takeHandful, takePlainly } from '../../src/stores/postgres/take-statements.js'
import { insertAlike } from '../../src/stores/postgres/volley-statements.js'
import { literal } from './literal.js'

export const SCHEMA = '"millrace".'

/** What each is asked with; one lane, one queue, one scope. */
export const HOT: Partial<Record<Statement, readonly unknown[]>> = {
  'job.deleted': [[1], ['job 7']],
  'job.find': [
    [1, 1],
    ['job 7', 'job 8'],
  ],
  'job.see': [
    [1, 1],
    ['job 7', 'job 8'],
  ],
  'job.read': [[7, 8]],
  'bare.read': [[7, 8]],
  'job.remove': [[7]],
  'job.describe': [[7], ['x'], [0], [null]],
  'job.complete': [[1], ['job 7'], [7]],
  'job.due': [1e12, 2_000, [1]],
  'job.take': [1, 1e12, 10, 1, 'node', 'worker', 1],
  'line.first': [1e12, 1, [1], ['group 7'], [0], [10], [0]],
  'lane.first': [1e12, 1, [1], ['group 7']],
  'lane.ready': [[1], [1e12]],
  'lane.next': [[1]],
  'lane.firstTimer': [[1]],
  'line.ahead': [1, 0, 5e4, 5e4, 1e12, 10_000],
  'job.expired': [1, 1e12, 100],
  'job.spent': [1, 100],
  'job.orphans': [1, 100],
  'ended.past': [[1], [7], [1e12], [100]],
  'backlog.read': [1],
  'backlog.move': [[1], [1]],
  'backlog.fold': [1],
  'backlog.forget': [1],
  'backlog.reserve': [1, 1, 1],
  'page.ended': [1, 1e9, null, null, 101, 1_000, 1, [7]],
  'page.endedBound': [1, 1e9, 1_000, [7]],
  'page.any': [1, 1e9, [0, 1], null, null, 1e12, 100, 1, 1_000],
  'page.running': [1, 1e9, [2], null, null, 1e12, 100, 1],
  'queue.someRunning': [1, 10],
  'group.running': [[1], ['group 7']],
  'group.holder': [[1], ['group 7']],
  'group.holding': [[1], ['group 7']],
  'node.held': [1, 100, ['node']],
  'node.lost': [1, 'node', 1, [2]],
  'node.holds': [1, 'node'],
  'node.remember': [1, 'node', 1e12],
  'turn.add': [[1], [1], ['g'], [0], [0], [7], [1e12]],
  'turn.raise': [[1], ['group 7'], [0]],
  'turn.raiseAll': [1],
  'turn.first': [[], 10, [1]],
  'turn.move': [[1], ['group 7'], [1]],
  'turn.close': [[1], ['group 7'], [1]],
  'turn.open': [[1], ['group 7'], [1]],
  'turn.openDue': [1, 1e12, 1],
  'turn.remove': [[1], ['group 7'], [0]],
  'claim.peek': [1, 'q', 'node', 1e12],
  'claim.look': [1, 1, 'node', 1e12],
  'claim.next': [1, [1]],
  'grant.oldest': [1, ['g:1:q7'], [1e12], [10]],
  'grant.total': [1, ['g:1:q7'], [1e12]],
  'throttle.named': [1, 1e12, ['q:q']],
  'throttle.from': [1, 1e12, 'g:1:q', 'g:1:r'],
  'sweep.peek': [1, 1, 1],
  'key.started': [1e12, [7]],
  'kin.children': [[7]],
}

export const VOLLEYS = {
  insertAlike: {
    text: insertAlike(SCHEMA),
    params: [1, 0, 1, 'default', 0, 0, 0, null, 1e12, ['a'], ['group 7'], ['1'], 'channel', '[]'],
  },
  takePlainly: {
    text: takePlainly(SCHEMA, true),
    params: [1, 0, 1, 1, [1], 'node', 'worker', 1, 10, 1e12],
  },
  takeHandful: {
    text: takeHandful(SCHEMA, true),
    params: [1, 0, 1, 1, [1], 'node', 'worker', 1, 10, 1e12, 7],
  },
  spread: {
    text: spreading(SCHEMA, { of: 'queues', queues: [1] }).text,
    params: [[1]],
  },
  completePlainly: {
    text: completePlainly(SCHEMA, 'nothing', false),
    params: [1, [1], [0], [1], ['job 7'], [7], 1e12, '{}'],
  },
  completeGated: {
    text: completePlainly(SCHEMA, 'nothing', true),
    params: [1, [1], [0], [1], ['job 7'], [7], 1e12, '{}'],
  },
  completeWithResults: {
    text: completePlainly(SCHEMA, 'receipts', false),
    params: [1, [1], [0], [1], ['job 7'], [7], 1e12, '{}', ['{}']],
  },
}

/** A connection to a database that a store has just made its tables in. */
export async function onTables(url: string): Promise<pg.Client> {
  const store = openablePostgresStore({ url }, {})
  await store.open({ scope: 'default' })
  await store.close()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

/** As a handle asks: prepared, within its settings. */
export async function explained(
  client: pg.Client,
  mode: string,
  text: string,
  params: readonly unknown[],
): Promise<string[]> {
  await client.query('BEGIN')
  await client.query('SET LOCAL enable_seqscan = off')
  await client.query('SET LOCAL enable_hashjoin = off')
  await client.query('SET LOCAL enable_mergejoin = off')
  await client.query(`SET LOCAL plan_cache_mode = ${mode}`)
  await client.query(`PREPARE hot AS ${text}`)
  const args = params.map(literal).join(', ')
  const { rows } = await client.query<Record<string, string>>(`EXPLAIN EXECUTE hot(${args})`)
  await client.query('ROLLBACK')
  await client.query('DEALLOCATE hot')
  return rows.map((row) => row['QUERY PLAN'] ?? '')
}
