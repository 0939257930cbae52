// A disk on which some calls of files are done differently.
import type { Disk, DiskFile } from '../../src/disk/disk.js'

/** `change` is asked once for each file that is created or opened to append. */
export function withFiles(disk: Disk, change: (file: DiskFile) => Partial<DiskFile>): Disk {
  const wrap = (file: DiskFile): DiskFile => ({
    path: file.path,
    write: (bytes) => file.write(bytes),
    readAt: (position, into) => file.readAt(position, into),
    size: () => file.size(),
    links: () => file.links(),
    sync: () => file.sync(),
    syncNow: () => file.syncNow(),
    close: () => file.close(),
    ...change(file),
  })
  return {
    makeFolder: (path) => disk.makeFolder(path),
    list: (path) => disk.list(path),
    facts: (path) => disk.facts(path),
    create: (path) => wrap(disk.create(path)),
    append: (path) => wrap(disk.append(path)),
    read: (path) => disk.read(path),
    link: (from, to) => disk.link(from, to),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncFolder: (path) => disk.syncFolder(path),
    medium: (path) => disk.medium(path),
    watch: (path, onChange) => disk.watch(path, onChange),
  }
}
