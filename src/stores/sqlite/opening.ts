/**
 * Opening a file as a database. What is wrong with its place is said before SQLite would say that it
 * is unable to: a folder that may not be written to, a medium that is shared between hosts. A folder
 * that is not there is made, for its owner only.
 */
import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Medium } from '../../disk/disk.js'
import { mediumOf } from '../../disk/medium.js'
import { invalid } from '../../job/check.js'
import { millraceError } from '../../job/errors.js'
import type { Section } from '../../store.js'
import { told } from './connection.js'
import type { Patience } from './connection.js'
import { openFile } from './driver.js'
import type { Handle } from './driver.js'
import { openInSection } from './in-section.js'

const OWNER_ONLY = 0o700

/** 'as-is': its journal stays what it was. */
export async function openDatabase(
  path: string,
  patience: Patience,
  journal: 'wal' | 'as-is' = 'wal',
  section: Section | null = null,
): Promise<Handle> {
  preparePlace(path)
  let handle: Handle | null = null
  try {
    const opened = await (section === null ? openFile(path) : openInSection(section, path))
    handle = opened
    opened.exec('PRAGMA busy_timeout = 0')
    if (journal === 'wal') await patience.with(() => opened.exec('PRAGMA journal_mode = WAL'))
    return opened
  } catch (error) {
    handle?.close()
    throw told(error)
  }
}

/** `look`: what tests hand in. */
export function preparePlace(path: string, look: (folder: string) => Medium = mediumOf): void {
  if (path === '' || path.includes(':memory:')) {
    const remedy = "name a file; for jobs in memory there is the store 'memory:'"
    throw invalid('sqlite path', 'a file', path, remedy)
  }
  const folder = dirname(path)
  try {
    mkdirSync(folder, { recursive: true, mode: OWNER_ONLY })
    accessSync(folder, constants.W_OK | constants.X_OK)
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK)
  } catch (cause) {
    throw closedPlace(path, cause)
  }
  if (existsSync(path) && !statSync(path).isFile()) {
    throw invalid('sqlite path', 'a file', path, 'this is a folder: name a file in it')
  }
  const medium = look(folder)
  if (medium.ordersAppends) return
  throw millraceError({
    code: 'STORE_UNREACHABLE',
    subject: path,
    expected: 'a local file system, on which SQLite can lock and share memory',
    received: medium.name,
    remedy: 'use a file on a local disk; between hosts use postgres:',
  })
}

function closedPlace(path: string, cause: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: path,
    expected: 'a file, and a folder round it, that this process may write to',
    received: cause instanceof Error ? cause.message : String(cause),
    remedy: 'give it the right, or name another file: SQLite keeps two files beside its database',
    cause,
  })
}
