// A machine that is simulated as a whole, with one process on it that keeps a maildir: a disk that
// forgets, a clock that is moved by hand. Several handles are handles of that process.
import { digest } from '../../src/job/book/digest.js'
import type { Disk } from '../../src/disk/disk.js'
import type { Host } from '../../src/disk/host.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import type { Porter, PorterParts } from '../../src/stores/maildir/porter.js'
import type { MaildirStoreOptions, Rooms } from '../../src/stores/maildir/maildir-store.js'
import type { Store } from '../../src/store.js'
import { seededChance } from '../../src/time/virtual.js'

export const ROOT = '/mail'
export const SCOPE = 'default'
const EPOCH = Date.UTC(2020, 0, 1)

/** The machine's time. One object is shared by a machine and all that crashes leave of it. */
export interface Hands {
  ms: number
}

/** A host since its start number `boot`, on which only the process with this number lives. */
export function hostAt(hands: Hands, boot: number, pid: number): Host {
  const started = hands.ms
  return {
    boot: `boot-${boot}`,
    up: () => hands.ms - started,
    wall: () => EPOCH + hands.ms,
    proof: `boot-${boot} ${pid}`,
    // Nodes beat and are swept by their leases; a keeper of another pid is dead.
    liveness: (proof) => (proof === `boot-${boot} ${pid}` ? 'alive' : 'dead'),
  }
}

/** One process: its handles share a keeper. */
export interface Process {
  readonly disk: Disk
  readonly host: Host
  readonly rooms: Rooms
  readonly segmentBytes: number
  /** [One who does at once what he is handed.] */
  readonly porter?: (parts: PorterParts) => Porter
}

export interface Handle {
  readonly store: Store
  readonly warnings: string[]
  /** What the keeper's book says. Only between calls. */
  book(): Promise<string[]>
}

export async function openHandle(
  process: Process,
  nonce: number,
  options: Omit<MaildirStoreOptions, 'path'> = {},
): Promise<Handle> {
  const warnings: string[] = []
  const { disk, host, rooms, segmentBytes, porter } = process
  const store = openableMaildirStore(
    { ...options, path: ROOT },
    {
      ...{ disk, host, rooms, segmentBytes },
      ...(porter === undefined ? {} : { porter }),
      chance: seededChance(nonce),
      pause: async () => undefined,
      warn: (message) => warnings.push(message),
    },
  )
  await store.open({ scope: SCOPE })
  const book = async (): Promise<string[]> => {
    const room = await rooms.get(`${ROOT}\0${SCOPE}`)
    return room === undefined ? [] : digest(room.book.ledger)
  }
  return { store, warnings, book }
}
