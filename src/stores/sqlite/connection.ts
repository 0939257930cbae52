/**
 * One connection, and the transactions on it, one after the other. A transaction that writes begins
 * IMMEDIATE, and one that reads takes its view of the file at once, so only their beginnings can find
 * the database busy, and commits where the journal is not the write-ahead log; then they wait with
 * growing, jittered breaths on the event loop, which neither spins nor starves another process.
 *
 * A commit only writes to the log. Whoever is to be answered what survives a power cut waits for
 * `durable`, which syncs the log beside the event loop (`log-sync.ts`), while others go on. On a
 * handle whose journal is none that can be synced so, commits sync by themselves.
 */
import { millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import { sleep } from '../../time/clock.js'
import type { Chance, Clock } from '../../time/clock.js'
import type { OwnTx, Purpose } from '../sql/port.js'
import type { Statement } from '../sql/statements.js'
import type { Bound, Handle, Prepared } from './driver.js'
import type { LogSync } from './log-sync.js'
import type { NamedFile } from './named-file.js'
import { statementsOn } from './statements-on.js'
import { lend } from './transactions.js'

/** How long another process may hold the database before a call gives up. */
const BUSY_MOST = 30_000
/** And a call that is still under way while the store closes. */
const BUSY_AT_END = 1_000
const BREATH_MIN = 1
const BREATH_MAX = 50

/** Begins to read: a plain BEGIN waits for the first statement, which may find the database busy. */
const VIEW = 'SELECT 1 FROM sqlite_master LIMIT 1'

/** A transaction whose statements are texts, prepared when they are first asked. */
export interface Step {
  readonly now: Millis
  readonly all: <R>(text: string, params: readonly Bound[]) => R[]
  /** As arrays. */
  readonly rows: <R extends readonly unknown[]>(text: string, params: readonly Bound[]) => R[]
  /** How many rows it changed. */
  readonly run: (text: string, params: readonly Bound[]) => number
  /** Nothing of it was done; answers this instead. */
  readonly giveUp: <T>(instead: T) => T
}

export interface ConnectionParts {
  readonly handle: Handle
  readonly texts: Readonly<Record<Statement, string>>
  readonly patience: Patience
  /** Null: a commit that is to be durable syncs by itself. */
  readonly log: LogSync | null
  /** Null: a database without a file. */
  readonly file: NamedFile | null
  now(): Millis
}

/** Waits for a database that others keep busy. */
export class Patience {
  readonly #clock: Clock
  readonly #chance: Chance
  /** Nobody waits for longer than until then. */
  #end = Infinity

  /** A clock of real time: others do not stand still with a virtual one. */
  constructor(clock: Clock, chance: Chance) {
    this.#clock = clock
    this.#chance = chance
  }

  /** The store closes. */
  hurry(): void {
    this.#end = Math.min(this.#end, this.#clock.mono() + BUSY_AT_END)
  }

  /** Tries until it is not busy any more, for as long as is reasonable. */
  async with<T>(run: () => T): Promise<T> {
    const until = this.#clock.mono() + BUSY_MOST
    for (let breath = BREATH_MIN; ; breath = Math.min(BREATH_MAX, breath * 2)) {
      try {
        return run()
      } catch (error) {
        const isOver = this.#clock.mono() > Math.min(until, this.#end)
        if (!isBusy(error) || isOver) throw told(error)
      }
      await sleep(this.#clock, breath * (0.5 + this.#chance.next()))
    }
  }
}

export class Connection {
  readonly #parts: ConnectionParts
  #statements: ReturnType<typeof statementsOn> | null = null
  readonly #known = new Map<string, Prepared>()
  #last: Promise<unknown> = Promise.resolve()
  /** The file was not there when it was looked for: nothing is done in it until it is back. */
  #isWiped = false
  /** How the last commit was synced. */
  #synced: 'FULL' | 'NORMAL' | null = null

  constructor(parts: ConnectionParts) {
    this.#parts = parts
  }

  /** Grows when another connection has committed. */
  async version(): Promise<number> {
    return this.#inTurn(() =>
      this.#parts.patience.with(() => {
        return Number(this.#prepared('PRAGMA data_version').all([])[0].data_version)
      }),
    )
  }

  /** After all that were asked for before it. */
  transact<T>(purpose: Purpose, work: (tx: OwnTx) => Promise<T>): Promise<T> {
    return this.#inTurn(() => this.#transact(purpose, work))
  }

  /** The same for what waits for nothing within. */
  step<T>(purpose: Purpose, work: (step: Step) => T): Promise<T> {
    return this.#inTurn(() => this.#step(purpose, work))
  }

  /** All that was committed until now survives a power cut, in a file that others find. */
  async durable(): Promise<void> {
    const { log } = this.#parts
    const checkpoint = (): Promise<boolean> => this.#inTurn(() => this.#checkpoint())
    await log?.through(checkpoint)
    // What a log without a name has is brought where it is found, while that can be.
    if (log?.isRemoved === true) await Promise.allSettled([checkpoint()])
    this.#check()
  }

  /** Throws STORE_WIPED. */
  #check(): void {
    this.#isWiped = true
    this.#parts.file?.check()
    this.#parts.log?.check()
    this.#isWiped = false
  }

  async close(): Promise<void> {
    await this.#parts.log?.close()
    await this.#last
    this.#statements = null
    this.#known.clear()
    this.#parts.handle.close()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#last.then(work)
    this.#last = run.catch(() => undefined)
    return run
  }

  /** Answers whether the log is empty now, and the database synced. */
  async #checkpoint(): Promise<boolean> {
    const { handle, patience } = this.#parts
    return patience.with(() => {
      const [{ busy }] = handle.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all([])
      return Number(busy) === 0
    })
  }

  async #transact<T>(purpose: Purpose, work: (tx: OwnTx) => Promise<T>): Promise<T> {
    const { handle } = this.#parts
    if (purpose !== 'read') this.#setSync(purpose)
    await this.#begin(purpose)
    try {
      const answer = await work(this.#tx())
      await this.#commit()
      if (purpose !== 'read') this.#parts.log?.wrote()
      return answer
    } catch (error) {
      rollBack(handle)
      throw told(error)
    }
  }

  async #step<T>(purpose: Purpose, work: (step: Step) => T): Promise<T> {
    const { handle } = this.#parts
    this.#setSync(purpose)
    await this.#begin(purpose)
    try {
      let isGivenUp = false
      const answer = work({
        now: this.#parts.now(),
        all: (text, params) => this.#prepared(text).all(params) as never[], // as: who asks says what it answers
        rows: (text, params) => this.#prepared(text).rows(params) as never[], // as: the same
        run: (text, params) => this.#prepared(text).run(params),
        giveUp: (instead) => {
          isGivenUp = true
          return instead
        },
      })
      if (isGivenUp) {
        rollBack(handle)
        return answer
      }
      await this.#commit()
      this.#parts.log?.wrote()
      return answer
    } catch (error) {
      rollBack(handle)
      throw told(error)
    }
  }

  #prepared(text: string): Prepared {
    const found = this.#known.get(text) ?? this.#parts.handle.prepare(text)
    this.#known.set(text, found)
    return found
  }

  #setSync(purpose: Purpose): void {
    const how = purpose === 'durable' && this.#parts.log === null ? 'FULL' : 'NORMAL'
    if (this.#synced === how) return
    this.#parts.handle.exec(`PRAGMA synchronous = ${how}`)
    this.#synced = how
  }

  async #begin(purpose: Purpose): Promise<void> {
    const { handle, patience } = this.#parts
    if (this.#isWiped) this.#check()
    await patience.with(() => {
      if (purpose !== 'read') return handle.exec('BEGIN IMMEDIATE')
      handle.exec('BEGIN')
      try {
        this.#prepared(VIEW).all([])
      } catch (error) {
        rollBack(handle)
        throw error
      }
    })
  }

  async #commit(): Promise<void> {
    const { handle, patience } = this.#parts
    await patience.with(() => handle.exec('COMMIT'))
  }

  #tx(): OwnTx {
    const { handle, texts } = this.#parts
    this.#statements ??= statementsOn(handle, texts)
    const now = this.#parts.now()
    return {
      ...this.#statements,
      now,
      isUsers: false,
      isOpen: false,
      isFar: false,
      lend: () => lend(handle),
    }
  }
}

