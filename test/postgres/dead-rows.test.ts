// A transaction that stays open keeps every row that is taken and completed meanwhile, and autovacuum that
// is off or late does the same: claims must not wade through them. What they read is counted in pages,
// which is the same on every machine. `npm run torture -- open-transaction` is the long form.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import { completePlainly } from '../../src/stores/postgres/handful-statements.js'
import { statements } from '../../src/stores/postgres/statements.js'
import { takeHandful } from '../../src/stores/postgres/take-statements.js'
import type { Statement } from '../../src/stores/sql/statements.js'
import { newJob, settlement, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { sharedPostgres } from '../servers/postgres.js'
import { literal } from './literal.js'

const server = await sharedPostgres()
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const SCHEMA = '"millrace".'
const ROUNDS = 80
const BATCH = 100
/** Of up to 2,000 rows that were taken since the floors were raised last; 8,000 are some 800. */
const SPARE_PAGES = 250

describe.skipIf(server.isMissing).each([
  { how: 'plainly', group: () => '' },
  { how: 'in turns', group: (n: number) => `group-${n % 4}` },
])(`claims $how beside a transaction that stays open${server.why}`, ({ group }) => {
  const texts = statements(SCHEMA, 'FOR UPDATE OF j')
  let client: pg.Client
  let snapshot: pg.Client
  let node: PlayedNode
  let now = 1_000_000
  /** Of the last claim: no token that is still out was given before. */
  let token = 0

  beforeAll(async () => {
    const url = await server.database()
    const store = openablePostgresStore({ url }, { now: () => now })
    await store.open({ scope: 'default' })
    node = await PlayedNode.enlist(store, cardOf('node'))
    client = new pg.Client({ connectionString: url })
    snapshot = new pg.Client({ connectionString: url })
    await client.connect()
    await snapshot.connect()
    for (const table of ['jobs', 'turns', 'handfuls', 'nodes', 'queues']) {
      await client.query(`ALTER TABLE millrace.${table} SET (autovacuum_enabled = off)`)
    }
    await round(0)
    await snapshot.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await snapshot.query('SELECT count(*) FROM millrace.jobs')
  })
  afterAll(async () => {
    await snapshot.end()
    await client.end()
    await node.store.close()
  })

  it('read as many pages as at the beginning, however many were taken meanwhile', async () => {
    const before = await pages()
    for (let n = 1; n <= ROUNDS; n++) await round(n)
    const { rows } = await snapshot.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM millrace.jobs WHERE queue > 0',
    )
    expect(rows[0]?.n).toBeGreaterThan(0) // it still sees what is long gone
    const after = await pages()
    for (const [name, count] of after) {
      expect({ name, count }).toEqual({ name, count: expect.toSatisfy(isLike(before.get(name))) })
    }
  })

  /** So many come, are taken and are done; a hundred stand behind them all the while. */
  async function round(n: number): Promise<void> {
    now += 500
    const jobs = upTo(BATCH).map((at) => newJob(`job-${n}-${at}`, { group: group(at) }))
    await node.store.insert([{ jobs }])
    if (n === 0) return
    const taken = await node.claim({ limit: BATCH })
    expect(taken.jobs.length).toBe(BATCH)
    token = Number(taken.jobs[0].token)
    await node.settleAll(taken.jobs.map((job) => settlement(job, DONE)))
  }

  /** What each statement that a claim asks reads. */
  async function pages(): Promise<Map<string, number>> {
    const lane = (await client.query<{ id: number }>('SELECT id FROM millrace.lanes')).rows[0]?.id
    const counts = new Map<string, number>()
    const lines = [[lane], [group(0)], [0]]
    const floor = `(SELECT min(floor) FROM millrace.turns WHERE lane = ${lane})`
    const asked: Partial<Record<Statement, readonly unknown[]>> = {
      'job.take': [lane, now, 10, 1, 'node', 'worker', 1],
      'lane.ready': [[lane], [now]],
      'lane.next': [[lane]],
      'job.due': [now, 10, [lane]],
      'claim.look': [1, 1, 'node', now],
      'claim.next': [1, [lane]],
      'turn.first': [[], 10, [lane]],
      'queue.find': [1, ['q']],
    }
    for (const [name, params] of Object.entries(asked)) {
      counts.set(name, await pagesOf(texts[name as Statement], params.map(literal)))
    }
    const first = [String(now), '1', ...[...lines, [10]].map(literal), `ARRAY[${floor}]`]
    counts.set('line.first', await pagesOf(texts['line.first'], first))
    const taking = [1, 0, 1, lane, [lane], 'node', 'worker', 1, 10, now, token]
    counts.set('takeHandful', await pagesOf(takeHandful(SCHEMA, false), taking.map(literal)))
    const ending = [1, [1], [0], [1], ['job-0-0'], [token], now, '{}']
    const gone = completePlainly(SCHEMA, 'nothing', false)
    counts.set('completePlainly', await pagesOf(gone, ending.map(literal)))
    const opening = completePlainly(SCHEMA, 'nothing', true)
    counts.set('completeGated', await pagesOf(opening, ending.map(literal)))
    const answered = completePlainly(SCHEMA, 'receipts', false)
    counts.set('completeWithResults', await pagesOf(answered, [...ending, ['{}']].map(literal)))
    return counts
  }

  async function pagesOf(text: string, args: readonly string[]): Promise<number> {
    await client.query('BEGIN')
    for (const how of ['seqscan', 'hashjoin', 'mergejoin']) {
      await client.query(`SET LOCAL enable_${how} = off`)
    }
    const said = text.replace(/\$(\d+)/g, (_, at: string) => args[Number(at) - 1] ?? 'NULL')
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${said}`,
    )
    await client.query('ROLLBACK')
    return readIn(rows[0]['QUERY PLAN'][0].Plan)
  }
})

const DONE = { kind: 'complete', result: null } as const

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly PlanNode[]
}

/**
 * By its scans: where others make tables on the same server meanwhile, a sequence's lock has the
 * connection read the catalog anew, and these pages are counted with the node that asked for it.
 */
function readIn(node: PlanNode): number {
  const isScan = node['Relation Name'] !== undefined && node['Node Type'] !== 'ModifyTable'
  if (isScan) return node['Shared Hit Blocks'] + node['Shared Read Blocks']
  return (node.Plans ?? []).reduce((sum, below) => sum + readIn(below), 0)
}

function isLike(before: number | undefined): (count: number) => boolean {
  return (count) => count <= (before ?? NaN) + SPARE_PAGES
}
