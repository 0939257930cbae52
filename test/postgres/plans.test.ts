// What is asked all the time costs the same however many jobs there are: no plan of it reads a whole
// table of jobs or of turns, though nobody has counted them since they came (a burst outruns ANALYZE).
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Statement } from '../../src/stores/sql/statements.js'
import { statements } from '../../src/stores/postgres/statements.js'
import { sharedPostgres } from '../servers/postgres.js'
import { explained, HOT, onTables, SCHEMA, VOLLEYS } from './hot.js'

const server = await sharedPostgres()
const BACKLOG = 200_000

describe.skipIf(server.isMissing)(`plans made for tables that are empty yet${server.why}`, () => {
  let client: pg.Client
  beforeAll(async () => {
    client = await onTables(await server.database())
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

  it.each(['turn.open', 'completeGated'] as const)(
    '%s opens groups by their names: all that are closed may be many',
    async (name) => {
      const text =
        name === 'turn.open' ? statements(SCHEMA, 'FOR UPDATE OF j')[name] : VOLLEYS[name].text
      const params = name === 'turn.open' ? (HOT[name] ?? []) : VOLLEYS[name].params
      const lines = await explained(client, 'force_generic_plan', text, params)
      expect(lines.join('\n')).not.toMatch(/turns_closed/)
    },
  )
})

describe.skipIf(server.isMissing)(`plans behind a backlog${server.why}`, () => {
  let client: pg.Client
  const texts = statements(SCHEMA, 'FOR UPDATE OF j')

  beforeAll(async () => {
    client = await onTables(await server.database())
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

  it('the first of all that is due is found without a walk through the queue', async () => {
    const text = await plan('queue.firstDue', [1, 1e12])
    expect(text).not.toMatch(/Seq Scan|jobs_list/)
    expect(text).toMatch(/jobs_ready/)
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
