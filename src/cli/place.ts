/**
 * Where a store is, by its URL, as far as the command line must know before it is opened: a folder
 * or a file that is there or not, or a process's memory, in which no command could find anything.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid } from '../job/check.js'
import { millraceError } from '../job/errors.js'
import { sqlitePathOf } from '../store-url.js'
import { siteOf } from './site.js'

export interface Place {
  readonly url: string
  /** Of a `file:` or `maildir:` store; null when the URL is another's, or wrong: opening it will tell. */
  readonly folder: string | null
  /** Whose folder that is. */
  readonly kind: 'file' | 'maildir'
  /** Of a `sqlite:` store; null as above. */
  readonly file: string | null
}

export function placeOf(url: string, here: string): Place {
  if (/^memory:/i.test(url)) {
    const remedy = "name a folder, like 'file:./queues'"
    throw invalid('--store', 'a store that outlives this process', url, remedy)
  }
  const [, scheme, path] = (/^(file|maildir):([^?]+)/i.exec(url) ?? []) as (string | undefined)[] // as: it may not match
  const kind = scheme?.toLowerCase() === 'maildir' ? 'maildir' : 'file'
  const file = /^sqlite:(?!(\/\/)?$)/i.test(url) ? sqlitePathOf(url) : null
  if (path === undefined || path === '//') return { url, folder: null, kind, file }
  const folder = path.startsWith('//') ? addressed(path) : resolve(here, path)
  return { url, folder, kind, file }
}

/** The same place for who only looks: no folder of letters gets a keeper by that. */
export function lookingAt({ url, folder, kind }: Place): string {
  if (folder === null || kind !== 'maildir' || /[?&]access=/.test(url)) return url
  return `${url}${url.includes('?') ? '&' : '?'}access=look`
}

/** Throws STORE_UNREACHABLE where no store was made yet: looking makes none. */
export async function refuseMissing(place: Place): Promise<void> {
  refuseNoPlace(place)
  if (place.folder !== null) return
  const site = await siteOf(place.url, undefined)
  const standing = await site?.within(true, (ground) => ground.standing())
  if (standing?.version !== 0) return
  throw millraceError({
    code: 'STORE_UNREACHABLE',
    subject: withoutPassword(place),
    expected: 'a database with a store in it',
    received: 'one without its tables',
    remedy: 'say which with --store or MILLRACE_URL; the first `millrace add` makes them',
  })
}

function withoutPassword({ url, file }: Place): string {
  if (file !== null) return url
  const { protocol, host, pathname, searchParams } = new URL(url)
  const schema = searchParams.get('schema')
  return `${protocol}//${host}${pathname}${schema === null ? '' : `?schema=${schema}`}`
}

function refuseNoPlace({ url, folder, file }: Place): void {
  if (file !== null && !existsSync(file)) {
    throw millraceError({
      code: 'STORE_UNREACHABLE',
      subject: url,
      expected: 'a database',
      received: 'no such file',
      remedy: 'say which with --store or MILLRACE_URL; the first `millrace add` makes one',
    })
  }
  if (folder === null || existsSync(`${folder}/FORMAT`)) return
  throw millraceError({
    code: 'STORE_UNREACHABLE',
    subject: url,
    expected: 'a folder with a store in it',
    received: existsSync(folder) ? 'a folder without one' : 'no such folder',
    remedy: 'say which with --store or MILLRACE_URL; the first `millrace add` makes one',
  })
}

function addressed(path: string): string | null {
  try {
    return fileURLToPath(`file:${path}`)
  } catch {
    return null // no folder of this host: opening it says so, with the way out
  }
}
