// The roles that docs/stores/postgres-roles.sql makes have what they need, and no more.
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { compareStores } from 'millrace/testing'
import { millrace } from '../../src/index.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import { newJob } from '../../src/testing/conformance/build.js'
import { openMemory } from '../conformance/memory-medium.js'
import { openPostgres } from '../conformance/postgres-medium.js'
import { PostgresCluster, privatePostgres } from '../servers/postgres.js'

const here = privatePostgres()
vi.setConfig({ testTimeout: 180_000, hookTimeout: 90_000 })

describe.skipIf(here.isMissing)(`roles${here.why}`, () => {
  // Roles are the server's, so it is one of our own.
  let cluster: PostgresCluster
  let database: string

  beforeAll(async () => {
    cluster = await PostgresCluster.create({ settings: { fsync: false } })
    database = await cluster.createDatabase()
    const owner = openablePostgresStore({ url: cluster.url(database) }, {})
    await owner.open({ scope: 'default' })
    await owner.close()
    const file = new URL('../../docs/stores/postgres-roles.sql', import.meta.url)
    const text = await readFile(file, 'utf8')
    // Twice: it may be run again.
    for (const _ of [1, 2]) await cluster.query(text, { database })
    for (const role of ['producer', 'worker', 'operator']) {
      await cluster.query(`CREATE USER a_${role} IN ROLE millrace_${role}`, { database })
    }
  })
  afterAll(() => cluster.destroy())

  const as = (role: string): string => {
    const url = new URL(cluster.url(database))
    url.username = `a_${role}`
    return url.href
  }

  it('let a worker do all that a Millrace does', async () => {
    const open = openPostgres(() => Promise.resolve(as('worker')))
    await compareStores({ model: openMemory, open, seed: 21, steps: 60 })
  })

  it('let an operator look and decide', async () => {
    await using mill = millrace(as('operator'))
    const { id } = await mill.queue('operated').enqueue(1)
    await mill.queue('operated').pause()
    expect((await mill.queue('operated').get(id))?.payload).toBe(1)
  })

  it('let a producer enqueue, the same id as one job', async () => {
    await using mill = millrace(as('producer'))
    const queue = mill.queue('made')
    await queue.enqueueMany([1, 2], { group: 'g' })
    await queue.enqueue(3, { id: 'mine', priority: 5 })
    await queue.enqueue(3, { id: 'mine' })
    await using other = millrace(as('worker'))
    const taken: unknown[] = []
    for (let jobs = 0; jobs < 3; jobs++) {
      const job = await other.queue('made').take()
      taken.push(job?.payload)
      await job?.complete()
    }
    expect(taken.sort()).toEqual([1, 2, 3])
  })

  it('let a producer neither read payloads nor claim, change or remove', async () => {
    const store = openablePostgresStore({ url: as('producer') }, {})
    await store.open({ scope: 'default' })
    await store.insert([{ jobs: [newJob('secret', { queue: 'kept' })] }])
    await expect(store.get([{ queue: 'kept', id: 'secret' }])).rejects.toThrow(/42501/)
    await store.close()
    const client = new pg.Client({ connectionString: as('producer') })
    await client.connect()
    for (const text of [
      'SELECT payload FROM millrace.jobs',
      'UPDATE millrace.jobs SET state = 2',
      'DELETE FROM millrace.jobs',
      "SELECT nextval('millrace.token_blocks')",
      'SELECT * FROM millrace.keys',
      'DROP TABLE millrace.jobs',
    ]) {
      await expect(client.query(text)).rejects.toMatchObject({ code: '42501' })
    }
    const { rows } = await client.query("SELECT millrace.enqueue('kept', '1') IS NOT NULL AS made")
    expect(rows).toEqual([{ made: true }])
    await client.end()
  })

  it('let nobody enqueue who was not told that he may', async () => {
    await cluster.query('CREATE USER a_stranger', { database })
    const client = new pg.Client({ connectionString: as('stranger') })
    await client.connect()
    const asked = client.query("SELECT millrace.enqueue('q', '1')")
    await expect(asked).rejects.toMatchObject({ code: '42501' })
    await client.end()
  })
})
