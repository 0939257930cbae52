// What is asked all the time costs the same however many jobs there are: no plan of it reads a whole
// table of jobs or of turns, though nobody has counted them since they came (a burst outruns ANALYZE).
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Statement } from '../../src/stores/sql/statements.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import { statements } from '../../src/stores/postgres/statements.js'
import { completePlainly, spreading } from '../../src/stores/postgres/handful-statements.js'
import { takeHandful, takePlainly } from '../../src/stores/postgres/take-statements.js'
import { insertAlike } from '../../src/stores/postgres/volley-statements.js'
import { sharedPostgres } from '../servers/postgres.js'
import { literal } from './literal.js'

const server = await sharedPostgres()
const BACKLOG = 200_000

/** What each is asked with; one lane, one queue, one scope. */
const HOT: Partial<Record<Statement, readonly unknown[]>> = {
  'job.deleted': [[1], ['job 7']],
  'job.find': [
    [1, 1],
    ['job 7', 'job 8'],
  ],
  'job.read': [[7, 8]],
  'job.remove': [[7]],
  'job.describe': [[7], ['x'], [0], [null]],
  'job.complete': [[1], ['job 7'], [7]],
  'job.due': [1e12, 2_000, [1]],
  'job.take': [1, 1e12, 10, 1, 'node', 'worker', 1],
  'line.first': [1e12, [1], ['group 7'], [0], [10], [0]],
  'lane.first': [1e12, [1], ['group 7']],
  'lane.ready': [[1], [1e12]],
  'lane.next': [[1]],
  'job.expired': [1, 1e12, 100],
  'job.spent': [1, 100],
  'job.orphans': [1, 100],
  'ended.past': [[1], [7], [1e12], [100]],
  'backlog.read': [1],
  'backlog.move': [[1], [1]],
  'backlog.fold': [1],
  'backlog.forget': [1],
  'backlog.reserve': [1, 1, 1],
  'page.any': [1, 1e9, [0, 1], null, null, 1e12, 100, 1_000],
  'page.running': [1, 1e9, [2], null, null, 1e12, 100],
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
  'turn.grouped': [1],
  'turn.move': [[1], ['group 7'], [1]],
  'turn.close': [[1], ['group 7'], [1]],
  'turn.open': [[1], ['group 7'], [1]],
  'turn.openDue': [1, 1e12, 1],
  'turn.remove': [[1], ['group 7'], [0]],
  'turn.next': [1],
  'claim.peek': [1, 'q', 'node', 1e12],
  'sweep.peek': [1, 1, 1],
  'key.started': [1e12, [7]],
  'kin.children': [[7]],
}

const SCHEMA = '"millrace".'
const VOLLEYS = {
  insertAlike: {
    text: insertAlike(SCHEMA),
    params: [1, 0, 1, 'default', 0, 0, 0, null, 1e12, ['a'], ['group 7'], ['1']],
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
    text: completePlainly(SCHEMA),
    params: [1, [1], [0], [1], ['job 7'], [7], 1e12],
  },
}

