/**
 * The PostgreSQL store: jobs as rows of one schema, for workers on any number of hosts. PostgreSQL
 * 13 or newer; the driver is `pg`, loaded when a store opens by its URL, or a pool or a PGlite of
 * the user's.
 */
import type { Store } from '../../store.js'
import { checkPostgres } from '../../job/store-options.js'
import { SqlStore } from '../sql/sql-store.js'
import { addressOf } from './address.js'
import { PostgresMedium } from './postgres-medium.js'
import type { PostgresStoreOptions, PostgresStoreParts } from './postgres-medium.js'

export type { UserPglite, UserPool } from './client.js'
export type { PostgresStoreOptions, PostgresStoreParts } from './postgres-medium.js'

/** A thread can load it only when it is compiled; from the sources beats run on the loop. */
const BEAT_MODULE = import.meta.url.endsWith('.js')
  ? new URL('./postgres-beat.js', import.meta.url).href
  : null

/** A store in a schema of PostgreSQL. Throws OPTION_INVALID. */
export function postgresStore(options: PostgresStoreOptions): Store<'postgres'> {
  checkPostgres(options)
  return openablePostgresStore(options, {})
}

export function openablePostgresStore(
  options: PostgresStoreOptions,
  parts: PostgresStoreParts,
): Store<'postgres'> {
  const where = 'url' in options ? addressOf(options.url, options.schema) : options
  const medium = new PostgresMedium(where, { beatModule: BEAT_MODULE, ...parts })
  return new SqlStore('postgres', medium)
}
