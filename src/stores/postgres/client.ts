/**
 * What we need of the driver's connections and pools, as shapes.
 */
import type { Millis } from '../../job/job.js'

/** What we need of a connection; `pg`'s has it. */
export interface Client {
  query(query: {
    readonly name?: string
    readonly text: string
    readonly values?: unknown[]
    readonly types?: unknown
    /** After so many milliseconds without an answer it fails, and the connection is of no use. */
    readonly query_timeout?: Millis
  }): Promise<{ readonly rows: unknown[] }>
  release(error?: boolean): void
  on(event: 'error', hear: (error: Error) => void): unknown
  off(event: 'error', hear: (error: Error) => void): unknown
}

export interface Pool {
  connect(): Promise<Client>
}
