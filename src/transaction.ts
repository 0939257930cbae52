/**
 * Transactions of the user, as types: which store takes what as `tx`, and what `job.commit` hands
 * out. `memory` and `file` have none, so there it is `never`, which the compiler sees; where only
 * run time knows the store it is `unknown`, and TX_UNSUPPORTED when there is none.
 */

type Has<K extends string> = { readonly [N in K]: (...args: never[]) => unknown }

/** Your open transaction: pg, PGlite, TypeORM · Prisma · Drizzle · Kysely · Knex · postgres.js. */
export type PostgresTx =
  | Has<'query'>
  | Has<'$queryRawUnsafe'>
  | Has<'execute'>
  | Has<'executeQuery'>
  | Has<'raw'>
  | Has<'unsafe'>

/** Your open handle on the same file, inside a transaction. */
export type SqliteTx = Has<'prepare' | 'exec'>

/** What `tx:` takes, by store. */
export interface TxOf {
  [other: string]: unknown
  memory: never
  file: never
  maildir: never
  redis: never
  sqlite: SqliteTx
  postgres: PostgresTx
}

/** What holds for a whole call. `tx` exists on stores with transactions. */
export interface Lot<T = unknown> {
  readonly tx?: T
}

export interface PostgresClient {
  query<Row = Record<string, unknown>>(
    text: string,
    params?: readonly unknown[],
  ): Promise<{ readonly rows: Row[] }>
}

export interface SqliteHandle {
  exec(sql: string): void
  prepare(sql: string): {
    run(...p: unknown[]): unknown
    get(...p: unknown[]): unknown
    all(...p: unknown[]): unknown[]
  }
}
