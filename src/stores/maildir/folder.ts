/**
 * Reading a maildir: its trays, and over them what the commit log says of moves that were not done
 * yet. Reads only, so that anyone may look; the keeper then does the moves that are told here. What
 * is no letter is told, and left to the keeper to put away.
 */
import type { Disk } from '../../disk/disk.js'
import { isMissing } from '../../disk/errno.js'
import { readSegment, segmentsOf } from './commit-log.js'
import type { SegmentName } from './commit-log.js'
import { TRAYS, queueFolders, readText } from './layout.js'
import type { Layout } from './layout.js'
import { readName } from './letter-name.js'
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
  const { disk, layout, fence } = ask
  const { moves, segments, torn, unsure } = readLog(ask)
  const letters: string[] = []
  const strangers: string[] = []
  const stale: string[] = []
  const sort = (path: string, generation: number | null, into: string[]): void => {
    if (moves.removals.has(path) || moves.sheets.has(path) || isOnItsWay(path)) return
    if (generation === null) strangers.push(path)
    else if (generation < fence) stale.push(path)
    else into.push(path)
  }
  const leaving = new Set([...moves.sheets.values()].map(({ lies }) => lies))
  const isOnItsWay = (path: string): boolean => leaving.has(path)
  for (const queue of queueFolders(disk, layout)) {
    for (const tray of TRAYS) {
      for (const name of listed(disk, `${layout.scope}/${queue}/${tray}`)) {
        sort(`${queue}/${tray}/${name}`, readName(name)?.generation ?? null, letters)
      }
    }
  }
  const papers: string[] = []
  for (const name of listed(disk, layout.papers)) {
    const generation = PAPER.exec(name)?.[1]
    sort(`.keeper/papers/${name}`, generation === undefined ? null : Number(generation), papers)
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
  return { modified, moves, unsure, segments, letters, papers, strangers, stale, torn, read }
}

/** A folder that is not there holds nothing. */
function listed(disk: Disk, folder: string): readonly string[] {
  try {
    return disk.list(folder).filter((name) => !name.startsWith('.'))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** After a restart of the host nothing of the log is known to be done, else all before its marks. */
function readLog({ disk, layout, boot, isDoubtful }: FolderAsk): {
  readonly moves: Moves
  readonly segments: readonly SegmentName[]
  readonly torn: { name: string; at: number }[]
  readonly unsure: FolderView['unsure']
} {
  const moves = new Moves()
  const all = new Moves()
  const touched = new Set<string>()
  const folders = new Set<string>()
  const segments = segmentsOf(disk, layout)
  const torn: { name: string; at: number }[] = []
  for (const { name } of segments) {
    const segment = readSegment(disk, `${layout.commit}/${name}`)
    if (segment.end < segment.size) torn.push({ name, at: segment.end })
    const isTrusted = segment.boot === boot && !isDoubtful
    for (const { at, moves: some } of segment.records) {
      const isDone = isTrusted && at < segment.done
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
  const leaving = new Set([...moves.sheets.values()].map(({ lies }) => lies))
  for (const path of touched) {
    if (!moves.sheets.has(path) && !leaving.has(path)) moves.removals.add(path)
  }
  const unsure = { files: [...all.sheets.keys()], folders: [...folders] }
  return { moves, segments, torn, unsure }
}
