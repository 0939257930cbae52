// A disk with little room: what does not fit any more does not go in, as on a real one. A write takes
// what there is room for, and one for which there is none fails with ENOSPC. Several processes
// share the room; what they unlink is free again.
import type { Disk } from '../../src/disk/disk.js'
import { withFiles } from './with-files.js'

/** The bytes that all files together may have. One object is shared by all disks on a platter. */
export interface Room {
  bytes: number
}

/** `root` is the folder under which all files are counted. */
export function smallDisk(disk: Disk, root: string, room: Room): Disk {
  const used = (folder: string): number => {
    let sum = 0
    for (const name of disk.list(folder)) {
      const path = `${folder}/${name}`
      const facts = disk.facts(path)
      sum += facts?.kind === 'folder' ? used(path) : (facts?.size ?? 0)
    }
    return sum
  }
  return withFiles(disk, (file) => ({
    write: (bytes) => {
      const left = room.bytes - used(root)
      if (left <= 0) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
      return file.write(bytes.subarray(0, left))
    },
  }))
}
