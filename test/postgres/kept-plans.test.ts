// Plans outlive the tables that they were made for: a queue that was quiet when somebody analyzed it, and
// then fills, is not worked off by reading all of it for each job.
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Statement } from '../../src/stores/sql/statements.js'
import { statements } from '../../src/stores/postgres/statements.js'
import { sharedPostgres } from '../servers/postgres.js'
import { explained, HOT, onTables, SCHEMA, VOLLEYS } from './hot.js'

const server = await sharedPostgres()
const TABLES = ['jobs', 'turns', 'keys', 'kin']
/** Beside those that are asked by name, or once for each queue. */
const ASKED: Partial<Record<Statement, readonly unknown[]>> = {
  ...HOT,
  'key.find': [[1], ['k']],
  'key.put': [[1], ['k'], [1], ['job 1'], [0], [0]],
  'key.remove': [[1], ['k']],
  'kin.remove': [[1], [2], [0]],
}
/** What narrows a look to some jobs, and not to those of a queue. */
const SOME = /\b(id|seq|lane|grp|state|token|node|opens_at|key|parent|child|until|expires)\b/
/** They look for what is rare, in an index that holds nothing else, or stop at the first. */
const RARE: readonly string[] = ['jobs_spent', 'keys_lapsing']

describe.skipIf(server.isMissing)(`a quiet queue that was analyzed${server.why}`, () => {
  let client: pg.Client
  beforeAll(async () => {
    client = await onTables(await server.database())
    // One job that waits for tomorrow, as in many a quiet queue.
    await client.query(`
      INSERT INTO millrace.queues (scope, name) VALUES (1, 'q');
      INSERT INTO millrace.lanes (queue, task, kind) VALUES (1, 'default', 0);
      INSERT INTO millrace.jobs (seq, queue, id, state, flags, task, grp, priority, crashes, attempt,
        place, due, inserted_at, since, lane, payload, codec)
      VALUES (1, 1, 'job 1', 0, 0, 'default', '', 0, 0, 0, 1, 1e12, 1, 1, 1, '1', 0);
      INSERT INTO millrace.turns (lane, queue, grp, priority, pass, tie, floor) VALUES (1, 1, '', 0, 0, 0, 0)`)
    for (const table of [...TABLES, 'handfuls']) {
      await client.query(`VACUUM ANALYZE millrace.${table}`)
    }
  })
  afterAll(() => client.end())

  /** The looks at tables that would read all of a queue when it has filled: line and condition. */
  async function wholeLooks(text: string, params: readonly unknown[]): Promise<string[]> {
    const lines = await explained(client, 'force_generic_plan', text, params)
    return lines.filter((line, at) => {
      const [, index = '', table = ''] = /Scan (?:using (\w+) )?on (\w+)/.exec(line) ?? []
      if (!TABLES.includes(table) || RARE.includes(index)) return false
      const [, condition = ''] = /Cond: (.*)/.exec(lines[at + 1] ?? '') ?? []
      return !SOME.test(condition)
    })
  }

  const named = Object.entries(ASKED)
  it.each(named)('%s looks for what it needs', async (name, params) => {
    const text = statements(SCHEMA, 'FOR UPDATE OF j')[name as Statement]
    expect(await wholeLooks(text, params)).toEqual([])
  })

  it.each(Object.entries(VOLLEYS))('%s looks for what it needs', async (_, { text, params }) => {
    expect(await wholeLooks(text, params)).toEqual([])
  })
})
