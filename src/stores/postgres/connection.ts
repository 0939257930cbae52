/**
 * Transactions on connections of a pool. Whatever does not wait for another answer goes out behind
 * it, so that a transaction costs as many round trips as it has questions that follow from answers.
 *
 * Within a transaction no sequential scan is planned where an index can serve: statistics that are
 * old or missing, as behind a burst of inserts, must not turn a look at ten rows into one at all.
 * What may be lost with the server's power commits asynchronously; everything else as the server is
 * set.
 *
 * A server that does not answer is given up: the connection is thrown away, and with it whatever it
 * had locked, which the server lets go of by itself when it no longer hears of us. The spans are such
 * that within a lease (30 s) the loss is noticed, a new connection is made, and a beat gets through.
 */
import type { Millis } from '../../job/job.js'
import { sleep } from '../../time/clock.js'
import type { Chance, Clock } from '../../time/clock.js'
import type { Purpose, Tx, Value } from '../sql/port.js'
import type { Asked, Statement } from '../sql/statements.js'
import {
  isForgotten,
  isHung,
  isInTheWay,
  isReadOnly,
  isTheirs,
  unknown,
  unreachable,
} from './errors.js'
import { statements } from './statements.js'

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

export interface ConnectionsParts {
  readonly pool: Pool
  /** What stands before every name: `"millrace".`. */
  readonly schema: string
  /** Apart from those of other schemas: the first half of what is locked. */
  readonly lockClass: number
  readonly clock: Clock
  readonly chance: Chance
  /** The store's time, where it is not the server's. */
  readonly now?: () => Millis
}

/** How often a transaction is tried when others are in the way. */
const TRIES = 12
const BREATH = 4

/** How long a connection may take, until it is there or until one of the pool is free. */
export const CONNECTS_WITHIN: Millis = 5_000
/** How long the answer to a statement may take that a job waits for. */
export const ANSWERS_WITHIN: Millis = 10_000
/** The same of what is only shown: counting millions of jobs takes its time. */
const SHOWS_WITHIN: Millis = 20_000
/** When the server hears nothing for so long within a transaction, we are gone, and our locks go. */
const SILENT_AT_MOST: Millis = 15_000

const BEGIN: Readonly<Record<Purpose, string>> = {
  read: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  durable: 'BEGIN',
  loose: 'BEGIN',
}

const SETTINGS = `
  SELECT set_config('enable_seqscan',   'off', true),
         set_config('enable_hashjoin',  'off', true),
         set_config('enable_mergejoin', 'off', true),
         set_config('jit',              'off', true),
         set_config('idle_in_transaction_session_timeout', '${SILENT_AT_MOST}', true)`

/** Whole numbers that a double holds: all that we count. */
const TYPES = {
  getTypeParser(type: number): (text: string) => unknown {
    switch (type) {
      case INT2:
      case INT4:
      case INT8:
      case FLOAT8:
      case NUMERIC:
        return Number
      default:
        return named
    }
  },
}
const INT2 = 21
const INT4 = 23
const INT8 = 20
const FLOAT8 = 701
const NUMERIC = 1700

export class Connections {
  readonly #parts: ConnectionsParts
  readonly #writing: Readonly<Record<Statement, string>>
  readonly #reading: Readonly<Record<Statement, string>>
  /** A pooler between us and the server may give each transaction another connection. */
  #prepares = true

  constructor(parts: ConnectionsParts) {
    this.#parts = parts
    this.#writing = statements(parts.schema, 'FOR UPDATE OF j')
    this.#reading = statements(parts.schema, '')
  }

