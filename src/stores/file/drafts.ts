/**
 * Drafts: files on their way to their names. A file appears under its name whole and durable or not
 * at all, and the first to link it wins; what a crash left of a draft is cleared away later. A draft
 * is never read, and never promoted but by its own writer.
 */
import type { Disk } from '../../disk/disk.js'
import { removeIfThere } from '../../disk/place.js'

/** After so long without a write nobody is at work on a draft any more. */
const ABANDONED = 60 * 60 * 1000

const OURS = /^[0-9a-z]+\.(?:\d+\.(?:log|index|data)|reserve)$/

/** Clears away what crashes left. `wall` is the time of the file system too. */
export function removeAbandoned(disk: Disk, folder: string, wall: number): void {
  for (const name of disk.list(folder)) {
    if (!OURS.test(name)) continue
    const path = `${folder}/${name}`
    const facts = disk.facts(path)
    // A clock that was set back must not make a draft stay for ever.
    if (facts?.kind === 'file' && Math.abs(wall - facts.modified) > ABANDONED) {
      removeIfThere(disk, path)
    }
  }
}
