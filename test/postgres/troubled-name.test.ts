// The driver has no codes for some of its troubles, so they are known by their words, which a name may have, too.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import { newJob } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { PostgresCluster, privatePostgres } from '../servers/postgres.js'

const here = privatePostgres()
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

describe.skipIf(here.isMissing)(`a queue whose name sounds like trouble${here.why}`, () => {
  let cluster: PostgresCluster

  beforeAll(async () => {
    cluster = await PostgresCluster.create()
  })
  afterAll(() => cluster.destroy())

  it('is claimed from at the first try, though its claim begins again', async () => {
    const queue = 'Connection timeout'
    const store = openablePostgresStore({ url: cluster.url(await cluster.createDatabase()) }, {})
    await store.open({ scope: 'default' })
    // A group takes turns, which the first claim of a queue does not know.
    await store.insert([{ jobs: [newJob('a', { queue, group: 'g' })] }])
    const node = await PlayedNode.enlist(store, cardOf('node'))
    const { jobs } = await node.claim({ queue, limit: 1 })
    expect(jobs.map(({ id }) => id)).toEqual(['a'])
    await store.close()
  })
})
