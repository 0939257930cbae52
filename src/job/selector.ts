/**
 * Which jobs of a queue are meant. All that is given must hold; nothing given means every job.
 */
import { invalid } from './check.js'
import type { State } from './job.js'

export interface Selector {
  readonly ids?: readonly string[]
  readonly states?: readonly State[]
  readonly task?: string
  readonly group?: string
  readonly tag?: string
  /** A part of the id, the payload's text or the last error. */
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
