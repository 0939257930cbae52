/**
 * Group commit at the disk: whoever needs a place of the log to survive power joins the sync that
 * will cover it. One sync is under way at a time; what is written meanwhile is covered by the next.
 * A sync that failed is never tried again on the same handle: nobody knows what it dropped, so the
 * answer is "unknown" and the log stays shut until it is opened anew.
 */
import type { DiskFile } from '../../disk/disk.js'
import { millraceError } from '../../job/errors.js'

/** A place in the log: everything before it. */
export interface Place {
  readonly segment: number
  readonly offset: number
}

export function isBefore(a: Place, b: Place): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset)
}

/** What the syncer asks of the log. */
export interface Syncable {
  /** The end of what was written, and the handle whose sync covers it. */
  end(): Place & { readonly file: DiskFile }
}

export class Syncer {
  readonly #log: Syncable
  #durable: Place
  #running: Promise<void> | null = null
  #failure: Error | null = null

  constructor(log: Syncable, durable: Place) {
    this.#log = log
    this.#durable = durable
  }

  /** Everything before this survives a power cut. */
  get durable(): Place {
    return this.#durable
  }

  get failure(): Error | null {
    return this.#failure
  }

  /** The log rolled: what came before was synced by whoever sealed it. */
  pass(place: Place): void {
    if (isBefore(this.#durable, place)) this.#durable = place
  }

  /** Resolves when all that stands in the log now survives a power cut; else OUTCOME_UNKNOWN. */
  async through(): Promise<void> {
    const { segment, offset } = this.#log.end()
    while (isBefore(this.#durable, { segment, offset })) {
      if (this.#failure !== null) throw unknown(this.#failure)
      this.#running ??= this.#sync()
      await this.#running
    }
  }

  async #sync(): Promise<void> {
    const { segment, offset, file } = this.#log.end()
    try {
      await file.sync()
      this.pass({ segment, offset })
    } catch (error) {
      // Errors of the disk are Errors; anything else would be a defect of the port.
      this.#failure = error as Error
    } finally {
      this.#running = null
    }
  }
}

function unknown(cause: Error): Error {
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject: 'the log',
    expected: 'the disk to sync what was written',
    received: cause.message,
    remedy:
      'look whether the disk is sound and has room, then open the store anew and repeat the call with the same ids',
    cause,
  })
}
