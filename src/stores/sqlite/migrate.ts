/**
 * The versions of the tables in a file of SQLite. Its own lock, one writer at a time, makes one of
 * any number of processes do it.
 */
import { IS_SOME } from '../sql/ballast.js'
import type { Ground, Standing, Tables } from '../sql/migrating.js'
import { systemChance, systemClock } from '../../time/system.js'
import { Patience, rollBack, told } from './connection.js'
import type { Handle } from './driver.js'
import { openDatabase } from './opening.js'
import { VERSIONS } from './schema.js'

/** What stands before the name of every table, where nothing else was said. */
export const PREFIX = 'millrace_'

export function tablesOf(prefix: string): Tables {
  return {
    store: 'sqlite',
    prefix,
    versions: VERSIONS,
    begin: ['BEGIN IMMEDIATE'],
    ground: [
      `CREATE TABLE IF NOT EXISTS ${prefix}versions (
         version         INTEGER PRIMARY KEY,
         compatible_from INTEGER NOT NULL
       )`,
    ],
  }
}

export class SqliteGround implements Ground {
  readonly #handle: Handle
  readonly #prefix: string
  readonly #patience: Patience

  constructor(handle: Handle, prefix: string, patience: Patience) {
    this.#handle = handle
    this.#prefix = prefix
    this.#patience = patience
  }

  async standing(): Promise<Standing> {
    const t = this.#prefix
    const there = await this.#ask(`SELECT 1 FROM sqlite_master WHERE name = ?1`, `${t}versions`)
    if (there.length === 0) return { version: 0, compatibleFrom: 0 }
    const [row] = await this.#ask(
      `SELECT max(version) AS version, max(compatible_from) AS compatible_from FROM ${t}versions`,
    )
    return { version: Number(row.version), compatibleFrom: Number(row.compatible_from) }
  }

  async hasJobs(): Promise<boolean> {
    const some = await this.#ask(`SELECT 1 FROM ${this.#prefix}jobs WHERE ${IS_SOME} LIMIT 1`)
    return some.length > 0
  }

  async alone<T>(work: (run: (sql: string) => Promise<void>) => Promise<T>): Promise<T> {
    const handle = this.#handle
    await this.#patience.with(() => tablesOf(this.#prefix).begin.forEach((sql) => handle.exec(sql)))
    try {
      const answer = await work(async (sql) => handle.exec(sql))
      await this.#patience.with(() => handle.exec('COMMIT'))
      return answer
    } catch (error) {
      rollBack(handle)
      throw error
    }
  }

  #ask(sql: string, ...params: string[]): Promise<Record<string, unknown>[]> {
    return this.#patience.with(() => this.#handle.prepare(sql).all(params))
  }
}

/**
 * With a handle of its own on the file, closed afterwards. The file is made when it is not there; who
 * only looks leaves one that is somebody else's as it is.
 */
export async function onFile<T>(
  path: string,
  isLooking: boolean,
  use: (ground: Ground) => Promise<T>,
): Promise<T> {
  const patience = new Patience(systemClock, systemChance)
  const handle = await openDatabase(path, patience, isLooking ? 'as-is' : 'wal')
  try {
    return await use(new SqliteGround(handle, PREFIX, patience))
  } catch (error) {
    throw told(error)
  } finally {
    handle.close()
  }
}
