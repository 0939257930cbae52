/**
 * How late a job of a rated queue may start. The store counts a grant from when it gave it; so that
 * starts obey the window too, what could not be started within the allowance of sending the claim
 * goes back unrun (`job/rate.ts` has the arithmetic). Giving back is left to the worker.
 */
import type { JobRef, Millis } from '../job/job.js'
import { millraceError } from '../job/errors.js'
import type { MillraceError } from '../job/errors.js'
import { startAllowance } from '../job/rate.js'
import type { Settings } from '../job/settings.js'

/** How long after its claim was sent a job may start; Infinity: it has no rate. */
export function allowanceOf({ rate, groups }: Settings): Millis {
  if (rate === null && groups.rate === null) return Infinity
  return startAllowance(Math.min(rate?.per ?? Infinity, groups.rate?.per ?? Infinity))
}

/** Why it goes back, for whoever set the rate. `late`: by how much it passed its allowance. */
export function startedLate({ queue }: JobRef, settings: Settings, late: Millis): MillraceError {
  const allowed = allowanceOf(settings)
  return millraceError({
    code: 'OPTION_INVALID',
    subject: `queue(${JSON.stringify(queue)}).rate`,
    expected: `starts within ${allowed} ms of asking for them, as this rate needs`,
    received: `${Math.round(allowed + late)} ms`,
    remedy: 'declare a longer `per`, or free this process or its store: the grant was spent unused',
  })
}
