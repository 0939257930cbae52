/**
 * Which jobs of a queue are meant. All that is given must hold; nothing given means every job.
 */
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
