/**
 * Turns on a PGlite: a database in this process that has one session, which its owner uses, too. A
 * turn is one of PGlite's own transactions, for which it keeps a line: whatever its owner asks waits
 * until the turn is over, and the turn waits for what he asked before.
 *
 * A BEGIN that somebody has asked for as a plain query is unknown to that line, and a turn within it
 * would commit what is not ours. So a turn is asked for together with what stands before and behind
 * it in the line: first a savepoint and a failure, which does nothing where no transaction is open,
 * and else spoils it, so that PGlite's own BEGIN is refused; last the way back to the savepoint, which
 * leaves the stranger's transaction as it was. Then we wait a breath, and ask again.
 */
import { millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import { sleep } from '../../time/clock.js'
import type { Chance, Clock } from '../../time/clock.js'

/** What we need of a PGlite. */
export interface Pglite {
  exec(text: string): Promise<unknown>
  transaction(run: (tx: PgliteTx) => Promise<void>): Promise<unknown>
  /** Where its files are; none: in memory. */
  readonly dataDir?: string | undefined
}

/** How values are read, by the number of their type. */
export interface Reading {
  readonly parsers: Readonly<Record<number, (text: string) => unknown>>
  readonly rowMode?: 'array'
}

/** One of its transactions. */
export interface PgliteTx {
  query(text: string, params: unknown[], reading?: Reading): Promise<Rows>
  /** Any number of statements, without parameters: a third of the time that `query` takes. */
  exec(text: string, reading?: Reading): Promise<readonly Rows[]>
  listen(channel: string, hear: (payload: string) => void): Promise<Unlisten>
  rollback(): Promise<void>
}

export interface Rows {
  readonly rows: unknown[]
}

export type Unlisten = (tx: never) => Promise<void>

export interface TurnParts {
  readonly clock: Clock
  readonly chance: Chance
  /** How long its owner may keep us waiting. */
  readonly within: Millis
}

const SPOIL = 'SAVEPOINT millrace; SELECT 1 / 0'
const MEND = 'ROLLBACK TO SAVEPOINT millrace; RELEASE SAVEPOINT millrace'

const BREATH_MIN: Millis = 1
const BREATH_MAX: Millis = 50

/** In the line behind all that was asked before. Throws STORE_UNREACHABLE when it does not come. */
export async function takeTurn(db: Pglite, { clock, chance, within }: TurnParts): Promise<Turn> {
  const until = clock.mono() + within
  for (let breath = BREATH_MIN; ; breath = Math.min(BREATH_MAX, breath * 2)) {
    const turn = new Turn(db)
    if (await turn.comes(clock, until - clock.mono())) return turn
    if (clock.mono() >= until) throw kept(within)
    await sleep(clock, breath * (0.5 + chance.next()))
  }
}

/** Something in a turn of its own. */
export async function inTurn<T>(
  db: Pglite,
  parts: TurnParts,
  work: (tx: PgliteTx) => Promise<T>,
): Promise<T> {
  const turn = await takeTurn(db, parts)
  try {
    const answer = await work(turn.tx)
    await turn.commit()
    return answer
  } catch (error) {
    await Promise.allSettled([turn.rollBack()])
    throw hasBroken(error) ? gone(error) : error
  }
}

/** What cannot be done within a transaction; where a stranger's stands open it is not done. */
export async function outside(db: Pglite, text: string): Promise<void> {
  const [, done] = await Promise.allSettled([db.exec(SPOIL), db.exec(text), db.exec(MEND)])
  if (done.status === 'rejected' && !isAborted(done.reason)) throw gone(done.reason)
}

export class Turn {
  readonly #over: Promise<unknown>
  readonly #begun: Promise<PgliteTx>
  #tx: PgliteTx | null = null
  #isGivenUp = false
  #isOver = false
  #end: () => void = () => undefined

  /** All three are asked for at once, so that nothing comes between them. */
  constructor(db: Pglite) {
    const ended = new Promise<void>((resolve) => (this.#end = resolve))
    let begin: (tx: PgliteTx) => void = () => undefined
    this.#begun = new Promise((resolve) => (begin = resolve))
    const spoilt = db.exec(SPOIL)
    const over = db.transaction(async (tx) => {
      if (this.#isGivenUp) return
      begin(tx)
      await ended
    })
    const mended = db.exec(MEND)
    this.#over = Promise.allSettled([over, spoilt, mended]).then(() => over)
    this.#over.catch(() => undefined) // whoever ends it is told
  }

  /** False: a transaction stands open that is not of PGlite's line, or it took too long. */
  async comes(clock: Clock, within: Millis): Promise<boolean> {
    const waiting = new AbortController()
    const late = sleep(clock, Math.max(0, within), waiting.signal).then(() => null)
    const tooLate = late.catch(() => null) // it has come before that
    try {
      this.#tx = await Promise.race([this.#begun, this.#over.then(() => null), tooLate])
    } catch (error) {
      if (isAborted(error)) return false
      throw gone(error)
    } finally {
      waiting.abort()
    }
    if (this.#tx !== null) return true
    // Should it come after all, it is over at once.
    this.#isGivenUp = true
    this.#end()
    return false
  }

  get tx(): PgliteTx {
    if (this.#tx === null) throw new Error('a turn that has not come')
    return this.#tx
  }

  /** Where a statement has failed it is rolled back, and this throws. */
  async commit(): Promise<void> {
    this.#isOver = true
    this.#end()
    await this.#over
  }

  /** Harmless when it is over. */
  async rollBack(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    try {
      await this.tx.rollback()
    } finally {
      this.#end()
    }
    await this.#over
  }
}

/** An error of the database's own, which goes on; else it is lost, or was closed. */
export function isOfDatabase(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && Boolean(error.code)
}

/** Not the database has refused something: PGlite itself is closed, or has crashed. */
export function hasBroken(error: unknown): boolean {
  if (!(error instanceof Error) || isOfDatabase(error)) return false
  return error.name === 'RuntimeError' || /PGlite is clos/.test(error.message)
}

function isAborted(error: unknown): boolean {
  return isOfDatabase(error) && (error as { readonly code: unknown }).code === '25P02' // as: it has a code
}

/** In our words. */
export function gone(cause: unknown): unknown {
  if (!(cause instanceof Error) || isOfDatabase(cause)) return cause
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'store postgres',
    expected: 'an open PGlite',
    received: cause.message,
    remedy: 'close the Millrace first, then the PGlite; or make both anew',
    cause,
  })
}

function kept(within: Millis): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'store postgres',
    expected: `a turn on the PGlite within ${within} ms: it has one session`,
    received: 'a transaction that is still open',
    remedy:
      'keep transactions short; within one enqueue with { tx }, and call mill.open() before the first',
  })
}
