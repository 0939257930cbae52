/**
 * Putting files in their places: whole and durable under a name or not at all, the first to link
 * it wins. Who clears away what a crash left of a draft is the caller's affair.
 */
import type { Disk, DiskFile } from './disk.js'
import { isOfSystem } from './errno.js'

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
    // It has a second chance: whoever clears away abandoned drafts finds it later.
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
