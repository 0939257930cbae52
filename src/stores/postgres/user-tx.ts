/**
 * The user's own transaction, whichever library holds it, as one function that asks: text with `$1`,
 * parameters, rows. Nothing is imported: a library is known by its shape. Looked at in this order, since
 * some have methods of the names that others are known by:
 *
 * 1. Prisma: `$queryRawUnsafe`. The client itself, which has `$connect`, is refused; its transaction
 *    hides that.
 * 2. Kysely: `executeQuery` and `isTransaction`, which must be true. Its plugins are left out, which
 *    would rename our columns.
 * 3. Drizzle: `execute`, and `rollback`, which only a transaction has. It takes any object that makes
 *    SQL of itself.
 * 4. Knex: `raw` and `isTransaction`, which must be true. It writes `?` for `$1` (question-marks.ts).
 * 5. postgres.js: `unsafe`. `sql` itself, which has `begin`, is refused; in `sql.begin` and after
 *    `sql.reserve` there is none.
 * 6. TypeORM: `query` and `isTransactionActive` of a QueryRunner, which must be true; or an
 *    EntityManager's `queryRunner`, which is one. A DataSource is refused.
 * 7. PGlite: `query` and `exec`. The database itself, which has `transaction`, is refused: a query of it
 *    would wait for the transaction that waits for the query.
 * 8. pg, and whatever is like it: `query`. A Pool, which has `totalCount`, is refused, and so is a client
 *    that says that it is in no transaction, where it can (`getTransactionStatus`).
 *
 * Parameters are strings, numbers, booleans, null, and arrays of those; each `$1` is cast in the text
 * (`$1::text[]`), since the libraries disagree about the types that they guess. Arrays with booleans are
 * sent as array literals: postgres.js takes their type from the first element, and drops the brackets.
 * In rows an int8 is a string or a number, as the library reads it, never a bigint; a float8 is a number;
 * an array holds no null, which postgres.js reads as the word (`to_jsonb` it). A numeric and a date are
 * left to the library: select them as text. All of it is tried with the real libraries in test/peers.
 */
import { invalid } from '../../job/check.js'
import { millraceError } from '../../job/errors.js'
import { questionMarks } from './question-marks.js'

export type Param = string | number | boolean | null | readonly (string | number | boolean | null)[]
export type Row = Readonly<Record<string, unknown>>

/** What asks within the user's transaction. */
export interface UserQuery {
  /** Errors are those of the library, as they come. */
  query(text: string, params?: readonly Param[]): Promise<{ readonly rows: readonly Row[] }>
}

type Method = (...args: readonly unknown[]) => unknown
type Thing = Readonly<Record<string, unknown>>

const EXPECTED =
  'an open transaction of pg, PGlite, TypeORM, Prisma, Drizzle, Kysely, Knex or postgres.js'

/** Throws OPTION_INVALID for what is no transaction; a query throws TX_UNSUPPORTED for an odd answer. */
export function asQuery(tx: unknown, subject = 'tx'): UserQuery {
  if ((typeof tx !== 'object' && typeof tx !== 'function') || tx === null) {
    throw invalid(subject, EXPECTED, tx, 'hand in the transaction that your own statements run in')
  }
  const thing = tx as Thing // as: any object and any function can be read by name
  const ask = askerOf(thing, subject)
  return {
    async query(text, params = []) {
      return { rows: rowsOf(await ask(text, params.map(sendable)), subject).map(plain) }
    },
  }
}

type Asker = (text: string, params: readonly Param[]) => unknown

