/**
 * Reading a maildir: its trays, and over them what the commit log says of moves that were not done
 * yet. Reads only, so that anyone may look; the keeper then does the moves that are told here. What
 * is no letter is told, and left to the keeper to put away.
 */
import type { Disk } from '../../disk/disk.js'
import { readSegment, segmentsOf } from './commit-log.js'
import type { ReadSegment, SegmentName } from './commit-log.js'
import { TRAYS, namesIn, queueFolders, readText } from './layout.js'
import type { Layout } from './layout.js'
import { readName } from './letter-name.js'
import { isMail } from './mail.js'
import { Moves } from './moves.js'

export interface FolderAsk {
  readonly disk: Disk
  readonly layout: Layout
  /** This start of the host: what was done since then is done. */
  readonly boot: string
  /** Names of an older generation are of a keeper that was deposed. */
  readonly fence: number
  /** Nothing that was done is trusted: a sync has failed. */
  readonly isDoubtful: boolean
}

export interface FolderView {
  /** Moves that are still to be done, for the keeper. */
  readonly moves: Moves
  /** Files and folders that may have been written without a sync. */
  readonly unsure: { readonly files: readonly string[]; readonly folders: readonly string[] }
  readonly segments: readonly SegmentName[]
  /** Where letters and papers lie, or will, below the scope. */
  readonly letters: readonly string[]
  readonly papers: readonly string[]
  /** What others have delivered, and nobody has taken in. */
  readonly mail: readonly string[]
  /** What lies where letters lie and has no name of ours. */
  readonly strangers: readonly string[]
  /** Leftovers of a deposed keeper. */
  readonly stale: readonly string[]
  /** The log breaks off in the middle of a file. */
  readonly torn: readonly { readonly name: string; readonly at: number }[]
  read(path: string): string
  /** When the file was written last, by the clock of the file system. */
  modified(path: string): number
}

const PAPER = /^.+\.g(\d+)\.json$/

export function readFolder(ask: FolderAsk): FolderView {
  const { disk, layout } = ask
  const segments = segmentsOf(disk, layout)
  const read = segments.map(({ name }) => readSegment(disk, `${layout.commit}/${name}`))
  return arrange(ask, logOf(ask, { segments, read }), laidIn(disk, layout))
}

/** What lies in trays and among the papers, below the scope; hidden names left out. */
export function laidIn(disk: Disk, layout: Layout): ReadonlySet<string> {
  const laid = new Set<string>()
  for (const queue of queueFolders(disk, layout)) {
    for (const tray of TRAYS) {
      for (const name of seenIn(disk, `${layout.scope}/${queue}/${tray}`)) {
        laid.add(`${queue}/${tray}/${name}`)
      }
    }
  }
  for (const name of seenIn(disk, layout.papers)) laid.add(`.keeper/papers/${name}`)
  return laid
}

/** What lies there, and over it what the log says of moves that were not done yet. */
export function arrange(
  { disk, layout, fence }: Pick<FolderAsk, 'disk' | 'layout' | 'fence'>,
  log: LogView,
  laid: ReadonlySet<string>,
): FolderView {
  const { moves, segments, torn, unsure } = log
  const [letters, papers, mail]: [string[], string[], string[]] = [[], [], []]
  const [strangers, stale]: [string[], string[]] = [[], []]
  const sort = (path: string, generation: number | null, into: string[]): void => {
    if (generation === null) strangers.push(path)
    else if (generation < fence) stale.push(path)
    else into.push(path)
  }
  const leaving = leavingIn(moves)
  for (const path of laid) {
    if (moves.removals.has(path) || moves.sheets.has(path) || leaving.has(path)) continue
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (path.startsWith('.')) sort(path, numberIn(PAPER.exec(name)?.[1]), papers)
    else if (isMail(path)) sort(path, Infinity, mail)
    else sort(path, readName(name)?.generation ?? null, letters)
  }
  for (const path of moves.sheets.keys()) {
    if (path.startsWith('.')) papers.push(path)
    else letters.push(path)
  }
  const read = (path: string): string => {
    const sheet = moves.sheets.get(path)
    if (sheet === undefined) return readText(disk, `${layout.scope}/${path}`)
    if (sheet.text !== null) return sheet.text
    // It was moved, and that was not said in the log yet.
    const places = [sheet.lies ?? path, path].map((one) => `${layout.scope}/${one}`)
    return readText(disk, disk.facts(places[0]) === null ? places[1] : places[0])
  }
  const modified = (path: string): number => {
    return disk.facts(`${layout.scope}/${path}`)?.modified ?? 0
  }
  const seen = { letters, papers, mail, strangers, stale, torn }
  return { ...seen, modified, moves, unsure, segments, read }
}

function numberIn(text: string | undefined): number | null {
  return text === undefined ? null : Number(text)
}

/** From where letters are on their way. */
function leavingIn(moves: Moves): ReadonlySet<string | null> {
  return new Set([...moves.sheets.values()].map(({ lies }) => lies))
}

function seenIn(disk: Disk, folder: string): readonly string[] {
  return namesIn(disk, folder).filter((name) => !name.startsWith('.'))
}

// ── The log ─────────────────────────────────────────────────────────────────────────────────────

export interface LogView extends Pick<FolderView, 'moves' | 'unsure' | 'segments' | 'torn'> {
  /** All that the log speaks of, done or not: each file with the text that it has. */
  readonly all: Moves
}

/** After a restart of the host nothing of the log is known to be done, else all before its marks. */
export function logOf(
  { boot, isDoubtful }: Pick<FolderAsk, 'boot' | 'isDoubtful'>,
  {
    segments,
    read,
  }: { readonly segments: readonly SegmentName[]; readonly read: readonly ReadSegment[] },
): LogView {
  const moves = new Moves()
  const all = new Moves()
  const touched = new Set<string>()
  const folders = new Set<string>()
  const torn: { name: string; at: number }[] = []
  // Moves are done in order: a mark says the same of every older segment.
  const marked = read.findLastIndex(({ done }) => done > 0)
  for (const [number, segment] of read.entries()) {
    const { name } = segments[number]
    if (segment.end < segment.size) torn.push({ name, at: segment.end })
    const isTrusted = segment.boot === boot && !isDoubtful
    for (const { at, moves: some } of segment.records) {
      const isDone = isTrusted && (number < marked || at < segment.done)
      for (const move of some) {
        all.add(move)
        for (const path of [move.was, move.path]) {
          if (path !== null) folders.add(path.slice(0, path.lastIndexOf('/')))
        }
        if (isDone) continue
        moves.add(move)
        if (move.was !== null) touched.add(move.was)
        if (move.path !== null) touched.add(move.path)
      }
    }
  }
  // Where a letter lay for a moment it may lie still: its move may have been undone.
  const leaving = leavingIn(moves)
  for (const path of touched) {
    if (!moves.sheets.has(path) && !leaving.has(path)) moves.removals.set(path, 0)
  }
  const unsure = { files: [...all.sheets.keys()], folders: [...folders] }
  return { moves, all, segments, torn, unsure }
}
