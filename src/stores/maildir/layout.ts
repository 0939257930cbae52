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
import { makeRoot, sealFormat } from '../../disk/root.js'
import type { Kind } from '../../disk/root.js'

/** Its number is that of the rules for names, letters and the commit log. */
export const KIND: Kind = { name: 'millrace-maildir', noun: 'maildir', format: 1 }

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
  await sealFormat(disk, layout.root, KIND, nonce)
  const { scope, keeper, commit, papers, tmp, post, drafts, quarantine } = layout
  for (const folder of [scope, keeper, commit, papers, tmp, post, drafts, quarantine]) {
    disk.makeFolder(folder)
  }
  for (const folder of [keeper, scope, layout.root]) await disk.syncFolder(folder)
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
