/** What is said of a job, in one place for `list` and `show`: its last word, and its colour. */
import type { Attempt, JobView } from '../job/view.js'
import { safe } from './plain.js'
import type { Paint } from './terminal.js'

/** Why it stands where it stands, when something went wrong; null when nothing did. */
export function lastWord(job: JobView): string | null {
  const error = errorOf(job.history.at(-1))
  if (job.state === 'completed') return null
  if (job.reason !== null && job.reason !== error?.message) return safe(job.reason)
  if (error !== null) return safe(`${error.name}: ${error.message}`)
  if (job.reason !== null) return safe(job.reason)
  if (job.origin === null) return null
  const last = errorOf(job.origin.history.at(-1))
  const why =
    last === null ? job.origin.reason : `${job.origin.reason}, ${last.name}: ${last.message}`
  return safe(`from ${job.origin.queue}: ${why}`)
}

function errorOf(attempt: Attempt | undefined): Attempt['error'] {
  return attempt?.error ?? null
}

export function paintState(paint: Paint, { state }: Pick<JobView, 'state'>, text: string): string {
  switch (state) {
    case 'completed':
      return paint.green(text)
    case 'discarded':
      return paint.red(text)
    case 'retryable':
    case 'running':
      return paint.yellow(text)
    case 'cancelled':
    case 'scheduled':
    case 'waiting':
      return paint.dim(text)
    case 'available':
      return text
  }
}