  async transact<T>(purpose: Purpose, work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(purpose, work)
      } catch (error) {
        if (isForgotten(error) && this.#prepares) this.#prepares = false
        else if (!isInTheWay(error) || tries === TRIES) throw told(error)
      }
      const { clock, chance } = this.#parts
      await sleep(clock, BREATH * tries * (0.5 + chance.next()))
    }
  }

  async #once<T>(purpose: Purpose, work: (tx: Tx) => Promise<T>): Promise<T> {
    const client = new Asking(await this.#connect(), purpose)
    const pending = new Pending()
    let isSpoilt = false
    let commits = false
    try {
      const now = await this.#begin(client, purpose)
      const answer = await work(this.#tx(client, purpose, now, pending))
      await Promise.all(pending.checked)
      commits = purpose !== 'read'
      const ended = client.query({ text: 'COMMIT' })
      // Where one of these failed, the server has made a rollback of the commit.
      await Promise.all([...pending.writes, ended])
      return answer
    } catch (error) {
      const isBroken = !(await client.rollBack(error))
      await Promise.allSettled(pending.writes)
      // The same address may lead to a server that writes, now or soon.
      isSpoilt = isBroken || isReadOnly(error)
      if (commits && isBroken) throw unknown(error)
      throw error
    } finally {
      client.release(isSpoilt)
    }
  }

  async #connect(): Promise<Client> {
    try {
      return await this.#parts.pool.connect()
    } catch (error) {
      throw unreachable(error)
    }
  }

  async #begin(client: Asking, purpose: Purpose): Promise<Millis> {
    const synced = purpose === 'loose' ? ", set_config('synchronous_commit', 'off', true)" : ''
    const [, answer] = await Promise.all([
      client.query({ text: BEGIN[purpose] }),
      client.query({ text: `${SETTINGS}${synced}, ${NOW} AS now`, types: TYPES }),
    ])
    const [row] = answer.rows as [{ readonly now: Millis }] // as: what was just asked
    return this.#parts.now?.() ?? row.now
  }

  #tx(client: Asking, purpose: Purpose, now: Millis, pending: Pending): Tx {
    const texts = purpose === 'read' ? this.#reading : this.#writing
    const kind = purpose === 'read' ? 'r' : 'w'
    const ask = async <S extends Statement>(name: S, values: unknown[]): Promise<Asked[S][]> => {
      const prepared = this.#prepares ? { name: `millrace/${kind}/${name}` } : {}
      const answer = await client.query({ ...prepared, text: texts[name], values, types: TYPES })
      return answer.rows as Asked[S][] // as: what the statement is said to answer
    }
    const held = new Set<number>()
    const each: Tx['each'] = async (statement, shared, rows) => {
      if (rows.length === 0) return []
      const columns = rows[0].map((_, at) => rows.map((row) => sent(row[at])))
      return ask(statement, [...shared.map(sent), ...columns])
    }
    return {
      now,
      all: (statement, params) => ask(statement, params.map(sent)),
      each,
      write: (statement, shared, rows, check) => {
        if (rows.length === 0) return
        const written = each(statement, shared, rows)
        const isChecked = check !== undefined
        pending.add(isChecked ? written.then(({ length }) => check(length)) : written, isChecked)
      },
      lock: async (queues, how) => {
        const wanted = queues.filter((queue) => !held.has(queue)).sort((a, b) => a - b)
        if (purpose === 'read' || wanted.length === 0) return
        for (const queue of wanted) held.add(queue)
        const shared = how === 'shared' ? '_shared' : ''
        await client.query({
          text: `SELECT pg_advisory_xact_lock${shared}($1, q) FROM unnest($2::int[]) AS q`,
          values: [this.#parts.lockClass, wanted],
        })
      },
      hold: async (name) => {
        await client.query({
          text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, $2))',
          values: [name, this.#parts.lockClass],
        })
      },
    }
  }
}

/** A connection of the pool while it is ours. */
class Asking {
  readonly #client: Client
  readonly #within: Millis

  constructor(client: Client, purpose: Purpose) {
    this.#client = client
    this.#within = purpose === 'read' ? SHOWS_WITHIN : ANSWERS_WITHIN
    client.on('error', heardByItsQueries)
  }

  query(query: Parameters<Client['query']>[0]): ReturnType<Client['query']> {
    return this.#client.query({ ...query, query_timeout: this.#within })
  }

  /** Whether the connection is of use any more. One that hangs is asked nothing. */
  async rollBack(why: unknown): Promise<boolean> {
    if (isHung(why)) return false
    const [rolledBack] = await Promise.allSettled([this.query({ text: 'ROLLBACK' })])
    return rolledBack.status === 'fulfilled'
  }

  release(isSpoilt: boolean): void {
    this.#client.off('error', heardByItsQueries)
    this.#client.release(isSpoilt)
  }
}

/** While nobody listens to it, a connection that breaks would end the process; its queries fail, too. */
export const heardByItsQueries = (): void => undefined

/** What a transaction has written and not waited for. */
class Pending {
  readonly writes: Promise<unknown>[] = []
  /** Those whose answers decide whether it may end. */
  readonly checked: Promise<unknown>[] = []

  add(written: Promise<unknown>, isChecked = false): void {
    written.catch(() => undefined) // it is waited for at the end, and told then
    this.writes.push(written)
    if (isChecked) this.checked.push(written)
  }
}

/** By the server, in milliseconds; it moves on within a transaction, so it is asked once. */
const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::float8'

/** PostgreSQL's text has no NUL; names may. What cannot be sent is written with a mark before it. */
function sent(value: Value): unknown {
  if (typeof value === 'string') return marked(value)
  if (Array.isArray(value)) return value.map((one: string | number) => sent(one))
  return value
}

function marked(text: string): string {
  if (!text.includes('\u0000') && !text.includes('\u0001')) return text
  return text.replaceAll('\u0001', '\u0001b').replaceAll('\u0000', '\u0001a')
}

function named(text: string): string {
  if (!text.includes('\u0001')) return text
  return text.replaceAll('\u0001a', '\u0000').replaceAll('\u0001b', '\u0001')
}

/** Our own errors, and bugs, as they are; the server's and the network's in our words. */
function told(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'MillraceError') return error
  return isTheirs(error) ? unreachable(error) : error
}
