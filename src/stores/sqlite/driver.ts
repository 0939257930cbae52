/**
 * The SQLite that is at hand, behind one small shape: Node's own (from 22.13 on), the package
 * `@photostructure/sqlite`, which has the same API, or a handle of the user's own, which may be
 * better-sqlite3's. Loaded when a store opens, never before.
 */
import { millraceError } from '../../job/errors.js'
import { isMarked, marked, named, needsMark } from '../sql/names.js'

/** One statement, ready to be run. Parameters are numbered: `?1`, `?2`. */
export interface Prepared {
  all(params: readonly Bound[]): Record<string, unknown>[]
  /** The same as arrays, in the order of the columns: half the time of objects. */
  rows(params: readonly Bound[]): unknown[][]
  /** How many rows it changed; what it answers is passed over. */
  run(params: readonly Bound[]): number
}

export type Bound = string | number | null

export interface Handle {
  exec(sql: string): void
  prepare(sql: string): Prepared
  close(): void
  /** As the driver made it. */
  readonly raw: DriverHandle
}

/** What drivers have in common, as far as we use it. */
interface DriverStatement {
  all(...params: Bound[]): unknown[]
  get(...params: Bound[]): unknown
  run(...params: Bound[]): { readonly changes: number | bigint }
  /** Node's: not in its first versions. */
  setReturnArrays?(isOn: boolean): void
  /** better-sqlite3's. */
  raw?(isOn: boolean): DriverStatement
  /** better-sqlite3: whether it answers rows; it refuses `all` where it does not. */
  readonly reader?: boolean
}

export interface DriverHandle {
  exec(sql: string): unknown
  prepare(sql: string): DriverStatement
  close(): unknown
}

interface Driver {
  readonly DatabaseSync: new (path: string) => DriverHandle
}

const DRIVERS = ['node:sqlite', '@photostructure/sqlite'] as const

/** Opens a file with the first driver that is there. */
export async function openFile(path: string): Promise<Handle> {
  const { DatabaseSync } = await loadDriver()
  return wrap(new DatabaseSync(path))
}

async function loadDriver(): Promise<Driver> {
  const causes: unknown[] = []
  for (const name of DRIVERS) {
    const [loaded] = await Promise.allSettled([import(name) as Promise<Driver>]) // as: what these modules export
    if (loaded.status === 'fulfilled') return loaded.value
    causes.push(loaded.reason)
  }
  throw millraceError({
    code: 'DRIVER_MISSING',
    subject: 'store sqlite',
    expected: `one of ${DRIVERS.join(', ')}`,
    received: `Node ${process.version} without either`,
    remedy: 'say `npm install @photostructure/sqlite`, or run a Node from 22.13 on',
    cause: new AggregateError(causes),
  })
}

/**
 * Asks the database nothing: even a statement that is only prepared can find it locked. A handle that
 * its owner has closed says so in our words, whatever is asked of it: STORE_UNREACHABLE.
 */
export function wrap(handle: DriverHandle): Handle {
  let isOther: boolean | null = null
  const asked = <T>(ask: () => T): T => {
    try {
      return ask()
    } catch (error) {
      throw isClosed(handle, error) ? closed(error) : error
    }
  }
  return {
    exec: (sql) => asked(() => void handle.exec(sql)),
    prepare: (sql) => {
      const statement = asked(() => {
        isOther ??= 'reader' in handle.prepare('SELECT 1')
        const text = unseen(sql)
        return isOther ? byPlaces(handle, text) : byNumbers(handle, text)
      })
      return {
        all: (params) => asked(() => statement.all(written(params)).map(read)),
        rows: (params) => asked(() => statement.rows(written(params)).map(readArray)),
        run: (params) => asked(() => statement.run(written(params))),
      }
    },
    close: () => void handle.close(),
    raw: handle,
  }
}

/**
 * The same, with parameters whose values the planner does not look at. Where it looks (at a LIMIT; with
 * STAT4, once somebody ran ANALYZE, at whatever an index is searched for), each new value makes SQLite
 * prepare the statement anew, which takes longer than most of ours take to run.
 */
function unseen(sql: string): string {
  return sql.replace(/\?\d+/g, '+$&')
}

function written(params: readonly Bound[]): readonly Bound[] {
  for (const param of params) {
    if (typeof param === 'string' && needsMark(param)) {
      return params.map((one) => (typeof one === 'string' ? marked(one) : one))
    }
  }
  return params
}

/** Written over where a name has a mark, which is hardly ever. */
function read(row: Record<string, unknown>): Record<string, unknown> {
  for (const name in row) {
    const value = row[name]
    if (typeof value === 'string' && isMarked(value)) row[name] = named(value)
  }
  return row
}

function readArray(row: unknown[]): unknown[] {
  for (let at = 0; at < row.length; at++) {
    const value = row[at]
    if (typeof value === 'string' && isMarked(value)) row[at] = named(value)
  }
  return row
}

/** A list, as statements take it. */
export function listed(values: readonly unknown[]): string {
  return JSON.stringify(values.map((value) => (typeof value === 'string' ? marked(value) : value)))
}

/** Drivers have a word for it, each another; of one that has none, what it threw says it. */
export function isClosed(handle: object, error?: unknown): boolean {
  if ('isOpen' in handle && typeof handle.isOpen === 'boolean') return !handle.isOpen
  if ('open' in handle && typeof handle.open === 'boolean') return !handle.open
  return /\b(database|connection) is (not open|closed)\b/i.test(String(error))
}

function closed(cause: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'store sqlite',
    expected: 'an open handle',
    received: 'one that its owner has closed',
    remedy: 'close the Millrace first, then the handle; or make both anew',
    cause,
  })
}

function byNumbers(handle: DriverHandle, sql: string): Prepared {
  let inRows: DriverStatement | null = null
  const statement = handle.prepare(sql)
  return {
    all: (params) => statement.all(...params) as Record<string, unknown>[], // as: rows are objects
    rows: (params) => arraysOf((inRows ??= asArrays(handle.prepare(sql))).all(...params)),
    run: (params) => Number(statement.run(...params).changes),
  }
}

/** better-sqlite3 takes a numbered parameter for a named one: they are given one by one. */
function byPlaces(handle: DriverHandle, sql: string): Prepared {
  let inRows: DriverStatement | null = null
  const order: number[] = []
  const text = sql.replace(/\?(\d+)/g, (_, number: string) => {
    order.push(Number(number) - 1)
    return '?'
  })
  const statement = handle.prepare(text)
  const inOrder = (params: readonly Bound[]): Bound[] => order.map((at) => params[at])
  return {
    all(params) {
      if (statement.reader === true) {
        return statement.all(...inOrder(params)) as Record<string, unknown>[] // as: see above
      }
      statement.run(...inOrder(params))
      return []
    },
    rows: (params) => arraysOf((inRows ??= asArrays(handle.prepare(text))).all(...inOrder(params))),
    run: (params) => Number(statement.run(...inOrder(params)).changes),
  }
}

function asArrays(statement: DriverStatement): DriverStatement {
  statement.setReturnArrays?.(true)
  return statement.raw?.(true) ?? statement
}

/** A row is an array, or an object where the driver knows nothing else. */
function arraysOf(rows: readonly unknown[]): unknown[][] {
  if (rows.length === 0 || Array.isArray(rows[0])) return rows as unknown[][]
  return (rows as object[]).map((row): unknown[] => Object.values(row))
}
