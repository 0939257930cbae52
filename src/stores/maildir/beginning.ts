/**
 * How a life begins: the folder is read, what the log before it says is done for good, what is no
 * letter is put away, and what people did while nobody had it open is taken up. Where the disk is
 * full, the log of before stays, and is done later.
 */
import { isFull } from '../../disk/errno.js'
import { removeIfThere } from '../../disk/place.js'
import { segmentsOf } from './commit-log.js'
import { Desk } from './desk.js'
import { readFolder } from './folder.js'
import type { FolderView } from './folder.js'
import { Life } from './life.js'
import type { LifeParts } from './life.js'
import { putAway } from './putting-away.js'
import { readBook } from './reading.js'
import type { Reading } from './reading.js'
import { makeSegment, removeSegment, reopenSegment } from './segment.js'
import type { Segment } from './segment.js'

export async function beginLife(parts: LifeParts): Promise<Life> {
  const { disk, layout, host, fence, isDoubtful } = parts
  for (const name of disk.list(layout.tmp)) removeIfThere(disk, `${layout.tmp}/${name}`)
  const view = readFolder({ disk, layout, boot: host.boot, fence, isDoubtful })
  const reading = await readBook(view, parts)
  const desk = new Desk({ ...parts, hasSpare: () => parts.spare.isKept })
  desk.adopt(view.moves, view.unsure)
  desk.take(view.stale.map((was) => ({ was, path: null, text: null })))
  const number = segmentsOf(disk, layout).reduce((most, one) => Math.max(most, one.number), 0) + 1
  const segment = await parts.spare.withinTurns(() => makeSegment(parts, number))
  const old = await finish(parts, view, desk)
  await tidyUp(parts, desk, view, reading)
  const life = new Life(parts, { reading: { ...reading, mail: view.mail }, desk, segment, old })
  const clock = reading.clerk.paper({ kind: 'clock' })
  if (clock !== null) life.write([clock])
  life.followWall()
  takeUp(parts, life, reading)
  if (parts.mustFence) await life.rehome()
  life.book.takeNews()
  return life
}

/** What the log before says is done for good before anything new is. Answers what could not be done. */
async function finish(parts: LifeParts, view: FolderView, desk: Desk): Promise<readonly Segment[]> {
  try {
    await desk.work()
    await desk.sync()
  } catch (error) {
    if (!isFull(error)) throw error
    parts.warn(`letters wait in the commit log: ${String(error)}`)
    return view.segments.map((segment) => reopenSegment(parts, segment))
  }
  for (const { name } of view.segments) await removeSegment(parts, name)
  return []
}

async function tidyUp(
  parts: LifeParts,
  desk: Desk,
  view: FolderView,
  { damaged }: Reading,
): Promise<void> {
  const strangers = view.strangers.map((path) => {
    return { path, why: 'its name is none that Millrace gives' }
  })
  const all = [...damaged, ...strangers]
  for (const { path, why } of all) {
    const target = putAway({ ...parts, desk }, path, why)
    parts.warn(`${path} was put into quarantine (${target}): ${why}`)
  }
  if (all.length > 0) await desk.sync()
}

/** What people did with letters while nobody had the folder open. */
function takeUp({ warn }: LifeParts, life: Life, { handled }: Reading): void {
  if (handled.length === 0) return
  const { ledger } = life.book
  const items = handled.flatMap(({ slot, isRetry }) => {
    const ref = { queue: ledger.queueOf(slot).name, id: ledger.ids.text(slot) }
    return isRetry ? [{ ...ref, action: 'retry' as const }] : []
  })
  if (items.length > 0) life.commit({ kind: 'control', items })
  const moves = life.rewrite(handled.map(({ slot }) => slot))
  for (const { path } of moves) warn(`a letter was handled by hand: ${path}`)
}
