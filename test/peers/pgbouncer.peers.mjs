// The real PgBouncer in transaction mode, where it is installed: what a session keeps is gone with the
// transaction, and one is given another server connection each time.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { millrace } from '../../src/index.ts'
import { PostgresCluster, privatePostgres } from '../servers/postgres.ts'

const NAME = 'pgbouncer'
const isThere = spawnSync(NAME, ['--version'], { stdio: 'ignore' }).status === 0
const server = privatePostgres()
const why = server.isMissing ? server.why : isThere ? '' : ' (skipped: no pgbouncer in the path)'
const JOBS = 2_000

describe.skipIf(why !== '')(`behind PgBouncer in transaction mode${why}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pgbouncer-'))
  let cluster
  let bouncer
  let url

  beforeAll(async () => {
    cluster = await PostgresCluster.create({ settings: { fsync: false } })
    const database = await cluster.createDatabase()
    const port = await freePort()
    const file = join(folder, 'pgbouncer.ini')
    writeFileSync(
      file,
      `[databases]
${database} = host=127.0.0.1 port=${cluster.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
ignore_startup_parameters = extra_float_digits
`,
    )
    chmodSync(folder, 0o755)
    // It refuses to run as root.
    const words = process.getuid?.() === 0 ? ['-u', 'nobody', file] : [file]
    bouncer = spawn(NAME, words, { stdio: 'ignore' })
    await vi.waitUntil(() => answers(port), { timeout: 10_000 })
    url = `postgres://postgres@127.0.0.1:${port}/${database}`
  })
  afterAll(async () => {
    if (bouncer !== undefined) {
      bouncer.kill()
      await once(bouncer, 'exit')
    }
    await cluster?.destroy()
    rmSync(folder, { recursive: true })
  })

  it('two Millraces run each job once, a cap holds, and nothing is told as trouble', async () => {
    const mills = [millrace(url, { poll: '500ms' }), millrace(url, { poll: '500ms' })]
    const ran = new Map()
    const told = []
    let [running, most] = [0, 0]
    await new Promise((resolve) => {
      const note = (name) => {
        ran.set(name, (ran.get(name) ?? 0) + 1)
        if (ran.size === JOBS + 100) resolve()
      }
      for (const mill of mills) {
        mill.on('store.error', ({ error }) => told.push(error.message))
        mill.queue('plain').work((n) => note(`plain ${n}`), { concurrency: 20 })
        mill.queue('capped', { concurrency: 2 }).work(async (n) => {
          most = Math.max(most, ++running)
          await new Promise((soon) => setImmediate(soon))
          running--
          note(`capped ${n}`)
        })
      }
      void mills[0].queue('capped').enqueueMany(Array.from({ length: 100 }, (_, n) => n))
      for (let n = 0; n < JOBS; n++) void mills[n % 2].queue('plain').enqueue(n)
    })
    for (const mill of mills) await mill.close()
    expect([...ran.values()].every((times) => times === 1)).toBe(true)
    expect(most).toBeLessThanOrEqual(2)
    expect(told).toEqual([])
  })
})

/** Whether somebody listens there. */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function freePort() {
  return new Promise((resolve) => {
    const listener = createServer().listen(0, '127.0.0.1', () => {
      const { port } = listener.address()
      listener.close(() => resolve(port))
    })
  })
}
