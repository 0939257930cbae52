/**
 * `maildir:` — the queue as a folder of letters that people can see and handle. See
 * docs/stores/maildir.md for what it promises and docs/internals/maildir.md for how.
 */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Disk } from '../../disk/disk.js'
import { realHost } from '../../disk/host.js'
import type { Host } from '../../disk/host.js'
import { realDisk } from '../../disk/real-disk.js'
import { LEASE } from '../../job/defaults.js'
import { makeIds } from '../../job/id.js'
import { millraceError } from '../../job/errors.js'
import type { Store } from '../../store.js'
import type { Chance, Clock } from '../../time/clock.js'
import { systemChance, systemClock, turn } from '../../time/system.js'
import { BookStore } from '../book/book-store.js'
import { checkFolder } from '../../job/store-options.js'
import { layoutOf } from './layout.js'
import { hostSegment } from './letter-name.js'
import { MaildirStore } from './handles.js'
import type { KeeperParts } from './keeper.js'
import { MaildirMedium } from './maildir-medium.js'
import { DiskPorter } from './porter.js'
import type { Porter, PorterParts } from './porter.js'
import { porterOf } from './porter-port.js'
import { Room } from './room.js'

export interface MaildirStoreOptions {
  /** The folder; made when it is not there. */
  readonly path: string
  /** 'process' answers before the disk's sync: survives kill -9, not a power cut ['power']. */
  readonly durability?: 'power' | 'process'
  /**
   * 'look' changes nothing and never becomes the keeper: it asks the one that there is, or reads the
   * folder itself; what would change something is refused ['full'].
   */
  readonly access?: 'full' | 'look'
}

/** What tests hand in instead of the machine. */
export interface MaildirStoreParts {
  readonly disk?: Disk
  readonly host?: Host
  readonly chance?: Chance
  /** For waits: of visitors, between beats, between looks at the post [the system's; of a host that was handed in, visitors alone wait]. */
  readonly clock?: Clock
  readonly pause?: () => Promise<void>
  readonly warn?: (message: string) => void
  readonly segmentBytes?: number
  /** Who does what the desk hands him [on the real disk a thread, when it is worth it]. */
  readonly porter?: (parts: PorterParts) => Porter
  /** The rooms of this process [those of the real one]. */
  readonly rooms?: Rooms
}

/** Rooms that are open or opening, by folder and scope. */
export type Rooms = Map<string, Promise<Room>>

/** A log of this size is cleared: its letters are synced where they lie. */
const SEGMENT_BYTES = 16 * 1024 * 1024

const ROOMS: Rooms = new Map()

/** A store that keeps its jobs as letters in a folder of this host. */
export function maildirStore(options: MaildirStoreOptions): Store<'maildir'> {
  checkFolder(options, 'maildirStore', ['path', 'durability', 'access'])
  if (process.platform === 'win32') throw windows(options.path)
  return openableMaildirStore(options, {})
}

/** The same with parts of the machine replaced; for tests. */
export function openableMaildirStore(
  options: MaildirStoreOptions,
  parts: MaildirStoreParts,
): Store<'maildir'> {
  const path = parts.disk === undefined ? resolve(options.path) : options.path
  const host = parts.host ?? realHost()
  const durability = options.durability ?? 'power'
  const rooms = parts.rooms ?? ROOMS
  const disk = parts.disk ?? realDisk()
  const nonce = Buffer.from((parts.chance ?? systemChance).bytes(8)).toString('hex')
  const warn = parts.warn ?? ((message) => process.emitWarning(message, 'MillraceWarning'))
  const rounds = parts.clock ?? (parts.host === undefined ? systemClock : null)
  const newId = makeIds(parts.clock ?? systemClock, parts.chance ?? systemChance)
  const keeperParts = (scope: string): KeeperParts => ({
    ...{ disk, host, nonce, lease: LEASE, pid: process.pid },
    layout: layoutOf(path, scope),
    hostname: hostSegment(hostname()),
  })
  const porterFor =
    parts.porter ??
    ((its: PorterParts) =>
      parts.disk === undefined ? porterOf(its, parts.clock ?? systemClock) : new DiskPorter(its))
  const keyOf = (scope: string): string => `${path}\0${scope}`
  const open = (scope: string): Promise<Room> =>
    Room.open({
      ...{ ...keeperParts(scope), durability, warn },
      porter: porterFor(keeperParts(scope)),
      ...{ clock: rounds, newId, onGone: () => rooms.delete(keyOf(scope)) },
      pause: parts.pause ?? turn,
      segmentBytes: parts.segmentBytes ?? SEGMENT_BYTES,
    })
  return new MaildirStore({
    ...{ survives: durability, access: options.access ?? 'full', keeperParts, warn, rounds },
    pause: parts.pause ?? turn,
    clock: parts.clock ?? systemClock,
    isKeptHere: (scope) => rooms.has(keyOf(scope)),
    keep: async (scope) => {
      const room = await enter(rooms, keyOf(scope), () => open(scope))
      const left = (): Promise<void> => leave(rooms, keyOf(scope), room)
      const store = new BookStore(
        'maildir',
        new MaildirMedium({ host, survives: durability, room, left }),
      )
      await store.open({ scope })
      return { store, room }
    },
  })
}

async function enter(rooms: Rooms, key: string, open: () => Promise<Room>): Promise<Room> {
  const known = rooms.get(key)
  if (known !== undefined) {
    const room = await known
    // It may have been closed by its last handle meanwhile.
    if (rooms.get(key) !== known) return enter(rooms, key, open)
    room.handles++
    return room
  }
  const opening = open()
  rooms.set(key, opening)
  try {
    const room = await opening
    room.handles++
    return room
  } catch (error) {
    rooms.delete(key)
    throw error
  }
}

async function leave(rooms: Rooms, key: string, room: Room): Promise<void> {
  if (--room.handles > 0) return room.durable()
  if (!room.isGone) rooms.delete(key) // else it made way before, and another may stand there
  await room.close()
}

function windows(path: string): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: path,
    expected: 'Linux or macOS',
    received: 'Windows, whose file names cannot carry flags behind a colon',
    remedy: 'run it under WSL, or use another store',
  })
}
