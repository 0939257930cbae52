/** A store's refusal as the error that its producer catches: what it was, and the way out. */
import { millraceError } from '../job/errors.js'
import type { MillraceError } from '../job/errors.js'
import type { Inserted } from '../job/lot.js'

/** The error of a refusal. `subject`: the queue, and the place in the call. */
export function refusal(answer: Inserted, subject: string): MillraceError {
  if (answer.status !== 'refused') return withdrawn(subject)
  switch (answer.code) {
    case 'QUEUE_FULL':
      return millraceError({
        code: 'QUEUE_FULL',
        subject,
        expected: `at most ${answer.limit} unfinished jobs that are not running (limits.backlog)`,
        remedy: 'try again later, add workers, or raise limits.backlog',
      })
    case 'DUPLICATE':
      return millraceError({
        code: 'DUPLICATE',
        subject,
        expected: 'a unique key that no other job holds',
        received: `the key of job ${answer.id}`,
        remedy: "wait for that job, or use onConflict: 'keep' or 'replace'",
      })
    case 'PARENT_UNKNOWN':
      return millraceError({
        code: 'PARENT_UNKNOWN',
        subject: `${subject}.after`,
        expected: 'jobs that are there, or completed within the receipts of their queue',
        received: `job ${JSON.stringify(answer.parent.id)} of queue ${JSON.stringify(answer.parent.queue)}`,
        remedy:
          'give a ref that enqueue answered with; if that job completed long ago, leave it out',
      })
    case 'PAYLOAD_TOO_LARGE':
      return millraceError({
        code: 'PAYLOAD_TOO_LARGE',
        subject,
        expected: `a payload of at most ${answer.limit} bytes (limits.payloadBytes)`,
        received: answer.bytes,
        remedy: 'store the large part elsewhere and enqueue its address, or raise the limit',
      })
  }
}

/** No store answers this alone; if one does, it is said and not passed over. */
function withdrawn(subject: string): MillraceError {
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject,
    expected: 'a lot that is withdrawn only when one of its jobs is refused',
    remedy: 'this is a fault of the store: report it; with ids of your own it may be repeated',
  })
}

export function lotTooLarge(
  aim: { readonly subject: string },
  most: string,
  received: number,
): MillraceError<'LOT_TOO_LARGE'> {
  return millraceError({
    code: 'LOT_TOO_LARGE',
    subject: aim.subject,
    expected: `at most ${most} in one call, since it is all or none`,
    received,
    remedy: 'split it into several calls; of one job that is so large, enqueue where its data lie',
  })
}
