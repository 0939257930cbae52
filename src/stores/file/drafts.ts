/**
 * Drafts: files on their way to their names. A file appears under its name whole and durable or not
 * at all, and the first to link it wins; what a crash left of a draft is cleared away later. A draft
 * is never read, and never promoted but by its own writer.
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import { isOfSystem } from './faults.js'

/** After so long without a write nobody is at work on a draft any more. */
const ABANDONED = 60 * 60 * 1000

const OURS = /^[0-9a-z]+\.(?:\d+\.(?:log|index|data)|reserve)$/

export interface Placing {
  readonly disk: Disk
  readonly draft: string
  readonly path: string
  readonly fill: (file: DiskFile) => void | Promise<void>
}

/** False when somebody else has that name. The folder of the name is the caller's to sync. */
export async function place({ disk, draft, path, fill }: Placing): Promise<boolean> {
  // What an earlier attempt of ours left: nobody else uses a name with our nonce.
  removeIfThere(disk, draft)
  const file = disk.create(draft)
  try {
    try {
      await fill(file)
      await file.sync()
    } finally {
      file.close()
    }
    return disk.link(draft, path)
  } finally {
    dispose(disk, draft)
  }
}

/** What was linked is there, whatever becomes of its draft. */
function dispose(disk: Disk, draft: string): void {
  try {
    removeIfThere(disk, draft)
  } catch (error) {
    if (!isOfSystem(error)) throw error
    // It has a second chance: `removeAbandoned` finds it in an hour.
  }
}

/** All of them: a write may take a part. */
export function writeAll(file: DiskFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.write(bytes.subarray(at))
}

/** False: somebody else was first. */
export function removeIfThere(disk: Disk, path: string): boolean {
  try {
    disk.remove(path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

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
