/**
 * What a command can see and say: streams, environment, signals. Handed in, so that tests need no
 * process of their own. Promises that results go to `out` and everything else to `err`, and that
 * nothing is coloured or drawn over where nobody looks or NO_COLOR is set.
 */
import { once } from 'node:events'
import { LINGER } from './bounds.js'
import { systemClock } from '../time/system.js'
import type { Clock } from '../time/clock.js'

export interface Terminal {
  /** Results; one call, one line or more. */
  out(text: string): void
  /** When what was said of results has room for more. */
  drained(): Promise<void>
  /** Notes and errors. */
  err(text: string): void
  /** Replaces what was drawn last on the error stream; '' only takes it away. */
  draw(text: string): void
  /** Whether somebody watches the error stream, so that drawing makes sense. */
  readonly isLive: boolean
  readonly hasColour: boolean
  /** Of the output; Infinity when it goes to a file or a pipe. */
  readonly columns: number
  readonly input: AsyncIterable<Uint8Array>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly folder: string
  readonly clock: Clock
  /** Calls at each SIGTERM and SIGINT, which then do not end the process. Returns the end of it. */
  onSignal(heard: (signal: string) => void): () => void
}

export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process
  stdout.on('error', endQuietly)
  let drawn = false
  const erase = (): void => {
    if (drawn) stderr.write('\r\x1b[K')
    drawn = false
  }
  return {
    out: (text) => {
      erase()
      stdout.write(`${text}\n`)
    },
    drained: async () => {
      if (stdout.writableNeedDrain) await once(stdout, 'drain')
    },
    err: (text) => {
      erase()
      stderr.write(`${text}\n`)
    },
    draw: (text) => {
      erase()
      if (text === '') return
      stderr.write(text.slice(0, (stderr.columns ?? 80) - 1))
      drawn = true
    },
    isLive: stderr.isTTY && env.TERM !== 'dumb',
    hasColour: stdout.isTTY && env.TERM !== 'dumb' && (env.NO_COLOR ?? '') === '',
    columns: stdout.isTTY ? stdout.columns : Infinity,
    input: process.stdin,
    env,
    folder: process.cwd(),
    clock: systemClock,
    onSignal: listen,
  }
}

/** Whoever reads our output has had enough, as `head` has: that is no fault. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit()
}

function listen(heard: (signal: string) => void): () => void {
  process.on('SIGTERM', heard)
  process.on('SIGINT', heard)
  return () => {
    process.off('SIGTERM', heard)
    process.off('SIGINT', heard)
  }
}

/** Ends the process with this code, at once when nothing runs, else after a moment. */
export function endWith(code: number): void {
  process.exitCode = code
  systemClock.after(LINGER, () => process.exit(), { ref: false })
}

/** Puts colour on a text, or leaves it as it is. */
export type Brush = (text: string) => string

export interface Paint {
  readonly bold: Brush
  readonly dim: Brush
  readonly red: Brush
  readonly green: Brush
  readonly yellow: Brush
}

export function paintFor(terminal: Terminal): Paint {
  const code = (number: number) => (text: string) =>
    terminal.hasColour ? `\x1b[${number}m${text}\x1b[0m` : text
  return { bold: code(1), dim: code(2), red: code(31), green: code(32), yellow: code(33) }
}
