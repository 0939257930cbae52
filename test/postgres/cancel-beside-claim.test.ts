// Who cancels all looks first and locks then: what somebody claims in between runs, and is asked to end.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Store } from '../../src/store.js'
import { newJob, upTo } from '../../src/testing/conformance/build.js'
import { sharedPostgres } from '../servers/postgres.js'
import { somebodyWaits } from './waiting.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`a cancel beside a claim${server.why}`, () => {
  let claimer: pg.Client
  let store: Store

  beforeAll(async () => {
    const url = await server.database()
    store = openablePostgresStore({ url }, {})
    await store.open({ scope: 'default' })
    claimer = new pg.Client({ connectionString: url })
    await claimer.connect()
  })
  afterAll(async () => {
    await claimer.end()
    await store.close()
  })

  it('takes nothing back that was claimed before it had its rows', async () => {
    await store.insert([{ jobs: upTo(2).map((n) => newJob(`job-${n}`)) }])
    await claimer.query('BEGIN')
    await claimer.query(`
      UPDATE millrace.jobs
      SET state = 2, attempt = 1, flags = flags | 64, lane = NULL, token = 7, node = 'n', claim = 1
      WHERE id = 'job-1'`)
    const cancelled = store.control({ kind: 'cancel', queue: 'q', which: {}, reason: null }, null)
    await somebodyWaits(claimer)
    await claimer.query('COMMIT')
    expect(await cancelled).toMatchObject({ changed: 2 })
    const { rows } = await claimer.query(
      'SELECT id, state FROM millrace.jobs WHERE queue > 0 ORDER BY seq',
    )
    expect(rows).toEqual([
      { id: 'job-0', state: 6 },
      { id: 'job-1', state: 2 },
    ])
  })
})
