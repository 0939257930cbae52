/**
 * What SQLite does with `synchronous = FULL`, beside the event loop: commits only write to the
 * write-ahead log (`NORMAL`), and whoever must not be answered before his commit survives a power cut
 * waits for a sync of the log by a descriptor of our own. One is under way at a time; what is
 * committed meanwhile is covered by the next.
 *
 * That the log is the same file all the while, and its name durable, is SQLite's own doing: it
 * removes the log with the last connection only, syncs the head of a new one, and before it writes
 * over an old one it has brought what stands in it into the database and synced that. The log is
 * never locked, so that our descriptor can be closed without taking locks along.
 *
 * After a sync that failed nobody knows what the disk has, and another one would not tell. A
 * checkpoint does: it writes all that stands in the log into the database, and syncs that.
 */
import { closeSync, fdatasync, fstatSync, openSync } from 'node:fs'
import { isMissing } from '../../disk/errno.js'
import { millraceError } from '../../job/errors.js'
import { wiped } from './named-file.js'

/** Whether everything that was committed stands in the database now, synced. */
export type Checkpoint = () => Promise<boolean>

export class LogSync {
  readonly #path: string
  readonly #sync: (descriptor: number) => Promise<void>
  #descriptor: number | null = null
  /** Commits on our connection, and how many of them are synced. */
  #written = 0
  #synced = 0
  #running: Promise<void> | null = null
  #isDoubtful = false

  /** `path`: of the log. `sync`: what tests hand in. */
  constructor(path: string, sync: (descriptor: number) => Promise<void> = syncData) {
    this.#path = path
    this.#sync = sync
  }

  /** Our connection has committed something. */
  wrote(): void {
    this.#written++
  }

  /** Resolves when all that was committed until now survives a power cut; else OUTCOME_UNKNOWN. */
  async through(checkpoint: Checkpoint): Promise<void> {
    const mine = this.#written
    while (this.#synced < mine) {
      this.#running ??= this.#syncAll(checkpoint)
      await this.#running
    }
  }

  /** It was removed: what stands in it goes with the last who has it open. */
  get isRemoved(): boolean {
    return this.#descriptor !== null && fstatSync(this.#descriptor).nlink === 0
  }

  /** Throws STORE_WIPED. */
  check(): void {
    if (this.isRemoved) throw wiped(this.#path, 'the log of the database that was opened')
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => undefined) // told to those who wait for it
    if (this.#descriptor !== null) closeSync(this.#descriptor)
    this.#descriptor = null
  }

  async #syncAll(checkpoint: Checkpoint): Promise<void> {
    const upTo = this.#written
    try {
      const cause = this.#isDoubtful ? undefined : await this.#failure()
      this.#isDoubtful ||= cause !== undefined
      if (this.#isDoubtful) await this.#bring(checkpoint, cause)
      this.#isDoubtful = false
      this.#synced = upTo
    } finally {
      this.#running = null
    }
  }

  /** However the checkpoint failed: what was committed is seen, and may not last. */
  async #bring(checkpoint: Checkpoint, cause: unknown): Promise<void> {
    const [brought] = await Promise.allSettled([checkpoint()])
    if (brought.status === 'rejected') throw unsynced(this.#path, cause ?? brought.reason)
    if (!brought.value) throw unsynced(this.#path, cause)
  }

  /** What the sync failed with. */
  async #failure(): Promise<unknown> {
    try {
      this.#descriptor ??= openSync(this.#path, 'r+')
    } catch (error) {
      // Without a log everything stands in the database.
      return isMissing(error) ? undefined : error
    }
    const [synced] = await Promise.allSettled([this.#sync(this.#descriptor)])
    return synced.status === 'rejected' ? (synced.reason as unknown) : undefined
  }
}

function syncData(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(descriptor, (error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}

function unsynced(path: string, cause: unknown): Error {
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject: path,
    expected: 'a disk that takes what is written',
    received: cause instanceof Error ? cause.message : 'a sync that failed before',
    remedy: 'look at the disk; it is tried again with the next call',
    cause,
  })
}
