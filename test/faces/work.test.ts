// Working: what a handler is given, what its end means, and what surrounds it.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Discard, MillraceError } from '../../src/index.js'
import type { Job, Queue, Verdict } from '../../src/index.js'
import { testMillrace } from '../../src/testing/test-millrace.js'
import { bench, fault, runs, schema } from './harness.js'

describe('a handler', () => {
  it('gets the payload and all that is known of the job', async () => {
    let seen: Job | undefined
    let payload: unknown
    const { mill } = bench()
    const queue = mill.queue('q', { attempts: 7 })
    const { id } = await queue.enqueue(
      { to: 'ada' },
      { priority: 3, group: 'g', tags: ['t'], meta: { m: 1 } },
    )
    queue.work((given, job) => {
      payload = given
      seen = job
    })
    await mill.runUntilIdle()
    expect(payload).toEqual({ to: 'ada' })
    expect(seen).toMatchObject({
      id,
      queue: 'q',
      task: 'default',
      payload,
      attempt: 1,
      maxAttempts: 7,
      priority: 3,
      group: 'g',
      tags: ['t'],
      meta: { m: 1 },
      history: [],
      origin: null,
    })
    expect(seen?.signal.aborted).toBe(false)
    expect(String(seen?.token)).not.toBe('')
  })

  it('completes by returning, with what it returned', async () => {
    const { job } = await runs(() => new Map([['sum', 3n]]))
    expect(job).toMatchObject({ state: 'completed', result: new Map([['sum', 3n]]), attempt: 1 })
  })

  it('fails by throwing, by rejecting and by throwing what is no error', async () => {
    for (const thrown of [new TypeError('boom'), 'boom', undefined, null]) {
      const { job } = await runs(() => Promise.reject(thrown))
      expect(job).toMatchObject({ state: 'discarded', reason: expect.anything() })
      expect(job.history).toMatchObject([{ outcome: 'failed', attempt: 1, round: 1 }])
    }
  })

  it('is tried again after the backoff, by the function that this process declared', async () => {
    const { mill, clock } = bench()
    const failed: unknown[] = []
    const queue = mill.queue<number>('q', {
      attempts: 3,
      backoff: (attempt, error, job) => {
        failed.push([attempt, (error as Error).message, job.payload, job.history.length])
        return attempt === 1 ? '5s' : 9000
      },
    })
    await queue.enqueue(42)
    const ran: number[] = []
    queue.work((_, job) => {
      ran.push(clock.mono())
      throw new Error(`no. ${job.attempt}`)
    })
    await clock.advance(60_000)
    expect(ran).toEqual([0, 5000, 14_000])
    expect(failed).toEqual([
      [1, 'no. 1', 42, 0],
      [2, 'no. 2', 42, 1],
    ])
  })

  it('reports progress and log lines that stay with the job', async () => {
    const { job } = await runs((_, job) => {
      job.progress(0.25)
      job.progress(0.5)
      job.log('halfway')
    })
    expect(job).toMatchObject({ progress: 0.5, log: ['halfway'] })
  })

  it('may not report progress beyond the whole', async () => {
    const { job } = await runs((_, job) => job.progress(1.5))
    expect(job.history[0].error?.message).toContain('a number from 0 to 1')
  })

  it('runs nothing with concurrency 0', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    await queue.enqueue(1)
    const worker = queue.work(() => 1, { concurrency: 0 })
    expect(await mill.runUntilIdle()).toEqual({ ran: 0, idle: true })
    expect(worker).toMatchObject({ queue: 'q', running: 0, state: 'working' })
    expect(await queue.length()).toBe(1)
  })

  it('takes nothing before the declaration is written, so the first failure follows it', async () => {
    const { mill } = bench()
    await mill.queue('q').enqueue(1)
    const queue = mill.queue('q', { attempts: 1, deadLetter: 'dead' })
    queue.work(() => Promise.reject(new Error('no')))
    await mill.runUntilIdle()
    expect(await mill.queue('dead').list()).toMatchObject([
      { payload: 1, attempt: 0, origin: { queue: 'q', reason: 'attempts-spent' } },
    ])
  })
})

