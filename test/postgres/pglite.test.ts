// On a real PGlite, in memory or on a folder, which its owner uses beside the Millrace: one session is
// all there is, and neither may ever stand in a transaction of the other.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { millrace } from '../../src/index.js'
import type { Millrace } from '../../src/index.js'
import { openablePostgresStore, postgresStore } from '../../src/stores/postgres/postgres-store.js'
import { outside, takeTurn } from '../../src/stores/postgres/pglite-turn.js'
import type { PgliteTx } from '../../src/stores/postgres/pglite-turn.js'
import { systemClock } from '../../src/time/system.js'
import { seededChance } from '../../src/time/virtual.js'
import { beginOn } from '../conformance/pglite-medium.js'
import { until } from './waiting.js'

/** Nothing is found by looking again: only hints bring it. */
const DEAF = { poll: '1h', upkeep: false } as const

const PAGE = { cursor: null, limit: 10 }

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

describe('a Millrace on a PGlite', () => {
  let db: PGlite
  const closing: (() => Promise<void>)[] = []
  let scopes = 0

  beforeAll(async () => {
    db = await PGlite.create()
    await db.exec('CREATE TABLE orders (id text)')
    return () => db.close()
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  function open(options = {}, pool = db): Millrace<'postgres'> {
    const mill = millrace(postgresStore({ pool }), { scope: `s${++scopes}`, ...options })
    closing.push(() => mill.close())
    return mill
  }

  async function orders(id: unknown): Promise<number> {
    return (await db.query('SELECT id FROM orders WHERE id = $1', [id])).rows.length
  }

  /** Ran one job, and has nothing more to do. */
  async function idleWorker(mill: Millrace<'postgres'>, name: string) {
    const queue = mill.queue(name)
    const ran: unknown[] = []
    queue.work((payload) => void ran.push(payload))
    await queue.enqueue('first')
    await until(() => ran.length === 1)
    return { queue, ran }
  }

  it('says what it survives, and that it is for one process', async () => {
    expect(postgresStore({ pool: db }).traits).toMatchObject({
      survives: 'nothing',
      reach: 'process',
      transactions: true,
    })
    const onFolder = { ...shapeOf(db), dataDir: './data' }
    expect(postgresStore({ pool: onFolder }).traits.survives).toBe('process')
  })

  it('runs a job when the transaction that enqueued it commits, by a hint alone', async () => {
    const { queue, ran } = await idleWorker(open(DEAF), 'hinted')
    await db.transaction(async (tx) => {
      await tx.query('INSERT INTO orders VALUES ($1)', ['hinted'])
      await queue.enqueue({ order: 1 }, { tx })
      expect(ran).toEqual(['first'])
    })
    await until(() => ran.length === 2)
    expect(ran).toEqual(['first', { order: 1 }])
    expect(await orders('hinted')).toBe(1)
  })

  it('leaves nothing of a transaction that is rolled back, neither jobs nor what it declared', async () => {
    const mill = open()
    await mill.open()
    const queue = mill.queue('undone', { limits: { age: '1d' } })
    const ids: string[] = []
    const undone = db.transaction(async (tx) => {
      const jobs = await queue.enqueueMany([1, 2, 3], {}, { tx })
      ids.push(...jobs.map(({ id }) => id))
      throw new Error('changed my mind')
    })
    await expect(undone).rejects.toThrow('changed my mind')
    expect(ids).toHaveLength(3)
    for (const id of ids) expect(await queue.get(id)).toBeNull()
    await queue.enqueue(4)
    expect(await queue.length()).toBe(1)
  })

  it('wakes a worker of another Millrace on it, and by what SQL enqueues', async () => {
    const scope = 'shared'
    const { ran } = await idleWorker(open({ ...DEAF, scope }), 'woken')
    await open({ ...DEAF, scope })
      .queue('woken')
      .enqueue('by a neighbour')
    await until(() => ran.length === 2)
    await db.query(`SELECT millrace.enqueue('woken', '"by SQL"', '{"scope": "shared"}')`)
    await until(() => ran.length === 3)
    expect(ran).toEqual(['first', 'by a neighbour', 'by SQL'])
  })

  it('commits what a handler writes, what it enqueues and its completion', async () => {
    const mill = open()
    const [queue, next] = [mill.queue('paid', { keep: { completed: '1d' } }), mill.queue('mails')]
    queue.work(async (id, job) =>
      job.commit(async (tx) => {
        await tx.query('INSERT INTO orders VALUES ($1)', [id])
        const { rows } = await tx.query('SELECT true AS yes, ARRAY[1, 2] AS list')
        expect(rows).toEqual([{ yes: true, list: [1, 2] }])
        await next.enqueue(id, { tx })
      }, 'charged'),
    )
    const job = await queue.enqueue('o1')
    expect(await job.result()).toBe('charged')
    expect(await orders('o1')).toBe(1)
    expect(await next.length()).toBe(1)
  })

  it('takes all of a commit back when its function throws, and when a statement of it fails', async () => {
    const mill = open()
    const queue = mill.queue('taken-back', { attempts: 1 })
    queue.work(async (how, job) =>
      job.commit(async (tx) => {
        await tx.query('INSERT INTO orders VALUES ($1)', ['o2'])
        if (how === 'throw') throw new Error('no')
        if (how === 'end') await tx.query('COMMIT')
        else await tx.query('SELECT 1 / 0').catch(() => undefined)
      }),
    )
    const thrown = await queue.enqueue('throw')
    await expect(thrown.result()).rejects.toMatchObject({ code: 'JOB_DISCARDED' })
    const spoilt = await queue.enqueue('spoil')
    await expect(spoilt.result()).rejects.toMatchObject({ code: 'JOB_DISCARDED' })
    expect(await orders('o2')).toBe(0)
    const ended = await queue.enqueue('end')
    await expect(ended.result()).rejects.toMatchObject({ code: 'JOB_DISCARDED' })
    const found = await queue.get(ended.id)
    expect(found?.history[0].error?.message).toContain('COMMIT or ROLLBACK')
  })

  it('waits for the end of a transaction of its owner, and goes on', async () => {
    const mill = open(DEAF)
    const { queue, ran } = await idleWorker(mill, 'waiting')
    const { tx, end } = await beginOn(db)
    let answered = false
    const enqueued = queue.enqueue('behind it').then(() => (answered = true))
    for (let at = 0; at < 50; at++) await tx.query('INSERT INTO orders VALUES ($1)', ['long'])
    expect(answered).toBe(false)
    await end()
    await enqueued
    await until(() => ran.length === 2)
    expect(await orders('long')).toBe(50)
  })

  it('gives up after its patience, has done nothing then, and is there again afterwards', async () => {
    const parts = { patience: { turns: 50 } }
    const store = openablePostgresStore({ pool: db }, parts)
    await store.open({ scope: 'impatient' })
    const { tx, end } = await beginOn(db)
    await expect(store.queues(PAGE)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('a transaction that is still open') as string,
    })
    await expect(store.declare('late', {})).rejects.toThrow('one session')
    await tx.query('INSERT INTO orders VALUES ($1)', ['patient'])
    await end()
    expect((await store.queues(PAGE)).items).toEqual([])
    expect(await orders('patient')).toBe(1)
    await store.close()
  })

  it('never has a statement of its owner in a transaction of ours, nor ours in one of his', async () => {
    const mill = open()
    await mill.open()
    const queue = mill.queue('beside')
    const next = mill.queue('after')
    queue.work(
      async (payload, job) =>
        job.commit(async (tx) => {
          await tx.query('INSERT INTO orders VALUES ($1)', [`ours ${String(payload)}`])
          await next.enqueue(payload, { tx })
        }),
      { concurrency: 4 },
    )
    // In a transaction of ours no sequential scan is planned.
    const look = "SELECT current_setting('enable_seqscan') AS seen"
    const seen = new Set<unknown>()
    const note = ({ rows }: { rows: unknown[] }): void =>
      void seen.add((rows as [{ seen: string }])[0].seen)
    const count = 40
    async function plain(): Promise<void> {
      for (let at = 0; at < count; at++) {
        note(await db.query(look))
        await expect(db.query('SELECT 1 / 0')).rejects.toThrow('division')
      }
    }
    async function proper(): Promise<void> {
      for (let at = 0; at < count; at++) {
        await db.transaction(async (tx) => {
          note(await tx.query(look))
          await queue.enqueue(`proper ${at}`, { tx })
          if (at % 2 === 0) await tx.rollback()
        })
      }
    }
    /** As libraries do that know nothing of PGlite. */
    async function byHand(): Promise<void> {
      for (let at = 0; at < count; at++) {
        await db.query('BEGIN')
        await db.query('INSERT INTO orders VALUES ($1)', ['by hand'])
        note(await db.query(look))
        await db.query(at % 2 === 0 ? 'ROLLBACK' : 'COMMIT')
      }
    }
    async function enqueue(): Promise<void> {
      for (let at = 0; at < count; at++) await queue.enqueue(`plain ${at}`)
    }
    await Promise.all([plain(), proper(), enqueue()])
    await Promise.all([byHand(), enqueue()])
    await vi.waitUntil(async () => (await next.length()) === count * 2.5, { timeout: 50_000 })
    expect([...seen]).toEqual(['on'])
    expect(await orders('by hand')).toBe(count / 2)
    const { rows } = await db.query("SELECT id FROM orders WHERE id LIKE 'ours %'")
    expect(rows).toHaveLength(count * 2.5)
  })

  it('leaves a transaction that was begun by hand as it was, failed or not, and waits for it', async () => {
    const mill = open()
    const queue = mill.queue('by-hand')
    await queue.enqueue(1)
    await db.exec('BEGIN')
    await db.query('INSERT INTO orders VALUES ($1)', ['kept'])
    const enqueued = queue.enqueue(2)
    for (let at = 0; at < 20; at++) await db.query('SELECT 1')
    await db.exec('COMMIT')
    await enqueued
    expect(await orders('kept')).toBe(1)
    await db.exec('BEGIN')
    await expect(db.query('SELECT 1 / 0')).rejects.toThrow('division')
    const again = queue.enqueue(3)
    for (let at = 0; at < 20; at++) {
      await expect(db.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' })
    }
    await db.exec('ROLLBACK')
    await again
    expect(await queue.length()).toBe(3)
  })

  it('refuses what would open within a transaction of its owner, and so wait for it', async () => {
    const mill = open()
    const queue = mill.queue('unopened')
    const opening: Promise<void>[] = []
    await db.transaction(async (tx) => {
      await expect(queue.enqueue(1, { tx })).rejects.toThrow('before you begin the transaction')
      opening.push(mill.open())
      await expect(queue.enqueue(1, { tx })).rejects.toThrow('before you begin the transaction')
    })
    await Promise.all(opening)
    await db.transaction(async (tx) => void (await queue.enqueue(1, { tx })))
    expect(await queue.length()).toBe(1)
  })

  it('needs nothing but the transaction: neither for a declaration nor for a limit', async () => {
    const mill = open()
    await mill.open()
    const queue = mill.queue('sufficient', { limits: { metaBytes: 20 } })
    const next = mill.queue('next', { limits: { backlog: 5 } })
    const { id } = await db.transaction(async (tx) => {
      const tooMuch = { tx, meta: { note: 'more than there is room for' } }
      await expect(queue.enqueue(1, tooMuch)).rejects.toThrow('PAYLOAD_TOO_LARGE')
      return queue.enqueue(1, { tx, meta: { a: 1 }, unique: { key: 'k' } })
    })
    queue.work(async (_, job) =>
      job.commit(async (tx) => void (await next.enqueue(2, { tx, meta: { b: 2 } }))),
    )
    await until(async () => (await next.length()) === 1)
    expect((await queue.get(id))?.state ?? 'gone').toBe('gone')
  })

  it('vacuums its tables by itself, unless a transaction stands open that was begun by hand', async () => {
    const queue = open().queue('many')
    queue.work(() => undefined, { concurrency: 100 })
    const vacuumed = async (): Promise<number> => {
      const { rows } = await db.query<{ count: number }>(`
        SELECT vacuum_count::int AS count FROM pg_stat_user_tables
        WHERE schemaname = 'millrace' AND relname = 'jobs'`)
      return rows[0].count
    }
    const before = await vacuumed()
    await vi.waitUntil(
      async () => {
        await queue.enqueueMany(Array.from({ length: 500 }, (_, at) => at))
        return (await vacuumed()) > before
      },
      { timeout: 50_000, interval: 1 },
    )
    expect(await vacuumed()).toBeGreaterThan(before)
    await db.exec('BEGIN; CREATE TABLE mine (id int)')
    await outside(db, 'VACUUM millrace.jobs')
    await db.exec('COMMIT')
    expect((await db.query('SELECT id FROM mine')).rows).toEqual([])
  })

  it('refuses the PGlite itself, a transaction that is over, and one of another PGlite', async () => {
    const queue = open().queue('refused')
    await queue.enqueue(1)
    await expect(queue.enqueue(2, { tx: db })).rejects.toThrow('db.transaction')
    const over = await db.transaction((tx) => Promise.resolve(tx))
    await expect(queue.enqueue(2, { tx: over })).rejects.toThrow('Transaction is closed')
    const other = await PGlite.create()
    closing.push(() => other.close())
    await open({}, other).open()
    await other.transaction(async (tx) => {
      const refused = expect.objectContaining({ code: 'OPTION_INVALID', subject: 'tx' }) as Error
      await expect(queue.enqueue(2, { tx })).rejects.toEqual(refused)
    })
    expect(await queue.length()).toBe(1)
  })

  it('leaves the PGlite open when it closes, and its neighbours hear on', async () => {
    const scope = 'neighbours'
    const { queue, ran } = await idleWorker(open({ ...DEAF, scope }), 'staying')
    const leaving = millrace(postgresStore({ pool: db }), { ...DEAF, scope })
    await leaving.queue('staying').enqueue('from one that leaves')
    await leaving.close()
    await until(() => ran.length === 2)
    await db.transaction(async (tx) => void (await queue.enqueue('then', { tx })))
    await until(() => ran.length === 3)
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  it('says so when the PGlite is closed under it, and closes', async () => {
    const own = await PGlite.create()
    const mill = open({}, own)
    mill.on('store.error', () => undefined)
    const queue = mill.queue('bereft')
    await queue.enqueue(1)
    await own.close()
    await expect(queue.length()).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/PGlite is closed.*Close the Millrace first/s) as string,
    })
    await mill.close()
    const late = millrace(postgresStore({ pool: own }))
    await expect(late.open()).rejects.toThrow('PGlite is closed')
    await late.close()
  })
})

it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
  'lets go of a turn that comes in the moment in which it is given up, %i steps later',
  async (steps) => {
    const nothing = async (): Promise<void> => undefined
    const tx = { query: never, exec: never, listen: never, rollback: nothing }
    let come: () => Promise<void> = nothing
    const line = {
      exec: nothing,
      transaction: (run: (tx: PgliteTx) => Promise<void>) =>
        new Promise<void>((resolve, reject) => {
          come = async () => run(tx).then(resolve, reject)
        }),
    }
    // A clock whose one timer runs by hand.
    let time = 0
    let ring = (): void => undefined
    const after = (delay: number, run: () => void) => {
      ring = () => {
        time += delay
        run()
      }
      return { cancel: () => undefined }
    }
    const clock = { ...systemClock, mono: () => time, after }
    const taking = takeTurn(line, { clock, chance: seededChance(1), within: 100 })
    const taken = taking.then((turn) => turn.commit(), refused)
    ring()
    for (let step = 0; step < steps; step++) await Promise.resolve()
    await come()
    await taken
  },
)

