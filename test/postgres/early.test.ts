// A job is seen, and may run, before the server's disk has it; its caller is answered when it has.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Store } from '../../src/store.js'
import { newJob } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { PostgresCluster, privatePostgres } from '../servers/postgres.js'
import { until } from './waiting.js'

const here = privatePostgres()
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

describe.skipIf(here.isMissing)(`an insert that is awaited${here.why}`, () => {
  let cluster: PostgresCluster
  let database: string

  beforeAll(async () => {
    cluster = await PostgresCluster.create()
    database = await cluster.createDatabase()
  })
  afterAll(() => cluster.destroy())

  async function opened(url: string): Promise<Store> {
    const store = openablePostgresStore({ url }, {})
    await store.open({ scope: 'default' })
    return store
  }

  /** One look in full, so that what comes next goes in one trip. */
  async function prepared(url: string, first: string): Promise<Store> {
    const store = await opened(url)
    await store.insert([{ jobs: [newJob(first)] }])
    return store
  }

  /** Somebody has looked for more, and waits. */
  async function awaited(store: Store): Promise<PlayedNode> {
    const node = await PlayedNode.enlist(store, cardOf('node'))
    expect((await node.claim({ limit: 1 })).jobs).toHaveLength(1)
    expect((await node.claim({ limit: 1 })).jobs).toHaveLength(0)
    return node
  }

  /** No commit that is to be durable ends: it waits for a standby that never comes. */
  async function stopDisk(): Promise<void> {
    await cluster.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await cluster.query('SELECT pg_reload_conf()')
    await until(async () => {
      const [{ on }] = await cluster.query(
        "SELECT current_setting('synchronous_standby_names') = 'nobody' AS on",
      )
      return on
    })
  }

  /** So many commits wait for it. */
  async function waitForDisk(commits: number): Promise<void> {
    await until(async () => {
      const [{ waiting }] = await cluster.query(
        "SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
      )
      return waiting === commits
    })
  }

  async function letDiskGo(): Promise<void> {
    await cluster.query('ALTER SYSTEM RESET synchronous_standby_names')
    await cluster.query('SELECT pg_reload_conf()')
  }

  it('is claimed while it is not durable, and not answered', async () => {
    const store = await prepared(cluster.url(database), 'first')
    const node = await awaited(store)
    let hinted = false
    store.watch(({ what }) => (hinted ||= what === 'jobs'))
    await stopDisk()
    let answered = false
    const inserted = store.insert([{ jobs: [newJob('early')] }]).then((answer) => {
      answered = true
      return answer
    })
    await until(() => hinted)
    expect((await node.claim({ limit: 1 })).jobs).toMatchObject([{ id: 'early' }])
    await waitForDisk(1)
    expect(answered).toBe(false)
    await letDiskGo()
    expect(await inserted).toMatchObject([[{ status: 'inserted' }]])
    await store.close()
  })

  it('comes to a worker elsewhere before it is durable, where it comes alone; in a hurry after it', async () => {
    const url = cluster.url(await cluster.createDatabase())
    const store = await prepared(url, 'first')
    const other = await opened(url)
    const node = await awaited(other)
    const heard: (string | null)[] = []
    other.watch(({ what, queue }) => what === 'jobs' && heard.push(queue))
    await stopDisk()
    const alone = store.insert([{ jobs: [newJob('alone')] }])
    await until(() => heard.length > 0)
    expect(heard).toEqual(['q'])
    expect((await node.claim({ limit: 9 })).jobs).toMatchObject([{ id: 'alone' }])
    const hurried = store.insert([{ jobs: [newJob('hurried')] }])
    await waitForDisk(2)
    expect((await node.claim({ limit: 9 })).jobs).toEqual([])
    expect(heard).toEqual(['q'])
    await letDiskGo()
    expect(await Promise.all([alone, hurried])).toMatchObject([
      [[{ status: 'inserted' }]],
      [[{ status: 'inserted' }]],
    ])
    await until(() => heard.length > 1)
    expect((await node.claim({ limit: 9 })).jobs).toMatchObject([{ id: 'hurried' }])
    await store.close()
    await other.close()
  })

  it('lasts though the server has forgotten how it is waited for', async () => {
    const pool = new pg.Pool({ connectionString: cluster.url(database), max: 2 })
    const clients: pg.PoolClient[] = []
    pool.on('connect', (client) => clients.push(client))
    const store = openablePostgresStore({ pool }, {})
    await store.open({ scope: 'default' })
    await store.insert([{ jobs: [newJob('known')] }])
    const node = await awaited(store)
    await store.insert([{ jobs: [newJob('waited for')] }])
    const forgets = clients.map((client) => client.query('DEALLOCATE "millrace/flush"'))
    const forgotten = (await Promise.allSettled(forgets)).filter(
      (one) => one.status === 'fulfilled',
    )
    expect(forgotten.length).toBeGreaterThan(0)
    expect(await store.insert([{ jobs: [newJob('again')] }])).toMatchObject([
      [{ status: 'inserted' }],
    ])
    expect((await node.claim({ limit: 9 })).jobs).toHaveLength(2)
    await store.close()
    await pool.end()
  })

  it('of a role that may not wait apart is not known to last once, and waits itself from then on', async () => {
    await cluster.query("CREATE ROLE bound LOGIN PASSWORD 'bound'")
    await cluster.query('GRANT ALL ON SCHEMA millrace TO bound', { database })
    await cluster.query('GRANT ALL ON ALL TABLES IN SCHEMA millrace TO bound', { database })
    await cluster.query('GRANT ALL ON ALL SEQUENCES IN SCHEMA millrace TO bound', { database })
    // From 17 on it has one parameter more.
    const found = await cluster.query(
      "SELECT oid::regprocedure::text AS it FROM pg_proc WHERE proname = 'pg_logical_emit_message'",
      { database },
    )
    for (const { it } of found) {
      await cluster.query(`REVOKE EXECUTE ON FUNCTION ${String(it)} FROM PUBLIC`, { database })
    }
    const url = new URL(cluster.url(database))
    url.username = url.password = 'bound'
    const store = await prepared(url.href, 'second')
    await awaited(store)
    const jobs = [newJob('third')]
    await expect(store.insert([{ jobs }])).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(await store.insert([{ jobs }])).toMatchObject([[{ status: 'duplicate' }]])
    expect(await store.insert([{ jobs: [newJob('fourth')] }])).toMatchObject([
      [{ status: 'inserted' }],
    ])
    await store.close()
  })
})
