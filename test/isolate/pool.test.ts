// Which isolate does what, on virtual time and with cells of the test's own.
import { describe, expect, it } from 'vitest'
import type { Asked, Live } from '../../src/engine/engine.js'
import {
  ISOLATE_GONE,
  ISOLATE_GRACE,
  ISOLATE_PARTING,
  ISOLATE_REST,
  ISOLATE_RESTART_MAX,
  ISOLATE_RESTART_MIN,
  ISOLATE_START,
  ISOLATES_DYING,
} from '../../src/job/defaults.js'
import { millraceError } from '../../src/job/errors.js'
import type { ErrorCode } from '../../src/job/errors.js'
import { VirtualClock } from '../../src/time/virtual.js'
import type { CellListener, Ending } from '../../src/worker/isolate/cell.js'
import { Pool } from '../../src/worker/isolate/pool.js'
import type { Order, Told } from '../../src/worker/isolate/wire.js'

/** An isolate's inside, played by the test. */
class FakeCell {
  readonly orders: Order[] = []
  killed = false
  keeps = false
  readonly listener: CellListener

  constructor(listener: CellListener) {
    this.listener = listener
  }

  send(order: Order): void {
    this.orders.push(order)
  }
  kill(): void {
    this.killed = true
  }
  keepAlive(alive: boolean): void {
    this.keeps = alive
  }

  tell(told: Told): void {
    this.listener.heard(told)
  }
  load(): void {
    this.tell({ told: 'ready', tasks: ['t'] })
  }
  answer(result: string): void {
    const run = this.run
    const answer = { kind: 'complete', result: { text: result, codec: 'json' } } as const
    this.tell({ told: 'answer', run, answer })
  }
  end(ending: Ending = { by: 'signal', signal: 'SIGKILL', lastWords: '' }): void {
    this.listener.ended(ending)
  }
  get last(): string | undefined {
    return this.orders.at(-1)?.order
  }
  get run(): number {
    return this.orders.reduce((run, order) => (order.order === 'run' ? order.run : run), 0)
  }
}

function pooled(size: number) {
  const clock = new VirtualClock()
  const cells: FakeCell[] = []
  const open = (_program: URL, listener: CellListener) => {
    const cell = new FakeCell(listener)
    cells.push(cell)
    return cell
  }
  const module = new URL('file:///handler.js')
  const pool = new Pool({ kind: 'process', module, shape: 'handler', open, clock }, size)
  return { clock, cells, pool }
}

function held(timeout = 60_000) {
  const controller = new AbortController()
  const notes: unknown[] = []
  const live = {
    claimed: { queue: 'q', id: 'j', timeout },
    settings: {},
    worker: 'w',
    signal: controller.signal,
    progress: (fraction: number) => notes.push(fraction),
    log: (line: string) => notes.push(line),
  } as unknown as Live // as: nothing else of it is looked at here
  const abort = (code: ErrorCode) =>
    controller.abort(millraceError({ code, subject: 's', expected: 'e', remedy: 'r' }))
  return { live, abort, notes }
}

const PAYLOAD = { text: '1', codec: 'json' } as const
const done = (text: string): Asked => ({ kind: 'complete', result: { text, codec: 'json' } })
const state = async (asked: Promise<Asked>): Promise<Asked | 'open'> =>
  Promise.race([asked, new Promise<'open'>((resolve) => setImmediate(() => resolve('open')))])
const errorOf = async (asked: Promise<Asked>): Promise<unknown> => {
  const end = await state(asked)
  if (end === 'open' || end.kind !== 'fail') throw new Error('it did not fail')
  return end.error
}

