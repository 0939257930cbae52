/**
 * The PostgreSQL store: jobs as rows of one schema, for workers on any number of hosts. PostgreSQL
 * 13 or newer; the driver is `pg`, loaded when a store opens by its URL, or a pool of the user's.
 */
import { createHash } from 'node:crypto'
import type * as pgModule from 'pg'
import { MillraceError, millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import { hash32 } from '../../job/book/derived-id.js'
import type { BeatRecipe, Hint, Store, Traits } from '../../store.js'
import { systemChance, systemClock } from '../../time/system.js'
import type { Chance } from '../../time/clock.js'
import type { Liveness } from '../sql/nodes.js'
import type { Database } from '../sql/port.js'
import { SqlStore } from '../sql/sql-store.js'
import type { SqlMedium } from '../sql/sql-store.js'
import { ANSWERS_WITHIN, Connections, CONNECTS_WITHIN, heardByItsQueries } from './connection.js'
import type { Pool } from './connection.js'
import { CHANNEL_DIGITS, CHANNEL_PREFIX } from './enqueue-function.js'
import { unreachable } from './errors.js'
import { Listener, payloadOf } from './listen.js'
import type { Hearer } from './listen.js'
import { migrate } from './migrate.js'
import { tear, within } from './parting.js'
import type { Parting } from './parting.js'

const TRAITS: Traits = {
  survives: 'server',
  reach: 'network',
  transactions: false,
  hints: true,
  beat: 'loop',
}

export type PostgresStoreOptions = {
  /** The schema in which the tables lie ['millrace']. */
  readonly schema?: string
} & ({ readonly url: string } | { readonly pool: UserPool })

/** A pool of the user's, as `pg` makes it. It stays open when the store closes. */
export interface UserPool {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- the page says Function
  readonly query: Function
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- see above
  readonly connect: Function
}

/** What tests hand in. */
export interface PostgresStoreParts {
  readonly chance?: Chance
  /** The store's time [the server's]. */
  readonly now?: () => Millis
  readonly liveness?: Liveness
}

/** Connections of one store: a transaction each, and group commit needs few. */
const CONNECTIONS = 4

/** A store in a schema of PostgreSQL. */
export function postgresStore(options: PostgresStoreOptions): Store<'postgres'> {
  return openablePostgresStore(options, {})
}

export function openablePostgresStore(
  options: PostgresStoreOptions,
  parts: PostgresStoreParts,
): Store<'postgres'> {
  return new SqlStore('postgres', new PostgresMedium(options, parts))
}

interface OwnPool extends Pool {
  on(event: 'error', hear: (error: Error) => void): unknown
  on(event: 'connect' | 'remove', hear: (client: Parting) => void): unknown
  end(): Promise<void>
}

class PostgresMedium implements SqlMedium {
  readonly traits = TRAITS
  readonly proof = null
  readonly liveness: Liveness
  readonly #options: PostgresStoreOptions
  readonly #parts: PostgresStoreParts
  #pool: OwnPool | null = null
  /** Of our own pool, from the first word to the last. */
  readonly #clients = new Set<Parting>()
  #listener: Listener | null = null
  #telling: Promise<unknown> = Promise.resolve()

  constructor(options: PostgresStoreOptions, parts: PostgresStoreParts) {
    this.#options = options
    this.#parts = parts
    this.liveness = parts.liveness ?? (() => 'unknown')
  }

  async open(scope: string, onHints: (hints: readonly Hint[]) => void): Promise<Database> {
    const name = this.#options.schema ?? 'millrace'
    const schema = `"${name.replaceAll('"', '""')}".`
    const lockClass = hash32(name, 0x6d696c6c) | 0
    const channel = channelOf(name, scope)
    const pool = await this.#open()
    try {
      await migrate({ pool, schema, lockClass })
    } catch (error) {
      await this.close()
      throw MillraceError.is(error) ? error : unreachable(error)
    }
    const { chance = systemChance, now } = this.#parts
    const base = { pool, schema, lockClass, clock: systemClock, chance }
    const connections = new Connections(now === undefined ? base : { ...base, now })
    await this.#listen(channel, onHints)
    return {
      transact: (purpose, work) => connections.transact(purpose, work),
      tell: (hints) => this.#tell(pool, channel, hints),
    }
  }

  async #open(): Promise<Pool> {
    if ('pool' in this.#options) return this.#options.pool as unknown as Pool // as: pg's pool has that shape
    const pg = await loadDriver()
    const pool = new pg.Pool({
      connectionString: this.#options.url,
      max: CONNECTIONS,
      pipeline: true,
      application_name: 'millrace',
      connectionTimeoutMillis: CONNECTS_WITHIN,
      keepAlive: true,
    }) as unknown as OwnPool // as: pg's pool has that shape
    // One that broke while idle is thrown away by the pool; whoever needs one hears of it.
    pool.on('error', () => undefined)
    pool.on('connect', (client) => this.#clients.add(client))
    pool.on('remove', (client) => this.#clients.delete(client))
    this.#pool = pool
    return pool
  }

  async #listen(channel: string, onHints: (hints: readonly Hint[]) => void): Promise<void> {
    if (!('url' in this.#options)) return
    const { url } = this.#options
    const pg = await loadDriver()
    const make = (): Hearer =>
      new pg.Client({
        connectionString: url,
        application_name: 'millrace listen',
        connectionTimeoutMillis: CONNECTS_WITHIN,
        query_timeout: CONNECTS_WITHIN,
        keepAlive: true,
      })
    const { chance = systemChance } = this.#parts
    this.#listener = new Listener({ make, channel, clock: systemClock, chance, hear: onHints })
    await this.#listener.start()
  }

  /** Behind the commit, and never waited for: a hint may be lost. */
  #tell(pool: Pool, channel: string, hints: readonly Hint[]): void {
    if (hints.length === 0) return
    const text = 'SELECT pg_notify($1, $2)'
    const values = [channel, payloadOf(hints)]
    const told = async (): Promise<void> => {
      const client = await pool.connect()
      client.on('error', heardByItsQueries)
      const asked = client.query({ text, values, query_timeout: ANSWERS_WITHIN })
      const [said] = await Promise.allSettled([asked])
      client.off('error', heardByItsQueries)
      client.release(said.status === 'rejected')
    }
    this.#telling = Promise.allSettled([this.#telling, told()])
  }

  async close(): Promise<void> {
    await this.#telling
    const [listener, pool] = [this.#listener, this.#pool]
    this.#listener = null
    this.#pool = null
    await listener?.close()
    if (pool === null) return
    const gone = new Promise<void>((resolve) => {
      const look = (): void => (this.#clients.size === 0 ? resolve() : undefined)
      pool.on('remove', look)
      void pool.end().then(look)
    })
    await within(systemClock, gone, () => {
      for (const client of this.#clients) tear(client)
    })
  }

  beatRecipe(): BeatRecipe | null {
    return null
  }
}

function channelOf(schema: string, scope: string): string {
  const digest = createHash('sha256').update(`${schema}/${scope}`).digest('hex')
  return CHANNEL_PREFIX + digest.slice(0, CHANNEL_DIGITS)
}

type Driver = typeof pgModule

async function loadDriver(): Promise<Driver> {
  try {
    const loaded = (await import('pg')) as Driver & { readonly default?: Driver }
    return loaded.default ?? loaded
  } catch (cause) {
    throw millraceError({
      code: 'DRIVER_MISSING',
      subject: 'store postgres',
      expected: 'the package pg',
      received: 'none',
      remedy: 'npm install pg',
      cause,
    })
  }
}
