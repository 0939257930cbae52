/**
 * Stores by URL: `memory:`, `file:./queues`, `maildir:./mail`, `sqlite:./jobs.db` and `postgres://…`
 * in this version. A URL is checked when it is given; the store's own code is loaded when it is
 * opened, so that nobody pays for stores that he does not use. A store made by hand is handed over
 * as it is.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid, resembling, unknownName, word } from './job/check.js'
import { millraceError } from './job/errors.js'
import { LazyStore } from './lazy-store.js'
import type { Store, Traits } from './store.js'

export type StoreName = 'memory' | 'file' | 'maildir' | 'sqlite' | 'postgres' | 'redis'

export type StoreUrl =
  | 'memory:'
  | `file:${string}`
  | `maildir:${string}`
  | `sqlite:${string}`
  | `postgres://${string}`
  | `postgresql://${string}`
  | `redis://${string}`
  | `rediss://${string}`

/** The store that a URL names; a plain `string` names none: then run time checks. */
export type StoreOf<U extends string> = string extends U
  ? string
  : U extends `postgresql:${string}`
    ? 'postgres'
    : U extends `rediss:${string}`
      ? 'redis'
      : U extends `${infer K extends StoreName}:${string}`
        ? K
        : string

const MEMORY: Traits = {
  survives: 'nothing',
  reach: 'process',
  transactions: false,
  hints: true,
  beat: 'loop',
}
const FILE: Traits = {
  survives: 'power',
  reach: 'host',
  transactions: false,
  hints: true,
  beat: 'thread',
}

const MAILDIR: Traits = {
  survives: 'power',
  reach: 'process',
  transactions: false,
  hints: true,
  beat: 'loop',
}

const SQLITE: Traits = {
  survives: 'power',
  reach: 'host',
  transactions: true,
  hints: true,
  beat: 'loop',
}

const POSTGRES: Traits = {
  survives: 'server',
  reach: 'network',
  transactions: true,
  hints: true,
  beat: 'loop',
}

const HERE = ['memory', 'file', 'maildir', 'sqlite', 'postgres', 'postgresql']
const LATER = ['redis', 'rediss']

/** The store that a URL names, not yet loaded. Throws OPTION_INVALID or DRIVER_MISSING. */
export function storeByUrl(url: string): Store {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(url) ?? []
  switch (scheme?.toLowerCase()) {
    case 'memory':
      return memory(rest)
    case 'file':
      return file(rest)
    case 'maildir':
      return maildir(rest)
    case 'sqlite':
      return sqlite(rest)
    case 'postgres':
    case 'postgresql':
      return postgres(url)
    case undefined:
      throw invalid('store URL', "a URL like 'file:./queues' or 'memory:'", url, 'write a scheme')
    default:
      throw unknownScheme(scheme.toLowerCase())
  }
}

function memory(rest: string): Store {
  if (rest !== '' && rest !== '//') {
    throw invalid(
      'store URL',
      "'memory:' with nothing behind it",
      `memory:${rest}`,
      'drop the rest',
    )
  }
  return new LazyStore('memory', MEMORY, async () => {
    const { memoryStore } = await import('./stores/memory/memory-store.js')
    return memoryStore()
  })
}

/** `file:<path>`, relative to the working directory of now, or `file:///<absolute path>`. */
function file(rest: string): Store {
  const { path, durability } = folder('file', rest, FILE_OPTIONS)
  return new LazyStore('file', { ...FILE, survives: durability }, async () => {
    const { fileStore } = await import('./stores/file/file-store.js')
    return fileStore({ path, durability })
  })
}

/** `maildir:<path>`, as `file:`; with `?access=look` it changes nothing. */
function maildir(rest: string): Store {
  const { path, durability, access } = folder('maildir', rest, MAILDIR_OPTIONS)
  return new LazyStore('maildir', { ...MAILDIR, survives: durability }, async () => {
    const { maildirStore } = await import('./stores/maildir/maildir-store.js')
    return maildirStore({ path, durability, access })
  })
}

/** The file of a `sqlite:` URL; null when it is another's. Throws OPTION_INVALID. */
export function sqlitePathOf(url: string): string | null {
  const [, rest] = /^sqlite:(.*)$/is.exec(url) ?? []
  return rest === undefined ? null : sqlitePath(rest)
}

