/**
 * Ending connections. A server that is gone without a word never answers to a goodbye, and a socket
 * that waits for it would keep the process alive: after a moment it is torn down.
 */
import type { Millis } from '../../job/job.js'
import { sleep } from '../../time/clock.js'
import type { Clock } from '../../time/clock.js'

/** A connection as it ends; `pg`'s has it. Older drivers hide the stream, and then nothing is torn. */
export interface Parting {
  end(): Promise<void>
  readonly connection?: { readonly stream?: { destroy(): unknown } }
}

/** How long a server may take to answer to a goodbye. */
const GOODBYE: Millis = 1_000

/** Says goodbye; answers when the other has heard it, or when it is too late. */
export async function part(one: Parting, clock: Clock): Promise<void> {
  await within(clock, one.end(), () => tear(one))
}

export function tear({ connection }: Pick<Parting, 'connection'>): void {
  connection?.stream?.destroy()
}

/** Waits for what may never end; after a moment `otherwise`. */
export async function within(
  clock: Clock,
  ending: Promise<unknown>,
  otherwise: () => void,
): Promise<void> {
  const ended = new AbortController()
  const late = sleep(clock, GOODBYE, ended.signal).then(otherwise)
  await Promise.race([Promise.allSettled([ending]), Promise.allSettled([late])])
  ended.abort()
}
