/**
 * What is said of an isolate that ended and should not have: the error of the attempt that it took
 * along. These are errors of the handler's, so they carry names and not codes of ours.
 */
import { shown } from '../../job/errors.js'
import type { Ending, Kind } from './cell.js'
import { heapLimit } from './heap.js'
import type { ErrorText } from './wire.js'

/** How much of its last words goes into a message; the whole went to stderr. */
const QUOTED = 600

/** It ended while it held a job. `uncaught`: the last error that nobody caught there. */
export function isolateEnded(kind: Kind, ending: Ending, uncaught: ErrorText | null): Error {
  const error = new Error(`the handler's ${kind} ${told(ending, uncaught)}`)
  error.name = 'IsolateEnded'
  error.stack = uncaught?.stack ?? stackOf(ending)
  return error
}

/** Its module did not load. */
export function isolateUnready(kind: Kind, module: URL, why: string, stack = ''): Error {
  const error = new Error(`${module.href} did not load in a ${kind} of its own: ${why}`)
  error.name = 'IsolateUnready'
  error.stack = stack
  return error
}

/** Why it never became ready, when it ended without a word. */
export function endedUnready(ending: Ending, uncaught: ErrorText | null): string {
  return `it ${told(ending, uncaught)}`
}

function told(ending: Ending, uncaught: ErrorText | null): string {
  switch (ending.by) {
    case 'memory':
      return `ran out of memory: its heap may hold ${heapLimit()} MiB (--max-old-space-size)`
    case 'signal':
      return `was ended by ${ending.signal}${sender(ending.signal)}${quoted(ending.lastWords)}`
    case 'failure':
      return uncaught === null ? `broke: ${shown(ending.error)}` : byError(uncaught)
    case 'exit':
      if (uncaught !== null) return byError(uncaught)
      return `exited with code ${ending.code} before it answered${quoted(ending.lastWords)}`
  }
}

function byError({ name, message }: ErrorText): string {
  return `ended by an error that nobody caught: ${name}: ${message}`
}

function sender(signal: string): string {
  return signal === 'SIGKILL' ? ', which Millrace did not send: the system was out of memory?' : ''
}

function quoted(lastWords: string): string {
  const words = lastWords.trim()
  return words === '' ? '' : `; its last words: ${words.slice(-QUOTED)}`
}

function stackOf(ending: Ending): string {
  if (ending.by !== 'failure' || !(ending.error instanceof Error)) return ''
  return ending.error.stack ?? ''
}
