// Runs one measurement in a fresh process on a fresh folder, and counts its system calls by strace
// where that is installed.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url))

export class Lab {
  #root
  #running = null

  /** `root`: a folder on the disk that is to be measured. */
  constructor(root) {
    this.#root = root
    process.once('SIGINT', () => {
      this.#running?.kill()
      process.exit(130)
    })
  }

  async onFolder(run) {
    const folder = mkdtempSync(join(this.#root, 'millrace-bench-'))
    try {
      return await run(folder)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** The measurement's answer. */
  measure(subject, asked) {
    return this.onFolder((folder) => this.measureOn(folder, subject, asked))
  }

  async measureOn(folder, subject, asked) {
    const argument = JSON.stringify({ ...asked, subject, folder })
    const { output } = await this.#run(process.execPath, ['--expose-gc', CHILD, argument])
    return JSON.parse(output.trim().split('\n').at(-1))
  }

  /** The measurement's answer and how many system calls all its threads made. */
  counted(subject, asked) {
    return this.onFolder((folder) => this.countedOn(folder, subject, asked))
  }

  countedOn(folder, subject, asked) {
    return this.onFolder(async (apart) => {
      const summary = join(apart, 'strace.txt')
      const argument = JSON.stringify({ ...asked, subject, folder })
      const line = ['-f', '-c', '-o', summary, process.execPath, CHILD, argument]
      const { output } = await this.#run('strace', line)
      return { ...JSON.parse(output.trim().split('\n').at(-1)), calls: callsIn(summary) }
    })
  }

  /** System calls of a process that rests, in so many seconds. */
  resting(subject, asked) {
    return this.onFolder(async (folder) => {
      const summary = join(folder, 'strace.txt')
      const argument = JSON.stringify({ ...asked, subject, folder })
      const child = this.#spawn(process.execPath, [CHILD, argument])
      await new Promise((resolve) => child.stderr.once('data', resolve))
      const line = ['-f', '-c', '-o', summary, '-p', String(child.pid)]
      const watch = spawn('strace', line, { stdio: 'ignore' })
      await new Promise((resolve) => setTimeout(resolve, asked.seconds * 1000))
      watch.kill('SIGINT')
      await new Promise((resolve) => watch.once('exit', resolve))
      await new Promise((resolve) => child.once('exit', resolve))
      return callsIn(summary)
    })
  }

  #run(command, line) {
    return new Promise((resolve, reject) => {
      const child = this.#spawn(command, line)
      let output = ''
      let errors = ''
      child.stdout.on('data', (text) => (output += text))
      child.stderr.on('data', (text) => (errors += text))
      child.once('error', reject)
      child.once('exit', (code) => {
        this.#running = null
        if (code === 0) resolve({ output, errors })
        else reject(new Error(`${line.at(-1)} ended with ${code}: ${errors}`))
      })
    })
  }

  #spawn(command, line) {
    this.#running = spawn(command, line, { stdio: ['ignore', 'pipe', 'pipe'] })
    return this.#running
  }
}

export function hasStrace() {
  return spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0
}

/** The number of calls in the last line of strace's summary. */
function callsIn(path) {
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  const total = lines.find((line) => line.trim().endsWith('total'))
  return Number(total?.trim().split(/\s+/)[3] ?? 0)
}
