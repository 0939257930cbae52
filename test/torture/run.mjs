// The torture: real processes on one folder, killed with -9 at random under load, until it hurts.
//
//   npm run torture -- file [--minutes 1] [--workers 3]
//   npm run torture -- file --jobs 2000 --kills 7         the short form, as in the test suite
//   npm run torture -- maildir [--minutes 1]              the same on a folder of letters: one keeps it
//   npm run torture -- sqlite [--minutes 1]               the same on one file of SQLite
//   npm run torture -- postgres [--minutes 1]             and on a server of its own, killed as well
//   npm run torture -- open-transaction [--minutes 30] [--groups 10]   beside one that stays open
//   npm run torture -- moves [--minutes 2] [--from sqlite]  moved to and fro while both sides work
//   npm run torture -- moves --legs 2                     the short form
//   npm run torture -- copy [--jobs 1000000]              a folder of so many to SQLite and PostgreSQL
//   npm run torture -- crash [--states 2000]              every crash point on the simulated disk
//   npm run torture -- claims [--processes 16]      who claims one job at a time gets its share
//   npm run torture -- claims --jobs 500                  the short form, with looser bounds
//   npm run torture -- block [--minutes 2]                a handler that holds the loop keeps its job
//   npm run torture -- block --leases 5                   the short form, with a short lease
//   npm run torture -- gates [--minutes 1] [--workers 4]  caps, rates, orders, pauses at every instant,
//                                                         slots of schedules, jobs after jobs
//   npm run torture -- gates --kills 4                    the short form
//
// Prints counts, and each violation in a sentence. Exit code 1 on any; then the folder stays.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const TOLD = 20 // violations that are told; there may be thousands of one cause
/** All connections of ours, as somebody may do it who wants the server for himself. */
const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name LIKE 'millrace%'`
const root = fileURLToPath(new URL('../..', import.meta.url))
const OPEN = 'open-transaction'
const WAYS = {
  ...{ crash, file, maildir, sqlite, postgres, moves, copy },
  ...{ [OPEN]: open, claims, block, gates },
}
/** Where a store of a host lies. */
const FOLDERS = {
  file: (folder) => `file:${folder}/queues`,
  maildir: (folder) => `maildir:${folder}/mail`,
  sqlite: (folder) => `sqlite:${folder}/jobs.db`,
}
const { what, ...options } = readWords()
process.exitCode = await WAYS[what](options)

function readWords() {
  const number = { type: 'string' }
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        ...{ minutes: number, workers: number, jobs: number, kills: number },
        ...{ processes: number, leases: number, states: number, groups: number, legs: number },
        from: { type: 'string', default: 'file' },
      },
    })
    const { from, ...texts } = values
    const numbers = Object.entries(texts).map(([name, text]) => [name, Number(text)])
    const wrong = numbers.find(([, value]) => !(value > 0))
    if (wrong !== undefined) throw new Error(`--${wrong[0]} wants a number above 0`)
    if (positionals.length !== 1 || !Object.hasOwn(WAYS, positionals[0]))
      throw new Error(`say which: ${Object.keys(WAYS).join(', ')}`)
    if (!Object.hasOwn(FOLDERS, from))
      throw new Error(`--from wants one of ${Object.keys(FOLDERS).join(', ')}`)
    return { what: positionals[0], from, ...Object.fromEntries(numbers) }
  } catch (error) {
    console.error(error.message)
    process.exit(2)
  }
}

/** The long form of test/file/crash*.test.ts. */
function crash({ states = 2_000 }) {
  return new Promise((resolve) => {
    const words = ['vitest', 'run', 'test/file/crash.test.ts', 'test/file/crash-after-kill.test.ts']
    const env = {
      ...process.env,
      MILLRACE_TORTURE: 'crash',
      MILLRACE_TORTURE_STATES: String(states),
    }
    spawn('npx', words, { cwd: root, stdio: 'inherit', env }).on('close', (code) => {
      resolve(code ?? 1)
    })
  })
}

function file(options) {
  return onAFolder((folder) => suffer({ folder, url: FOLDERS.file(folder), ...options }))
}

function maildir(options) {
  return onAFolder((folder) => suffer({ folder, url: FOLDERS.maildir(folder), ...options }))
}

function sqlite(options) {
  return onAFolder((folder) => suffer({ folder, url: FOLDERS.sqlite(folder), ...options }))
}

/** With a server that syncs, and is killed and started again now and then, or only its connections. */
function postgres(options) {
  return onAFolder(async (folder) => {
    const { PostgresCluster } = await import('../servers/cluster.mjs')
    const server = await PostgresCluster.create({ settings: { fsync: 'on' } })
    try {
      const url = server.url(await server.createDatabase())
      let disturbances = 0
      const disturb = async () => {
        if (disturbances++ % 2 === 1) return void (await server.query(CUT))
        await server.kill()
        await server.start()
      }
      return await suffer({ folder, url, disturb, ...options })
    } finally {
      await server.destroy()
    }
  })
}

/** To a server of its own by way of a proxy, which cuts all connections; or the server is killed. */
function moves({ minutes = 2, workers = 2, legs, from }) {
  return onAFolder(async (folder) => {
    const { PostgresCluster } = await import('../servers/cluster.mjs')
    const { tcpProxy } = await import('../../dist/testing/index.js')
    const { moves: run } = await import('./moves.mjs')
    const server = await PostgresCluster.create({ settings: { fsync: 'on' } })
    const proxy = await tcpProxy({ to: server.port })
    try {
      const to = proxy.url(server.url(await server.createDatabase()))
      const length = legs === undefined ? { minutes } : { legs }
      const sides = { from: FOLDERS[from](folder), to }
      return await run({
        folder,
        ...sides,
        server,
        proxy,
        workers,
        length,
        onProgress: console.log,
      })
    } finally {
      await proxy.close()
      await server.destroy()
    }
  })
}

function copy({ jobs = 1_000_000 }) {
  return onAFolder(async (folder) => {
    const { PostgresCluster } = await import('../servers/cluster.mjs')
    const { copies } = await import('./copies.mjs')
    const server = await PostgresCluster.create({ settings: { fsync: 'on' } })
    try {
      const postgres = server.url(await server.createDatabase())
      const targets = { sqlite: FOLDERS.sqlite(folder), postgres }
      return await copies({ from: FOLDERS.file(folder), targets, jobs, onProgress: console.log })
    } finally {
      await server.destroy()
    }
  })
}

/** Its short form is test/postgres/dead-rows.test.ts. */
function open({ minutes = 30, groups = 0 }) {
  return onAFolder(async () => {
    const { openTransaction } = await import('./open-transaction.mjs')
    return openTransaction({ minutes, groups, onProgress: console.log })
  })
}

async function suffer({ minutes = 1, workers = 3, jobs, kills = 7, ...on }) {
  const length = jobs === undefined ? { minutes } : { jobs, kills }
  const { ordeal } = await import('./ordeal.mjs')
  return ordeal({ ...on, workers, length, onProgress: console.log })
}

function claims({ processes = 16, jobs }) {
  return onAFolder(async (folder) => {
    const { claims: run } = await import('./claims.mjs')
    return run({ folder, processes, jobs: jobs ?? 4_000, isStrict: jobs === undefined })
  })
}

/** Minutes with the usual lease, or so many short ones. */
function block({ minutes = 2, leases }) {
  const long = { blocked: minutes * 60_000, timeout: minutes * 150_000, lease: 30_000, beat: 5_000 }
  const short = { blocked: (leases ?? 0) * 600, timeout: 600_000, lease: 600, beat: 100 }
  return onAFolder(async (folder) => {
    const { block: run } = await import('./block.mjs')
    return run({ folder, ...(leases === undefined ? long : short) })
  })
}

function gates({ minutes = 1, workers = 4, kills }) {
  const length = kills === undefined ? { minutes } : { kills }
  return onAFolder(async (folder) => {
    const { gates: run } = await import('./gates.mjs')
    return run({ folder, workers, length, onProgress: console.log })
  })
}

/** Runs it and prints its counts and faults. */
async function onAFolder(run) {
  if (!existsSync(join(root, 'dist/index.js'))) {
    console.error('there is no dist: run `npm run build` first')
    return 2
  }
  const folder = mkdtempSync(join(tmpdir(), 'millrace-torture-'))
  const { faults, ...counts } = await run(folder)
  for (const [name, count] of Object.entries(counts)) console.log(`${name} ${count}`)
  console.log(`violations ${faults.length}`)
  for (const fault of faults.slice(0, TOLD)) console.error(fault)
  if (faults.length > 0) console.error(`the folder stays: ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
  return faults.length > 0 ? 1 : 0
}
