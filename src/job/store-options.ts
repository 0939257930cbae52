/**
 * What the stores' makers are given, looked at before anything is opened: a misspelt name, a URL
 * that is undefined, or a handle that is none, is refused with OPTION_INVALID where it was written,
 * as the options of a queue are.
 */
import { invalid, onlyKnown, record, word } from './check.js'

/** Of `fileStore`, `maildirStore`. */
export function checkFolder(options: unknown, subject: string, known: readonly string[]): void {
  const given = record(options, subject)
  onlyKnown(given, known, subject)
  text(given.path, `${subject}.path`, "a folder, like './queues'")
  if (given.durability !== undefined) {
    word(given.durability, ['power', 'process'], `${subject}.durability`)
  }
  if (given.access !== undefined) word(given.access, ['full', 'look'], `${subject}.access`)
}

/** Of `sqliteStore`: the path of a file, or a handle that is open. */
export function checkSqlite(options: unknown): void {
  const given = record(options, 'sqliteStore')
  onlyKnown(given, ['path', 'database'], 'sqliteStore')
  if (oneOf(given, 'path', 'database', 'sqliteStore') === 'path') {
    text(given.path, 'sqliteStore.path', "a file, like './jobs.db'")
  } else if (!can(given.database, ['exec', 'prepare'])) {
    const expected = "a DatabaseSync, or better-sqlite3's"
    throw invalid('sqliteStore.database', expected, given.database, 'hand in one that is open')
  }
}

/** Of `postgresStore`: a URL, or a pool or a PGlite. */
export function checkPostgres(options: unknown): void {
  const given = record(options, 'postgresStore')
  onlyKnown(given, ['url', 'pool', 'schema'], 'postgresStore')
  if (given.schema !== undefined) text(given.schema, 'postgresStore.schema', 'the name of a schema')
  if (oneOf(given, 'url', 'pool', 'postgresStore') === 'url') {
    const { url } = given
    if (typeof url === 'string' && url !== '') return
    // Never the URL itself: it may carry a password.
    const expected = "a URL like 'postgres://user@host/database'"
    throw invalid('postgresStore.url', expected, url, 'write one')
  }
  const { pool } = given
  if (can(pool, ['connect', 'query']) || can(pool, ['transaction', 'exec'])) return
  throw invalid('postgresStore.pool', 'a pool of pg, or a PGlite', pool, 'hand in one of them')
}

/** Which of two ways was taken; neither and both are refused. */
function oneOf<const K extends string>(
  given: Readonly<Record<string, unknown>>,
  first: K,
  second: K,
  subject: string,
): K {
  if (first in given === second in given) {
    const received = first in given ? 'both' : 'neither'
    throw invalid(subject, `\`${first}\` or \`${second}\``, received, 'say one of them')
  }
  return first in given ? first : second
}

function text(value: unknown, subject: string, expected: string): void {
  if (typeof value !== 'string' || value === '')
    throw invalid(subject, expected, value, 'write one')
}

function can(value: unknown, methods: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  const named = value as Readonly<Record<string, unknown>> // as: any object can be read by name
  return methods.every((method) => typeof named[method] === 'function')
}
