// Whoever claims while he is taken for dead gets nothing: else what he gets would be given to another
// before he has heard of it.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import { newJob, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { sharedPostgres } from '../servers/postgres.js'
import { somebodyWaits } from './waiting.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`a claim beside a sweep${server.why}`, () => {
  let sweeper: pg.Client
  let node: PlayedNode

  beforeAll(async () => {
    const url = await server.database()
    const store = openablePostgresStore({ url }, {})
    await store.open({ scope: 'default' })
    node = await PlayedNode.enlist(store, cardOf('node'))
    sweeper = new pg.Client({ connectionString: url })
    await sweeper.connect()
    await store.insert([{ jobs: upTo(4).map((n) => newJob(`job-${n}`)) }])
  })
  afterAll(async () => {
    await sweeper.end()
    await node.store.close()
  })

  /** What is claimed meanwhile, once it waits for the sweep. */
  async function claimedBeside(): Promise<number> {
    await sweeper.query('BEGIN')
    await sweeper.query("SELECT FROM millrace.nodes WHERE node = 'node' FOR UPDATE")
    const claim = node.claim({ limit: 1 })
    await somebodyWaits(sweeper)
    await sweeper.query("UPDATE millrace.nodes SET gone = 1 WHERE node = 'node'")
    await sweeper.query('COMMIT')
    const { jobs } = await claim
    await sweeper.query("UPDATE millrace.nodes SET gone = 0 WHERE node = 'node'")
    return jobs.length
  }

  it('gets nothing, looking first or in one trip', async () => {
    expect(await claimedBeside()).toBe(0)
    expect((await node.claim({ limit: 1 })).jobs).toHaveLength(1)
    expect(await claimedBeside()).toBe(0)
    expect((await node.claim({ limit: 4 })).jobs).toHaveLength(3)
  })
})
