/**
 * SQLite's transactions where users and we meet: our statements on a handle of the user's, and our
 * handle lent to a function of his. A handle of his must be on the store's file, in a transaction,
 * and another one than the store's, on which transactions of workers begin between his statements.
 */
import { realpathSync } from 'node:fs'
import { invalid } from '../../job/check.js'
import type { Millis } from '../../job/job.js'
import { guarded } from '../sql/guarded.js'
import type { Joined, Lent, Tx } from '../sql/port.js'
import type { Statement } from '../sql/statements.js'
import { isClosed, wrap } from './driver.js'
import type { DriverHandle, Handle } from './driver.js'
import { statementsOn } from './statements-on.js'

export interface JoinedParts {
  readonly texts: Readonly<Record<Statement, string>>
  /** The store's own. */
  readonly own: Handle
  readonly now: () => Millis
}

const REMEDY =
  "open a handle of your own on the store's file, and begin a transaction on it: BEGIN IMMEDIATE"

export function join(given: unknown, { texts, own, now }: JoinedParts): Joined {
  if (!isHandle(given)) throw invalid('tx', 'an open handle of SQLite', given, REMEDY)
  if (isClosed(given)) throw invalid('tx', 'an open handle of SQLite', 'one that is closed', REMEDY)
  if (given === own.raw) {
    const expected = "another handle than the store's own, which its workers use in between"
    throw invalid('tx', expected, 'that one', REMEDY)
  }
  const handle = wrap(given)
  const [theirs, ours] = [fileOf(handle), fileOf(own)]
  if (theirs === '' || ours === '' || realpathSync(theirs) !== realpathSync(ours)) {
    throw invalid('tx', `a handle on ${ours || 'a file'}`, theirs || 'one in memory', REMEDY)
  }
  if (!isInTransaction(given)) {
    throw invalid('tx', 'a handle within a transaction', 'one outside of it', REMEDY)
  }
  const theirTx: Tx = { ...statementsOn(handle, texts), now: now(), isUsers: true, isOpen: false }
  const tx = guarded(theirTx, () => {
    if (isInTransaction(given)) return
    // It was not awaited.
    const expected = 'its transaction to be open until enqueue has answered'
    throw invalid('tx', expected, 'one that was ended before', 'await enqueue within it')
  })
  const nothing = async (): Promise<void> => undefined
  // Other connections see by themselves that the file has changed.
  return { tx, isApart: false, done: nothing, tell: nothing }
}

function isHandle(given: unknown): given is DriverHandle {
  return (
    typeof given === 'object' &&
    given !== null &&
    'prepare' in given &&
    typeof given.prepare === 'function' &&
    'exec' in given &&
    typeof given.exec === 'function'
  )
}

/** The file of the database, as SQLite knows it; '' when it has none. */
export function fileOf(handle: Handle): string {
  const rows = handle.prepare('PRAGMA database_list').all([])
  const file = rows.find(({ name }) => name === 'main')?.file
  return typeof file === 'string' ? file : ''
}

/** Drivers have a word for it; where one has none, another BEGIN is refused within a transaction. */
function isInTransaction(raw: DriverHandle): boolean {
  if ('isTransaction' in raw && typeof raw.isTransaction === 'boolean') return raw.isTransaction
  if ('inTransaction' in raw && typeof raw.inTransaction === 'boolean') return raw.inTransaction
  try {
    raw.exec('BEGIN')
  } catch (error) {
    if (/within a transaction/.test(String(error))) return true
    throw error
  }
  raw.exec('ROLLBACK')
  return false
}

/** What begins or ends a transaction; savepoints are free. */
const BOUND = /^\s*(BEGIN|COMMIT|END|ROLLBACK(?!\s+(TRANSACTION\s+)?TO\b))\b/i

export function lend({ raw }: Handle): Lent {
  let isOver = false
  const check = (sql: string): void => {
    if (isOver) throw over()
    if (BOUND.test(sql)) throw ended(sql)
  }
  const within = (run: () => unknown): unknown => {
    if (isOver) throw over()
    return run()
  }
  const client = {
    exec(sql: string): void {
      check(sql)
      raw.exec(sql)
    },
    prepare(sql: string) {
      check(sql)
      const statement = raw.prepare(sql)
      return {
        run: (...params: never[]) => within(() => statement.run(...params)),
        get: (...params: never[]) => within(() => statement.get(...params)),
        all: (...params: never[]) => within(() => statement.all(...params)),
      }
    },
  }
  return {
    client,
    async takeBack() {
      isOver = true
      if (!isInTransaction(raw)) throw ended('the end of the transaction')
    },
    revoke: () => {
      isOver = true
    },
  }
}

function over(): Error {
  return invalid(
    'job.commit tx',
    'to be used before its function answers',
    'a statement after that',
    'await everything within the function',
  )
}

function ended(received: string): Error {
  return invalid(
    'job.commit tx',
    'the transaction to be left open',
    received,
    'leave it out: it commits with the job, and a throw rolls it back',
  )
}
