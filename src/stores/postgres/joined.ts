/**
 * Our statements in a transaction of the user's, through whichever library holds it (`user-tx.ts`).
 * One after the other, unnamed; arrays travel as literals, which every library passes on as they are.
 * Refused is what is in no transaction, and one that is on another database than the store.
 */
import { invalid } from '../../job/check.js'
import type { Millis } from '../../job/job.js'
import type { Hint } from '../../store.js'
import type { Joined, Tx, Value } from '../sql/port.js'
import type { Asked, Statement } from '../sql/statements.js'
import { payloadOf } from './listen.js'
import { named } from '../sql/names.js'
import { sent } from './names.js'
import { asQuery } from './user-tx.js'
import type { Param, Row, UserQuery } from './user-tx.js'

export interface JoinedParts {
  /** Of what reads: they lock nothing. */
  readonly texts: Readonly<Record<Statement, string>>
  readonly channel: string
  /** Where the store's tables are, as `WHERE` tells it. */
  readonly place: string
  /** Asks it; `$1` is the name of a table of ours. */
  readonly table: string
  /** Whether queues and lanes can be made known in a transaction of ours meanwhile. */
  readonly isApart: boolean
  readonly now?: () => Millis
}

/** A setting that names the session, where a database has but one. */
export const SESSION = 'millrace.session'

/** The database and the table, as the server numbers them, and that session. */
export const WHERE = `
  current_database()::text || '/' || coalesce(to_regclass($1::text)::oid::text, 'nowhere')
  || coalesce('/' || nullif(current_setting('${SESSION}', true), ''), '')`

const BEGUN = `
  SELECT set_config('millrace.joined', 'yes', true) AS joined, ${WHERE} AS place,
         (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`
const LOOK = "SELECT coalesce(current_setting('millrace.joined', true), '') AS joined"

export async function join(user: unknown, parts: JoinedParts): Promise<Joined> {
  const asked = asQuery(user)
  const [begun] = (await asked.query(BEGUN, [parts.table])).rows
  const [looked] = (await asked.query(LOOK)).rows
  if (looked.joined !== 'yes') {
    throw invalid('tx', 'an open transaction', 'a connection outside of one', 'begin one before')
  }
  if (begun.place !== parts.place) {
    const remedy = 'hand in a transaction of the database that the store is on'
    throw invalid('tx', `a transaction on ${parts.place}`, begun.place, remedy)
  }
  const line = new Line(asked)
  return {
    tx: joinedTx(line, parts, parts.now?.() ?? Number(begun.now)),
    isApart: parts.isApart,
    done: () => line.done(),
    async tell(hints: readonly Hint[]) {
      if (hints.length === 0) return
      const params = [parts.channel, payloadOf(hints)]
      await asked.query('SELECT pg_notify($1::text, $2::text)::text AS told', params)
    },
  }
}

/** One statement at a time: what one connection of any library can do. */
class Line {
  readonly #asked: UserQuery
  #last: Promise<unknown> = Promise.resolve()
  /** What nobody waits for. */
  readonly #writes: Promise<unknown>[] = []

  constructor(asked: UserQuery) {
    this.#asked = asked
  }

  ask(text: string, params: readonly Param[]): Promise<readonly Row[]> {
    const rows = this.#last.then(async () => (await this.#asked.query(text, params)).rows)
    this.#last = rows.catch(() => undefined) // whoever asked is told
    return rows
  }

  written(write: Promise<unknown>): void {
    write.catch(() => undefined) // `done` tells
    this.#writes.push(write)
  }

  async done(): Promise<void> {
    await Promise.all(this.#writes)
  }
}

function joinedTx(line: Line, { texts, isApart }: JoinedParts, now: Millis): Tx {
  const ask = async <S extends Statement>(name: S, params: Param[]): Promise<Asked[S][]> => {
    const rows = await line.ask(texts[name], params)
    return rows.map(read) as unknown as Asked[S][] // as: what the statement is said to answer
  }
  const each: Tx['each'] = async (statement, shared, rows) => {
    if (rows.length === 0) return []
    const columns = rows[0].map((_, at) => sent(rows.map((row) => row[at]) as Value)) // as: lists have no lists in them
    return ask(statement, [...shared.map(sent), ...columns])
  }
  return {
    now,
    isUsers: true,
    isOpen: isApart,
    all: (statement, params) => ask(statement, params.map(sent)),
    each,
    write: (statement, shared, rows, check) => {
      if (rows.length > 0) {
        line.written(each(statement, shared, rows).then(({ length }) => check?.(length)))
      }
    },
    // Claims in turns must not wait for it.
    lock: async () => undefined,
    spread: () => undefined,
    hold: async () => undefined,
  }
}

/** Of these some libraries make text. */
const NUMBERS = new Set(['seq', 'max_attempts', 'token', 'last', 'child', 'xid'])

function read(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (typeof value !== 'string') return [name, value]
      return [name, NUMBERS.has(name) ? Number(value) : named(value)]
    }),
  )
}
