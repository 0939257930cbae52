// What a database or a role may have set, as old applications want it: Millrace works all the same, or says
// why not.
import pg from 'pg'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { compareStores } from 'millrace/testing'
import { postgresStore } from '../../src/stores/postgres/postgres-store.js'
import { newJob, unique } from '../../src/testing/conformance/build.js'
import { openMemory } from '../conformance/memory-medium.js'
import { openPostgres } from '../conformance/postgres-medium.js'
import { sharedPostgres } from '../servers/postgres.js'

vi.setConfig({ testTimeout: 60_000 })

const server = await sharedPostgres()
const STRANGE = {
  extra_float_digits: '0',
  standard_conforming_strings: 'off',
  backslash_quote: 'off',
  bytea_output: 'escape',
  DateStyle: 'German, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kathmandu',
  search_path: 'pg_catalog',
  plan_cache_mode: 'force_generic_plan',
  lock_timeout: '5s',
  default_transaction_isolation: 'serializable',
  array_nulls: 'off',
}

async function databaseWith(settings: Readonly<Record<string, string>>): Promise<string> {
  const url = await server.database()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const name = client.escapeIdentifier(client.database ?? '')
  for (const [setting, value] of Object.entries(settings)) {
    await client.query(`ALTER DATABASE ${name} SET ${setting} = ${client.escapeLiteral(value)}`)
  }
  await client.end()
  return url
}

describe.skipIf(server.isMissing)(`a database with settings of its own${server.why}`, () => {
  let url: string
  beforeAll(async () => {
    url = await databaseWith(STRANGE)
  })

  it('has them', async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query(
      "SELECT 'a\\\\b' AS text, current_setting('timezone') AS zone",
    )
    await client.end()
    expect(rows).toEqual([{ text: 'a\\b', zone: 'Asia/Kathmandu' }])
  })

  it('answers a walk as any other', async () => {
    const open = openPostgres(async () => url)
    await compareStores({ model: openMemory, open, seed: 11, steps: 200 })
  })

  it('lets nobody wait for a lock until he is given up', async () => {
    const store = postgresStore({ url })
    await store.open({ scope: 'default' })
    await store.insert([{ jobs: [newJob('a', { unique: unique('k') })] }])
    const owner = new pg.Client({ connectionString: url })
    await owner.connect()
    await owner.query('BEGIN; LOCK TABLE millrace.jobs, millrace.keys')
    const held = await store.insert([{ jobs: [newJob('b', { unique: unique('k') })] }])
    expect(held).toEqual([null])
    const which = { ids: ['a'] }
    const waiting = store.control({ kind: 'cancel', queue: 'q', which, reason: null }, null)
    await expect(waiting).rejects.toThrow(/STORE_UNREACHABLE.*lock timeout/s)
    const left = await owner.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    expect(left.rowCount).toBe(0)
    await owner.end()
    await store.close()
  })

  it.each(['do$$llar', 'Ü "quoted"', 'x'.repeat(63)])(
    'takes a schema called %s',
    async (schema) => {
      for (const opening of [1, 2]) {
        const store = postgresStore({ url, schema })
        await store.open({ scope: 'default' })
        const [answers] = await store.insert([{ jobs: [newJob(`job ${opening}`)] }])
        expect(answers).toMatchObject([{ status: 'inserted' }])
        await store.close()
      }
    },
  )

  it('is written to where that must be asked for, once the tables are there', async () => {
    const own = await server.database()
    const before = postgresStore({ url: own })
    await before.open({ scope: 'default' })
    await before.close()
    const client = new pg.Client({ connectionString: own })
    await client.connect()
    const name = client.escapeIdentifier(client.database ?? '')
    await client.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    await client.end()
    const store = postgresStore({ url: own })
    await store.open({ scope: 'default' })
    const [answers] = await store.insert([{ jobs: [newJob('a')] }])
    expect(answers).toMatchObject([{ status: 'inserted' }])
    await store.close()
  })

  it('refuses a name that the server would cut', async () => {
    const store = postgresStore({ url, schema: 'ü'.repeat(32) })
    await expect(store.open({ scope: 'default' })).rejects.toThrow(
      /OPTION_INVALID.*at most 63 bytes/s,
    )
    await store.close()
  })

  it('is refused where it would round the times of jobs', async () => {
    const store = postgresStore({ url: await databaseWith({ extra_float_digits: '-3' }) })
    await expect(store.open({ scope: 'default' })).rejects.toThrow(
      /STORE_UNREACHABLE.*extra_float_digits of 0 or more, received -3.*default is 1/s,
    )
    await store.close()
  })
})
