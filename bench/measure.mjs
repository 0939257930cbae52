// Runs one measurement in a fresh process in a fresh place, a folder or a database, and counts its system
// calls by strace where that is installed.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url))

export class Lab {
  #root
  #cluster
  #running = null

  /**
   * `root`: a folder on the disk that is to be measured. With a cluster of PostgreSQL each place is a
   * database of it.
   */
  constructor(root, cluster = null) {
    this.#root = root
    this.#cluster = cluster
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

  async inPlace(run) {
    const cluster = this.#cluster
    if (cluster === null) return this.onFolder((folder) => run({ folder }))
    const database = await cluster.createDatabase()
    try {
      return await run({ url: cluster.url(database), database })
    } finally {
      await cluster.query(`DROP DATABASE ${database} WITH (FORCE)`)
    }
  }

  /** The measurement's answer. */
  measure(subject, asked) {
    return this.inPlace((place) => this.measureIn(place, subject, asked))
  }

  async measureIn(place, subject, asked) {
    const argument = JSON.stringify({ ...asked, subject, place })
    const { output } = await this.#run(process.execPath, ['--expose-gc', CHILD, argument])
    return JSON.parse(output.trim().split('\n').at(-1))
  }

  /** The measurement's answer and how many system calls all its threads made. */
  counted(subject, asked) {
    return this.inPlace((place) => this.countedIn(place, subject, asked))
  }

  countedIn(place, subject, asked) {
    return this.onFolder(async (apart) => {
      const summary = join(apart, 'strace.txt')
      const argument = JSON.stringify({ ...asked, subject, place })
      const line = ['-f', '-c', '-o', summary, process.execPath, CHILD, argument]
      const { output } = await this.#run('strace', line)
      return { ...JSON.parse(output.trim().split('\n').at(-1)), calls: callsIn(summary) }
    })
  }

  /** System calls of a process that rests, in so many seconds, and transactions that it made. */
  resting(subject, asked) {
    return this.inPlace((place) =>
      this.onFolder(async (folder) => {
        const summary = join(folder, 'strace.txt')
        const argument = JSON.stringify({ ...asked, subject, place })
        const child = this.#spawn(process.execPath, [CHILD, argument])
        await new Promise((resolve) => child.stderr.once('data', resolve))
        const before = await this.#transactions(place)
        const line = ['-f', '-c', '-o', summary, '-p', String(child.pid)]
        const watch = spawn('strace', line, { stdio: 'ignore' })
        await new Promise((resolve) => setTimeout(resolve, asked.seconds * 1000))
        watch.kill('SIGINT')
        await new Promise((resolve) => watch.once('exit', resolve))
        const after = await this.#transactions(place)
        await new Promise((resolve) => child.once('exit', resolve))
        return { calls: callsIn(summary), transactions: before === null ? null : after - before }
      }),
    )
  }

  /** Of a database so far; null for a folder. A server tells them up to ten seconds late. */
  async #transactions({ database }) {
    if (database === undefined) return null
    const text = `
      SELECT (xact_commit + xact_rollback)::float8 AS n FROM pg_stat_database WHERE datname = $1`
    return (await this.#cluster.query(text, { params: [database] }))[0].n
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
