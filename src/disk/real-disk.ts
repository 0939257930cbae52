/**
 * The machine's own file system behind the port. It promises to follow no link at the end of a
 * path, to block on nothing but the disk, to touch regular files and folders of this user only,
 * and never to use a descriptor that has been closed. Retries, meaning and order are the caller's.
 */
import * as fs from 'node:fs'
import { millraceError } from '../job/errors.js'
import type { Disk, DiskFile, Facts, Medium } from './disk.js'
import { mediumOf } from './medium.js'

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } =
  fs.constants

const CREATE = O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_NOFOLLOW
const APPEND = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK
const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK
const FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW

const OWNER_ONLY_FOLDER = 0o700
const OWNER_ONLY_FILE = 0o600
const WRITABLE_BY_OTHERS = 0o022
const PERMISSIONS = 0o7777

/** A watch that keeps breaking is given up; polling goes on. */
const WATCH_REPAIRS = 8

/** One for all stores of a process: it has no state. */
export function realDisk(): Disk {
  return new RealDisk()
}

class RealDisk implements Disk {
  makeFolder(path: string): void {
    try {
      fs.mkdirSync(path, OWNER_ONLY_FOLDER)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      checkFolder(path)
    }
  }

  list(path: string): readonly string[] {
    return fs.readdirSync(path)
  }

  facts(path: string): Facts | null {
    const stats = fs.lstatSync(path, { throwIfNoEntry: false })
    return stats === undefined ? null : factsOf(stats)
  }

  create(path: string): DiskFile {
    return new RealFile(path, fs.openSync(path, CREATE, OWNER_ONLY_FILE))
  }

  append(path: string): DiskFile {
    return openOwn(path, APPEND)
  }

  read(path: string): DiskFile {
    return openOwn(path, READ)
  }

  link(from: string, to: string): boolean {
    try {
      fs.linkSync(from, to)
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    }
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to)
  }

  remove(path: string): void {
    fs.unlinkSync(path)
  }

  async syncFolder(path: string): Promise<void> {
    const descriptor = fs.openSync(path, FOLDER)
    try {
      await settled((done) => fs.fsync(descriptor, done))
    } finally {
      fs.closeSync(descriptor)
    }
  }

  medium(path: string): Medium {
    return mediumOf(path)
  }

  watch(path: string, onChange: (name?: string | null) => void): () => void {
    let watcher: fs.FSWatcher | null = null
    let repairs = 0
    const stop = () => {
      watcher?.close()
      watcher = null
    }
    const start = () => {
      try {
        watcher = fs.watch(path, { persistent: false }, (_event, name) => onChange(name))
        watcher.on('error', () => {
          stop()
          if (repairs++ < WATCH_REPAIRS) start()
        })
      } catch {
        watcher = null // no more watches, no such folder: hints may be lost, polling finds it
      }
    }
    start()
    return () => {
      repairs = WATCH_REPAIRS
      stop()
    }
  }
}

class RealFile implements DiskFile {
  readonly path: string
  readonly #descriptor: number
  #syncs = 0
  #isClosed = false

  constructor(path: string, descriptor: number) {
    this.path = path
    this.#descriptor = descriptor
  }

  write(bytes: Uint8Array): number {
    return fs.writeSync(this.#open(), bytes)
  }

  readAt(position: number, into: Uint8Array): number {
    const descriptor = this.#open()
    let filled = 0
    while (filled < into.length) {
      const more = { offset: filled, length: into.length - filled, position: position + filled }
      const count = fs.readSync(descriptor, into, more)
      if (count === 0) break
      filled += count
    }
    return filled
  }

  size(): number {
    return fs.fstatSync(this.#open()).size
  }

  links(): number {
    return fs.fstatSync(this.#open()).nlink
  }

  async sync(): Promise<void> {
    const descriptor = this.#open()
    this.#syncs++
    try {
      await settled((done) => fs.fdatasync(descriptor, done))
    } finally {
      this.#syncs--
      if (this.#isClosed) this.#release()
    }
  }

  syncNow(): void {
    fs.fdatasyncSync(this.#open())
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#release()
  }

  /** The system gives a closed number to the next file: so no call may be under way on it. */
  #release(): void {
    if (this.#syncs === 0) fs.closeSync(this.#descriptor)
  }

  #open(): number {
    if (!this.#isClosed) return this.#descriptor
    throw Object.assign(new Error(`EBADF: ${this.path} is closed`), { code: 'EBADF' })
  }
}

function openOwn(path: string, flags: number): DiskFile {
  const descriptor = openAny(path, flags)
  try {
    const found = factsOf(fs.fstatSync(descriptor))
    if (found.kind !== 'file') throw refused(path, 'a regular file', found.kind)
    if (!isOurs(found.uid)) throw refused(path, 'a file of this user', `owner ${found.uid}`)
    return new RealFile(path, descriptor)
  } catch (error) {
    fs.closeSync(descriptor)
    throw error
  }
}

function openAny(path: string, flags: number): number {
  try {
    return fs.openSync(path, flags)
  } catch (error) {
    switch (codeOf(error)) {
      case 'ELOOP': // a link, which O_NOFOLLOW does not open
      case 'EISDIR':
      case 'ENXIO': // a socket, or a device that is not there
      case 'ENODEV':
        throw refused(path, 'a regular file', 'a link, a folder or a device', error)
      default:
        throw error
    }
  }
}

function checkFolder(path: string): void {
  // With a slash behind it lstat would look through a link.
  const found = factsOf(fs.lstatSync(path.replace(/(?<=.)\/+$/, '')))
  if (found.kind !== 'folder') throw refused(path, 'a folder, not a link to one', found.kind)
  if (!isOurs(found.uid)) throw refused(path, 'a folder of this user', `owner ${found.uid}`)
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) {
    const mode = found.mode.toString(8).padStart(4, '0')
    throw refused(path, 'a folder to which only its owner may write', `mode ${mode}`)
  }
}

function refused(path: string, expected: string, received: string, cause?: unknown): Error {
  const remedy = 'move it out of the way, or correct its owner and permissions'
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: path,
    expected,
    received,
    remedy,
    ...(cause === undefined ? {} : { cause }),
  })
}

function factsOf(stats: fs.Stats): Facts {
  return {
    kind: kindOf(stats),
    size: stats.size,
    mode: stats.mode & PERMISSIONS,
    uid: stats.uid,
    links: stats.nlink,
    inode: stats.ino,
    modified: stats.mtimeMs,
  }
}

function kindOf(stats: fs.Stats): Facts['kind'] {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'folder'
  return stats.isSymbolicLink() ? 'link' : 'other'
}

function isOurs(uid: number): boolean {
  return process.geteuid === undefined || process.geteuid() === uid
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** A callback call as a promise; the promise API would open and close handles of its own. */
function settled(call: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === null || error === undefined ? resolve() : reject(error)))
  })
}
