// Whatever happens to its connections or to its server, a Millrace on PostgreSQL goes on by itself: no
// job is lost, none runs twice without a reason, and an outage is told once when it begins and once
// when it is over. The server is a real one, killed for good; the network is a proxy that spoils it.
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { millrace } from '../../src/index.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import { newJob, upTo } from '../../src/testing/conformance/build.js'
import { tcpProxy } from '../../src/testing/tcp-proxy.js'
import type { TcpProxy } from '../../src/testing/tcp-proxy.js'
import { PostgresCluster, privatePostgres } from '../servers/postgres.js'
import { watched } from './outages.js'
import type { Watched, WatchedOptions } from './outages.js'

const here = privatePostgres()
// Servers start and stop, and what hangs is given up after seconds.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 })

/** Takes connections until there are no more. */
async function allConnections(server: string): Promise<pg.Client[]> {
  const taken: pg.Client[] = []
  for (;;) {
    const client = new pg.Client({ connectionString: server })
    client.on('error', () => undefined) // it is only there to be in the way
    const [connected] = await Promise.allSettled([client.connect()])
    if (connected.status === 'rejected') return taken
    taken.push(client)
  }
}

const HURRIED = { connects: 1_000, answers: 1_500, shows: 1_500, silence: 500 }

describe.skipIf(here.isMissing)(`a Millrace on PostgreSQL${here.why}`, () => {
  let cluster: PostgresCluster
  let proxy: TcpProxy
  let url: string
  let database: string
  let one: Watched

  beforeAll(async () => {
    cluster = await PostgresCluster.create({ settings: { fsync: false, max_connections: 30 } })
  })
  afterAll(() => cluster.destroy())
  beforeEach(async () => {
    database = await cluster.createDatabase()
    proxy = await tcpProxy({ to: cluster.url() })
    url = proxy.url(cluster.url(database))
    one = watched(url)
  })
  afterEach(async () => {
    await one.mill.close()
    await proxy.close()
    await cluster.query(`DROP DATABASE "${database}" WITH (FORCE)`)
  })

  const jobsLeft = async (): Promise<unknown> => {
    const [row] = await cluster.query(
      'SELECT count(*)::int AS n FROM millrace.jobs WHERE queue > 0 AND state < 5',
      {
        database,
      },
    )
    return row?.n
  }
  /** All ran once, and nothing is left to do. */
  const allRanOnce = async (jobs: number): Promise<void> => {
    await one.mill.close()
    expect([...one.ran.values()]).toEqual(Array<number>(jobs).fill(1))
    expect(await jobsLeft()).toBe(0)
  }

  it('goes on after nobody listened for a while, and tells it once', async () => {
    await one.run(1, 2)
    await proxy.down()
    await one.until(() => one.errors().length > 0)
    const waiting = one.enqueue(3)
    await proxy.up()
    await waiting
    await one.until(() => one.ran.has(3) && one.recoveries() > 0)
    await one.run(4)
    expect(one.errors()).toEqual([
      expect.stringMatching(/(STORE_UNREACHABLE|OUTCOME_UNKNOWN).*(terminated|ECONN)/s),
    ])
    expect(one.recoveries()).toBe(1)
    await allRanOnce(4)
  })

  it('starts before its server does', async () => {
    await cluster.stop()
    const early = one.enqueue(1)
    await one.until(() => one.errors().length > 0)
    await cluster.start()
    await early
    await one.until(() => one.ran.has(1))
    await one.run(2)
    expect(one.recoveries()).toBe(1)
    await allRanOnce(2)
  })

  it.each(['smart', 'fast'] as const)(
    'goes on after its server was ended (%s) and started again',
    async (mode) => {
      await one.run(1, 2)
      // A smart one waits for whoever is connected, and lets nobody else in.
      const ending = cluster.stop(mode)
      if (mode === 'smart') await proxy.down()
      await ending
      await one.until(() => one.errors().length > 0)
      const waiting = one.enqueue(3)
      await cluster.start()
      await proxy.up()
      await waiting
      await one.until(() => one.ran.has(3) && one.recoveries() > 0)
      await one.run(4)
      // What was connected may be served for a moment after the end, so there may be more beginnings.
      await one.until(() => one.recoveries() === one.errors().length)
      expect(one.errors().length).toBeLessThan(5)
      await allRanOnce(4)
    },
  )

  it('gives up what hangs, and goes on over another connection', async () => {
    await hurried()
    await one.run(1)
    proxy.inflict({ kind: 'black-hole' })
    const before = proxy.counts.connections
    const { id } = await one.mill.queue('q').enqueue(2, { id: 'mine' })
    expect(id).toBe('mine')
    // What had been idle meanwhile is not tried in turn: who calls waits for one answer in vain.
    expect(proxy.counts.connections).toBeGreaterThan(before)
    await one.until(() => one.ran.has(2))
    expect(one.errors()[0]).toMatch(/timeout/i)
    await allRanOnce(2)
  })

  it('closes, though nothing is answered any more', async () => {
    await hurried()
    await one.run(1)
    proxy.always('connect', { kind: 'black-hole' })
    proxy.inflict({ kind: 'black-hole' })
    await one.mill.close({ timeout: 0 })
    expect(one.ran.get(1)).toBe(1)
  })

  it('hears again after its LISTEN was ended, and polls meanwhile', async () => {
    await one.run(1)
    const listening = "FROM pg_stat_activity WHERE application_name = 'millrace listen'"
    const mine = `${listening} AND datname = '${database}'`
    proxy.always('connect', { kind: 'refuse' })
    await cluster.query(`SELECT pg_terminate_backend(pid) ${mine}`)
    await proxy.met('refuse')
    await one.run(2)
    proxy.always('connect', null)
    const isBack = async (): Promise<boolean> =>
      (await cluster.query(`SELECT pid ${mine} AND query LIKE 'LISTEN%'`)).length > 0
    await vi.waitUntil(isBack, { timeout: 20_000 })
    expect(one.errors()).toEqual([])
    // From elsewhere, with a poll that would come too late.
    await one.mill.close()
    one = watched(url, { poll: '10m' })
    await one.run(3)
    await cluster.query(`SELECT pg_terminate_backend(pid) ${mine}`)
    await vi.waitUntil(isBack, { timeout: 20_000 })
    await using other = millrace(url)
    await other.queue('q').enqueue(4)
    await one.until(() => one.ran.has(4))
    expect(one.ran.get(4)).toBe(1)
  })

  it('finds out that its LISTEN only seems to be there', async () => {
    await hurried({ poll: '10m' })
    await one.run(1)
    proxy.inflict({ kind: 'black-hole' })
    await using other = millrace(url)
    await other.queue('q').enqueue(2)
    await one.until(() => one.ran.has(2))
    expect(one.ran.get(2)).toBe(1)
  })

  it.each([
    [
      'runs a job with an id of its own once',
      (payload: number) => ({ id: `job ${payload}` }),
      'once',
    ],
    // A plain job that completed before its insert was repeated has left nothing to know it by.
    ['runs any other at least once', () => ({}), 'at least'],
  ] as const)(
    'tells no caller of an insert whose answer was lost, and %s',
    async (_, of, times) => {
      await one.run(1)
      for (let payload = 2; payload < 12; payload++) {
        proxy.script('turn', ...Array<null>(payload % 5).fill(null), { kind: 'reset-after' })
        await one.mill.queue('q').enqueue(payload, of(payload))
      }
      await one.until(() => one.ran.size === 11)
      // What was lost with a claim's answer runs when the node has looked what it holds.
      if (times === 'once') return allRanOnce(11)
      await vi.waitUntil(async () => (await jobsLeft()) === 0, { timeout: 20_000 })
    },
  )

  it.each(['40001', '40P01'])(
    'does a transaction again when others were in its way (%s)',
    async (code) => {
      await one.run(1)
      await fails(3, `RAISE EXCEPTION USING ERRCODE = '${code}'`)
      await one.run(2)
      expect(one.errors()).toEqual([])
      expect(await asked()).toBe(4)
      await allRanOnce(2)
    },
  )

  it('does it a bounded number of times, and says then what was in the way', async () => {
    await one.mill.close()
    const store = openablePostgresStore({ url }, {})
    await store.open({ scope: 'default' })
    await fails(1_000, "RAISE EXCEPTION 'no luck' USING ERRCODE = '40001'")
    const lot = { jobs: [newJob('a', { queue: 'q' })] }
    await expect(store.insert([lot])).rejects.toThrow(/STORE_UNREACHABLE.*no luck.*40001/s)
    expect(await asked()).toBe(12)
    await store.close()
  })

  it('repeats what a statement timeout ended', async () => {
    await one.run(1)
    await cluster.query(`ALTER DATABASE "${database}" SET statement_timeout = '300ms'`)
    await fails(1, 'PERFORM pg_sleep(60)')
    proxy.inflict({ kind: 'reset-before' }) // the setting is for new connections
    await one.run(2)
    await one.until(() => one.recoveries() === one.errors().length)
    expect(one.errors().length).toBeLessThan(3)
    await allRanOnce(2)
  })

  it('waits for a connection where the server has none left', async () => {
    await one.mill.close() // it may have some by now
    const others = await allConnections(cluster.url(database))
    one = watched(url)
    const early = one.enqueue(1)
    await one.until(() => one.errors().length > 0)
    expect(one.errors()).toEqual([expect.stringMatching(/53300.*max_connections/s)])
    await Promise.all(others.map((other) => other.end()))
    await early
    await one.until(() => one.ran.has(1) && one.recoveries() > 0)
    // By who enqueues, and by who works: neither tells of it again and again.
    expect(one.errors().length).toBeLessThan(3)
    for (const error of one.errors()) expect(error).toMatch(/53300/)
    await allRanOnce(1)
  })

  it('says that a server only reads, and goes on with it once it has taken over', async () => {
    await one.run(1)
    await one.mill.close()
    const standby = await cluster.standby()
    await cluster.caughtUp()
    proxy.redirect(standby.url())
    one = watched(url)
    const early = one.enqueue(2)
    await one.until(() => one.errors().length > 0)
    expect(one.errors()).toEqual([expect.stringMatching(/0A000.*connect to the primary/s)])
    await standby.query('SELECT pg_promote()')
    await early
    await one.until(() => one.ran.has(2) && one.recoveries() > 0)
    await one.mill.close()
    expect([...one.ran]).toEqual([[2, 1]])
  })

  it.each(['repeatable read', 'serializable'])(
    'works where the default of the database is %s',
    async (level) => {
      await cluster.query(
        `ALTER DATABASE "${database}" SET default_transaction_isolation = '${level}'`,
      )
      const [one_, other] = [one, watched(url)]
      const all = upTo(40)
      await Promise.all(all.map((n) => (n % 2 === 0 ? one_ : other).enqueue(n)))
      // Each looks when something happens to itself: whoever runs the last one sees that it was.
      await Promise.race(
        [one_, other].map((each) =>
          each.until(() => one_.ran.size + other.ran.size === all.length),
        ),
      )
      await other.mill.close()
      expect([...one_.errors(), ...other.errors()]).toEqual([])
      await one_.mill.close()
      expect(await jobsLeft()).toBe(0)
    },
  )

  /** One that waits less long for what hangs. */
  async function hurried(options: WatchedOptions = {}): Promise<void> {
    await one.mill.close()
    one = watched(url, { patience: HURRIED, ...options })
  }

  /** The first so many inserts of jobs meet this. */
  async function fails(times: number, what: string): Promise<void> {
    await cluster.query(
      `CREATE SEQUENCE met;
       CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF nextval('met') <= ${times} THEN ${what}; END IF;
         RETURN NEW;
       END $$;
       CREATE TRIGGER meets BEFORE INSERT ON millrace.jobs FOR EACH ROW EXECUTE FUNCTION meet()`,
      { database },
    )
  }
  async function asked(): Promise<unknown> {
    const [row] = await cluster.query('SELECT last_value::int AS n FROM met', { database })
    return row?.n
  }
})
