// An end behind gates is told to those who wait for its room, whatever else of the same process fails meanwhile:
// what is known of the queues is forgotten then.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Settlement } from '../../src/job/verdict.js'
import { placeIn } from '../../src/stores/postgres/migrate.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Store } from '../../src/store.js'
import { COMPLETE, newJob, QUEUE, settlement, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`ends of jobs behind a cap${server.why}`, () => {
  let locker: pg.Client
  let store: Store
  let node: PlayedNode
  beforeAll(async () => {
    const url = await server.database()
    store = openablePostgresStore({ url }, {})
    await store.open({ scope: 'default' })
    node = await PlayedNode.enlist(store, cardOf('node'))
    locker = new pg.Client({ connectionString: url })
    await locker.connect()
  })
  afterAll(async () => {
    await locker.end()
    await store.close()
  })

  it('are told while another call fails', async () => {
    await store.declare(QUEUE, { concurrency: 1 })
    await store.insert([{ jobs: upTo(2).map((n) => newJob(`job-${n}`)) }])
    await store.insert([{ jobs: [newJob('elsewhere', { queue: 'other' })] }])
    const one = await node.take()
    const other: Settlement = settlement(await node.take({ queue: 'other' }), COMPLETE)
    const told: string[] = []
    store.watch(({ what, queue }) => void told.push(`${what} of ${String(queue)}`))
    const { lockClass } = placeIn('millrace')
    await locker.query('BEGIN')
    await locker.query(
      'SELECT pg_advisory_xact_lock($1, id) FROM millrace.queues WHERE name = $2',
      [lockClass, QUEUE],
    )
    const settled = node.settleAll([settlement(one, COMPLETE)])
    const refused = new Error('the user changed his mind')
    const terms = { signal: new AbortController().signal }
    const committed = store.commit(other, () => Promise.reject(refused), terms)
    await expect(committed).rejects.toThrow(refused)
    await locker.query('COMMIT')
    expect((await settled).map(({ status }) => status)).toEqual(['done'])
    expect(told).toContain(`jobs of ${QUEUE}`)
  })
})
