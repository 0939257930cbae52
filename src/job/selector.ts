/**
 * Which jobs of a queue are meant. All that is given must hold; nothing given means every job.
 */
import { invalid } from './check.js'
import type { Attempt, Origin, State } from './job.js'

export interface Selector {
  readonly ids?: readonly string[]
  readonly states?: readonly State[]
  readonly task?: string
  readonly group?: string
  readonly tag?: string
  /** A part of the id, of the payload's text, or of what went wrong last (`tells`). */
  readonly search?: string
}

/** A page of answers. `cursor`: where the next begins, opaque; null: there is none. */
export interface Paged<T> {
  readonly items: readonly T[]
  readonly cursor: string | null
}

export interface PageAsk {
  readonly limit: number
  readonly cursor: string | null
}

/** The number of a job below which a page of jobs begins; null: at the newest. Throws OPTION_INVALID. */
export function belowOf(cursor: string | null): number | null {
  if (cursor === null) return null
  if (/^\d{1,16}$/.test(cursor)) return Number(cursor)
  throw invalid('list.after', 'the `next` of the page before', cursor)
}

/** What went wrong with a job, as records and columns have it. */
interface Troubles {
  readonly history?: readonly Pick<Attempt, 'error'>[]
  /** Why it was cancelled or discarded. */
  readonly reason?: string | null
  /** What a dead letter was before. */
  readonly origin?:
    (Pick<Origin, 'reason'> & { readonly history: readonly Pick<Attempt, 'error'>[] }) | null
}

/** Whether the text is in its last error, in its reason, or in those of the job whose dead letter it is. */
export function tells({ history, reason, origin }: Troubles, text: string): boolean {
  const errors = [history?.at(-1)?.error, origin?.history.at(-1)?.error]
  const said = errors.map((error) => (error == null ? '' : `${error.name}: ${error.message}`))
  return [...said, reason ?? '', origin?.reason ?? ''].some((one) => one.includes(text))
}
