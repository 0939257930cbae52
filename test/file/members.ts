// Real processes under test: programs of `programs/`, which say what they do in messages of one
// named field; and the torture, which is asked for its counts.
import { execFile, fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface End {
  readonly code: number | null
  readonly signal: string | null
}

export class Member {
  readonly ended: Promise<End>
  readonly #child: ChildProcess
  readonly #said = new Map<string, unknown>()
  readonly #hearers = new Set<() => void>()
  #end: End | null = null
  #stderr = ''

  constructor(program: string, words: readonly string[]) {
    const path = fileURLToPath(new URL(`programs/${program}`, import.meta.url))
    this.#child = fork(path, words, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text))
    this.#child.on('message', (message) => {
      for (const [word, value] of Object.entries(message)) this.#said.set(word, value)
      this.#tell()
    })
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#end = { code, signal }
        resolve(this.#end)
        this.#tell()
      })
    })
  }

  /** What it says, or said last, under that word. Rejects when it ends without a word. */
  heard<T>(word: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.#said.has(word))
          resolve(this.#said.get(word) as T) // as: what the program sends
        else if (this.#end !== null)
          reject(new Error(`no "${word}" before its end: ${this.#stderr}`))
        else return
        this.#hearers.delete(look)
      }
      this.#hearers.add(look)
      look()
    })
  }

  send(message: string): void {
    this.#child.send(message)
  }

  /** It does nothing at all, until `goOn`. */
  stop(): void {
    this.#child.kill('SIGSTOP')
  }

  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  /** Asks it to end by itself. */
  async dismiss(): Promise<End> {
    this.#child.kill('SIGTERM')
    return this.ended
  }

  /** However it is. */
  async end(): Promise<void> {
    if (this.#end === null) this.#child.kill('SIGKILL')
    await this.ended
  }

  #tell(): void {
    for (const look of [...this.#hearers]) look()
  }
}

export interface Told {
  readonly code: unknown
  readonly told: string
  readonly counts: ReadonlyMap<string, number>
}

/** Runs the torture with its folders below this one. */
export async function torture(folder: string, words: readonly string[]): Promise<Told> {
  const program = fileURLToPath(new URL('../torture/run.mjs', import.meta.url))
  const env = { PATH: process.env.PATH, TMPDIR: folder }
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], { env }, (error, out, err) => {
      const lines = out.matchAll(/^(\w+) (\d+)$/gm)
      const counts = new Map(Array.from(lines, ([, name, count]) => [name, Number(count)]))
      resolve({ code: error === null ? 0 : error.code, told: out + err, counts })
    })
  })
}