describe('schemas', () => {
  it('give the handler what the input schema makes of the payload', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', { input: z.object({ n: z.coerce.number() }) })
    const got: unknown[] = []
    await queue.enqueue({ n: '5' })
    queue.work((payload, job) => void got.push(payload, job.payload))
    await mill.runUntilIdle()
    expect(got).toEqual([{ n: 5 }, { n: 5 }])
  })

  it('discard a payload that does not fit any more, without running or retrying it', async () => {
    const { mill, another } = bench()
    const { id } = await mill.queue('q').enqueue({ old: true })
    const newer = another()
    const queue = newer.queue('q', { input: z.object({ n: z.number() }) })
    queue.work(() => 1)
    await newer.runUntilIdle()
    const job = await queue.get(id)
    expect(job).toMatchObject({ state: 'discarded' })
    expect(job?.history).toMatchObject([{ attempt: 1, outcome: 'discarded' }])
    expect(job?.reason).toMatch(/payload.*n/)
  })

  it('discard with words that go along with the dead letter, and are found there', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', { deadLetter: 'graves' })
    await queue.enqueue(1)
    queue.work((_, job) => job.discard('no such address'))
    await mill.runUntilIdle()
    const [dead] = await mill.queue('graves').list({ search: 'no such address' })
    expect(dead.origin).toMatchObject({
      reason: 'given-up',
      history: [{ outcome: 'discarded', error: { name: 'Discard', message: 'no such address' } }],
    })
  })

  it('fail the attempt when they themselves throw', async () => {
    const { mill, another } = bench()
    const { id } = await mill.queue('q', { attempts: 1 }).enqueue(1)
    const input = schema(() => 1)
    input['~standard'].validate = () => {
      throw new Error('schema broke')
    }
    const other = another()
    const queue = other.queue('q', { attempts: 1, input })
    queue.work(() => 1)
    await other.runUntilIdle()
    expect((await queue.get(id))?.history).toMatchObject([
      { outcome: 'failed', error: { message: 'schema broke' } },
    ])
  })

  it('store a result as the output schema gives it out, and refuse one that does not fit', async () => {
    const output = schema<number, string>((value) => {
      if (typeof value !== 'number') throw new Error('not a number')
      return `n${value}`
    })
    const good = await runs(() => 5, { output, input: schema(Number) })
    expect(good.job.result).toBe('n5')
    const bad = await runs(() => 'x', { output, input: schema(Number) })
    expect(bad.job.history[0].error?.message).toMatch(/RESULT_INVALID.*not a number/)
  })

  it('are not needed for the limit of results, which fails the attempt', async () => {
    const { job } = await runs(() => 'x'.repeat(20), { limits: { resultBytes: 10 } })
    expect(job.history[0].error?.message).toMatch(/RESULT_INVALID.*10 bytes/)
    const wrong = await runs(() => () => 1)
    expect(wrong.job.history[0].error?.message).toContain('RESULT_INVALID')
  })
})

describe('middleware', () => {
  it('wraps every run, the first added outermost, and hears the answer', async () => {
    const { mill } = bench()
    const steps: unknown[] = []
    mill
      .use(async (job, next) => {
        steps.push(`outer ${job.id}`)
        steps.push(await next())
      })
      .use(async (_, next) => {
        steps.push('inner')
        await next()
        return 'ignored'
      })
    const queue = mill.queue('q', { keep: { completed: '1d' } })
    const { id } = await queue.enqueue(1)
    queue.work(() => 'answer')
    await mill.runUntilIdle()
    expect(steps).toEqual([`outer ${id}`, 'inner', 'answer'])
    expect((await queue.get(id))?.result).toBe('answer')
  })

  it.each<[string, (next: () => Promise<unknown>) => unknown, string]>([
    ['does not call next', () => 1, 'one call of next()'],
    ['calls next twice', async (next) => (await next(), await next()), 'one call of next()'],
    ['throws', () => Promise.reject(new Error('not today')), 'not today'],
    ['throws afterwards', async (next) => (await next(), Promise.reject(new Error('x'))), 'x'],
  ])('that %s fails the attempt', async (_, use, message) => {
    const { mill } = bench()
    mill.use((_, next) => use(next))
    const queue = mill.queue('q', { attempts: 1 })
    const { id } = await queue.enqueue(1)
    queue.work(() => 1)
    await mill.runUntilIdle()
    expect((await queue.get(id))?.history[0].error?.message).toContain(message)
  })

  it('cannot make a failed run succeed by catching', async () => {
    const { mill } = bench()
    mill.use(async (_, next) => void (await next().catch(() => 1)))
    const queue = mill.queue('q', { attempts: 1 })
    const { id } = await queue.enqueue(1)
    queue.work(() => Promise.reject(new Error('boom')))
    await mill.runUntilIdle()
    expect((await queue.get(id))?.history[0].error?.message).toBe('boom')
  })

  it('may throw a verdict before the handler runs', async () => {
    const { mill } = bench()
    mill.use(() => Promise.reject(new Discard('not here')))
    const queue = mill.queue('q')
    const { id } = await queue.enqueue(1)
    queue.work(() => 1)
    await mill.runUntilIdle()
    expect(await queue.get(id)).toMatchObject({ state: 'discarded', reason: 'not here' })
  })
})

