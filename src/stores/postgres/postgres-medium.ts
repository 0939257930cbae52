/**
 * The database beneath a store in PostgreSQL: how it is opened, told of, and closed.
 */
import { createHash } from 'node:crypto'
import { MillraceError, millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import type { BeatRecipe, Hint, Traits } from '../../store.js'
import { systemChance, systemClock } from '../../time/system.js'
import type { Chance } from '../../time/clock.js'
import type { Liveness } from '../sql/nodes.js'
import type { Database } from '../sql/port.js'
import type { CommitWays, SqlMedium } from '../sql/medium.js'
import { byUrl, throughPool } from './access.js'
import type { Access, AccessParts } from './access.js'
import { SCHEMA } from './address.js'
import { asking } from './asking.js'
import { Connections } from './connection.js'
import type { Pool, UserPglite, UserPool } from './client.js'
import { CHANNEL_DIGITS, CHANNEL_PREFIX } from './enqueue-function.js'
import { unreachable } from './errors.js'
import { join, WHERE } from './joined.js'
import { bringUp, placeIn } from './migrate.js'
import { within } from './parting.js'
import { PATIENCE } from './patience.js'
import type { Patience } from './patience.js'
import { isPglite, onPglite } from './pglite.js'
import { Teller } from './telling.js'
import { Volleys } from './volleys.js'

export type PostgresStoreOptions = {
  /** The schema in which the tables lie ['millrace']. */
  readonly schema?: string
} & ({ readonly url: string } | { readonly pool: UserPool | UserPglite })

/** What tests hand in, and who makes it. */
export interface PostgresStoreParts {
  readonly chance?: Chance
  /** The store's time [the server's]. */
  readonly now?: () => Millis
  readonly liveness?: Liveness
  /** How long the server may take [`PATIENCE`]. */
  readonly patience?: Partial<Patience>
  /** It only beats, from a thread. */
  readonly isBeater?: boolean
  /** What a thread loads to beat by; null: beats come from the loop [null]. */
  readonly beatModule?: string | null
}

/** Rows that PGlite counts in some milliseconds. */
const COUNTS_AT_ONCE = 5_000

/** Dead rows that a claim may have to pass by: some tenths of a millisecond. */
const RAISE_AFTER = 2_000

export class PostgresMedium implements SqlMedium {
  readonly liveness: Liveness
  readonly #schema: string
  readonly #parts: PostgresStoreParts
  readonly #patience: Patience
  readonly #access: Access
  #teller: Teller | null = null
  #connections: Connections | null = null

  constructor(options: PostgresStoreOptions, parts: PostgresStoreParts) {
    const { chance = systemChance } = parts
    this.#schema = options.schema ?? SCHEMA
    this.#parts = parts
    this.#patience = { ...PATIENCE, ...parts.patience }
    const { isBeater = false } = parts
    this.#access = accessBy(options, {
      ...{ schema: this.#schema, chance, patience: this.#patience, isBeater },
      // A thread has the real time, and knows nothing of what was handed in.
      beatModule:
        parts.now === undefined && parts.patience === undefined ? (parts.beatModule ?? null) : null,
    })
    this.liveness = parts.liveness ?? this.#access.liveness
  }

  get traits(): Traits {
    return this.#access.traits
  }

  get commits(): CommitWays {
    return this.#access.commits
  }

  get proof(): string | null {
    return this.#access.proof
  }

  async open(scope: string, onHints: (hints: readonly Hint[]) => void): Promise<Database> {
    try {
      return await this.#begin(scope, onHints)
    } catch (error) {
      // Whoever tries again begins anew.
      await this.close()
      throw MillraceError.is(error) ? error : unreachable(error)
    }
  }

  async #begin(scope: string, onHints: (hints: readonly Hint[]) => void): Promise<Database> {
    const name = this.#schema
    const place = placeIn(name)
    const channel = channelOf(name, scope)
    const pool = await this.#access.open()
    await bringUp(pool, place)
    const { chance = systemChance, now } = this.#parts
    const patience = this.#patience
    const { isEmbedded, commits } = this.#access
    const base = { pool, ...place, clock: systemClock, chance, patience, isEmbedded }
    const connections = new Connections(now === undefined ? base : { ...base, now })
    if (isEmbedded !== true) this.#connections = connections
    // By the system's dice: two handles must never take one another for themselves.
    const from = Buffer.from(systemChance.bytes(16)).toString('hex')
    await this.#access.listen({ channel, except: from, hear: onHints })
    const table = `${place.schema}jobs`
    const where = await placeOf(pool, table, patience)
    const { texts } = connections
    const { isApart } = commits
    const asked = { texts, channel, place: where, table, isApart }
    const joining = now === undefined ? asked : { ...asked, now }
    const teller = new Teller({ pool, channel, from, hear: onHints, patience })
    this.#teller = teller
    return {
      transact: (purpose, work, how) => connections.transact(purpose, work, how),
      durable: async () => undefined,
      spread: (handfuls) => connections.spread(handfuls),
      oneTrip: new Volleys({
        connections,
        teller,
        schema: place.schema,
        ...(now !== undefined && { now }),
      }),
      raiseAfter: RAISE_AFTER,
      countsAtOnce: isEmbedded === true ? COUNTS_AT_ONCE : Infinity,
      join: (tx) => join(tx, joining),
      tell: (hints, areOthersTold) => teller.tell(hints, areOthersTold),
    }
  }

  /** What waits for a server has spans of its own. */
  hurry(): void {
    this.#connections?.hurry()
  }

  async close(): Promise<void> {
    const teller = this.#teller
    this.#teller = null
    // A server that answers has heard them by now.
    if (teller !== null) await within(systemClock, teller.idle(), () => undefined)
    await this.#access.close()
  }

  beatRecipe(scope: string): BeatRecipe | null {
    return this.#access.beatRecipe(scope)
  }
}

function accessBy(options: PostgresStoreOptions, parts: AccessParts): Access {
  if ('url' in options) return byUrl(options.url, parts)
  const { pool } = options
  return isPglite(pool) ? onPglite(pool, parts) : throughPool(pool as unknown as Pool, parts) // as: pg's pool has that shape
}

function channelOf(schema: string, scope: string): string {
  const digest = createHash('sha256').update(`${schema}/${scope}`).digest('hex')
  return CHANNEL_PREFIX + digest.slice(0, CHANNEL_DIGITS)
}

/** Which tables these are, so that a transaction on others is refused; and how exactly they are read. */
const LOOK = `SELECT ${WHERE} AS place, current_setting('extra_float_digits')::int4 AS digits`

interface Looked {
  readonly place: string
  readonly digits: number
}

function placeOf(pool: Pool, table: string, { answers }: Patience): Promise<string> {
  const asked = { text: LOOK, values: [table], query_timeout: answers }
  return asking(pool, async (client) => {
    const [{ place, digits }] = (await client.query(asked)).rows as [Looked] // as: what was just asked
    if (Number(digits) < 0) throw inexact(digits)
    return place
  })
}

/** Times are doubles, and would be read rounded. */
function inexact(digits: number): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'store postgres',
    expected: 'extra_float_digits of 0 or more',
    received: digits,
    remedy:
      "take that setting from the role, the database or the connection: the server's own default is 1",
  })
}
