/**
 * An isolate in a process of its own, at the head of a process group of its own. Promises: SIGKILL
 * to the group ends it and what it started, whatever they are doing; nothing of the group outlives
 * its head, except what left the group on purpose; when this process dies, even by kill -9, the
 * group ends by itself (`guard.ts`). Ctrl-C in a terminal does not reach it: draining is this
 * process's affair.
 *
 * Its stdout is ours. Its stderr comes through here, because the end of it tells a heap that was
 * full from other crashes. On Windows there are no groups: what a handler started stays.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { LAST_WORDS, LAST_WORDS_BYTES } from '../../job/defaults.js'
import type { Clock } from '../../time/clock.js'
import type { Cell, CellListener, Ending } from './cell.js'
import { processFlags } from './flags.js'
import { heapLimit } from './heap.js'
import { GUARD_FD } from './line.js'

export function openProcess(program: URL, listener: CellListener, clock: Clock): Cell {
  const child = fork(program, {
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'inherit', 'pipe', 'ipc', 'pipe'],
    serialization: 'advanced',
    execArgv: [...processFlags(process.execArgv), `--max-old-space-size=${heapLimit()}`],
  })
  child.on('message', (message: unknown) => listener.heard(message))
  void outcome(child, clock).then((ending) => listener.ended(ending))
  if (child.pid === undefined) return { send: nothing, kill: nothing, keepAlive: nothing }
  keepAlive(child, false)
  child.stdio[GUARD_FD]?.on('error', nothing) // its other end is gone, which its exit tells
  return {
    send: (order) => void child.send(order, nothing), // a closed line is the end, which is told
    kill: () => killGroup(child, 'running'),
    keepAlive: (alive) => keepAlive(child, alive),
  }
}

function nothing(): void {}

/** How it ended, when all that it said before has been heard. */
async function outcome(child: ChildProcess, clock: Clock): Promise<Ending> {
  const lastWords = listenTo(child)
  const ending = new Promise<Ending>((resolve) => {
    child.once('exit', (code, signal) => {
      killGroup(child, 'exited')
      if (signal === null) resolve({ by: 'exit', code: code ?? 0, lastWords: '' })
      else resolve({ by: 'signal', signal, lastWords: '' })
    })
    // Without a pid it did not start. Else the error is of a message or a kill: its end follows.
    child.on('error', (error) => {
      if (child.pid === undefined) resolve({ by: 'failure', error })
    })
  })
  const silence = Promise.all([once(child, 'disconnect'), once(child.stderr, 'close')])
  const ended = await ending
  if (ended.by === 'failure') return ended
  await atMost(silence, LAST_WORDS, clock)
  return named(ended, lastWords())
}

/** An abort after the words of V8 about its heap is no abort of the user's. */
function named(ending: Ending, lastWords: string): Ending {
  if (ending.by !== 'exit' && ending.by !== 'signal') return ending
  const isAbort = ending.by === 'signal' && /^SIG(ABRT|TRAP|ILL)$/.test(ending.signal)
  const isFull = (isAbort || ending.by === 'exit') && /heap out of memory/.test(lastWords)
  return isFull ? { by: 'memory' } : { ...ending, lastWords }
}

/** Passes its stderr on and keeps the end of it. */
function listenTo(child: ChildProcess): () => string {
  let kept = Buffer.alloc(0)
  child.stderr?.on('error', nothing) // it is read no more, and its end is told elsewhere
  child.stderr?.on('data', (chunk: Buffer) => {
    process.stderr.write(chunk)
    kept = Buffer.concat([kept, chunk]).subarray(-LAST_WORDS_BYTES)
  })
  return () => kept.toString('utf8')
}

function killGroup(child: ChildProcess, head: 'running' | 'exited'): void {
  const { pid } = child
  const isOver = child.exitCode !== null || child.signalCode !== null
  if (pid === undefined || (isOver && head === 'running')) return
  if (process.platform === 'win32') {
    child.kill('SIGKILL')
    return
  }
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!isEmptyGroup(error)) throw error
  }
}

/** Nobody is left in it; some systems say EPERM when only the dead are. */
function isEmptyGroup(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(ESRCH|EPERM)$/.test(String(error.code))
}

function keepAlive(child: ChildProcess, alive: boolean): void {
  const method = alive ? 'ref' : 'unref'
  child[method]()
  child.channel?.[method]()
  for (const end of [child.stderr, child.stdio[GUARD_FD]]) {
    if (end instanceof Socket) end[method]()
  }
}

function once(source: NodeJS.EventEmitter | null, event: string): Promise<void> {
  if (source === null) return Promise.resolve()
  return new Promise((resolve) => void source.once(event, () => resolve()))
}

/** Waits for it, but not longer than that. */
function atMost(wait: Promise<unknown>, most: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(most, resolve)
    void wait.then(() => {
      timer.cancel()
      resolve()
    })
  })
}
