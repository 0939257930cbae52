// A terminal that remembers what was said, and the command run in this process on it.
import { run } from '../../src/cli/run.js'
import type { Exit } from '../../src/cli/shell.js'
import type { Terminal } from '../../src/cli/terminal.js'
import { systemClock } from '../../src/time/system.js'

export interface Said {
  readonly exit: Exit
  readonly out: string
  readonly err: string
}

export interface Setting {
  readonly input?: string | readonly Uint8Array[]
  readonly env?: Readonly<Record<string, string>>
  readonly colour?: boolean
  readonly columns?: number
}

export async function say(words: readonly string[], setting: Setting = {}): Promise<Said> {
  const out: string[] = []
  const err: string[] = []
  const terminal: Terminal = {
    out: (text) => void out.push(text),
    drained: async () => undefined,
    err: (text) => void err.push(text),
    draw: () => undefined,
    isLive: false,
    hasColour: setting.colour ?? false,
    columns: setting.columns ?? Infinity,
    input: chunks(setting.input ?? ''),
    env: setting.env ?? {},
    folder: process.cwd(),
    clock: systemClock,
    onSignal: () => () => undefined,
  }
  const exit = await run(words, terminal)
  return { exit, out: out.join('\n'), err: err.join('\n') }
}

export async function* chunks(
  input: string | readonly Uint8Array[],
): AsyncGenerator<Uint8Array, void, void> {
  yield* typeof input === 'string' ? [Buffer.from(input)] : input
}
