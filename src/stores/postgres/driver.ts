/** The driver, `pg`: loaded when a store opens by its URL, never before. */
import type * as pgModule from 'pg'
import { millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import type { Pool } from './client.js'
import type { Parting } from './parting.js'
import { PATIENCE } from './patience.js'

type Driver = typeof pgModule

/**
 * How long a connection without work is kept. A new one has no plan yet, so whoever meets it first waits
 * for some 60 ms; and under a light load the third and fourth are wanted a few times a minute.
 */
const KEPT: Millis = 5 * 60_000
/** Idle for so long it says that it is there: what stands between forgets silent ones after 4 minutes. */
const SILENT: Millis = 30_000

interface OwnClient extends Parting {
  on(event: 'error', hear: (error: Error) => void): unknown
}

export interface OwnPool extends Pool {
  on(event: 'error', hear: (error: Error) => void): unknown
  on(event: 'connect' | 'remove', hear: (client: OwnClient) => void): unknown
  end(): Promise<void>
}

/** Of at most so many connections. Throws DRIVER_MISSING. */
export async function ownPool(
  url: string,
  connections: number,
  { connects } = PATIENCE,
): Promise<OwnPool> {
  const pg = await loadDriver()
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    pipeline: true,
    application_name: 'millrace',
    connectionTimeoutMillis: connects,
    idleTimeoutMillis: KEPT,
    keepAlive: true,
    keepAliveInitialDelayMillis: SILENT,
  }) as unknown as OwnPool // as: pg's pool has that shape
  // One that broke while idle is thrown away by the pool; whoever needs one hears of it.
  pool.on('error', () => undefined)
  return pool
}

export async function loadDriver(): Promise<Driver> {
  try {
    const loaded = (await import('pg')) as Driver & { readonly default?: Driver }
    return loaded.default ?? loaded
  } catch (cause) {
    throw millraceError({
      code: 'DRIVER_MISSING',
      subject: 'store postgres',
      expected: 'the package pg',
      received: 'none',
      remedy: 'say `npm install pg`',
      cause,
    })
  }
}
