/**
 * An isolate in a thread of this process. Its heap has a limit of its own, and `process.exit` ends
 * the thread alone. What it cannot promise: a thread ends at its next line of JavaScript, so one
 * that blocks in native code stays until that returns, and a crash of native code takes the whole
 * process along. `process-cell.ts` promises both.
 */
import { Worker } from 'node:worker_threads'
import type { Cell, CellListener, Ending } from './cell.js'
import { threadFlags } from './flags.js'
import { heapLimit } from './heap.js'

export function openThread(program: URL, listener: CellListener): Cell {
  const flags = threadFlags(process.execArgv)
  const worker = new Worker(program, {
    resourceLimits: { maxOldGenerationSizeMb: heapLimit() },
    ...(flags === undefined ? {} : { execArgv: [...flags] }),
    name: 'millrace isolate',
  })
  let broken: { readonly error: unknown } | null = null
  worker.on('message', (message: unknown) => listener.heard(message))
  worker.on('messageerror', (error) => {
    broken = { error }
    void worker.terminate()
  })
  worker.on('error', (error) => (broken = { error }))
  worker.on('exit', (code) => listener.ended(endingOf(code, broken)))
  worker.unref()
  return {
    send: (order) => worker.postMessage(order),
    kill: () => void worker.terminate(),
    keepAlive: (alive) => (alive ? worker.ref() : worker.unref()),
  }
}

function endingOf(code: number, broken: { readonly error: unknown } | null): Ending {
  if (broken === null) return { by: 'exit', code, lastWords: '' }
  const { error } = broken
  const isFull =
    error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
  return isFull ? { by: 'memory' } : { by: 'failure', error }
}
