/**
 * What all commands share: what was asked of every one of them, where results go, and a Millrace
 * that is open while a command needs it and closed afterwards, whatever happens. A command that
 * only looks or operates never sweeps and holds no jobs; and it makes no store: where there is none
 * it says so, rather than answer from an empty one that was meant to be another.
 */
import type { Command } from 'commander'
import { DEFAULT_SCOPE } from '../job/defaults.js'
import { millrace } from '../millrace.js'
import type { Millrace } from '../millrace.js'
import { lookingAt, placeOf, refuseMissing } from './place.js'
import { jsonText } from './plain.js'
import { paintFor } from './terminal.js'
import type { Paint, Terminal } from './terminal.js'

export type Exit = 0 | 1 | 2

export const DEFAULT_STORE = 'file:./queues'

export interface Asked {
  readonly store: string
  readonly scope: string
  readonly json: boolean
}

/** 'made': a store that is not there is made. 'there': it must be there. 'seen': and stays as it is. */
export type Need = 'made' | 'there' | 'seen'

export class Shell {
  readonly terminal: Terminal
  readonly paint: Paint
  readonly #program: Command
  #exit: Exit = 0

  constructor(program: Command, terminal: Terminal) {
    this.#program = program
    this.terminal = terminal
    this.paint = paintFor(terminal)
  }

  get exit(): Exit {
    return this.#exit
  }

  /** Known once the words are read. */
  get asked(): Asked {
    const { store, scope, json } = this.#program.opts<Partial<Asked>>()
    const { env } = this.terminal
    return {
      store: store ?? said(env.MILLRACE_URL) ?? DEFAULT_STORE,
      scope: scope ?? said(env.MILLRACE_SCOPE) ?? DEFAULT_SCOPE,
      json: json ?? false,
    }
  }

  /** A command's action: remembers how it ended. */
  async act(action: () => Promise<Exit>): Promise<void> {
    this.#exit = await action()
  }

  /** The answer, for a program or for people. */
  answer(value: unknown, lines: () => readonly string[]): void {
    if (this.asked.json) this.terminal.out(jsonText(value))
    else for (const line of lines()) this.terminal.out(line)
  }

  /** Something beside the answer, for people only. */
  note(line: string): void {
    if (!this.asked.json) this.terminal.err(line)
  }

  /**
   * Why the exit code is not 0, when no error was thrown: 1 in most cases. Where nothing was found
   * there is no answer beside it.
   */
  complain(message: string): 1 {
    const { terminal, asked } = this
    terminal.err(asked.json ? jsonText({ error: { message } }) : `millrace: ${message}`)
    return 1
  }

  /** An open Millrace for as long as `use` takes. */
  async within<T>(need: Need, use: (mill: Millrace) => Promise<T>): Promise<T> {
    const { store, scope } = this.asked
    const place = placeOf(store, this.terminal.folder)
    if (need !== 'made') await refuseMissing(place)
    const url = need === 'seen' ? lookingAt(place) : place.url
    const mill = millrace(url, { scope, upkeep: false })
    try {
      await mill.open()
      return await use(mill)
    } finally {
      await mill.close({ timeout: 0 })
    }
  }
}

/** An empty variable is one that was not set. */
function said(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}
