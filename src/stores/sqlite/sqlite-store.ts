/**
 * The SQLite store: jobs as rows of one file, or of a database that the user has open already. Any
 * number of processes of one host work on it together.
 */
import type { Hint, Store, Traits } from '../../store.js'
import type { BeatRecipe } from '../../store.js'
import { systemChance, systemClock } from '../../time/system.js'
import type { Chance, Clock } from '../../time/clock.js'
import type { Liveness } from '../sql/nodes.js'
import { migrate } from '../sql/migrating.js'
import type { Database } from '../sql/port.js'
import { SqlStore } from '../sql/sql-store.js'
import type { SqlMedium } from '../sql/sql-store.js'
import { Bell } from './bell.js'
import { Connection, Patience, told } from './connection.js'
import { wrap } from './driver.js'
import type { DriverHandle, Handle } from './driver.js'
import { PREFIX, SqliteGround, tablesOf } from './migrate.js'
import { openDatabase } from './opening.js'
import { statements } from './statements.js'
import { fileOf, join } from './transactions.js'

const TRAITS: Traits = {
  survives: 'power',
  reach: 'host',
  transactions: true,
  hints: true,
  beat: 'loop',
}

export interface SqliteStoreOptions {
  /** The file. It is made when it is not there. */
  readonly path: string
}

/** What tests hand in. */
export interface SqliteStoreParts {
  readonly clock?: Clock
  readonly chance?: Chance
  /** What stands before the name of every table ['millrace_']. */
  readonly prefix?: string
  /** Told once of each opening: what is not wrong, and should be known [process.emitWarning]. */
  readonly warn?: (message: string) => void
  /** What can be told of a node from outside [nothing]. */
  readonly liveness?: Liveness
}

/** A store in a file of SQLite. */
export function sqliteStore(
  options: SqliteStoreOptions | { readonly database: DriverHandle },
): Store<'sqlite'> {
  return openableSqliteStore(options)
}

export function openableSqliteStore(
  options: SqliteStoreOptions | { readonly database: DriverHandle },
  parts: SqliteStoreParts = {},
): Store<'sqlite'> {
  return new SqlStore('sqlite', new SqliteMedium(options, parts))
}

class SqliteMedium implements SqlMedium {
  readonly traits = TRAITS
  readonly commits = { atOnce: 1, isApart: false, clock: systemClock }
  readonly proof = null
  readonly liveness: Liveness
  readonly #options: SqliteStoreOptions | { readonly database: DriverHandle }
  readonly #parts: SqliteStoreParts
  #connection: Connection | null = null
  #bell: Bell | null = null

  constructor(
    options: SqliteStoreOptions | { readonly database: DriverHandle },
    parts: SqliteStoreParts,
  ) {
    this.#options = options
    this.#parts = parts
    this.liveness = parts.liveness ?? (() => 'unknown')
  }

  async open(scope: string, onHints: (hints: readonly Hint[]) => void): Promise<Database> {
    const { clock = systemClock, chance = systemChance, prefix = PREFIX } = this.#parts
    const patience = new Patience(systemClock, chance)
    const handle = await this.#handle(patience)
    try {
      await migrate(tablesOf(prefix), new SqliteGround(handle, prefix, patience), 'newest')
    } catch (error) {
      handle.close()
      throw told(error)
    }
    const now = (): number => clock.wall()
    const texts = statements(prefix)
    const connection = new Connection({ handle, texts, patience, now })
    const path = fileOf(handle)
    const bell = new Bell(path, scope, onHints, this.#doubtOf(handle))
    if (path !== '') await bell.hear(path, connection)
    this.#connection = connection
    this.#bell = bell
    return {
      transact: (purpose, work) => connection.transact(purpose, work),
      join: async (tx) => join(tx, { texts, own: handle, now }),
      tell: (hints) => bell.ring(hints),
    }
  }

  async #handle(patience: Patience): Promise<Handle> {
    if ('database' in this.#options) {
      return { ...wrap(this.#options.database), close: () => undefined }
    }
    return openDatabase(this.#options.path, patience)
  }

  /** Called when another handle has written, too: that is what an old SQLite is not safe with. */
  #doubtOf(handle: Handle): () => void {
    const version = versionOf(handle)
    let isTold = !isDoubtful(version)
    const { warn = warnOfProcess } = this.#parts
    return () => {
      if (isTold) return
      isTold = true
      warn(
        `SQLite ${version} can damage a database that several handles write to: take one from ${SOUND} on`,
      )
    }
  }

  async close(): Promise<void> {
    this.#bell?.close()
    await this.#connection?.close()
  }

  beatRecipe(): BeatRecipe | null {
    return null
  }
}

/** The first SQLite whose write-ahead log is safe with several writers */
const SOUND = '3.51.3'

function isDoubtful(version: string): boolean {
  const order = { numeric: true }
  return version.localeCompare(SOUND, 'en', order) < 0
}

function versionOf(handle: Handle): string {
  return String(handle.prepare('SELECT sqlite_version() AS version').all([])[0].version)
}

function warnOfProcess(message: string): void {
  process.emitWarning(message, 'MillraceWarning')
}