describe('a worker', () => {
  it('pauses, resumes and stops, and is disposed', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    const worker = queue.work(() => 1)
    await mill.runUntilIdle()
    await worker.pause()
    await queue.enqueue(1)
    expect(worker.state).toBe('paused')
    expect(await mill.runUntilIdle()).toMatchObject({ ran: 0 })
    await worker.resume()
    expect(await mill.runUntilIdle()).toMatchObject({ ran: 1 })
    await worker[Symbol.asyncDispose]()
    expect(worker.state).toBe('stopped')
  })

  it('that was paused before its declaration was written stays so', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', { attempts: 2 })
    const worker = queue.work(() => 1)
    expect(worker.state).toBe('working')
    await worker.pause()
    await queue.enqueue(1)
    await mill.runUntilIdle()
    expect(worker.state).toBe('paused')
    expect(await queue.length()).toBe(1)
  })

  it('tries again when the declaration cannot be written, and says why', async () => {
    const { mill, clock } = bench()
    const told: string[] = []
    mill.on('store.error', ({ error }) => told.push(error.code))
    const dead = mill.queue('dead', { deadLetter: 'q' })
    await dead.enqueue(1)
    const queue = mill.queue('q', { deadLetter: 'dead' })
    queue.work(() => 1)
    await clock.advance(1)
    expect(told).toEqual(['OPTION_INVALID'])
    mill.queue('q', { attempts: 5 })
    await queue.enqueue(1)
    await clock.advance(3000)
    expect(await queue.length()).toBe(0)
  })

  it('refuses what it is not told, and modules without their isolation', async () => {
    const { mill } = bench()
    const queue = mill.queue('q') as Queue & { work: (...given: unknown[]) => unknown }
    expect(await fault(() => queue.work('x'))).toContain('a function (payload, job)')
    expect(await fault(() => queue.work(() => 1, { concurrency: -1 }))).toContain('whole number')
    expect(await fault(() => queue.work(() => 1, { concurency: 1 }))).toContain("'concurrency'")
    expect(await fault(() => queue.work(() => 1, { isolate: 'thread' }))).toContain('of a module')
    expect(await fault(() => queue.work(new URL('file:///x.js')))).toContain('object of options')
  })
})

describe('job.commit', () => {
  it('is refused where the store has no transactions', async () => {
    const { job } = await runs(
      (_, job) => (job.commit as unknown as (write: () => void) => Promise<Verdict>)(() => {}), // as: never on this store
    )
    expect(job.history[0].error?.message).toContain('TX_UNSUPPORTED')
  })

  it('hands out the client of the test, and completes with the result', async () => {
    const written: unknown[] = []
    const mill = testMillrace<'postgres'>({ tx: { query: (text: string) => written.push(text) } })
    const queue = mill.queue<number, string>('q')
    const job = await queue.enqueue(1, { tx: { query: () => 1 } })
    queue.work((_, job) => job.commit(async (tx) => void (await tx.query('insert')), 'done'))
    await mill.runUntilIdle()
    expect(written).toEqual(['insert'])
    expect(await job.result()).toBe('done')
  })
})

describe('errors', () => {
  it('are of one class that programs tell by code', async () => {
    const { mill } = bench()
    const error: unknown = await mill
      .queue('q')
      .enqueue(() => 1)
      .catch((thrown: unknown) => thrown)
    expect(MillraceError.is(error, 'PAYLOAD_INVALID')).toBe(true)
    expect(MillraceError.is(error, 'QUEUE_FULL')).toBe(false)
  })
})
