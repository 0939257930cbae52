/**
 * A book of what stands in a folder now, for somebody who only looks: nothing is written, whoever
 * keeps it is not asked, and may go on meanwhile. Letters are read first; then the log, which was
 * held open all the while, says which of them have moved since, and brings the text of each. So the
 * book is as one moment was: the last look at the log. What was delivered and what people did with
 * letters is taken as the next keeper will take it, but for files that have no id before.
 */
import type { Disk } from '../../disk/disk.js'
import { isMissing } from '../../disk/errno.js'
import { decodeName } from '../../disk/names.js'
import type { Host } from '../../disk/host.js'
import type { Book } from '../../job/book/book.js'
import type { Frame } from '../../job/book/frame.js'
import type { Millis } from '../../job/job.js'
import { MillraceError } from '../../job/errors.js'
import type { NewJob } from '../../job/lot.js'
import { unreachable } from './faults.js'
import { arrange, laidIn, logOf } from './folder.js'
import type { FolderView } from './folder.js'
import { lookForKeeper } from './keeper.js'
import type { KeeperParts } from './keeper.js'
import { checkFormat } from '../../disk/root.js'
import { KIND, readText } from './layout.js'
import type { Layout } from './layout.js'
import { readDeliveryName } from './letter-name.js'
import { LogTail } from './log-tail.js'
import { readMail } from './mail.js'
import { readBook } from './reading.js'
import type { Reading } from './reading.js'

export interface GlimpseParts extends KeeperParts {
  readonly pause: () => Promise<void>
}

export interface Glimpse {
  readonly book: Book
  /** Store time is the host's since its start, and this. */
  readonly base: Millis
}

/** How often the log may be cleared twice, or a keeper follow, while the folder is read. */
const TRIES = 8
/** Letters that are read before others get their turn, and the log is looked at. */
const READ_AT_ONCE = 128

export async function glimpse(parts: GlimpseParts): Promise<Glimpse> {
  const { disk, layout } = parts
  checkFormat(disk, layout.root, KIND)
  for (let tries = 0; tries < TRIES; tries++) {
    const seen = await tryOnce(parts)
    if (seen !== null) return seen
  }
  throw unreachable(layout.scope, new Error('its keepers change faster than it can be read'))
}

/** Null: it was not the folder of one moment. */
async function tryOnce(parts: GlimpseParts): Promise<Glimpse | null> {
  const { disk, layout, host, pause, hostname } = parts
  const before = reignOf(parts)
  const tail = new LogTail(disk, layout)
  let view: FolderView
  try {
    const laid = laidIn(disk, layout)
    const texts = await textsOf(laid, parts, tail)
    const log = tail.read()
    if (log === null || reignOf(parts).name !== before.name) return null
    const found = logOf({ boot: host.boot, isDoubtful: false }, log)
    for (const [path, { text }] of found.all.sheets) if (text !== null) texts.set(path, text)
    view = told(arrange({ disk, layout, fence: before.fence }, found, laid), texts)
  } finally {
    tail.close()
  }
  const reading = await readBook(view, { host, pause, hostname, generation: 0 })
  takeUp(reading, view, host)
  return reading
}

/** Who keeps it and since which fence, in one word. */
function reignOf(parts: GlimpseParts): { readonly name: string; readonly fence: number } {
  const card = lookForKeeper(parts)?.card
  const fence = card?.fence ?? 0
  return { name: `${card?.generation ?? 0} ${fence}`, fence }
}

/** What is gone when it is opened was moved, and the log says so, or was removed by hand. */
async function textsOf(
  laid: ReadonlySet<string>,
  { disk, layout, pause }: Pick<GlimpseParts, 'disk' | 'layout' | 'pause'>,
  tail: LogTail,
): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  let read = 0
  for (const path of laid) {
    const text = textAt(disk, layout, path)
    if (text !== null) texts.set(path, text)
    if (++read % READ_AT_ONCE > 0) continue
    tail.look()
    await pause()
  }
  return texts
}

function textAt(disk: Disk, { scope }: Layout, path: string): string | null {
  try {
    return readText(disk, `${scope}/${path}`)
  } catch (error) {
    // A link, a pipe or somebody else's file is no letter; who keeps the folder puts it away.
    if (isMissing(error) || MillraceError.is(error)) return null
    throw error
  }
}

/** By what was read before, and of what is there still. */
function told(view: FolderView, texts: ReadonlyMap<string, string>): FolderView {
  const isThere = (path: string): boolean => texts.has(path)
  return {
    ...view,
    letters: view.letters.filter(isThere),
    papers: view.papers.filter(isThere),
    mail: view.mail.filter(isThere),
    read: (path) => texts.get(path) ?? '',
  }
}

/** As the next keeper will. */
function takeUp({ book, base, handled }: Reading, view: FolderView, host: Host): void {
  const { ledger } = book
  const apply = (frame: Frame & { readonly items: readonly unknown[] }): void => {
    if (frame.items.length > 0) book.apply(frame, host.up() + base, frame.items)
  }
  const items = handled.flatMap(({ slot, isRetry }) => {
    const ref = { queue: ledger.queueOf(slot).name, id: ledger.ids.text(slot) }
    return isRetry ? [{ ...ref, action: 'retry' as const }] : []
  })
  apply({ kind: 'control', items })
  const jobs = view.mail.flatMap((path) => mailAt(view, path, host) ?? [])
  apply({ kind: 'insert', lots: jobs.map(() => 1), items: jobs })
}

/** Null: it has no id yet, or is no mail. */
function mailAt(view: FolderView, path: string, host: Host): NewJob | null {
  const [segment, , name] = path.split('/')
  const queue = decodeName(segment)
  if (queue === null || readDeliveryName(name) === null) return null
  try {
    return readMail({ name, text: view.read(path), queue }, host, () => '')
  } catch {
    return null // its keeper will put it away, and tell why
  }
}
