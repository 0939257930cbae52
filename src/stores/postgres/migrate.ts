/**
 * The versions of the tables in a schema of PostgreSQL, under an advisory lock that ends with the
 * transaction. A role that may not make tables finds them made, or says what is missing.
 */
import { invalid } from '../../job/check.js'
import { hash32 } from '../../job/book/derived-id.js'
import { BEGINNINGS } from '../sql/again.js'
import { IS_SOME } from '../sql/ballast.js'
import { migrate, outdated } from '../sql/migrating.js'
import type { Ground, Standing, Tables } from '../sql/migrating.js'
import { asking } from './asking.js'
import type { Client, Pool } from './client.js'
import { MillraceError } from '../../job/errors.js'
import { ownPool } from './driver.js'
import { isForbidden, isInTheWay, unreachable } from './errors.js'
import { PATIENCE } from './patience.js'
import { VERSIONS } from './schema.js'

export interface Place {
  /** As it stands in statements: quoted, with its dot. */
  readonly schema: string
  /** The first half of what is locked. */
  readonly lockClass: number
}

/** What a server keeps of a name: it cuts off the rest, and finds nothing by the whole. */
const NAME_BYTES = 63

/** The place that a schema of this name is. Throws OPTION_INVALID. */
export function placeIn(name: string): Place {
  if (Buffer.byteLength(name) > NAME_BYTES) {
    const expected = `the name of a schema of at most ${NAME_BYTES} bytes`
    throw invalid('postgresStore.schema', expected, name, 'choose a shorter one')
  }
  return { schema: `"${name.replaceAll('"', '""')}".`, lockClass: hash32(name, 0x6d696c6c) | 0 }
}

export function tablesOf({ schema, lockClass }: Place): Tables {
  const name = schema.slice(0, -1)
  return {
    store: 'postgres',
    prefix: schema,
    versions: VERSIONS,
    // Committed by others before the lock was ours: must be seen, whatever the database's default is.
    begin: [
      'BEGIN ISOLATION LEVEL READ COMMITTED',
      `SELECT pg_advisory_xact_lock(${lockClass}, 0)`,
    ],
    ground: [
      // CREATE SCHEMA IF NOT EXISTS needs a right on the database even where the schema is there.
      `DO $millrace$
       BEGIN
         IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace
                        WHERE '"' || replace(nspname, '"', '""') || '"' = ${literal(name)})
         THEN CREATE SCHEMA ${name}; END IF;
       END $millrace$`,
      `CREATE TABLE IF NOT EXISTS ${schema}versions (
         version         int         PRIMARY KEY,
         compatible_from int         NOT NULL,
         applied_at      timestamptz NOT NULL DEFAULT now()
       )`,
    ],
  }
}

/** Brings them up to date, as far as this role may. */
export async function bringUp(pool: Pool, place: Place): Promise<void> {
  const tables = tablesOf(place)
  await withGround(pool, place, async (ground) => {
    try {
      await migrate(tables, ground, 'newest')
    } catch (error) {
      if (!isForbidden(error)) throw error
      throw outdated(tables, await ground.standing(), error)
    }
  })
}

export function withGround<T>(
  pool: Pool,
  place: Place,
  use: (ground: Ground) => Promise<T>,
): Promise<T> {
  return asking(pool, (client) => use(new PostgresGround(client, place)))
}

/** With a connection of its own, which is closed afterwards. */
export async function onServer<T>(
  url: string,
  place: Place,
  use: (ground: Ground) => Promise<T>,
): Promise<T> {
  const pool = await ownPool(url, 1)
  try {
    return await withGround(pool, place, use)
  } catch (error) {
    throw MillraceError.is(error) ? error : unreachable(error)
  } finally {
    await pool.end()
  }
}

class PostgresGround implements Ground {
  readonly #client: Client
  readonly #place: Place

  constructor(client: Client, place: Place) {
    this.#client = client
    this.#place = place
  }

  async standing(): Promise<Standing> {
    const { schema } = this.#place
    // Asked of the catalog's rows: a name that was looked up in vain before the lock was ours may be
    // remembered as missing.
    const [{ there }] = await this.#ask<{ there: boolean }>(
      `SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c
                      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                      WHERE c.relname = 'versions'
                        AND '"' || replace(n.nspname, '"', '""') || '".' = ${literal(schema)})
              AS there`,
    )
    if (!there) return { version: 0, compatibleFrom: 0 }
    const [row] = await this.#ask<{ version: number; compatible_from: number }>(
      `SELECT coalesce(max(version), 0)         AS version,
              coalesce(max(compatible_from), 0) AS compatible_from
       FROM ${schema}versions`,
    )
    return { version: row.version, compatibleFrom: row.compatible_from }
  }

  async hasJobs(): Promise<boolean> {
    return (
      (await this.#ask(`SELECT 1 FROM ${this.#place.schema}jobs WHERE ${IS_SOME} LIMIT 1`)).length >
      0
    )
  }

  /** Others work on the tables meanwhile: a deadlock with them is no reason to give up. */
  async alone<T>(work: (run: (sql: string) => Promise<void>) => Promise<T>): Promise<T> {
    for (let beginnings = 1; ; beginnings++) {
      try {
        return await this.#once(work)
      } catch (error) {
        if (!isInTheWay(error) || beginnings === BEGINNINGS) throw error
      }
    }
  }

  async #once<T>(work: (run: (sql: string) => Promise<void>) => Promise<T>): Promise<T> {
    const run = async (text: string): Promise<void> => void (await this.#client.query({ text }))
    try {
      for (const sql of tablesOf(this.#place).begin) await run(sql)
      const answer = await work(run)
      await run('COMMIT')
      return answer
    } catch (error) {
      // When the connection is gone, so is the transaction; the first error is what is told.
      await Promise.allSettled([run('ROLLBACK')])
      throw error
    }
  }

  async #ask<R>(text: string): Promise<R[]> {
    const { rows } = await this.#client.query({ text, query_timeout: PATIENCE.answers })
    return rows as R[] // as: what was asked
  }
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
