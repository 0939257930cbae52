/**
 * The database beneath a store in SQLite: how its file is opened, told of, and closed.
 */
import type { BeatRecipe, Hint, Section, Traits } from '../../store.js'
import { realHost } from '../../disk/host.js'
import { systemChance, systemClock } from '../../time/system.js'
import type { Chance, Clock } from '../../time/clock.js'
import type { Liveness } from '../sql/nodes.js'
import { migrate } from '../sql/migrating.js'
import type { Database } from '../sql/port.js'
import type { SqlMedium } from '../sql/medium.js'
import { Bell } from './bell.js'
import { Connection, Patience, told } from './connection.js'
import { wrap } from './driver.js'
import type { DriverHandle, Handle } from './driver.js'
import { LogSync } from './log-sync.js'
import { PREFIX, SqliteGround, tablesOf } from './migrate.js'
import { NamedFile } from './named-file.js'
import { openDatabase } from './opening.js'
import { Plainly } from './plainly.js'
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

/** What tests hand in, and who makes it. */
export interface SqliteStoreParts {
  readonly clock?: Clock
  readonly chance?: Chance
  /** What stands before the name of every table ['millrace_']. */
  readonly prefix?: string
  /** Told once of each opening: what is not wrong, and should be known [process.emitWarning]. */
  readonly warn?: (message: string) => void
  /** What can be told of a node from outside [what the host knows]. */
  readonly liveness?: Liveness
  /** It only beats, from a thread, in the file that has this id. */
  readonly beatsIn?: string | null
  /** What its thread passes around each call of the driver [null]. */
  readonly section?: Section | null
  /** What a thread loads to beat by; null: beats come from the loop [null]. */
  readonly beatModule?: string | null
}

/** Rows that are counted in some milliseconds. */
const COUNTS_AT_ONCE = 10_000

/** What crosses from the store to the thread that beats for it. */
export interface BeatData {
  readonly path: string
  readonly prefix: string
  readonly scope: string
  /** Of the file that was opened: in another one, which has taken its place, nothing is to be done. */
  readonly file: string | null
}

export class SqliteMedium implements SqlMedium {
  readonly commits = { atOnce: 1, isApart: false, clock: systemClock }
  readonly proof: string | null
  readonly liveness: Liveness
  readonly #options: SqliteStoreOptions | { readonly database: DriverHandle }
  readonly #parts: SqliteStoreParts
  #patience: Patience | null = null
  #connection: Connection | null = null
  #bell: Bell | null = null
  #file: NamedFile | null = null
  /** Whether several handles may write. */
  #isSound = false

  constructor(
    options: SqliteStoreOptions | { readonly database: DriverHandle },
    parts: SqliteStoreParts,
  ) {
    this.#options = options
    this.#parts = parts
    // All are on one host, which knows who lives.
    const host = parts.liveness === undefined && parts.clock === undefined ? realHost() : null
    this.proof = host?.proof ?? null
    this.liveness = parts.liveness ?? (({ proof }) => host?.liveness(proof) ?? 'unknown')
  }

  get traits(): Traits {
    return { ...TRAITS, beat: this.beatRecipe('') === null ? 'loop' : 'thread' }
  }

  async open(scope: string, onHints: (hints: readonly Hint[]) => void): Promise<Database> {
    const { chance = systemChance } = this.#parts
    const patience = (this.#patience = new Patience(systemClock, chance))
    const handle = await this.#handle(patience)
    try {
      return await this.#openOn(handle, patience, scope, onHints)
    } catch (error) {
      this.#bell?.close()
      handle.close()
      throw told(error)
    }
  }

  async #openOn(
    handle: Handle,
    patience: Patience,
    scope: string,
    onHints: (hints: readonly Hint[]) => void,
  ): Promise<Database> {
    const { clock = systemClock, prefix = PREFIX } = this.#parts
    await migrate(tablesOf(prefix), new SqliteGround(handle, prefix, patience), 'newest')
    const now = (): number => clock.wall()
    const texts = statements(prefix)
    const path = fileOf(handle)
    const file = path === '' ? null : new NamedFile(path)
    this.#file = file
    const log = path !== '' && journalOf(handle) === 'wal' ? new LogSync(`${path}-wal`) : null
    const connection = new Connection({ handle, texts, patience, log, file, now })
    const bell = new Bell(path, scope, onHints, this.#doubtOf(handle))
    this.#bell = bell
    if (path !== '' && this.#parts.beatsIn === undefined) await bell.hear(path, connection)
    this.#isSound = !isDoubtful(versionOf(handle))
    this.#connection = connection
    return {
      transact: (purpose, work) => connection.transact(purpose, work),
      oneTrip: new Plainly(connection, texts, prefix),
      raiseAfter: Infinity,
      countsAtOnce: COUNTS_AT_ONCE,
      join: async (tx) => join(tx, { texts, own: handle, now }),
      durable: () => connection.durable(),
      // Its claims change rows.
      spread: async () => undefined,
      tell: (hints) => bell.ring(hints),
    }
  }

  async #handle(patience: Patience): Promise<Handle> {
    if ('database' in this.#options) {
      const handle = wrap(this.#options.database)
      // Waiting is ours: a driver's own would hold the event loop.
      handle.exec('PRAGMA busy_timeout = 0')
      return { ...handle, close: () => undefined }
    }
    const { path } = this.#options
    // Beside a file that has taken its place lies the log of the one before, which SQLite would bring in.
    if (this.#parts.beatsIn !== undefined) new NamedFile(path, this.#parts.beatsIn).check()
    return openDatabase(path, patience, 'wal', this.#parts.section)
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

  hurry(): void {
    this.#patience?.hurry()
  }

  async close(): Promise<void> {
    this.#bell?.close()
    await this.#connection?.close()
  }

  /** From the sources, from a handle of the user's, and where two handles are one too many: null. */
  beatRecipe(scope: string): BeatRecipe | null {
    const { clock, liveness, prefix = PREFIX, beatModule: module = null } = this.#parts
    const isHandedIn = clock !== undefined || liveness !== undefined
    if (module === null || isHandedIn || !this.#isSound || 'database' in this.#options) return null
    const data: BeatData = { path: this.#options.path, prefix, scope, file: this.#file?.id ?? null }
    return { module, data }
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

function journalOf(handle: Handle): string {
  return String(handle.prepare('PRAGMA journal_mode').all([])[0].journal_mode)
}

function warnOfProcess(message: string): void {
  process.emitWarning(message, 'MillraceWarning')
}