describe('the pool', () => {
  it('begins no isolate before a job wants one, and then one for each job, up to its size', () => {
    const { cells, pool } = pooled(2)
    expect(cells).toHaveLength(0)
    for (let job = 0; job < 3; job++) void pool.run(held().live, PAYLOAD)
    expect(cells).toHaveLength(2)
  })

  it('hands a job to whoever is ready first, and the next to whoever was used last', async () => {
    const { cells, pool } = pooled(3)
    const runs = [held(), held()].map(({ live }) => pool.run(live, PAYLOAD))
    cells[1].load()
    expect(cells[1].last).toBe('run')
    cells[1].answer('"b"')
    expect(cells[1].last).toBe('run')
    cells[0].load()
    expect(cells[0].last).toBe('load')
    cells[1].answer('"a"')
    expect(await Promise.all(runs)).toEqual([done('"b"'), done('"a"')])
    void pool.run(held().live, PAYLOAD)
    expect(cells[1].run).toBe(3)
    expect(cells).toHaveLength(2)
  })

  it('lets an isolate go that had nothing to do for long; one that does not go is killed', async () => {
    const { clock, cells, pool } = pooled(1)
    const run = pool.run(held().live, PAYLOAD)
    cells[0].load()
    cells[0].answer('1')
    await run
    await clock.advance(ISOLATE_REST - 1)
    expect(cells[0].last).toBe('run')
    await clock.advance(1)
    expect([cells[0].last, cells[0].killed]).toEqual(['end', false])
    await clock.advance(ISOLATE_PARTING)
    expect(cells[0].killed).toBe(true)
    void pool.run(held().live, PAYLOAD)
    expect(cells).toHaveLength(2)
  })

  it.each(['ATTEMPT_TIMEOUT', 'LEASE_LOST'] as const)(
    'kills at once whose attempt is over, and begins another when somebody waits: %s',
    async (code) => {
      const { cells, pool } = pooled(1)
      const first = held()
      const run = pool.run(first.live, PAYLOAD)
      cells[0].load()
      const second = pool.run(held().live, PAYLOAD)
      expect(cells).toHaveLength(1)
      first.abort(code)
      expect(cells[0].killed).toBe(true)
      expect(await errorOf(run)).toMatchObject({ code })
      expect(cells).toHaveLength(2)
      cells[0].answer('"late"')
      cells[0].end()
      cells[1].load()
      cells[1].answer('"other"')
      expect(await second).toEqual(done('"other"'))
    },
  )

  it('asks who is cancelled to stop, and kills it after its grace', async () => {
    const { clock, cells, pool } = pooled(1)
    const job = held()
    const run = pool.run(job.live, PAYLOAD)
    cells[0].load()
    job.abort('JOB_CANCELLED')
    expect(cells[0].last).toBe('cancel')
    await clock.advance(ISOLATE_GRACE - 1)
    expect(cells[0].killed).toBe(false)
    expect(await state(run)).toBe('open')
    await clock.advance(1)
    expect(cells[0].killed).toBe(true)
    expect(await errorOf(run)).toMatchObject({ code: 'JOB_CANCELLED' })
  })

  it('gives who is cancelled no more grace than its time', async () => {
    const { clock, cells, pool } = pooled(1)
    const job = held(1_000)
    void pool.run(job.live, PAYLOAD)
    cells[0].load()
    await clock.advance(900)
    job.abort('JOB_CANCELLED')
    await clock.advance(99)
    expect(cells[0].killed).toBe(false)
    await clock.advance(1)
    expect(cells[0].killed).toBe(true)
  })

  it('keeps the isolate of one who stopped when it was asked to', async () => {
    const { clock, cells, pool } = pooled(1)
    const job = held()
    const run = pool.run(job.live, PAYLOAD)
    cells[0].load()
    job.abort('JOB_CANCELLED')
    cells[0].answer('1')
    expect(await run).toEqual(done('1'))
    await clock.advance(ISOLATE_GRACE)
    expect(cells[0].killed).toBe(false)
    void pool.run(held().live, PAYLOAD)
    expect(cells[0].run).toBe(2)
  })

  it('lets a start go on when the job that wanted it is over, for the next', async () => {
    const { cells, pool } = pooled(1)
    const job = held()
    const run = pool.run(job.live, PAYLOAD)
    job.abort('ATTEMPT_TIMEOUT')
    expect(await errorOf(run)).toMatchObject({ code: 'ATTEMPT_TIMEOUT' })
    const next = pool.run(held().live, PAYLOAD)
    expect(cells).toHaveLength(1)
    expect(cells[0].killed).toBe(false)
    cells[0].load()
    cells[0].answer('1')
    expect(await next).toEqual(done('1'))
  })

  it('runs no job whose signal was aborted before', async () => {
    const { cells, pool } = pooled(1)
    const job = held()
    job.abort('LEASE_LOST')
    expect(await errorOf(pool.run(job.live, PAYLOAD))).toMatchObject({ code: 'LEASE_LOST' })
    expect(cells).toHaveLength(0)
  })

  it('holds up nobody for who dies slowly, until there are too many of them', async () => {
    const { cells, pool } = pooled(1)
    for (let dead = 0; dead <= ISOLATES_DYING; dead++) {
      const job = held()
      void pool.run(job.live, PAYLOAD)
      cells[dead].load()
      job.abort('ATTEMPT_TIMEOUT')
    }
    const waits = pool.run(held().live, PAYLOAD)
    expect(cells).toHaveLength(ISOLATES_DYING + 1)
    cells[3].end()
    expect(cells).toHaveLength(ISOLATES_DYING + 2)
    cells.at(-1)?.load()
    cells.at(-1)?.answer('1')
    expect(await waits).toEqual(done('1'))
  })

  it('fails all who wait for a module that does not load', async () => {
    const { cells, pool } = pooled(1)
    const runs = [held(), held()].map(({ live }) => pool.run(live, PAYLOAD))
    cells[0].tell({ told: 'unready', error: { name: 'SyntaxError', message: 'half' } })
    for (const run of runs) {
      expect(await errorOf(run)).toMatchObject({
        name: 'IsolateUnready',
        message: expect.stringContaining('SyntaxError: half') as string,
      })
    }
    expect(cells).toHaveLength(1)
  })

  it('tries a module that does not load again after a growing breath, by one isolate', async () => {
    const { clock, cells, pool } = pooled(2)
    void pool.run(held().live, PAYLOAD)
    let breath = ISOLATE_RESTART_MIN
    for (let tries = 1; tries < 8; tries++) {
      cells[tries - 1].end({ by: 'exit', code: 1, lastWords: '' })
      for (let job = 0; job < 2; job++) void pool.run(held().live, PAYLOAD)
      await clock.advance(breath - 1)
      expect(cells).toHaveLength(tries)
      await clock.advance(1)
      expect(cells).toHaveLength(tries + 1)
      breath = Math.min(ISOLATE_RESTART_MAX, breath * 2)
    }
    cells[7].load()
    expect(cells).toHaveLength(9)
  })

  it('fails who waits when an isolate ends before it is ready', async () => {
    const { cells, pool } = pooled(1)
    const run = pool.run(held().live, PAYLOAD)
    cells[0].tell({ told: 'uncaught', error: { name: 'E', message: 'm' } })
    cells[0].end({ by: 'exit', code: 1, lastWords: '' })
    expect(await errorOf(run)).toMatchObject({
      message: expect.stringContaining('ended by an error that nobody caught: E: m') as string,
    })
  })

  it('fails who waits when nothing is heard of a start, and kills it', async () => {
    const { clock, cells, pool } = pooled(1)
    const run = pool.run(held(Infinity).live, PAYLOAD)
    await clock.advance(ISOLATE_START)
    expect(cells[0].killed).toBe(true)
    expect(await errorOf(run)).toMatchObject({ name: 'IsolateUnready' })
  })

  it('passes on what a job tells on its way, and nothing of a run that is over', async () => {
    const { cells, pool } = pooled(1)
    const [first, second] = [held(), held()]
    const run = pool.run(first.live, PAYLOAD)
    cells[0].load()
    cells[0].tell({ told: 'notes', run: 1, notes: { progress: 0.5, log: ['a', 'b'] } })
    cells[0].answer('1')
    await run
    void pool.run(second.live, PAYLOAD)
    cells[0].tell({ told: 'notes', run: 1, notes: { progress: 0.9, log: ['late'] } })
    expect(first.notes).toEqual([0.5, 'a', 'b'])
    expect(second.notes).toEqual([])
  })

  it('passes over what is not ours on the line', async () => {
    const { cells, pool } = pooled(1)
    const run = pool.run(held().live, PAYLOAD)
    cells[0].load()
    for (const message of [null, 'ready', 7, {}, { told: 'lies' }]) cells[0].listener.heard(message)
    cells[0].answer('1')
    expect(await run).toEqual(done('1'))
  })

  it('ends all when it closes, and waits for them, but not for ever', async () => {
    const { clock, cells, pool } = pooled(3)
    const runs = [held(), held()].map(({ live }) => pool.run(live, PAYLOAD))
    cells[0].load()
    cells[1].load()
    cells[0].answer('1')
    await runs[0]
    let closed = false
    void pool.close().then(() => (closed = true))
    expect([cells[0].last, cells[0].killed]).toEqual(['end', false])
    expect(cells[1].killed).toBe(true)
    expect(await errorOf(runs[1])).toMatchObject({ code: 'STORE_CLOSED' })
    expect(cells.map(({ keeps }) => keeps)).toEqual([true, true])
    cells[0].end()
    await clock.advance(ISOLATE_GONE - 1)
    expect(closed).toBe(false)
    await clock.advance(1)
    expect(closed).toBe(true)
    expect(cells[1].keeps).toBe(false)
    expect(await errorOf(pool.run(held().live, PAYLOAD))).toMatchObject({ code: 'STORE_CLOSED' })
  })

  it('learns the tasks of its module by one isolate, and tells who asked when it cannot', async () => {
    const { clock, cells, pool } = pooled(2)
    const learned = pool.learn()
    expect(cells).toHaveLength(1)
    cells[0].tell({ told: 'unready', error: { name: 'E', message: 'm' } })
    await expect(learned).rejects.toThrow(/did not load/)
    const again = pool.learn()
    expect(cells).toHaveLength(1)
    await clock.advance(ISOLATE_RESTART_MIN)
    cells[1].load()
    await again
    expect(pool.tasks).toEqual(['t'])
    void pool.run(held().live, PAYLOAD)
    expect(cells[1].last).toBe('run')
  })

  it('fails a job whose isolate cannot be opened', async () => {
    const clock = new VirtualClock()
    const open = () => {
      throw new Error('no more processes')
    }
    const module = new URL('file:///handler.js')
    const pool = new Pool({ kind: 'process', module, shape: 'handler', open, clock }, 1)
    const run = pool.run(held().live, PAYLOAD)
    await clock.quiet()
    expect(await errorOf(run)).toMatchObject({ name: 'IsolateUnready' })
  })
})
