// What was built as its own process: what it says, how it ends, and signals to it.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Program {
  readonly child: ChildProcess
  /** Resolves when what it said so far, on either stream, has this in it; rejects when it ended without. */
  said(text: string): Promise<void>
  readonly ended: Promise<{
    readonly code: number | null
    readonly out: string
    readonly err: string
  }>
}

/** The command line. */
export function start(words: readonly string[], input: string | null = null): Program {
  return startScript(MAIN, words, input)
}

/** A script of one's own, which may import what was built. */
export function startScript(
  path: string,
  words: readonly string[] = [],
  input: string | null = null,
): Program {
  if (!existsSync(MAIN)) throw new Error('there is no dist: run npm run build first')
  const child = spawn(process.execPath, [path, ...words], {
    env: { PATH: process.env.PATH, NODE_OPTIONS: process.env.NODE_OPTIONS, NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  const waiting = new Set<() => void>()
  const hear = (): void => waiting.forEach((look) => look())
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    hear()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
    hear()
  })
  child.stdin.end(input ?? '')
  let isOver = false
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on('close', (code) => {
      isOver = true
      hear()
      resolve({ code, out, err })
    })
  })
  const said = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if ((out + err).includes(text)) resolve()
        else if (isOver) reject(new Error(`it ended and never said ${text}:\n${out}${err}`))
        else return
        waiting.delete(look)
      }
      waiting.add(look)
      look()
    })
  return { child, said, ended }
}

/** Runs it to its end. */
export function finished(words: readonly string[], input?: string): Program['ended'] {
  return start(words, input).ended
}
