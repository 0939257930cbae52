/**
 * Payloads above their queue's limit. The store has the last word on it, since it knows the settings
 * in force; applying a frame does not look, so that a lower limit later makes no old frame void.
 */
import { NEVER_SAID, effective } from '../../job/effective.js'
import type { Ledger } from '../../job/book/ledger.js'
import type { Inserted, NewJob } from '../../job/lot.js'

/** Of a queue that is not there before its first job. */
const UNSAID = effective(NEVER_SAID).limits.payloadBytes

/** The answers of a lot in which a payload is above its queue's limit; null when none is. */
export function oversized(ledger: Ledger, jobs: readonly NewJob[]): Inserted[] | null {
  const refused = new Map<NewJob, Inserted>()
  for (const job of jobs) {
    const limit = ledger.findQueue(job.queue)?.settings.limits.payloadBytes ?? UNSAID
    // No character of a string takes more than three bytes.
    if (job.payload.text.length * 3 <= limit) continue
    const bytes = Buffer.byteLength(job.payload.text)
    if (bytes <= limit || ledger.find(job) >= 0) continue
    refused.set(job, { status: 'refused', code: 'PAYLOAD_TOO_LARGE', limit, bytes })
  }
  return refused.size === 0 ? null : jobs.map((job) => refused.get(job) ?? { status: 'withdrawn' })
}