function askerOf(tx: Thing, subject: string): Asker {
  const not = (what: string, remedy: string): Error =>
    invalid(subject, `an open transaction, not ${what}`, tx, remedy)
  if (has(tx, '$queryRawUnsafe')) {
    if (!has(tx, '$connect')) return prisma(tx)
    throw not('the PrismaClient itself', 'hand in the tx of prisma.$transaction(async (tx) => …)')
  }
  if (has(tx, 'executeQuery')) {
    if (tx.isTransaction === true) return kysely(tx)
    throw not('Kysely itself', 'hand in the trx of db.transaction().execute(async (trx) => …)')
  }
  if (has(tx, 'execute') && !has(tx, 'query')) {
    if (has(tx, 'rollback')) return drizzle(tx)
    throw not('the Drizzle database itself', 'hand in the tx of db.transaction(async (tx) => …)')
  }
  if (has(tx, 'raw')) {
    if (tx.isTransaction === true) return knex(tx)
    throw not('knex itself', 'hand in the trx of knex.transaction(async (trx) => …)')
  }
  if (has(tx, 'unsafe')) {
    if (!has(tx, 'begin')) return postgresJs(tx)
    throw not('the sql of postgres.js itself', 'hand in the sql of sql.begin(async (sql) => …)')
  }
  const runner = runnerOf(tx)
  if (runner !== undefined) {
    if (runner?.isTransactionActive === true) return typeOrm(runner)
    const remedy =
      'hand in the manager of dataSource.transaction(async (manager) => …), or its runner'
    throw not('TypeORM outside of one', remedy)
  }
  if (!has(tx, 'query')) {
    throw invalid(subject, EXPECTED, tx, 'hand in the transaction that your own statements run in')
  }
  if (has(tx, 'exec') && has(tx, 'transaction')) {
    throw not('the PGlite itself', 'hand in the tx of db.transaction(async (tx) => …)')
  }
  if ('totalCount' in tx) {
    const remedy = "take a client: const client = await pool.connect(); await client.query('BEGIN')"
    throw not('a pool', remedy)
  }
  if (has(tx, 'getTransactionStatus') && call(tx, 'getTransactionStatus') === 'I') {
    throw not('a client outside of one', "await client.query('BEGIN') before")
  }
  return (text, params) => call(tx, 'query', text, params)
}

// ── What each library wants ───────────────────────────────────────────────────────────────────────

function prisma(tx: Thing): Asker {
  return (text, params) => call(tx, '$queryRawUnsafe', text, ...params)
}

function kysely(trx: Thing): Asker {
  const bare = has(trx, 'withoutPlugins') ? (call(trx, 'withoutPlugins') as Thing) : trx // as: of its own kind
  return (text, parameters) => {
    const query = { kind: 'RawNode', sqlFragments: [text], parameters: [] }
    const queryId = { queryId: 'millrace' }
    return call(bare, 'executeQuery', { sql: text, parameters, query, queryId })
  }
}

function drizzle(tx: Thing): Asker {
  return (text, params) => {
    const sql = { getSQL: () => sql, toQuery: () => ({ sql: text, params }) }
    return call(tx, 'execute', sql)
  }
}

function knex(trx: Thing): Asker {
  return (text, params) => {
    const asked = questionMarks(text, params)
    return call(trx, 'raw', asked.text, asked.params)
  }
}

function postgresJs(sql: Thing): Asker {
  return (text, params) => call(sql, 'unsafe', text, params)
}

/** With `true` it tells rows and counts apart. */
function typeOrm(runner: Thing): Asker {
  return (text, params) => call(runner, 'query', text, params, true)
}

/** undefined: not TypeORM's; null: it has none, so it is in no transaction. */
function runnerOf(tx: Thing): Thing | null | undefined {
  if (typeof tx.isTransactionActive === 'boolean' && has(tx, 'query')) return tx
  if (!has(tx, 'query')) return undefined
  if (has(tx, 'getRepository') || has(tx, 'createQueryRunner')) {
    return (tx.queryRunner ?? null) as Thing | null // as: an EntityManager's, or none
  }
  return undefined
}

function sendable(param: Param): Param {
  if (!Array.isArray(param) || !param.some((one) => typeof one === 'boolean')) return param
  return `{${param.map((one) => String(one ?? 'NULL')).join()}}`
}

// ── What they answer ──────────────────────────────────────────────────────────────────────────────

/** pg, PGlite, Kysely and Knex answer `rows`, TypeORM `records`, the others an array. */
function rowsOf(answer: unknown, subject: string): readonly Row[] {
  if (Array.isArray(answer)) return answer as readonly Row[] // as: rows are what was asked for
  if (typeof answer === 'object' && answer !== null) {
    const { rows, records } = answer as Thing // as: any object can be read by name
    const found = rows ?? records
    if (Array.isArray(found)) return found as readonly Row[] // as: rows are what was asked for
  }
  throw millraceError({
    code: 'TX_UNSUPPORTED',
    subject,
    expected: 'rows as an answer to a query',
    received: answer,
    remedy: `hand in ${EXPECTED}`,
  })
}

function plain(row: Row): Row {
  const entries = Object.entries(row)
  if (!entries.some(([, value]) => typeof value === 'bigint')) return row
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  )
}

function has(thing: Thing, method: string): boolean {
  return typeof thing[method] === 'function'
}

function call(thing: Thing, method: string, ...args: readonly unknown[]): unknown {
  return (thing[method] as Method).call(thing, ...args) // as: `has` has looked
}
