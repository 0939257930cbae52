// A handle of the shape of better-sqlite3's, on the SQLite that is at hand. It is as strict as that
// one: `all` is for statements that answer rows and `run` for the others, and a numbered parameter is
// taken for a named one, which cannot be bound by its place.
import { DatabaseSync } from '@photostructure/sqlite'
import type { DriverHandle } from '../../src/stores/sqlite/driver.js'

type Param = string | number | null

export interface BetterHandle extends DriverHandle {
  /** What it was asked to prepare. */
  readonly prepared: string[]
  readonly isOpen: boolean
}

/** `version`: what it says that its SQLite is [the true one]. */
export function betterHandle(path: string, version?: string): BetterHandle {
  const database = new DatabaseSync(path)
  const prepared: string[] = []
  return {
    prepared,
    get isOpen() {
      return database.isOpen
    },
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
    prepare(sql) {
      prepared.push(sql)
      const statement = database.prepare(
        version === undefined ? sql : sql.replace('sqlite_version()', `'${version}'`),
      )
      const reader = statement.columns().length > 0
      const checked = (params: readonly Param[]): Param[] => {
        if (/\?\d/.test(sql)) throw new RangeError('Too many parameter values were provided')
        return [...params]
      }
      return {
        reader,
        all(...params) {
          if (!reader) throw new TypeError('This statement does not return data. Use run() instead')
          return statement.all(...checked(params)) as unknown[] // as: any[] there
        },
        get(...params) {
          if (!reader) throw new TypeError('This statement does not return data. Use run() instead')
          return statement.get(...checked(params)) as unknown // as: any there
        },
        run(...params) {
          if (reader) throw new TypeError('This statement returns data. Use all() instead')
          return statement.run(...checked(params))
        },
      }
    },
  }
}
