// What is left of a job that is gone says nothing of what it was about.
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`receipts on PostgreSQL${server.why}`, () => {
  it('have no payload, whoever took the job away', async () => {
    const url = await server.database()
    await using mill = millrace(url)
    const queue = mill.queue<string>('q', { receipts: '1h', keep: { cancelled: 0 } })
    for (const id of ['deleted', 'among many', 'cancelled']) await queue.enqueue('secret', { id })
    await queue.delete('deleted')
    await queue.delete({ ids: ['among many'] })
    await queue.cancel('cancelled')
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query<object>(
      'SELECT id, state, payload FROM millrace.jobs WHERE seq > 0 ORDER BY seq',
    )
    await client.end()
    expect(rows).toEqual([
      { id: 'deleted', state: 8, payload: null },
      { id: 'among many', state: 8, payload: null },
      { id: 'cancelled', state: 8, payload: null },
    ])
  })
})