describe('a Millrace on a PGlite with a folder', () => {
  const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
  const program = fileURLToPath(new URL('./programs/pglite-worker.mjs', import.meta.url))
  const folders: string[] = []

  function folder(): string {
    const made = mkdtempSync(join(tmpdir(), 'millrace-pglite-'))
    folders.push(made)
    return made
  }

  afterEach(() => {
    for (const each of folders.splice(0)) rmSync(each, { recursive: true, force: true })
  })

  it('goes on where it was when it is opened again', async () => {
    const data = folder()
    const first = await PGlite.create(data)
    const before = millrace(postgresStore({ pool: first }))
    const job = await before.queue('lasting').enqueue('a payload')
    await before.close()
    await first.close()
    const second = await PGlite.create(data)
    const after = millrace(postgresStore({ pool: second }))
    const ran: unknown[] = []
    after.queue('lasting').work((payload, { id }) => void ran.push([id, payload]))
    await until(() => ran.length === 1)
    expect(ran).toEqual([[job.id, 'a payload']])
    await after.close()
    await second.close()
  })

  /** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
  const isSkipped = !existsSync(dist) && process.env.CI !== 'true'

  it.skipIf(isSkipped)(
    'keeps what was answered when its process is killed, claims too, and takes back at once what ran',
    async () => {
      const data = folder()
      const args = [program, data, 'deadly']
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
      const db = await PGlite.create(data)
      const mill = millrace(postgresStore({ pool: db }), { lease: '1h' })
      const queue = mill.queue('deadly')
      const found = await queue.get('deadly')
      expect(found).toMatchObject({ state: 'running', attempt: 1, payload: 'the payload' })
      const ran: number[] = []
      queue.work((_, job) => void ran.push(job.attempt))
      await vi.waitUntil(() => ran.length === 1, { timeout: 20_000 })
      expect(ran).toEqual([2])
      await mill.close()
      await db.close()
    },
  )
})

function refused(error: unknown): void {
  expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' })
}

async function never(): Promise<never> {
  throw new Error('a turn that was given up was used')
}

/** What the store looks at, without what it would ask. */
function shapeOf(db: PGlite) {
  const { exec, transaction, listen } = db
  return { exec, transaction, listen }
}
