/**
 * An isolate's line to its worker, from the inside, whichever kind it is. Promises that a process
 * whose worker is gone ends, with all that it started: by its guard, which stands before anything
 * of the user's is loaded, so that no handler can be too busy for it.
 */
import { Worker, parentPort } from 'node:worker_threads'
import { endGroup } from './end-group.js'
import type { Order, Told } from './wire.js'

/** The child's end of a pipe that nobody writes to: it closes when the worker's process is no more. */
export const GUARD_FD = 4
/** A guard needs next to nothing. */
const GUARD_HEAP = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 }

export interface Line {
  tell(told: Told): void
  listen(hear: (order: Order) => void): void
}

export async function openLine(): Promise<Line> {
  if (parentPort !== null) return threadLine(parentPort)
  process.on('disconnect', endGroup)
  await guarded()
  return processLine()
}

function threadLine(port: NonNullable<typeof parentPort>): Line {
  return {
    tell: (told) => port.postMessage(told),
    listen: (hear) => void port.on('message', hear),
  }
}

/**
 * Takes `process.send` away from libraries that would talk to a parent of their own kind. A polite
 * signal to all processes at once, as service managers send it, is for the worker: it drains, and
 * jobs that run may end.
 */
function processLine(): Line {
  const send = process.send?.bind(process)
  if (send === undefined) throw new Error('an isolate is begun by its worker, and not by hand')
  delete process.send
  for (const polite of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(polite, () => undefined)
  return {
    tell: (told) => void send(told, () => undefined), // a line that is closed ends us: see above
    listen: (hear) => void process.on('message', hear),
  }
}

/** Answers when the guard watches. */
async function guarded(): Promise<void> {
  const url = new URL('./guard.js', import.meta.url)
  const guard = new Worker(url, { workerData: GUARD_FD, resourceLimits: GUARD_HEAP, execArgv: [] })
  await new Promise<void>((resolve, reject) => {
    guard.once('message', () => resolve())
    guard.once('error', reject)
  })
  guard.on('error', endGroup) // unguarded it must not run on
  guard.unref()
}
