/**
 * On a PGlite nobody vacuums but who is told to, so we see to our own tables: after so many turns we
 * look whether the rows of finished jobs that lie about are worth it, as autovacuum would. It blocks
 * the process as every statement there does; of some ten thousand dead rows for some ten milliseconds.
 */
import { outside, inTurn } from './pglite-turn.js'
import type { Pglite, TurnParts } from './pglite-turn.js'

/** Turns between two looks. */
const TURNS = 100

/** Dead rows that are worth it, and how many more for each that lives. */
const DEAD = `
  SELECT relname AS name FROM pg_stat_user_tables
  WHERE schemaname = $1 AND n_dead_tup > 1000 + n_live_tup / 5`

export class Broom {
  readonly #db: Pglite
  /** The schema, by its bare name. */
  readonly #schema: string
  readonly #parts: TurnParts
  #turns = 0
  #sweeping: Promise<unknown> | null = null

  constructor(db: Pglite, schema: string, parts: TurnParts) {
    this.#db = db
    this.#schema = schema
    this.#parts = parts
  }

  /** A turn of ours is over. Nobody waits for what that may bring about. */
  turned(): void {
    this.#turns++
    if (this.#turns < TURNS || this.#sweeping !== null) return
    this.#turns = 0
    // What fails now, as when the PGlite is closed, is tried again after as many turns.
    this.#sweeping = Promise.allSettled([this.#sweep()]).then(() => (this.#sweeping = null))
  }

  async idle(): Promise<void> {
    await this.#sweeping
  }

  async #sweep(): Promise<void> {
    const { rows } = await inTurn(this.#db, this.#parts, (tx) => tx.query(DEAD, [this.#schema]))
    for (const { name } of rows as { readonly name: string }[] /* as: what DEAD asks */) {
      await outside(this.#db, `VACUUM ${quoted(this.#schema)}.${quoted(name)}`)
    }
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
