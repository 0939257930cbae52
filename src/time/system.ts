/**
 * The real clock and the real dice: the one file that touches them. All others get theirs handed
 * in, which is what lets tests own time; the house test sees to it.
 */
import { randomFillSync } from 'node:crypto'
import type { Chance, Clock, Timer } from './clock.js'

/** The longest delay that the platform's timers know; beyond it they fire at once. */
const LONGEST = 2 ** 31 - 1

/** As `queueMicrotask` does it, but that makes a resource of each call. */
const READY = Promise.resolve()

export const systemClock: Clock = {
  wall: () => Date.now(),
  mono: () => performance.now(),
  after: (delay, run, options) => startTimer(delay, run, options?.ref ?? true),
  soon: (run) => void setImmediate(run),
  // A tick that a promise asks for comes when no promise is ready any more.
  within: (run) => void READY.then(() => process.nextTick(run)),
}

export const systemChance: Chance = {
  next: () => Math.random(),
  bytes: drawn,
}

/** Random bytes ahead: a draw costs the platform the same for sixteen as for a thousand. */
const ahead = new Uint8Array(1024)
let used = ahead.length

function drawn(n: number): Uint8Array {
  if (n > ahead.length) return randomFillSync(new Uint8Array(n))
  if (used + n > ahead.length) {
    randomFillSync(ahead)
    used = 0
  }
  used += n
  return ahead.slice(used - n, used)
}

/** A real turn of the event loop, for virtual clocks that must let promises and callbacks land. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Chains what is too long for one timer, and waits on when the platform fires a little early. */
function startTimer(delay: number, run: () => void, ref: boolean): Timer {
  const due = performance.now() + delay
  let handle: NodeJS.Timeout
  const arm = (): void => {
    const left = due - performance.now()
    handle = setTimeout(left > LONGEST ? arm : fire, Math.min(Math.max(left, 0), LONGEST))
    if (!ref) handle.unref()
  }
  const fire = (): void => (performance.now() < due ? arm() : run())
  arm()
  return { cancel: () => clearTimeout(handle) }
}

/**
 * Milliseconds by a clock that all processes of this host share and that never goes back: since the
 * host was started, without the time that it was suspended. Its zero means nothing.
 */
export function hostMono(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
