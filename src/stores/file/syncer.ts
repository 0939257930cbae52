/**
 * Group commit at the disk: whoever needs a place of the log to survive power joins the sync that
 * will cover it. One sync is under way at a time; what is written meanwhile is covered by the next.
 * A sync that failed is never tried again: nobody knows what it dropped, so the answer is "unknown",
 * and the log stays shut until what stood in it has been written into new files (`life.ts`).
 */
import type { DiskFile } from '../../disk/disk.js'
import { MillraceError } from '../../job/errors.js'
import { unknown } from './faults.js'

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

  /** What was written may never be durable; the first reason counts. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  /** The log rolled: what came before was synced by whoever sealed it. */
  pass(place: Place): void {
    if (isBefore(this.#durable, place)) this.#durable = place
  }

  /** Resolves when all that stands in the log now survives a power cut; else OUTCOME_UNKNOWN. */
  async through(): Promise<void> {
    const { segment, offset } = this.#log.end()
    while (isBefore(this.#durable, { segment, offset })) {
      if (this.#failure !== null) throw failed(this.#failure)
      this.#running ??= this.#sync()
      await this.#running
    }
  }

  async #sync(): Promise<void> {
    try {
      const { segment, offset, file } = this.#log.end()
      try {
        await file.sync()
        this.pass({ segment, offset })
      } catch (error) {
        this.fail(error as Error) // errors of the disk are Errors
      }
    } finally {
      this.#running = null
    }
  }
}

/** What the store says of itself is said as it is. */
function failed(failure: Error): Error {
  return MillraceError.is(failure) ? failure : unknown('the log', failure)
}
