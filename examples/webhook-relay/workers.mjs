// Worker processes, as any supervisor starts them: environment in, a log of JSON lines out.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('worker.mjs', import.meta.url))

/** `onEvent` is called with each event of its log; `ended` says how the process ended. */
export function startWorker({ env, onEvent, onTrouble }) {
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  createInterface({ input: child.stdout }).on('line', (line) => onEvent(JSON.parse(line)))
  createInterface({ input: child.stderr }).on('line', onTrouble)
  const ended = new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(signal ?? `code ${code}`))
  })
  return { pid: child.pid, ended, stop: () => child.kill('SIGTERM') }
}