export function rollBack(handle: Handle): void {
  try {
    handle.exec('ROLLBACK')
  } catch (error) {
    // SQLite has rolled back by itself, as it does when the disk is full.
    if (!/no transaction/.test(String(error))) throw told(error)
  }
}

export function isBusy(error: unknown): boolean {
  return (
    isDrivers(error) && /database is locked|SQLITE_BUSY/.test(`${error.message} ${codeOf(error)}`)
  )
}

/** Not ours, in whose words there may be anything. */
function isDrivers(error: unknown): error is Error {
  // By its shape: a driver may be of another realm, as in some test runners.
  if (typeof error !== 'object' || error === null || !('message' in error)) return false
  const name = 'name' in error ? String(error.name) : ''
  return /sqlite/i.test(`${name} ${codeOf(error)}`)
}

/** A driver's error, in our words. Nothing was changed: the transaction was rolled back. */
export function told(cause: unknown): unknown {
  if (!isDrivers(cause)) return cause
  if (/not a database|malformed/.test(cause.message)) return noDatabase(cause)
  // Of the user's tables, where it shows only at the commit; ours have none that could.
  if (/constraint failed/i.test(cause.message)) return cause
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'store sqlite',
    expected: 'a database that answers',
    received: cause.message,
    remedy: isBusy(cause)
      ? 'another process keeps the database locked: look for a long transaction'
      : 'look at the disk and at the file',
    cause,
  })
}

/** Foreign bytes, or damaged ones: both may be somebody's, and neither is touched. */
function noDatabase(cause: Error): unknown {
  return millraceError({
    code: 'FORMAT_UNSUPPORTED',
    subject: 'store sqlite',
    expected: 'a sound database of SQLite',
    received: cause.message,
    remedy: 'name another file; of a database that was one look at `PRAGMA integrity_check`',
    cause,
  })
}

function codeOf(error: object): string {
  return 'code' in error ? String(error.code) : ''
}
