// A disk with a turnstile before every call that changes something: to count the calls of several
// processes together, to end the world before one of them, or to do one of them differently.
import type { Disk, DiskFile } from '../../src/disk/disk.js'

export type Change =
  | 'makeFolder'
  | 'create'
  | 'link'
  | 'rename'
  | 'remove'
  | 'syncFolder'
  | 'write'
  | 'sync'
  | 'syncNow'

/** Called before each; what it throws is thrown in place of the call. */
export type Turnstile = (change: Change, path: string) => void

export function watchedDisk(disk: Disk, turnstile: Turnstile): Disk {
  const file = (opened: DiskFile): DiskFile => watchedFile(opened, turnstile)
  return {
    makeFolder: (path) => {
      turnstile('makeFolder', path)
      disk.makeFolder(path)
    },
    list: (path) => disk.list(path),
    facts: (path) => disk.facts(path),
    create: (path) => {
      turnstile('create', path)
      return file(disk.create(path))
    },
    append: (path) => file(disk.append(path)),
    read: (path) => file(disk.read(path)),
    link: (from, to) => {
      turnstile('link', to)
      return disk.link(from, to)
    },
    rename: (from, to) => {
      turnstile('rename', from)
      disk.rename(from, to)
    },
    remove: (path) => {
      turnstile('remove', path)
      disk.remove(path)
    },
    syncFolder: async (path) => {
      turnstile('syncFolder', path)
      await disk.syncFolder(path)
    },
    medium: (path) => disk.medium(path),
    watch: (path, onChange) => disk.watch(path, onChange),
  }
}

function watchedFile(file: DiskFile, turnstile: Turnstile): DiskFile {
  return {
    path: file.path,
    write: (bytes) => {
      turnstile('write', file.path)
      return file.write(bytes)
    },
    readAt: (position, into) => file.readAt(position, into),
    size: () => file.size(),
    links: () => file.links(),
    sync: async () => {
      turnstile('sync', file.path)
      await file.sync()
    },
    syncNow: () => {
      turnstile('syncNow', file.path)
      file.syncNow()
    },
    close: () => file.close(),
  }
}
