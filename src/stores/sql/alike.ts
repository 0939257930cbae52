/**
 * Jobs that are alike: most lots are of one queue and one task, run at once, and say nothing of
 * themselves but their payload. What they have in common is said once, and a database that is far
 * away gets them in one trip (`OneTrip`). Everything else goes the longer way.
 */
import type { Inserted, NewJob } from '../../job/lot.js'
import { effective } from '../../job/effective.js'
import { BY_SETTINGS, OWN_ID } from '../../job/book/columns.js'
import type { Alike, Database } from './port.js'
import type { Queues } from './queues.js'
import { codecOf, specOf } from './row.js'
import { isSmall } from './inserting.js'

/** Null: nothing was done; they are to be inserted the longer way. The others: as in `OneTrip`. */
export async function insertAlike(
  { oneTrip, tell }: Database,
  queues: Queues,
  jobs: readonly NewJob[],
  isAwaited: boolean,
): Promise<readonly Inserted[] | null> {
  const lot = alikeOf(queues, jobs)
  if (lot === null) return null
  const hints = [{ what: 'jobs', queue: jobs[0].queue }] as const
  const onSeen = (areOthersTold: boolean): void => tell(hints, areOthersTold)
  const added = await oneTrip.insert(lot, { hints, isAwaited, onSeen })
  if (added === null) return null
  return jobs.map(({ id }) => ({ status: added.has(id) ? 'inserted' : 'duplicate', id }))
}

/** Null: they are not, or what they need to know is not known. */
function alikeOf(queues: Queues, jobs: readonly NewJob[]): Alike | null {
  const [first] = jobs
  const known = queues.known(first.queue)
  if (known === null) return null
  const { attempts, limits } = effective(known.stored)
  const lane = queues.laneKnown(known.id, first.task)
  const isPlain = attempts > 0 && limits.backlog === Infinity
  if (!isPlain || lane === null) return null
  const isAlike = (job: NewJob): boolean => says(job, first) && isSmall(job, limits.payloadBytes)
  if (!jobs.every(isAlike)) return null
  const ids = jobs.map(({ id }) => id)
  if (first.ownId && new Set(ids).size < ids.length) return null
  return {
    ...{ queue: known.id, revision: known.stored.revision, lane },
    ...{ task: first.task, priority: first.priority, flags: first.ownId ? OWN_ID : 0 },
    codec: codecOf(first.payload),
    lifespan: limits.age === Infinity ? null : limits.age,
    ids,
    groups: jobs.map(({ group }) => group),
    payloads: jobs.map(({ payload }) => payload.text),
  }
}

/** The same as the first, and nothing beyond. */
function says(job: NewJob, first: NewJob): boolean {
  const { queue, task, priority, ownId, payload } = first
  if (job.queue !== queue || job.task !== task || job.priority !== priority) return false
  if (job.ownId !== ownId || codecOf(job.payload) !== codecOf(payload)) return false
  if (job.at !== null || job.delay > 0 || job.unique !== null || job.after.length > 0) return false
  const isSaid = job.attempts !== null && job.attempts !== BY_SETTINGS
  return !isSaid && job.expiresIn === null && specOf(job) === null
}
