/**
 * Why an attempt is over, or shall be: what its signal aborts with, and what its handler is told.
 */
import type { Claimed } from '../job/claim.js'
import { millraceError } from '../job/errors.js'
import type { MillraceError } from '../job/errors.js'

export function timeUp(claimed: Claimed): MillraceError {
  return millraceError({
    code: 'ATTEMPT_TIMEOUT',
    subject: nameOf(claimed),
    expected: `an end within ${claimed.timeout} ms`,
    remedy: 'give it a longer timeout, or let the handler follow its signal',
  })
}

export function leaseLost(claimed: Claimed, why: string): MillraceError {
  return millraceError({
    code: 'LEASE_LOST',
    subject: nameOf(claimed),
    expected: 'to hold this attempt',
    received: why,
    remedy: 'stop what you do for it; the job runs again elsewhere, or was ended there',
  })
}

export function askedToStop(claimed: Claimed): MillraceError {
  return millraceError({
    code: 'JOB_CANCELLED',
    subject: nameOf(claimed),
    expected: 'nobody to cancel it while it ran',
    remedy: 'stop what you do for it; unless it completes, it is cancelled',
  })
}

export function committedTwice(claimed: Claimed): MillraceError {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: nameOf(claimed),
    expected: 'one job.commit',
    received: 'another one',
    remedy: 'write all of it in one function, and return what job.commit answers',
  })
}

function nameOf({ id, queue, attempt }: Claimed): string {
  return `job ${id} of queue ${queue}, attempt ${attempt}`
}
