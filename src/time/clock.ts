/**
 * Time and chance as everything else sees them: handed in, never looked up. There are two hands on
 * this clock. `wall` is what calendars show and may jump; `mono` only ever runs forward, and only
 * differences of it mean anything. The real ones are in `system.ts`, the virtual ones in `virtual.ts`.
 */

export interface Clock {
  /** Milliseconds since the Unix epoch; may jump, also backwards. */
  wall(): number
  /** Milliseconds from an arbitrary start, with a fraction; never runs back. */
  mono(): number
  /**
   * Runs once, not before `delay` milliseconds have passed; any length, `Infinity` is never.
   * With `ref: false` it does not keep the process alive [true].
   */
  after(delay: number, run: () => void, options?: { readonly ref?: boolean }): Timer
  /** Runs in the next turn of the event loop, after what is being read or written now. */
  soon(run: () => void): void
  /** Runs in this same turn, once whatever is ready in it has run: promises and what follows them. */
  within(run: () => void): void
}

export interface Timer {
  /** From now on it does not run; harmless when it has run. */
  cancel(): void
}

export interface Chance {
  /** Evenly spread over [0, 1). */
  next(): number
  /** `n` random bytes. */
  bytes(n: number): Uint8Array
}

/**
 * Waits `delay` milliseconds. When `signal` aborts, now or later, it rejects with the signal's
 * reason and its timer is gone.
 */
export function sleep(clock: Clock, delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = clock.after(delay, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })

    function abort(): void {
      timer.cancel()
      reject(signal?.reason)
    }
  })
}

/** The next turn of the event loop: timers, and whoever else waits for this one, come first. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve))
}

/** Until it has ended, but for no longer than that: who called looks again what has become of it. */
export async function atMost(clock: Clock, most: number, wait: Promise<unknown>): Promise<void> {
  let enough = (): void => undefined
  const patience = new Promise<void>((resolve) => (enough = resolve))
  const timer = clock.after(most, enough)
  try {
    await Promise.race([wait, patience])
  } finally {
    timer.cancel()
  }
}
