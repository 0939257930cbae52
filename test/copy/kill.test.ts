// Real processes: a copy and a live move that are killed with -9 at their calls, and begun again, while
// workers of both sides run. Each job runs once.
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { storeByUrl } from '../../src/store-url.js'
import { comparable, dumpAll } from '../../src/testing/conformance/carrying.js'
import { sharedPostgres } from '../servers/postgres.js'

const program = (name: string): string =>
  fileURLToPath(new URL(`./programs/${name}.mjs`, import.meta.url))

let folder: string
let from: string
let to: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-copy-'))
  from = `file:${join(folder, 'queues')}?durability=process`
  to = `sqlite:${join(folder, 'jobs.db')}`
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** The report, or null: it was killed. */
async function mover(how: 'copy' | 'live', ...kill: string[]): Promise<unknown> {
  const child = spawn(process.execPath, [program('mover'), how, from, to, ...kill])
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (signal === 'SIGKILL') return null
  expect([code, err]).toEqual([0, ''])
  return JSON.parse(out)
}

async function put(count: number): Promise<void> {
  const mill = millrace(from as 'file:./q', { upkeep: false })
  const payloads = Array.from({ length: count }, (_, n) => ({ n }))
  await mill.queue('q').enqueueMany(payloads, (_, n) => ({ group: `${n % 3}` }))
  await mill.queue('other').enqueue('alone')
  await mill.close()
}

async function kept(url: string): Promise<unknown[]> {
  const store = storeByUrl(url)
  await store.open({ scope: 'default' })
  try {
    return comparable(await dumpAll(store))
  } finally {
    await store.close()
  }
}

describe('killed with -9, and begun again', () => {
  it('a copy goes on where it was', { timeout: 60_000 }, async () => {
    await put(1_100)
    expect(await mover('copy', 'to', 'load', '2', 'after')).toBe(null)
    expect(await mover('copy', 'to', 'load', '3', 'before')).toBe(null)
    expect(await mover('copy', 'to', 'control', '4', 'after')).toBe(null)
    expect(await mover('copy')).toMatchObject({ stopped: null, refused: [] })
    expect(await kept(to)).toEqual(await kept(from))
  })

  it('a live move loses nothing, and runs nothing twice', { timeout: 60_000 }, movesLive)
})

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`to a server${server.why}`, () => {
  it('a live move loses nothing, and runs nothing twice', { timeout: 60_000 }, async () => {
    to = await server.database()
    await movesLive()
  })
})

async function movesLive(): Promise<void> {
  const jobs = 300
  await put(jobs)
  const ran: number[] = []
  const workers = [from, to].map((url) => fork(program('worker'), [url]))
  const all = new Promise<void>((resolve) => {
    for (const worker of workers) {
      worker.on('message', (said: { readonly ran: number }) => {
        ran.push(said.ran)
        if (ran.length === jobs) resolve()
      })
    }
  })
  await once(workers[0], 'message')
  expect(await mover('live', 'to', 'load', '2', 'after')).toBe(null)
  expect(await mover('live', 'from', 'control', '3', 'after')).toBe(null)
  expect(await mover('live', 'to', 'control', '3', 'before')).toBe(null)
  expect(await mover('live')).toMatchObject({ isDrained: true, refused: [] })
  await all
  for (const worker of workers) worker.send('stop')
  await Promise.all(workers.map((worker) => once(worker, 'close')))
  expect(ran).toHaveLength(jobs)
  expect(new Set(ran).size).toBe(jobs)
}
