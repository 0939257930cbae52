// Of two tokens of one job the later is the greater, whatever happens to the server: claims commit without
// waiting for the disk, so a server that dies forgets claims, and with them what their tokens were.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Store } from '../../src/store.js'
import { newJob, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { PostgresCluster, privatePostgres } from '../servers/postgres.js'

const here = privatePostgres()
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** Nothing is written behind a claim's back, so that what dies with the server is always the same. */
const LAZY = {
  ...{ wal_writer_delay: '10s', wal_writer_flush_after: 0, bgwriter_lru_maxpages: 0 },
  ...{ autovacuum: false, checkpoint_timeout: '1h' },
}

const DONE = { kind: 'complete', result: null } as const

describe.skipIf(here.isMissing)(`tokens${here.why}`, () => {
  let cluster: PostgresCluster
  let database: string
  const open: Store[] = []

  beforeEach(async () => {
    cluster = await PostgresCluster.create({ settings: LAZY })
    database = await cluster.createDatabase()
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((store) => store.close()))
    await cluster.destroy()
  })

  async function node(name: string): Promise<PlayedNode> {
    const store = openablePostgresStore({ url: cluster.url(database) }, {})
    open.push(store)
    await store.open({ scope: 'default' })
    return PlayedNode.enlist(store, cardOf(name))
  }

  it('grow, though the server forgets the claim that had the last one', async () => {
    const before = await node('before')
    await before.store.insert([{ jobs: [newJob('first'), newJob('held')] }])
    await before.settle(await before.take(), DONE)
    // From here on the next number of a sequence is a record in the log that nobody waits for.
    await cluster.query('CHECKPOINT', { database })
    const lost = await before.take()
    await cluster.kill()
    await cluster.start()

    const after = await node('after')
    const again = await after.take()
    expect(again.id).toBe(lost.id)
    expect(again.attempt).toBe(lost.attempt) // it was forgotten: what is proved here is real
    expect(Number(again.token)).toBeGreaterThan(Number(lost.token))

    // Who was forgotten does not know it, and says that it is done.
    expect(await before.settle(lost, DONE)).toEqual({ status: 'lost' })
    expect(await after.settle(again, DONE)).toMatchObject({ status: 'done' })
  })
  it('grow, though the one that takes over heard nothing of the last claims', async () => {
    const before = await node('before')
    await before.store.insert([{ jobs: [newJob('first'), newJob('held')] }])
    await before.settle(await before.take(), DONE)
    const standby = await cluster.standby()
    await cluster.caughtUp()
    await standby.query("ALTER SYSTEM SET primary_conninfo = ''")
    await standby.query('SELECT pg_reload_conf()')
    const hears = async () => (await standby.query('SELECT pid FROM pg_stat_wal_receiver')).length
    await vi.waitUntil(async () => (await hears()) === 0, { timeout: 20_000, interval: 20 })
    // Used up, so that what is reserved next is nothing that it has heard of either.
    await cluster.query('UPDATE millrace.token_grant SET until = 0', { database })
    const lost = await before.take()
    await cluster.kill()
    await standby.query('SELECT pg_promote()')

    const store = openablePostgresStore({ url: standby.url(database) }, {})
    open.push(store)
    await store.open({ scope: 'default' })
    const after = await PlayedNode.enlist(store, cardOf('after'))
    const again = await after.take()
    expect([again.id, again.attempt]).toEqual([lost.id, lost.attempt])
    expect(Number(again.token)).toBeGreaterThan(Number(lost.token))
  })

  it('are reserved once by many that find nothing left', async () => {
    const nodes = await Promise.all([node('a'), node('b'), node('c')])
    await nodes[0].store.insert([{ jobs: upTo(60).map((n) => newJob(`job-${n}`)) }])
    const tokens: number[] = []
    for (let round = 0; round < 10; round++) {
      await cluster.query('UPDATE millrace.token_grant SET until = 0', { database })
      const taken = await Promise.all([...nodes, ...nodes].map((one) => one.take()))
      const given = taken.map(({ token }) => Number(token))
      expect(Math.min(...given)).toBeGreaterThan(Math.max(0, ...tokens))
      tokens.push(...given)
    }
    expect(new Set(tokens).size).toBe(60)
    const [row] = await cluster.query('SELECT ceiling FROM millrace.token_ceiling', { database })
    // Each time once, and not by each who found nothing left.
    expect(Number(row?.ceiling)).toBe(10 * 2 ** 35)
  })
})