/** A connection to a database that a store has just made its tables in. */
async function onTables(): Promise<pg.Client> {
  const url = await server.database()
  const store = openablePostgresStore({ url }, {})
  await store.open({ scope: 'default' })
  await store.close()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

describe.skipIf(server.isMissing)(`plans made for tables that are empty yet${server.why}`, () => {
  let client: pg.Client
  beforeAll(async () => {
    client = await onTables()
  })
  afterAll(() => client.end())

  // A plan is kept, and a burst of jobs outruns whatever would have it made anew.
  const named = ['job.find', 'job.deleted', 'job.complete'] as const
  it.each(named)('%s finds jobs by their ids, and not in their queue', async (name) => {
    const text = statements(SCHEMA, 'FOR UPDATE OF j')[name]
    const lines = await explained(client, 'force_generic_plan', text, HOT[name] ?? [])
    expect(lines.join('\n')).toMatch(/jobs_queue_id_key/)
    expect(lines.join('\n')).not.toMatch(/jobs_list/)
  })

  it('a repeated insert, too', async () => {
    const { text, params } = VOLLEYS.insertAlike
    const lines = await explained(client, 'force_generic_plan', text, params)
    expect(lines.join('\n')).not.toMatch(/jobs_list/)
  })
})

/** As a handle asks: prepared, within its settings. */
async function explained(
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

describe.skipIf(server.isMissing)(`plans behind a backlog${server.why}`, () => {
  let client: pg.Client
  const texts = statements(SCHEMA, 'FOR UPDATE OF j')

  beforeAll(async () => {
    client = await onTables()
    // The database, since the server's own daemon could count meanwhile.
    await client.query('ALTER TABLE millrace.jobs SET (autovacuum_enabled = off)')
    await client.query('ALTER TABLE millrace.turns SET (autovacuum_enabled = off)')
    await client.query(`
      INSERT INTO millrace.queues (scope, name) VALUES (1, 'q');
      INSERT INTO millrace.lanes (queue, task, kind) VALUES (1, 'default', 0);
      INSERT INTO millrace.jobs (seq, queue, id, state, flags, task, grp, priority, crashes, attempt,
        place, due, inserted_at, since, lane, payload, codec, node, token)
      SELECT n, 1, 'job ' || n,
             CASE n % 10 WHEN 0 THEN 2 WHEN 1 THEN 0 WHEN 2 THEN 7 ELSE 1 END,
             CASE n % 10 WHEN 0 THEN 64 ELSE 0 END,
             'default', CASE n % 2 WHEN 0 THEN '' ELSE 'group ' || n % 5000 END, n % 3, 0, 0, n, n, n, n,
             CASE WHEN n % 10 IN (0, 2) THEN NULL ELSE 1 END, '1', 0,
             CASE n % 10 WHEN 0 THEN 'node' END, CASE n % 10 WHEN 0 THEN n END
      FROM generate_series(1, ${BACKLOG}) AS n;
      INSERT INTO millrace.turns (lane, queue, grp, priority, pass, tie, floor)
      SELECT 1, 1, 'group ' || n, 0, n, n, 0 FROM generate_series(1, 20000) AS n;
      INSERT INTO millrace.backlogs (queue, waiting, counted_at) VALUES (1, 150000, 0);
      INSERT INTO millrace.backlog_moves (queue, moved) SELECT n % 100, 1 FROM generate_series(1, 20000) AS n;
      INSERT INTO millrace.turns (lane, queue, grp, priority, pass, tie, floor)
      SELECT 1, 1, '', n, 0, 0, 0 FROM generate_series(0, 2) AS n`)
  }, 120_000)
  afterAll(() => client.end())

  for (const [name, params] of Object.entries(HOT)) {
    it(`${name} reads no whole table`, async () => {
      expect(await plan(name as Statement, params)).not.toMatch(
        /Seq Scan on (jobs|turns|backlog_moves)/,
      )
    })
  }

  it.each(Object.entries(VOLLEYS))('%s reads no whole table', async (_, { text, params }) => {
    expect(await planOf(text, params)).not.toMatch(/Seq Scan on (jobs|turns|backlog_moves)/)
  })

  it('a limited backlog is looked up without a look at any job', async () => {
    for (const name of ['backlog.read', 'backlog.move', 'backlog.fold'] as const) {
      expect(await plan(name, HOT[name] ?? [])).not.toMatch(/on jobs/)
    }
  })

  // As a server is asked; PGlite plans for each value, and may sort.
  it('a page of all jobs is found in order, by their numbers', async () => {
    const pages = { 'dump.jobs': [[1, 2, 3], 7, 1_000], 'dump.numbers': [7, 1_000, [1, 2, 3]] }
    for (const [name, params] of Object.entries(pages)) {
      const text = statements(SCHEMA, '')[name as Statement]
      const lines = (await explained(client, 'force_generic_plan', text, params)).join('\n')
      expect(lines).toMatch(/Index (Only )?Scan/)
      expect(lines).not.toMatch(/Sort|Seq Scan/)
    }
  })

  it('job.take stops at its limit: it sorts no more than that', async () => {
    const text = await plan('job.take', HOT['job.take'] ?? [])
    expect(text).toMatch(/Index Scan using jobs_ready/)
    // One sort there is in each of the two plans, of the ten that were found, to number them.
    expect(text.match(/Sort Key/g)?.length ?? 0).toBeLessThanOrEqual(2)
  })

  /** Custom first, and as it is planned for good. */
  function plan(name: Statement, params: readonly unknown[]): Promise<string> {
    return planOf(texts[name], params)
  }

  async function planOf(text: string, params: readonly unknown[]): Promise<string> {
    const lines: string[] = []
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      lines.push(...(await explained(client, mode, text, params)))
    }
    expect(lines.length).toBeGreaterThan(0)
    return lines.join('\n')
  }
})
