/**
 * Bringing the tables up to date, under a lock of the database: any number of processes may open at
 * once, one of them does it. Tables of a newer version are refused.
 */
import { millraceError } from '../../job/errors.js'
import { ANSWERS_WITHIN, heardByItsQueries } from './connection.js'
import type { Client, Pool } from './connection.js'
import { VERSIONS } from './schema.js'

export interface Migration {
  readonly pool: Pool
  /** As it stands in statements: quoted, with its dot. */
  readonly schema: string
  readonly lockClass: number
}

export async function migrate({ pool, schema, lockClass }: Migration): Promise<void> {
  const client = await pool.connect()
  let isBroken = false
  client.on('error', heardByItsQueries)
  try {
    if ((await versionOf(client, schema)) === VERSIONS.length) return
    await client.query({ text: 'BEGIN' })
    await client.query({ text: 'SELECT pg_advisory_xact_lock($1, 0)', values: [lockClass] })
    await client.query({ text: `CREATE SCHEMA IF NOT EXISTS ${schema.slice(0, -1)}` })
    await client.query({
      text: `CREATE TABLE IF NOT EXISTS ${schema}versions (
               version    int         PRIMARY KEY,
               applied_at timestamptz NOT NULL DEFAULT now()
             )`,
    })
    const version = (await versionOf(client, schema)) ?? 0
    if (version > VERSIONS.length) throw newer(version)
    for (let next = version; next < VERSIONS.length; next++) {
      for (const text of VERSIONS[next](schema)) await client.query({ text })
      const values = [next + 1]
      await client.query({ text: `INSERT INTO ${schema}versions (version) VALUES ($1)`, values })
    }
    await client.query({ text: 'COMMIT' })
  } catch (error) {
    const [rolledBack] = await Promise.allSettled([
      client.query({ text: 'ROLLBACK', query_timeout: ANSWERS_WITHIN }),
    ])
    isBroken = rolledBack.status === 'rejected'
    throw error
  } finally {
    client.off('error', heardByItsQueries)
    client.release(isBroken)
  }
}

/** Null: there are no tables. */
async function versionOf(client: Client, schema: string): Promise<number | null> {
  const there = await client.query({
    text: 'SELECT to_regclass($1) IS NOT NULL AS there',
    values: [`${schema}versions`],
    query_timeout: ANSWERS_WITHIN,
  })
  const [{ there: isThere }] = there.rows as [{ readonly there: boolean }] // as: what was asked
  if (!isThere) return null
  const { rows } = await client.query({
    text: `SELECT max(version) AS version FROM ${schema}versions`,
    query_timeout: ANSWERS_WITHIN,
  })
  const [{ version }] = rows as [{ readonly version: number | null }] // as: what was asked
  return version
}

function newer(version: number): Error {
  return millraceError({
    code: 'FORMAT_UNSUPPORTED',
    subject: 'store postgres',
    expected: `tables of version ${VERSIONS.length} or older`,
    received: `version ${version}`,
    remedy: 'a newer Millrace has opened this database: run that one here, too',
  })
}
