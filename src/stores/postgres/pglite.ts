/**
 * A PGlite of the user's: PostgreSQL in this process, with one session that is his, too. It is known by
 * its shape, nothing of it is imported, and it stays open when the store closes.
 *
 * The process has its files for itself. So whoever worked on them through another PGlite is gone: each
 * is given a name, which nodes leave as their proof, and by which its session is known, so that a
 * transaction on another PGlite is refused.
 */
import type { Traits } from '../../store.js'
import { systemChance, systemClock } from '../../time/system.js'
import type { Access, AccessParts, Hearing } from './access.js'
import type { Pool } from './client.js'
import { SESSION } from './joined.js'
import { hintsIn } from './listen.js'
import { within } from './parting.js'
import { Broom } from './pglite-broom.js'
import { poolOn } from './pglite-session.js'
import { inTurn } from './pglite-turn.js'
import type { Pglite, TurnParts, Unlisten } from './pglite-turn.js'

/** It has what a PGlite has, and a pool has not. */
export function isPglite(given: object): given is Pglite {
  return has(given, 'exec') && has(given, 'transaction') && has(given, 'listen')
}

export function onPglite(db: Pglite, { schema, chance, patience }: AccessParts): Access {
  const name = nameOf(db)
  const turns: TurnParts = { clock: systemClock, chance, within: patience.turns }
  const ear = new Ear(db, turns)
  const broom = new Broom(db, schema, turns)
  return {
    traits: traitsOf(db),
    commits: { atOnce: 1, isApart: false, clock: systemClock },
    isEmbedded: true,
    proof: name,
    beatRecipe: () => null,
    liveness: ({ proof = null }) => (proof === null || proof === name ? 'unknown' : 'dead'),
    async open(): Promise<Pool> {
      await inTurn(db, turns, (tx) => tx.query('SELECT set_config($1, $2, false)', [SESSION, name]))
      return poolOn(db, { ...turns, name, broom })
    },
    listen: (hearing) => ear.listen(hearing),
    /** While its owner has a transaction open, and when he has closed it, nobody waits. */
    async close(): Promise<void> {
      await within(systemClock, Promise.all([broom.idle(), ear.close()]), () => undefined)
    },
  }
}

/** PGlite never syncs its files, so they survive no more than the process. */
function traitsOf({ dataDir }: Pglite): Traits {
  const isInMemory = dataDir === undefined || /^(memory:.*)?$/.test(dataDir)
  return {
    survives: isInMemory ? 'nothing' : 'process',
    reach: 'process',
    transactions: true,
    hints: true,
    beat: 'loop',
  }
}

/** Hears in the session that all speak in. */
class Ear {
  readonly #db: Pglite
  readonly #turns: TurnParts
  #unlisten: Unlisten | null = null
  #isClosed = false

  constructor(db: Pglite, turns: TurnParts) {
    this.#db = db
    this.#turns = turns
  }

  async listen({ channel, except, hear }: Hearing): Promise<void> {
    const heard = (payload: string): void => {
      const { from, hints } = hintsIn(payload)
      if (!this.#isClosed && from !== except) hear(hints)
    }
    this.#isClosed = false
    this.#unlisten = await inTurn(this.#db, this.#turns, (tx) => tx.listen(channel, heard))
  }

  async close(): Promise<void> {
    const unlisten = this.#unlisten
    this.#isClosed = true
    this.#unlisten = null
    if (unlisten === null) return
    await inTurn(this.#db, this.#turns, (tx) => unlisten(tx as never)) // as: it is PGlite's own
  }
}

const names = new WeakMap<object, string>()

/** The same for all stores on it, and never again. */
function nameOf(db: object): string {
  const name = names.get(db) ?? Buffer.from(systemChance.bytes(16)).toString('hex')
  names.set(db, name)
  return name
}

function has(given: object, method: string): boolean {
  return typeof (given as Readonly<Record<string, unknown>>)[method] === 'function' // as: any object can be read by name
}
