/**
 * What PostgreSQL's errors mean for a transaction: that others were in the way, so that it is worth
 * doing again at once; that the server cannot be reached or will not write; or that it is our fault.
 * Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
import { millraceError } from '../../job/errors.js'
import type { MillraceError } from '../../job/errors.js'

/** Others were in the way: nothing was done, and doing it again is likely to succeed. */
const IN_THE_WAY = new Set([
  '40001', // serialization failure
  '40P01', // deadlock detected
  '55P03', // lock not available
  '23505', // two made the same row at once: the next try finds it
])

export function isInTheWay(error: unknown): boolean {
  return IN_THE_WAY.has(codeOf(error))
}

/** Somebody kept a lock for longer than was waited for it. */
export function isLocked(error: unknown): boolean {
  return codeOf(error) === '55P03'
}

/** It failed since another before it in the same transaction did. */
export function isBehindFailure(error: unknown): boolean {
  return codeOf(error) === '25P02'
}

/**
 * The name of a prepared statement is not known on this connection, or known for another text, or for
 * columns that have changed.
 */
export function isForgotten(error: unknown): boolean {
  const code = codeOf(error)
  const isStale = code === '0A000' && routineOf(error) === 'RevalidateCachedQuery'
  return code === '26000' || code === '42P05' || isStale
}

/** It only reads: a standby, or a primary that became one. For a refused BEGIN READ WRITE there is no code. */
export function isReadOnly(error: unknown): boolean {
  const code = codeOf(error)
  return code === '25006' || (code === '0A000' && routineOf(error) === 'call_bool_check_hook')
}

/** No answer came in time; the server may be at it still. */
export function isHung(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout'
}

/** The server's, the network's or the driver's, which has no codes of its own; no bug of ours. */
export function isTheirs(error: Error): boolean {
  return 'code' in error || /terminated|Connection|timeout|not queryable/i.test(error.message)
}

/** This role has not the right to do that. */
export function isForbidden(error: unknown): boolean {
  return codeOf(error) === '42501'
}

/** In our words. Nothing was changed. */
export function unreachable(cause: unknown): MillraceError {
  const code = codeOf(cause)
  const why = cause instanceof Error ? cause.message : String(cause)
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'store postgres',
    expected: 'a server that answers and may be written to',
    received: code === '' ? why : `${why} (${code})`,
    remedy: isReadOnly(cause) ? 'this server only reads: connect to the primary' : remedyFor(code),
    cause,
  })
}

/** The answer to a commit was lost: it may have taken effect or not. */
export function unknown(cause: unknown): MillraceError {
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject: 'store postgres',
    expected: 'an answer to a commit',
    received: cause instanceof Error ? cause.message : String(cause),
    remedy: 'the call may be repeated with the same ids',
    cause,
  })
}

function remedyFor(code: string): string {
  switch (code) {
    case '53300':
      return 'the server has no connection left: raise max_connections, or put a pooler before it'
    case '57014':
    case '25P03':
      return 'it is repeated; look what keeps the server or this process busy'
    case '40001':
    case '40P01':
    case '55P03':
      return 'it is repeated; look what else locks the tables of Millrace'
    case '28P01':
    case '28000':
      return 'look at the user and the password'
    case '3D000':
      return 'create the database, or name another one'
    case '42501':
      return 'give this role the rights that docs/stores/postgres.md names'
    default:
      return 'look whether the server runs and can be reached'
  }
}

/** In which function of the server: the same in every language that it speaks. */
function routineOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('routine' in error)) return ''
  return typeof error.routine === 'string' ? error.routine : ''
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}
