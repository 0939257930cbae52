/**
 * The SQLite store: jobs as rows of one file, or of a database that the user has open already. Any
 * number of processes of one host work on it together.
 */
import { resolve } from 'node:path'
import type { Store } from '../../store.js'
import { checkSqlite } from '../../job/store-options.js'
import { SqlStore } from '../sql/sql-store.js'
import type { DriverHandle } from './driver.js'
import { SqliteMedium } from './sqlite-medium.js'
import type { SqliteStoreOptions, SqliteStoreParts } from './sqlite-medium.js'

export type { SqliteStoreOptions, SqliteStoreParts } from './sqlite-medium.js'

/** A thread can load it only when it is compiled; from the sources beats run on the loop. */
const BEAT_MODULE = import.meta.url.endsWith('.js')
  ? new URL('./sqlite-beat.js', import.meta.url).href
  : null

/** A store in a file of SQLite. Throws OPTION_INVALID. */
export function sqliteStore(
  options: SqliteStoreOptions | { readonly database: DriverHandle },
): Store<'sqlite'> {
  checkSqlite(options)
  return openableSqliteStore(options)
}

export function openableSqliteStore(
  options: SqliteStoreOptions | { readonly database: DriverHandle },
  parts: SqliteStoreParts = {},
): Store<'sqlite'> {
  const medium = new SqliteMedium(placed(options), { beatModule: BEAT_MODULE, ...parts })
  return new SqlStore('sqlite', medium)
}

/** Where it is named, wherever the process goes until it opens, or its thread does. No name stays none. */
function placed<O extends SqliteStoreOptions | { readonly database: DriverHandle }>(options: O): O {
  return 'path' in options && options.path !== ''
    ? { ...options, path: resolve(options.path) }
    : options
}
