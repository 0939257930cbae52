/**
 * One connection, and the transactions on it, one after the other. A transaction that writes begins
 * IMMEDIATE, so only its beginning can find the database busy; then it waits with growing, jittered
 * breaths on the event loop, which neither spins nor starves another process.
 *
 * WAL with synchronous FULL: a commit that was answered survives a power cut. What may be lost with
 * the power (a claim, a beat) commits under NORMAL, which leaves the sync to the next FULL commit.
 */
import { millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import { sleep } from '../../time/clock.js'
import type { Chance, Clock } from '../../time/clock.js'
import type { OwnTx, Purpose } from '../sql/port.js'
import type { Statement } from '../sql/statements.js'
import type { Handle } from './driver.js'
import { statementsOn } from './statements-on.js'
import { lend } from './transactions.js'

/** How long another process may hold the database before a call gives up. */
const BUSY_MOST = 30_000
const BREATH_MIN = 1
const BREATH_MAX = 50

export interface ConnectionParts {
  readonly handle: Handle
  readonly texts: Readonly<Record<Statement, string>>
  readonly patience: Patience
  now(): Millis
}

/** Waits for a database that others keep busy. */
export class Patience {
  readonly #clock: Clock
  readonly #chance: Chance

  /** A clock of real time: others do not stand still with a virtual one. */
  constructor(clock: Clock, chance: Chance) {
    this.#clock = clock
    this.#chance = chance
  }

  /** Tries until it is not busy any more, for as long as is reasonable. */
  async with<T>(run: () => T): Promise<T> {
    const since = this.#clock.mono()
    for (let breath = BREATH_MIN; ; breath = Math.min(BREATH_MAX, breath * 2)) {
      try {
        return run()
      } catch (error) {
        if (!isBusy(error) || this.#clock.mono() - since > BUSY_MOST) throw told(error)
      }
      await sleep(this.#clock, breath * (0.5 + this.#chance.next()))
    }
  }
}

export class Connection {
  readonly #parts: ConnectionParts
  #statements: ReturnType<typeof statementsOn> | null = null
  #last: Promise<unknown> = Promise.resolve()
  /** How the last commit was synced. */
  #synced: 'FULL' | 'NORMAL' | null = null

  constructor(parts: ConnectionParts) {
    this.#parts = parts
  }

  /** Grows when another connection has committed. */
  async version(): Promise<number> {
    const look = this.#last.then(() => {
      return Number(this.#parts.handle.prepare('PRAGMA data_version').all([])[0].data_version)
    })
    this.#last = look.catch(() => undefined)
    return look
  }

  /** After all that were asked for before it. */
  transact<T>(purpose: Purpose, work: (tx: OwnTx) => Promise<T>): Promise<T> {
    const run = this.#last.then(() => this.#transact(purpose, work))
    this.#last = run.catch(() => undefined)
    return run
  }

  async close(): Promise<void> {
    await this.#last
    this.#statements = null
    this.#parts.handle.close()
  }

  async #transact<T>(purpose: Purpose, work: (tx: OwnTx) => Promise<T>): Promise<T> {
    const { handle } = this.#parts
    if (purpose !== 'read') this.#sync(purpose === 'durable' ? 'FULL' : 'NORMAL')
    await this.#begin(purpose)
    try {
      const answer = await work(this.#tx())
      handle.exec('COMMIT')
      return answer
    } catch (error) {
      this.#rollBack()
      throw told(error)
    }
  }

  #sync(how: 'FULL' | 'NORMAL'): void {
    if (this.#synced === how) return
    this.#parts.handle.exec(`PRAGMA synchronous = ${how}`)
    this.#synced = how
  }

  async #begin(purpose: Purpose): Promise<void> {
    const { handle, patience } = this.#parts
    await patience.with(() => handle.exec(purpose === 'read' ? 'BEGIN' : 'BEGIN IMMEDIATE'))
  }

  #rollBack(): void {
    const { handle } = this.#parts
    try {
      handle.exec('ROLLBACK')
    } catch (error) {
      // SQLite has rolled back by itself, as it does when the disk is full.
      if (!/no transaction/.test(String(error))) throw told(error)
    }
  }

  #tx(): OwnTx {
    const { handle, texts } = this.#parts
    this.#statements ??= statementsOn(handle, texts)
    return { ...this.#statements, now: this.#parts.now(), isUsers: false, lend: () => lend(handle) }
  }
}

export function isBusy(error: unknown): boolean {
  return /database is locked|SQLITE_BUSY/.test(String(error))
}

/** A driver's error, in our words. Nothing was changed: the transaction was rolled back. */
export function told(cause: unknown): unknown {
  if (!(cause instanceof Error) || !/sqlite/i.test(`${cause.name}${String(codeOf(cause))}`)) {
    return cause
  }
  if (/not a database|malformed/.test(cause.message)) return noDatabase(cause)
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

function codeOf(error: Error): unknown {
  return 'code' in error ? error.code : ''
}
