/**
 * What we need of the driver's connections and pools, as shapes.
 */
import type { Millis } from '../../job/job.js'
import type { Types } from './reading.js'

export interface Query {
  readonly name?: string
  readonly text: string
  readonly values?: unknown[]
  readonly types?: Types
  /** Rows as arrays of their columns: where there are many [as objects]. */
  readonly rowMode?: 'array'
  /** After so many milliseconds without an answer it fails, and the connection is of no use. */
  readonly query_timeout?: Millis
}

/** What we need of a connection; `pg`'s has it. */
export interface Client {
  query(query: Query): Promise<{ readonly rows: unknown[] }>
  release(error?: boolean): void
  on(event: 'error', hear: (error: Error) => void): unknown
  off(event: 'error', hear: (error: Error) => void): unknown
  /** It sends what it is asked without waiting for what it was asked before [false]. */
  readonly pipeline?: boolean
  readonly connection?: { readonly stream?: { destroy(): unknown; cork?(): void; uncork?(): void } }
}

export interface Pool {
  connect(): Promise<Client>
}

/** A pool of the user's, as `pg` makes it. It stays open when the store closes. */
export interface UserPool {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- the page says Function
  readonly query: Function
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- see above
  readonly connect: Function
}

/** A PGlite of the user's: PostgreSQL in this process. It stays open when the store closes. */
export interface UserPglite {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- see above
  readonly exec: Function
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- see above
  readonly transaction: Function
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- see above
  readonly listen: Function
}
