/**
 * `file:` — the default store: a folder on a local disk, nothing to install. See docs/stores/file.md
 * for what it promises and docs/internals/file-log.md for how.
 */
import { resolve } from 'node:path'
import type { Disk } from '../../disk/disk.js'
import { realDisk } from '../../disk/real-disk.js'
import { systemChance, systemClock, turn } from '../../time/system.js'
import type { Chance } from '../../time/clock.js'
import type { Store } from '../../store.js'
import { millraceError } from '../../job/errors.js'
import { makeIds } from '../../job/id.js'
import { BookStore } from '../book/book-store.js'
import { checkFolder } from '../../job/store-options.js'
import { FileMedium } from './file-medium.js'
import { realHost } from '../../disk/host.js'
import type { Host } from '../../disk/host.js'

export interface FileStoreOptions {
  /** The folder; made when it is not there. */
  readonly path: string
  /** 'process' answers before the disk's sync: survives kill -9, not a power cut ['power']. */
  readonly durability?: 'power' | 'process'
}

/** What tests hand in instead of the machine. */
export interface FileStoreParts {
  readonly disk?: Disk
  readonly host?: Host
  readonly chance?: Chance
  readonly pause?: () => Promise<void>
  readonly segmentBytes?: number
  readonly stateEvery?: number
  readonly warn?: (message: string) => void
}

/** A segment is rolled at this size: one roll costs three syncs. */
const SEGMENT_BYTES = 64 * 1024 * 1024

/** Own frames between two that say what the book comes to: some microseconds each. */
const STATE_EVERY = 1_000

/** A thread can load it only when it is compiled; from the sources beats run on the loop. */
const BEAT_MODULE = import.meta.url.endsWith('.js')
  ? new URL('./file-beat.js', import.meta.url).href
  : null

/** A store that keeps its jobs in a folder of this host. */
export function fileStore(options: FileStoreOptions): Store<'file'> {
  checkFolder(options, 'fileStore', ['path', 'durability'])
  if (process.platform === 'win32') throw windows(options.path)
  return openableFileStore(options, {})
}

/** The same with parts of the machine replaced; for tests. */
export function openableFileStore(options: FileStoreOptions, parts: FileStoreParts): Store<'file'> {
  const chance = parts.chance ?? systemChance
  const host = parts.host ?? realHost()
  const medium = new FileMedium({
    path: parts.disk === undefined ? resolve(options.path) : options.path,
    durability: options.durability ?? 'power',
    disk: parts.disk ?? realDisk(),
    host,
    nonce: Buffer.from(chance.bytes(8)).toString('hex'),
    newId: makeIds({ ...systemClock, wall: () => host.wall() }, chance),
    pause: parts.pause ?? turn,
    segmentBytes: parts.segmentBytes ?? SEGMENT_BYTES,
    stateEvery: parts.stateEvery ?? STATE_EVERY,
    warn: parts.warn ?? ((message) => process.emitWarning(message, 'MillraceWarning')),
    beatModule: parts.host === undefined && parts.disk === undefined ? BEAT_MODULE : null,
  })
  return new BookStore('file', medium)
}

function windows(path: string): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: path,
    expected: 'Linux or macOS',
    received: 'Windows, whose appends nobody has proved to be ordered',
    remedy: 'run it under WSL, or use another store',
  })
}
