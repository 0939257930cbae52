// The torture: real processes on one folder, killed with -9 at random under load, until it hurts.
//
//   npm run torture -- file [--minutes 1] [--workers 3]
//   npm run torture -- file --jobs 2000 --kills 7         the short form, as in the test suite
//   npm run torture -- crash                              every crash point on the simulated disk
//
// Prints counts, and each violation in a sentence. Exit code 1 on any; then the folder stays.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const TOLD = 20 // violations that are told; there may be thousands of one cause
const root = fileURLToPath(new URL('../..', import.meta.url))
const { what, ...options } = readWords()
process.exitCode = what === 'crash' ? await crash() : await file(options)

function readWords() {
  const number = { type: 'string' }
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { minutes: number, workers: number, jobs: number, kills: number },
    })
    const numbers = Object.entries(values).map(([name, text]) => [name, Number(text)])
    const wrong = numbers.find(([, value]) => !(value > 0))
    if (wrong !== undefined) throw new Error(`--${wrong[0]} wants a number above 0`)
    if (positionals.length !== 1 || !['file', 'crash'].includes(positionals[0]))
      throw new Error('say which: file or crash')
    return { what: positionals[0], ...Object.fromEntries(numbers) }
  } catch (error) {
    console.error(error.message)
    process.exit(2)
  }
}

/** The long form of test/file/crash*.test.ts. */
function crash() {
  return new Promise((resolve) => {
    const words = ['vitest', 'run', 'test/file/crash.test.ts', 'test/file/crash-after-kill.test.ts']
    const env = { ...process.env, MILLRACE_TORTURE: 'crash' }
    spawn('npx', words, { cwd: root, stdio: 'inherit', env }).on('close', (code) => {
      resolve(code ?? 1)
    })
  })
}

async function file({ minutes = 1, workers = 3, jobs, kills = 7 }) {
  if (!existsSync(join(root, 'dist/index.js'))) {
    console.error('there is no dist: run `npm run build` first')
    return 2
  }
  const { ordeal } = await import('./ordeal.mjs')
  const folder = mkdtempSync(join(tmpdir(), 'millrace-torture-'))
  const length = jobs === undefined ? { minutes } : { jobs, kills }
  const { faults, ...counts } = await ordeal({ folder, workers, length, onProgress: console.log })
  for (const [name, count] of Object.entries(counts)) console.log(`${name} ${count}`)
  console.log(`violations ${faults.length}`)
  for (const fault of faults.slice(0, TOLD)) console.error(fault)
  if (faults.length > 0) console.error(`the folder stays: ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
  return faults.length > 0 ? 1 : 0
}
