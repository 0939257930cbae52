/**
 * From a folder as it was read to a book: letters parsed, doubles and damage told apart, store time
 * found, and the clerk told where everything lies. Nothing is written here; what is to be put away
 * is told.
 */
import type { Host } from '../../disk/host.js'
import type { Millis } from '../../job/job.js'
import { Book } from '../../job/book/book.js'
import { Changes } from '../../job/book/changes.js'
import { RECEIPT, WAITING } from '../../job/book/columns.js'
import { PRIORITY_LIMIT } from '../../job/defaults.js'
import { Clerk } from './clerk.js'
import { Fields } from './fields.js'
import type { FolderView } from './folder.js'
import { Holders } from './holders.js'
import { readName } from './letter-name.js'
import { readLetter } from './letter-read.js'
import type { Letter } from './letter-read.js'
import { Drawer } from '../book/drawer.js'
import type { PaperWords } from './papers.js'
import { restore, TOKENS_PER_MS } from './restore.js'
import type { FoundLetter, FoundPapers } from './restore.js'

export interface ReadingParts {
  readonly host: Host
  readonly generation: number
  /** This host's name, as it stands in names. */
  readonly hostname: string
  readonly pause: () => Promise<void>
}

export interface Reading {
  readonly book: Book
  readonly clerk: Clerk
  /** Store time is the host's since its start, and this. */
  readonly base: Millis
  /** Slots whose letters people have moved or edited. */
  readonly handled: readonly Handled[]
  /** What is no letter, below the scope, and why. */
  readonly damaged: readonly { readonly path: string; readonly why: string }[]
}

/** `isRetry`: it was moved out of where finals lie into `new`. */
export interface Handled {
  readonly slot: number
  readonly isRetry: boolean
}

/** By how much a file is younger than it says, when somebody has edited it. */
const EDITED_LATER = 1_000

/** How many letters are read before others get their turn. */
const READ_AT_ONCE = 128

export async function readBook(view: FolderView, parts: ReadingParts): Promise<Reading> {
  const damaged: { path: string; why: string }[] = []
  const found: FoundLetter[] = []
  let read = 0
  for (const path of view.letters) {
    const letter = readOne(view, path)
    if (typeof letter === 'string') damaged.push({ path, why: letter })
    else found.push(letter)
    if (++read % READ_AT_ONCE === 0) await parts.pause()
  }
  const letters = withoutDoubles(found, damaged)
  const { papers, files } = readPapers(view, damaged)
  const { host } = parts
  const clock = papers.clock.at(0)
  const isSameBoot = clock?.boot === host.boot
  const seen = Math.max(0, ...latest(letters))
  const base = isSameBoot ? clock.base : Math.max(host.wall(), seen) - host.up()
  const now = (): Millis => host.up() + base
  let lastToken = letters.reduce((most, { hold }) => Math.max(most, hold?.token ?? 0), 0)
  const shelf = new Drawer(() => {
    lastToken = Math.max(lastToken + 1, Math.floor(now() * TOKENS_PER_MS))
    return lastToken
  })
  const book = new Book(shelf)
  const { ledger } = book
  const holders = new Holders(papers.nodes.flatMap((paper) => paper.holders))
  const wallOffset = clock?.wallOffset ?? 0
  const { pause } = parts
  await restore(letters, papers, { ledger, shelf, holders, now: now(), wallOffset, pause })
  const changes = new Changes()
  ledger.follow(changes)
  const anchor = { boot: host.boot, base }
  const { generation, hostname } = parts
  const clerk = new Clerk({ ledger, holders, anchor, changes, generation, host: hostname })
  letters.forEach(({ path }, slot) => clerk.found(slot, path))
  for (const { front, path, text } of files) clerk.foundPaper(front, path, text)
  const handled = letters.flatMap(({ isEdited, isRetry }, slot) =>
    isEdited || isRetry ? [{ slot, isRetry }] : [],
  )
  return { book, clerk, base, damaged, handled }
}

