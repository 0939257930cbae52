/**
 * The job of a slot, made of what its schedule says. Its id follows from queue, schedule and slot, so
 * whoever makes it makes the same one; its meta says which slot it is for.
 */
import { derivedId } from './book/derived-id.js'
import { decode, encode } from './codec.js'
import type { Instant } from './job.js'
import type { NewJob } from './lot.js'
import type { ScheduleRow } from './schedule.js'

/** The name in meta that says of a job which schedule brought it. */
export const META_NAME = 'schedule'

export function jobOfSlot(row: ScheduleRow, at: Instant): NewJob {
  const id = derivedId(at, `${row.queue}\0${row.name}\0${at}`)
  return { ...row.spec.job, id, meta: metaOf(row, new Date(at).toISOString()) }
}

/** One beside the plan. */
export function jobBeside(row: ScheduleRow, id: string): NewJob {
  return { ...row.spec.job, id, ownId: false, meta: metaOf(row, null) }
}

function metaOf(row: ScheduleRow, slot: string | null): NewJob['meta'] {
  const { meta } = row.spec.job
  // It was checked to be an object when the schedule was declared.
  const given = meta === null ? {} : (decode(meta) as Record<string, unknown>)
  return encode({ ...given, [META_NAME]: { name: row.name, slot } }, 'meta')
}
