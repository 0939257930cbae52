/**
 * What the folder of a `file:` store can tell without being opened: format, owner and permissions,
 * the medium, free space, the clock, and what was put into quarantine. What the log holds
 * is looked at in `doctor-log.ts`. Looks at a bounded number of files, and says so when there are more.
 */
import { accessSync, constants, lstatSync, readdirSync, statfsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { decodeName } from '../disk/names.js'
import { realDisk } from '../disk/real-disk.js'
import { readFormat } from '../disk/root.js'
import { KIND } from '../stores/file/layout.js'
import type { Clock } from '../time/clock.js'
import { formatDuration } from '../time/duration.js'
import { DOCTOR_FILES } from './bounds.js'
import { examineLog } from './doctor-log.js'
import type { LogFile } from './doctor-log.js'
import { bad, note, ok } from './finding.js'
import type { Finding } from './finding.js'
import { count, many } from './plain.js'

const MIB = 1024 * 1024
/** Two segments of the log: below this the next roll may not fit. */
const LITTLE_SPACE = 128 * MIB
const CLOCK_SLACK = 1000

/** A place where there is no store yet. */
export function examinePlace(folder: string): readonly Finding[] {
  let parent = folder
  while (lstatSync(parent, { throwIfNoEntry: false }) === undefined) parent = dirname(parent)
  const made = note('store', 'there is none yet; the first `millrace add` or worker makes it')
  try {
    accessSync(parent, constants.W_OK)
  } catch {
    return [made, bad('permissions', `this user may not write to ${parent}`)] // that is all it can say
  }
  return [made, medium(parent), space(parent)]
}

export function examineFolder(folder: string, clock: Clock): readonly Finding[] {
  const files = walk(folder)
  return [
    format(folder),
    permissions(folder, files),
    medium(folder),
    space(folder),
    time(files, clock),
    contents(files),
    quarantined(files),
    examineLog(logFiles(folder, files)),
  ]
}

function format(folder: string): Finding {
  const found = readFormat(realDisk(), folder, KIND)
  if (found === null) {
    return bad('format', 'FORMAT is not what Millrace writes: this is no store, or a damaged one')
  }
  if (found.number === KIND.format) return ok('format', `millrace-file ${KIND.format}`)
  const expected = `this version knows ${KIND.format}: use the version that wrote it`
  return bad('format', `it has format ${found.number}, and ${expected}`)
}

export interface Seen {
  readonly path: string
  /** From the store's folder on. */
  readonly parts: readonly string[]
  readonly isFolder: boolean
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly modified: number
}

/** The folder and all in it, so far as the bound allows; no links are followed. */
export function walk(folder: string): readonly Seen[] {
  const seen: Seen[] = []
  const rest: (readonly string[])[] = [[]]
  while (rest.length > 0 && seen.length < DOCTOR_FILES) {
    const parts = rest.shift() ?? []
    const path = join(folder, ...parts)
    const facts = lstatSync(path, { throwIfNoEntry: false })
    if (facts === undefined) continue // it went while we looked: others work here
    const isFolder = facts.isDirectory()
    const { size, mode, uid, mtimeMs: modified } = facts
    seen.push({ path, parts, isFolder, size, mode, uid, modified })
    if (isFolder) for (const name of namesIn(path)) rest.push([...parts, name])
  }
  return seen
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return [] // not ours to read: its owner and mode are told beside it
  }
}

export function permissions(folder: string, files: readonly Seen[]): Finding {
  const uid = process.geteuid?.() ?? null
  const foreign = files.filter((file) => uid !== null && file.uid !== uid)
  const open = files.filter(({ mode }) => (mode & 0o077) !== 0)
  const name = ({ path }: Seen): string => path.slice(dirname(folder).length + 1)
  if (foreign.length > 0) {
    return bad(
      'permissions',
      `${some(foreign.map(name))}: of another user; the store is used by one`,
    )
  }
  if (open.length === 0) return ok('permissions', 'open to its owner only')
  const writable = open.filter(({ mode }) => (mode & 0o022) !== 0)
  return writable.length > 0
    ? bad(
        'permissions',
        `${some(writable.map(name))}: others may write there; take that from them with chmod`,
      )
    : note('permissions', `${some(open.map(name))}: others may read there`)
}

export function medium(path: string): Finding {
  const { name, keeps, ordersAppends } = realDisk().medium(path)
  if (!ordersAppends) {
    return bad(
      'medium',
      `${name} does not order the appends of several processes: use a local disk`,
    )
  }
  if (keeps === 'process')
    return note('medium', `${name}: nothing on it survives a restart of the host`)
  return name.startsWith('unknown')
    ? note('medium', `${name}: taken for a local disk that keeps its word`)
    : ok('medium', `${name}, which keeps what was synced`)
}

export function space(path: string): Finding {
  const { bavail, bsize, files, ffree } = statfsSync(path)
  const free = bavail * bsize
  const text = `${count(Math.round(free / MIB))} MiB free`
  if (files > 0 && ffree === 0)
    return bad('space', `${text}, but no room for one more file (inodes)`)
  return free < LITTLE_SPACE
    ? bad('space', `${text}: too little for the log to go on`)
    : ok('space', text)
}

/** A file from the future was written before the clock was set back. */
export function time(files: readonly Seen[], clock: Clock): Finding {
  const ahead = Math.max(...files.map(({ modified }) => modified)) - clock.wall()
  if (ahead <= CLOCK_SLACK) return ok('clock', new Date(clock.wall()).toISOString())
  return note('clock', `it was set back: the store was written ${formatDuration(ahead)} from now`)
}

function logFiles(folder: string, files: readonly Seen[]): readonly LogFile[] {
  return files
    .filter(({ parts, isFolder }) => !isFolder && parts[1] === 'log' && /^\d+\.log$/.test(parts[2]))
    .map(({ path, size }) => ({ path, size, name: path.slice(dirname(folder).length + 1) }))
}

function contents(files: readonly Seen[]): Finding {
  const logs = files.filter(({ parts, isFolder }) => !isFolder && parts[1] === 'log')
  const scopes = files.filter(({ parts, isFolder }) => isFolder && parts.length === 1)
  const names = scopes.map(({ parts }) => decodeName(parts[0]) ?? parts[0])
  const bytes = files.reduce((sum, { size, isFolder }) => sum + (isFolder ? 0 : size), 0)
  const more = files.length >= DOCTOR_FILES ? 'at least ' : ''
  return ok(
    'contents',
    `${more}${(bytes / MIB).toFixed(1)} MiB, ${many(logs.length, 'log file')}, scopes: ${names.join(', ') || 'none'}`,
  )
}

function quarantined(files: readonly Seen[]): Finding {
  const found = files.filter(
    ({ parts, isFolder }) => parts[1] === 'quarantine' && parts.length > 2 && !isFolder,
  )
  const damaged = found.filter(({ path }) => !path.endsWith('.why'))
  if (damaged.length === 0) return ok('quarantine', 'empty')
  const names = damaged.map(({ path }) => basename(path))
  return bad(
    'quarantine',
    `${many(damaged.length, 'file')}, each with a .why beside it: ${some(names)}`,
  )
}

export function some(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${count(names.length - 3)} more` : shown
}
