/**
 * The port to the file system: what a store on files may ask of a disk, and what it may count on.
 * `real-disk.ts` is the machine's own; the simulated one that forgets what was not synced is in
 * `testing/`. Whoever stores files talks to this and never to node:fs, so that every call can be
 * made to fail, and every moment to be the last.
 *
 * What reaches the page cache only is asked synchronously: a write costs some 5 µs, the promise
 * round it 100. Syncs take milliseconds and are promises.
 *
 * Failures are thrown as the system reports them (an Error with a `code` such as ENOSPC). What is
 * not safe to touch (a link, a pipe, a file or folder of somebody else) is refused with a
 * MillraceError, STORE_UNREACHABLE. Names are composed by the caller, from encoded parts only.
 */

export interface Disk {
  /**
   * One level, for its owner alone (0700). One that is there already is fine, if it is a folder,
   * ours, and nobody else may write to it; else refused.
   */
  makeFolder(path: string): void
  /**
   * The names in a folder, in no order. While others rename there it may miss some and repeat
   * others: absence is proved by opening. ENOENT without a folder.
   */
  list(path: string): readonly string[]
  /** What a path is, itself and not what it links to; null when nothing is there. */
  facts(path: string): Facts | null
  /** A new file (0600) to append to; EEXIST when anything at all has the name. */
  create(path: string): DiskFile
  /** A file of our own to read and append to. Opens no link and waits for no pipe. */
  append(path: string): DiskFile
  /** A file of our own to read. Opens no link and waits for no pipe. */
  read(path: string): DiskFile
  /** A second name for a file. False when `to` exists: one of any number of rivals gets true. */
  link(from: string, to: string): boolean
  /** Moves, and silently replaces what `to` was. Does nothing at all when both are one file. */
  rename(from: string, to: string): void
  /** Takes a name from a file. The file stays while somebody has it open. */
  remove(path: string): void
  /** Resolves when the names in the folder, as they are now, survive a power cut. */
  syncFolder(path: string): Promise<void>
  /** What kind of file system holds the path. */
  medium(path: string): Medium
  /**
   * Calls when something in the folder may have changed: late, twice, or not at all; with the name
   * in it, where the system tells it. Never throws; where watching is impossible it is silent. Does
   * not keep the process alive. Returns its end.
   */
  watch(path: string, onChange: (name?: string | null) => void): () => void
}

/** An open file. After `close` everything throws EBADF, but for a second `close`. */
export interface DiskFile {
  readonly path: string
  /** One write(2) at the end of the file; returns how many bytes went in, which may be fewer. */
  write(bytes: Uint8Array): number
  /** Fills `into` as far as there are bytes, and says how far. */
  readAt(position: number, into: Uint8Array): number
  size(): number
  /** How many names the file has; 0 when it is unlinked and only this handle keeps it. */
  links(): number
  /**
   * Resolves when all that was in the file at the call survives a power cut, by whomever it was
   * written. After a rejection nobody knows what survives, and a second sync would not tell:
   * drop the handle. It may be closed meanwhile; the sync still ends.
   */
  sync(): Promise<void>
  /** The same, blocking: for a lone caller on a disk where a sync is cheaper than a thread. */
  syncNow(): void
  close(): void
}

export interface Facts {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  readonly size: number
  /** The permission bits. */
  readonly mode: number
  readonly uid: number
  /** How many names it has. */
  readonly links: number
  readonly inode: number
  /** Milliseconds since the Unix epoch, by the clock of the file system. */
  readonly modified: number
}

export interface Medium {
  /** As its makers call it: ext4, tmpfs, nfs … */
  readonly name: string
  /** What a completed sync survives. */
  readonly keeps: 'power' | 'process'
  /** False: appends of two writers may overwrite each other, so nothing can be built on them. */
  readonly ordersAppends: boolean
}