/** `sqlite:<path>`, as for `file:`. */
function sqlite(rest: string): Store {
  const path = sqlitePath(rest)
  return new LazyStore('sqlite', SQLITE, async () => {
    const { sqliteStore } = await import('./stores/sqlite/sqlite-store.js')
    return sqliteStore({ path })
  })
}

function sqlitePath(rest: string): string {
  const [address, query] = rest.split('?', 2)
  if (query !== undefined) throw unknownName(query, [], 'store URL')
  if (address === '' || address === '//') {
    throw invalid('store URL', "a file, like 'sqlite:./jobs.db'", `sqlite:${rest}`, 'name one')
  }
  return resolve(address.startsWith('//') ? absolute('sqlite', address) : address)
}

/** `postgres://user:password@host/database`, as `pg` reads it. */
function postgres(url: string): Store {
  if (!/^postgres(ql)?:\/\//i.test(url) || !URL.canParse(url)) {
    // Whoever wrote a password into it does not want to read it in a log.
    throw invalid('store URL', "a URL like 'postgres://user@host/database'", 'another', 'mend it')
  }
  // Whatever else it says is the driver's, or other tools'.
  for (const option of new URL(url).searchParams.keys()) {
    if (option === 'schema' || resembling(option, ['schema']) === null) continue
    throw unknownName(option, ['schema'], 'store URL')
  }
  return new LazyStore('postgres', POSTGRES, async () => {
    const { postgresStore } = await import('./stores/postgres/postgres-store.js')
    return postgresStore({ url })
  })
}

/** What a URL says of a folder; null when it is another's. Throws OPTION_INVALID. */
export function folderByUrl(url: string): Folder | null {
  const [, scheme, rest] = /^(file|maildir):(.*)$/is.exec(url) ?? []
  if (scheme === undefined) return null
  return scheme.toLowerCase() === 'file'
    ? folder('file', rest, FILE_OPTIONS)
    : folder('maildir', rest, MAILDIR_OPTIONS)
}

const FILE_OPTIONS = ['durability']
const MAILDIR_OPTIONS = ['durability', 'access']

export interface Folder {
  readonly path: string
  readonly durability: 'power' | 'process'
  readonly access: 'full' | 'look'
}

const EXAMPLES = { file: './queues', maildir: './mail' } as const

function folder(scheme: keyof typeof EXAMPLES, rest: string, options: readonly string[]): Folder {
  const mark = rest.indexOf('?')
  const address = mark < 0 ? rest : rest.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : rest.slice(mark))
  for (const option of query.keys()) {
    if (!options.includes(option)) throw unknownName(option, options, 'store URL')
  }
  if (address === '' || address === '//') {
    const like = `a folder, like '${scheme}:${EXAMPLES[scheme]}'`
    throw invalid('store URL', like, `${scheme}:${rest}`, 'name one')
  }
  const survives = query.get('durability') ?? 'power'
  return {
    path: resolve(address.startsWith('//') ? absolute(scheme, address) : address),
    durability: word(survives, ['power', 'process'], 'store URL durability'),
    access: word(query.get('access') ?? 'full', ['full', 'look'], 'store URL access'),
  }
}

function absolute(scheme: string, address: string): string {
  try {
    return fileURLToPath(`file:${address}`)
  } catch {
    const remedy = `write ${scheme}:./path, ${scheme}:/path or ${scheme}:///path`
    throw invalid('store URL', 'a path of this host', `${scheme}:${address}`, remedy)
  }
}

function unknownScheme(scheme: string): Error {
  const schemes = HERE.map((name) => `${name}:`).join(', ')
  if (!LATER.includes(scheme)) {
    if (resembling(scheme, HERE) !== null) return unknownName(scheme, HERE, 'store URL scheme')
    return invalid('store URL scheme', 'that of a store', `${scheme}:`, `take one of ${schemes}`)
  }
  return millraceError({
    code: 'DRIVER_MISSING',
    subject: `store ${scheme}:`,
    expected: `a store of this version of Millrace: ${schemes}`,
    remedy: 'use file: or sqlite: on one host; this store comes with a later version',
  })
}
