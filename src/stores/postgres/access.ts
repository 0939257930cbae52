/**
 * How a store comes to its connections: by a URL, with a pool and a listener of its own; or through a
 * pool of the user's, which is left as it is, and hears nothing. A PGlite of his is in `pglite.ts`.
 */
import type { BeatRecipe, Traits } from '../../store.js'
import { systemClock } from '../../time/system.js'
import type { Chance } from '../../time/clock.js'
import type { SqlMedium } from '../sql/medium.js'
import type { Pool } from './client.js'
import { loadDriver, ownPool } from './driver.js'
import type { OwnPool } from './driver.js'
import { Listener } from './listen.js'
import type { Hearer, ListenerParts } from './listen.js'
import { tear, within } from './parting.js'
import type { Parting } from './parting.js'
import type { Patience } from './patience.js'
import { patientPool, sizeOf } from './patient-pool.js'

export interface Access extends Pick<SqlMedium, 'traits' | 'commits' | 'liveness' | 'proof'> {
  /** Whether all there is is one session, in this process. */
  readonly isEmbedded: boolean
  beatRecipe(scope: string): BeatRecipe | null
  open(): Promise<Pool>
  /** Answers when it hears, or cannot yet. */
  listen(hearing: Hearing): Promise<void>
  /** What is the user's stays open. */
  close(): Promise<void>
}

/** What is heard, and by whom it was not said: himself. */
export type Hearing = Pick<ListenerParts, 'channel' | 'except' | 'hear'>

export interface AccessParts {
  readonly schema: string
  readonly chance: Chance
  readonly patience: Patience
  /** Who only beats, from a thread, has one connection and hears nothing. */
  readonly isBeater: boolean
  /** What a thread loads to beat by; null: beats come from the loop. */
  readonly beatModule: string | null
}

const TRAITS: Traits = {
  survives: 'server',
  reach: 'network',
  transactions: true,
  hints: true,
  beat: 'loop',
}

/** Connections of one store: a transaction each, and group commit needs few. */
const CONNECTIONS = 4

const OF_SERVER: Omit<Access, 'open' | 'listen' | 'close' | 'beatRecipe'> = {
  traits: TRAITS,
  commits: { atOnce: CONNECTIONS / 2, isApart: true, clock: systemClock },
  isEmbedded: false,
  proof: null,
  liveness: () => 'unknown',
}

/** What crosses from the store to its thread. */
export interface BeatData {
  readonly url: string
  readonly schema: string
  readonly scope: string
}

export function throughPool(pool: Pool, { patience }: AccessParts): Access {
  const patient = patientPool(pool, patience.connects, systemClock)
  // What is enqueued within one that is under way needs a second connection.
  const atOnce = Math.max(1, Math.floor(Math.min(sizeOf(pool) ?? CONNECTIONS, CONNECTIONS) / 2))
  return {
    ...OF_SERVER,
    // None of its connections may be kept for hearing.
    traits: { ...TRAITS, hints: false },
    commits: { ...OF_SERVER.commits, atOnce },
    beatRecipe: () => null,
    open: async () => patient,
    listen: async () => undefined,
    close: async () => undefined,
  }
}

export function byUrl(url: string, parts: AccessParts): Access {
  const own = new Own(url, parts)
  const { schema, beatModule: module } = parts
  return {
    ...OF_SERVER,
    traits: { ...TRAITS, beat: module === null ? 'loop' : 'thread' },
    beatRecipe(scope) {
      const data: BeatData = { url, schema, scope }
      return module === null ? null : { module, data }
    },
    open: () => own.open(),
    listen: (hearing) => own.listen(hearing),
    close: () => own.close(),
  }
}

class Own {
  readonly #url: string
  readonly #parts: AccessParts
  #pool: OwnPool | null = null
  /** Of our pool, from the first word to the last. */
  readonly #clients = new Set<Parting>()
  #listener: Listener | null = null

  constructor(url: string, parts: AccessParts) {
    this.#url = url
    this.#parts = parts
  }

  async open(): Promise<Pool> {
    const { patience, isBeater } = this.#parts
    const pool = await ownPool(this.#url, isBeater ? 1 : CONNECTIONS, patience)
    pool.on('connect', (client) => {
      this.#clients.add(client)
      // In the moment in which the pool hands it over nobody else hears that it breaks.
      client.on('error', () => undefined)
    })
    pool.on('remove', (client) => this.#clients.delete(client))
    this.#pool = pool
    return pool
  }

  async listen(hearing: Hearing): Promise<void> {
    const { chance, patience, isBeater } = this.#parts
    if (isBeater) return
    const { connects, silence } = patience
    const pg = await loadDriver()
    const make = (): Hearer =>
      new pg.Client({
        connectionString: this.#url,
        application_name: 'millrace listen',
        connectionTimeoutMillis: connects,
        query_timeout: connects,
        keepAlive: true,
      })
    this.#listener = new Listener({ ...hearing, make, clock: systemClock, chance, silence })
    await this.#listener.start()
  }

  async close(): Promise<void> {
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
}
