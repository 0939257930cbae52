/** What every store says to who calls it before it is open, or after it was closed. */
import { millraceError } from './errors.js'
import type { MillraceError } from './errors.js'

export function closedStore(name: string): MillraceError<'STORE_CLOSED'> {
  return millraceError({
    code: 'STORE_CLOSED',
    subject: `store ${name}`,
    expected: 'an open store',
    received: 'a call before open or after close',
    remedy: 'open it first, or make a new Millrace',
  })
}
