/**
 * The one session of a PGlite as connections of a pool: each transaction on them is a turn
 * (pglite-turn.ts), and so is each statement outside of one. Statements that are sent without waiting
 * for answers run in their order. Nobody is there to be isolated from, so of a BEGIN only the
 * beginning counts.
 */
import type { Client, Pool, Query } from './client.js'
import type { Broom } from './pglite-broom.js'
import { Prepared } from './pglite-prepared.js'
import { gone, hasBroken, inTurn, isOfDatabase, takeTurn } from './pglite-turn.js'
import type { Pglite, Rows, Turn, TurnParts } from './pglite-turn.js'

export interface PoolParts extends TurnParts {
  /** Of this PGlite, and of no other. */
  readonly name: string
  readonly broom: Broom
}

export function poolOn(db: Pglite, parts: PoolParts): Pool {
  const prepared = Prepared.on(db, parts.name)
  return { connect: async () => new Session(db, prepared, parts) }
}

/** What stands between a BEGIN and its end. */
type Standing =
  | { readonly is: 'idle' }
  | { readonly is: 'open'; readonly turn: Turn }
  /** No turn came, and everything behind the BEGIN fails by it; nothing was done. */
  | { readonly is: 'refused'; readonly by: unknown }
  /** PGlite broke down within it: nobody knows what became of it. */
  | { readonly is: 'lost'; readonly by: unknown }

class Session implements Client {
  /** What it is asked stands in line here. */
  readonly pipeline = true
  readonly #db: Pglite
  readonly #prepared: Prepared
  readonly #parts: PoolParts
  #standing: Standing = { is: 'idle' }
  #last: Promise<unknown> = Promise.resolve()

  constructor(db: Pglite, prepared: Prepared, parts: PoolParts) {
    this.#db = db
    this.#prepared = prepared
    this.#parts = parts
  }

  query(query: Query): Promise<Rows> {
    const answer = this.#last.then(() => this.#ask(query))
    this.#last = answer.catch(() => undefined) // whoever asked is told
    return answer
  }

  async #ask(query: Query): Promise<Rows> {
    if (query.text.startsWith('BEGIN')) await this.#begin()
    else if (query.text === 'COMMIT') await this.#commit()
    else if (query.text === 'ROLLBACK') await this.#rollBack()
    else return this.#answer(query)
    return { rows: [] }
  }

  async #begin(): Promise<void> {
    try {
      this.#standing = { is: 'open', turn: await takeTurn(this.#db, this.#parts) }
    } catch (error) {
      this.#standing = { is: 'refused', by: error }
      throw error
    }
  }

  async #answer(query: Query): Promise<Rows> {
    const standing = this.#standing
    switch (standing.is) {
      case 'idle':
        return inTurn(this.#db, this.#parts, (tx) => this.#prepared.ask(tx, query))
      case 'open':
        return this.#in(standing.turn, this.#prepared.ask(standing.turn.tx, query), hasBroken)
      case 'refused':
      case 'lost':
        throw standing.by
    }
  }

  async #commit(): Promise<void> {
    const standing = this.#standing
    if (standing.is === 'refused' || standing.is === 'lost') throw standing.by
    this.#standing = { is: 'idle' }
    if (standing.is !== 'open') return
    const { turn } = standing
    await this.#in(turn, turn.commit(), (error) => !isOfDatabase(error))
  }

  async #rollBack(): Promise<void> {
    const standing = this.#standing
    if (standing.is === 'lost') throw standing.by
    this.#standing = { is: 'idle' }
    if (standing.is === 'open') await standing.turn.rollBack()
  }

  async #in<T>(turn: Turn, done: Promise<T>, isLost: (error: unknown) => boolean): Promise<T> {
    try {
      return await done
    } catch (error) {
      if (isLost(error)) {
        this.#standing = { is: 'lost', by: gone(error) }
        await Promise.allSettled([turn.rollBack()]) // lets go of the line, if nothing else
      }
      throw error
    }
  }

  /** Nothing of it is left open. */
  release(): void {
    this.query({ text: 'ROLLBACK' }).catch(() => undefined) // of what is lost nobody waits for more
    this.#parts.broom.turned()
  }

  /** There is no socket that could break. */
  on(): void {
    return undefined
  }

  off(): void {
    return undefined
  }
}
