/**
 * What every store without transactions says, and the faces say of it before it is asked.
 */
import { millraceError } from './errors.js'
import type { MillraceError } from './errors.js'

/** The answer of a store without transactions. */
export function noTransactions(subject: string): MillraceError<'TX_UNSUPPORTED'> {
  return millraceError({
    code: 'TX_UNSUPPORTED',
    subject,
    expected: 'a store with transactions',
    remedy: 'leave it out on this store; make the effect safe to repeat instead',
  })
}

/** The answer of an isolate: a function cannot be sent to where the transaction would be. */
export function noneInIsolates(subject: string): MillraceError<'TX_UNSUPPORTED'> {
  return millraceError({
    code: 'TX_UNSUPPORTED',
    subject,
    expected: 'a handler that runs beside its worker, whatever the store',
    received: 'one in an isolate',
    remedy: 'commit in a handler that is not isolated, or make the effect safe to repeat',
  })
}