/** A sentence: why it is no letter. */
function readOne(view: FolderView, path: string): FoundLetter | string {
  try {
    const fields = Fields.read(view.read(path))
    if (fields === null) return 'it is neither whole nor JSON'
    const isEdited = !fields.isSound
    if (isEdited && !mayBeEdit(view, path, fields)) return 'its checksum is not that of its text'
    const hold = readName(path.slice(path.lastIndexOf('/') + 1))?.hold ?? null
    const letter = readLetter(fields)
    const tray = path.split('/').at(-2)
    if (isEdited) checkEdit(letter)
    const isRetry = tray === 'new' && letter.state > WAITING && letter.state < RECEIPT
    const written = Date.parse(fields.value('written', '')) || 0
    return { path, letter, written, hold: tray === 'cur' ? hold : null, isEdited, isRetry }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/**
 * What rots keeps its time of writing, and an editor does not. Only what waits may be edited, and
 * only while nobody has the folder open.
 */
function mayBeEdit(view: FolderView, path: string, fields: Fields): boolean {
  if (!/^[^/]+\/(?:new|wait)\//.test(path)) return false
  const written = Date.parse(fields.value('written', ''))
  return view.modified(path) > written + EDITED_LATER
}

/** Throws a sentence: why it cannot be taken. */
export function checkEdit({ priority, attempts, book }: Letter): void {
  const isRank = Number.isInteger(priority) && Math.abs(priority) <= PRIORITY_LIMIT
  if (!isRank) throw new Error(`it was edited, and has no priority from -100 to 100: ${priority}`)
  if (!Number.isInteger(attempts) || attempts < 0 || !Number.isInteger(book.seq)) {
    throw new Error('it was edited where only its keeper writes')
  }
}

/** Of two letters of one job the one that was written down later counts. */
function withoutDoubles(
  found: FoundLetter[],
  damaged: { path: string; why: string }[],
): FoundLetter[] {
  found.sort((a, b) => a.letter.book.seq - b.letter.book.seq || a.written - b.written)
  const byName = new Map<string, FoundLetter>()
  for (const one of found) {
    const { queue, id } = one.letter
    const name = `${queue.length}:${queue}${id}`
    const before = byName.get(name)
    if (before !== undefined) {
      damaged.push({ path: before.path, why: `another letter of job ${id} lies in ${one.path}` })
      byName.delete(name)
    }
    byName.set(name, one)
  }
  return [...byName.values()]
}

function* latest(letters: readonly FoundLetter[]): Generator<number> {
  for (const { letter, hold } of letters) {
    yield Math.max(letter.book.inserted, letter.book.since ?? 0)
    if (hold !== null) yield hold.token / TOKENS_PER_MS
  }
}

interface PaperFile {
  readonly front: string
  readonly path: string
  readonly text: string
}

function readPapers(
  view: FolderView,
  damaged: { path: string; why: string }[],
): { readonly papers: FoundPapers; readonly files: readonly PaperFile[] } {
  const papers: { [K in keyof PaperWords]: PaperWords[K][] } = {
    ...{ settings: [], pauses: [], schedule: [], key: [], rate: [] },
    ...{ pause: [], retired: [], nodes: [], clock: [] },
  }
  const files: PaperFile[] = []
  for (const path of view.papers) {
    const text = view.read(path)
    const fields = Fields.read(text)
    const kind = fields?.isSound === true ? fields.value<string>('paper', '') : ''
    if (fields === null || !Object.hasOwn(papers, kind)) {
      damaged.push({ path, why: 'it is no paper of ours, or was changed' })
      continue
    }
    const words = Object.fromEntries(
      fields.names().map((name) => [name, fields.endless(name, null)]),
    )
    // What a paper of this kind says was written by the same format, and its checksum is right.
    papers[kind as keyof PaperWords].push(words as never)
    const front = path.slice(path.lastIndexOf('/') + 1).replace(/\.g\d+\.json$/, '')
    files.push({ front, path, text })
  }
  return { papers, files }
}
