/**
 * Where everything of a maildir lies, and how one is begun and recognised.
 *
 *     <root>/FORMAT                         "millrace-maildir 1 <id>"; the first to link it wins
 *     <root>/<scope>/<queue>/new/           letters that wait for their turn or their time
 *                           /wait/          … for other jobs
 *                           /cur/           … that run
 *                           /done/ cancelled/ dead/   … that have ended and are kept
 *                           /receipts/      what is left of others, for those who may still ask
 *                           /tmp/           on its way to a name; never read
 *     <root>/<scope>/.keeper/               who keeps it, what is not yet in its place, and the
 *                                           small papers: clock, nodes, settings, schedules, rates
 *
 * Queue names are encoded injectively and never begin with a dot.
 */
import type { Disk } from '../../disk/disk.js'
import { isMissing } from '../../disk/errno.js'
import { decodeName, encodeName, isHashedName } from '../../disk/names.js'
import { place, writeAll } from '../../disk/place.js'
import { millraceError } from '../../job/errors.js'

/** The rules for names, letters and the commit log; another number is refused. */
export const FORMAT = 1

/** The folders of a queue in which letters lie. */
export const TRAYS = ['new', 'wait', 'cur', 'done', 'cancelled', 'dead', 'receipts'] as const
export type Tray = (typeof TRAYS)[number]

export interface Layout {
  readonly root: string
  readonly scope: string
  /** Below these nothing is a queue. */
  readonly keeper: string
  readonly commit: string
  readonly papers: string
  readonly tmp: string
  readonly post: string
  /** Below `post`, so that nobody who watches that is woken by what is half written. */
  readonly drafts: string
  readonly quarantine: string
}

export function layoutOf(root: string, scope: string): Layout {
  const base = `${root}/${encodeName(scope)}`
  const keeper = `${base}/.keeper`
  return {
    root,
    scope: base,
    keeper,
    commit: `${keeper}/commit`,
    papers: `${keeper}/papers`,
    tmp: `${keeper}/tmp`,
    post: `${keeper}/post`,
    drafts: `${keeper}/post/drafts`,
    quarantine: `${keeper}/quarantine`,
  }
}

/** A folder that is not there holds nothing. */
export function namesIn(disk: Disk, folder: string): readonly string[] {
  try {
    return disk.list(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** The folder names of queues that are there; a hashed one is told by its letters. */
export function queueFolders(disk: Disk, layout: Layout): string[] {
  return namesIn(disk, layout.scope).filter((name) => {
    if (name.startsWith('.')) return false
    return decodeName(name) !== null || isHashedName(name)
  })
}

/** Makes what is missing and says which store this is. `nonce` names temporary files. */
export async function establish(disk: Disk, layout: Layout, nonce: string): Promise<void> {
  await makeRoot(disk, layout.root)
  await sealFormat(disk, layout, nonce)
  const { scope, keeper, commit, papers, tmp, post, drafts, quarantine } = layout
  for (const folder of [scope, keeper, commit, papers, tmp, post, drafts, quarantine]) {
    disk.makeFolder(folder)
  }
  for (const folder of [keeper, scope, layout.root]) await disk.syncFolder(folder)
}

/** Parents may be made, but only the last is ours to judge; its name is made durable, too. */
async function makeRoot(disk: Disk, root: string): Promise<void> {
  const parts = root.split('/')
  for (let depth = 2; depth <= parts.length; depth++) {
    const folder = parts.slice(0, depth).join('/')
    const isRoot = depth === parts.length
    const isNew = disk.facts(folder) === null
    if (isNew || isRoot) disk.makeFolder(folder)
    if (isNew) await disk.syncFolder(`${parts.slice(0, depth - 1).join('/')}/.`)
  }
}

const FORMAT_LINE = /^millrace-maildir (\d+) ([0-9a-f-]+)\n$/
const FORMAT_BYTES = 256

async function sealFormat(disk: Disk, layout: Layout, nonce: string): Promise<void> {
  const path = `${layout.root}/FORMAT`
  if (disk.facts(path) === null) {
    const line = Buffer.from(`millrace-maildir ${FORMAT} ${nonce}\n`)
    const draft = `${layout.root}/.FORMAT.${nonce}`
    await place({ disk, draft, path, fill: (file) => writeAll(file, line) })
    await disk.syncFolder(layout.root)
  }
  checkFormat(disk, layout)
}

/** Throws FORMAT_UNSUPPORTED for what another version wrote, or nobody of ours. */
export function checkFormat(disk: Disk, layout: Layout): void {
  const number = readFormat(disk, layout.root)
  if (number === FORMAT) return
  throw millraceError({
    code: 'FORMAT_UNSUPPORTED',
    subject: `${layout.root}/FORMAT`,
    expected: `a maildir of format ${FORMAT}`,
    received: number === null ? 'a file that no maildir of Millrace has' : `format ${number}`,
    remedy:
      number === null
        ? 'name another folder; this one is no maildir of Millrace'
        : 'use the version of Millrace that wrote it',
  })
}

/** The format that a folder says it has; null when it says nothing that we know. */
export function readFormat(disk: Disk, root: string): number | null {
  const file = disk.read(`${root}/FORMAT`)
  try {
    const bytes = Buffer.alloc(FORMAT_BYTES)
    const match = FORMAT_LINE.exec(bytes.toString('latin1', 0, file.readAt(0, bytes)))
    return match === null ? null : Number(match[1])
  } finally {
    file.close()
  }
}

/** A whole file as text. Opens no link and waits for no pipe. */
export function readText(disk: Disk, path: string): string {
  const file = disk.read(path)
  try {
    const bytes = Buffer.alloc(file.size())
    return bytes.toString('utf8', 0, file.readAt(0, bytes))
  } finally {
    file.close()
  }
}
