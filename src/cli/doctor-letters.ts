/**
 * What the folder of a `maildir:` store can tell without being opened: format, owner and permissions,
 * the medium, free space, the clock, who keeps each scope, how many letters lie where, and what was
 * put into quarantine. Looks at a bounded number of files, and says so when there are more.
 */
import { basename } from 'node:path'
import { realHost } from '../disk/host.js'
import { decodeName } from '../disk/names.js'
import { realDisk } from '../disk/real-disk.js'
import { readFormat } from '../disk/root.js'
import { LEASE } from '../job/defaults.js'
import { lookForKeeper } from '../stores/maildir/keeper.js'
import { KIND, TRAYS, layoutOf } from '../stores/maildir/layout.js'
import type { Clock } from '../time/clock.js'
import { DOCTOR_FILES } from './bounds.js'
import { medium, permissions, some, space, time, walk } from './doctor-folder.js'
import type { Seen } from './doctor-folder.js'
import { bad, note, ok } from './finding.js'
import type { Finding } from './finding.js'
import { count, many } from './plain.js'

export function examineLetters(folder: string, clock: Clock): readonly Finding[] {
  const number = readFormat(realDisk(), folder, KIND)?.number ?? null
  if (number !== KIND.format) {
    const why = number === null ? 'FORMAT is of no maildir of Millrace' : `it has format ${number}`
    return [bad('format', `${why}; this version knows maildirs of format ${KIND.format}`)]
  }
  const files = walk(folder)
  return [
    ok('format', `millrace-maildir ${KIND.format}`),
    permissions(folder, files),
    medium(folder),
    space(folder),
    time(files, clock),
    ...keepers(folder, files),
    contents(files),
    quarantined(files),
  ]
}

function keepers(folder: string, files: readonly Seen[]): readonly Finding[] {
  const [disk, host] = [realDisk(), realHost()]
  return scopes(files).map((segment): Finding => {
    const scope = decodeName(segment) ?? segment
    const layout = layoutOf(folder, decodeName(segment) ?? '')
    const seen = lookForKeeper({ disk, layout, host, lease: LEASE })
    if (seen === null) return note('keeper', `${scope}: there was never one`)
    const { pid, host: on, generation } = seen.card
    const who = `pid ${pid} on ${on}, generation ${generation}`
    switch (seen.state) {
      case 'keeps':
        return ok('keeper', `${scope}: ${who}`)
      case 'left':
        return ok('keeper', `${scope}: nobody now; the last was ${who}`)
      case 'dead':
        return note('keeper', `${scope}: ${who}, which died; whoever opens it next follows`)
      case 'silent':
        return note('keeper', `${scope}: ${who}, which says nothing; whoever opens it next follows`)
    }
  })
}

function scopes(files: readonly Seen[]): string[] {
  return files
    .filter(({ parts, isFolder }) => isFolder && parts.length === 2 && parts[1] === '.keeper')
    .map(({ parts }) => parts[0])
}

/** Letters by tray, over all queues. */
function contents(files: readonly Seen[]): Finding {
  const lies = new Map<string, number>()
  for (const { parts, isFolder } of files) {
    if (isFolder || parts.length !== 4 || parts[1].startsWith('.')) continue
    lies.set(parts[2], (lies.get(parts[2]) ?? 0) + 1)
  }
  const told = TRAYS.filter((tray) => lies.has(tray))
  const letters = told.map((tray) => `${count(lies.get(tray) ?? 0)} in ${tray}`).join(', ')
  const more = files.length >= DOCTOR_FILES ? 'at least ' : ''
  return ok('letters', letters === '' ? 'none' : `${more}${letters}`)
}

function quarantined(files: readonly Seen[]): Finding {
  const damaged = files.filter(({ parts, path, isFolder }) => {
    const isThere = parts[1] === '.keeper' && parts[2] === 'quarantine' && parts.length > 3
    return isThere && !isFolder && !path.endsWith('.why')
  })
  if (damaged.length === 0) return ok('quarantine', 'empty')
  const names = some(damaged.map(({ path }) => basename(path)))
  return bad('quarantine', `${many(damaged.length, 'file')}, each with a .why beside it: ${names}`)
}
