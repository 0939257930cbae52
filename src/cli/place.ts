/**
 * Where a store is, by its URL, as far as the command line must know before it is opened: a folder
 * that is there or not, or a process's memory, in which no command could find anything.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalid } from '../job/check.js'
import { millraceError } from '../job/errors.js'

export interface Place {
  readonly url: string
  /** Of a `file:` store; null when the URL is another's, or wrong: opening it will tell. */
  readonly folder: string | null
}

export function placeOf(url: string, here: string): Place {
  if (/^memory:/i.test(url)) {
    const remedy = "name a folder, like 'file:./queues'"
    throw invalid('--store', 'a store that outlives this process', url, remedy)
  }
  const [, path] = /^file:([^?]+)/i.exec(url) ?? []
  if (path === undefined || path === '//') return { url, folder: null }
  return { url, folder: path.startsWith('//') ? addressed(path) : resolve(here, path) }
}

export function refuseMissing({ url, folder }: Place): void {
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
