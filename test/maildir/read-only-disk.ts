// A disk that is mounted for reading alone, or whose folders belong to somebody else: every call that
// would change something is refused, with the error of such a disk. Folders that are there are.
import type { Disk } from '../../src/disk/disk.js'
import { watchedDisk } from '../file/watched-disk.js'

export function readOnlyDisk(disk: Disk, code: 'EROFS' | 'EACCES' | 'EPERM' = 'EROFS'): Disk {
  return watchedDisk(disk, (change, path) => {
    if (change === 'syncFolder' || (change === 'makeFolder' && disk.facts(path) !== null)) return
    throw Object.assign(new Error(`${code}: ${change} ${path}`), { code })
  })
}
