// A machine that is simulated as a whole: a disk that forgets, a clock that is moved by hand, and any
// number of processes on both. A process is one file store with a fork of the disk of its own, and
// its book lies open, so that what two of them believe can be compared.
import { digest } from '../../src/job/book/digest.js'
import { BookStore } from '../../src/stores/book/book-store.js'
import { FileMedium } from '../../src/stores/file/file-medium.js'
import type { FileMediumOptions } from '../../src/stores/file/file-medium.js'
import type { Host } from '../../src/disk/host.js'
import type { Disk } from '../../src/disk/disk.js'
import type { Store } from '../../src/store.js'
import { makeIds } from '../../src/job/id.js'
import { turn } from '../../src/time/system.js'
import { seededChance, VirtualClock } from '../../src/time/virtual.js'

export const ROOT = '/mill'
export const SCOPE = 'default'
const EPOCH = Date.UTC(2020, 0, 1)
/** Rolls of the log, and snapshots behind them, are through after so many turns of the loop. */
const TURNS = 6

/** The machine's time. One object is shared by a machine and all that crashes leave of it. */
export interface Hands {
  ms: number
  /** How far the calendar was set apart from it. */
  jump?: number
}

/** A host since its start number `boot`; a process is never provably dead on it. */
export function hostAt(hands: Hands, boot: number): Host {
  const started = hands.ms
  return {
    boot: `boot-${boot}`,
    up: () => hands.ms - started,
    wall: () => EPOCH + hands.ms + (hands.jump ?? 0),
    proof: null,
    liveness: () => 'alive',
  }
}

export interface Process {
  readonly store: Store
  /** What was told of damage and trouble. */
  readonly warnings: string[]
  /** What its book says. Only between calls. */
  book(): string[]
}

export interface ProcessParts {
  readonly disk: Disk
  readonly host: Host
  readonly nonce: string
  readonly segmentBytes?: number
  readonly stateEvery?: number
  readonly pause?: () => Promise<void>
}

/** Not opened yet. */
export function processOn(parts: ProcessParts): Process {
  const warnings: string[] = []
  const medium = new FileMedium(mediumOptions(parts, (message) => warnings.push(message)))
  return {
    store: new BookStore('file', medium),
    warnings,
    book: () => digest(medium.book.ledger),
  }
}

export async function openProcess(parts: ProcessParts): Promise<Process> {
  const process = processOn(parts)
  await process.store.open({ scope: SCOPE })
  return process
}

function mediumOptions(parts: ProcessParts, warn: (message: string) => void): FileMediumOptions {
  return {
    path: ROOT,
    durability: 'power',
    disk: parts.disk,
    host: parts.host,
    nonce: parts.nonce,
    newId: makeIds(new VirtualClock(), seededChance(1)),
    pause: parts.pause ?? (async () => undefined),
    segmentBytes: parts.segmentBytes ?? 1024 * 1024,
    stateEvery: parts.stateEvery ?? 1_000,
    warn,
    beatModule: null,
  }
}

/** What a process does beside its answers (rolling, compacting) is through. */
export async function quiet(): Promise<void> {
  for (let turns = 0; turns < TURNS; turns++) await turn()
}
