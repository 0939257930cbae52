// Pulling by hand, without a worker.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { HeldJob } from '../../src/index.js'
import { bench, fault } from './harness.js'

/** One job, taken. */
async function held(options = {}, payload: unknown = 1) {
  const all = bench()
  const queue = all.mill.queue('q', { keep: { completed: '1d' }, ...options })
  const { id } = await queue.enqueue(payload)
  const job = await queue.take()
  if (job === null) throw new Error('nothing to take')
  const left = async () => {
    const found = await queue.get(id)
    if (found === null) throw new Error('it left nothing')
    return found
  }
  return { ...all, queue, id, job, left }
}

describe('take', () => {
  it('answers null at once when nothing is runnable', async () => {
    expect(await bench().mill.queue('q').take()).toBeNull()
    expect(await bench().mill.queue('q').take({ limit: 5 })).toEqual([])
  })

  it('waits as long as it is told, and takes what comes meanwhile', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    const nothing = queue.take({ wait: '10s' })
    await clock.advance(10_000)
    expect(await nothing).toBeNull()
    const something = queue.take({ wait: '10s' })
    await queue.enqueue('late')
    await clock.advance(1000)
    expect((await something)?.payload).toBe('late')
  })

  it('takes up to the limit, of any task', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    await queue.enqueueMany([1, 2, 3])
    await mill.enqueue({ name: 'special', queue: 'q' }, 4)
    expect((await queue.take({ limit: 2 })).map((job) => job.payload)).toEqual([1, 2])
    expect((await queue.take({ limit: 5 })).map((job) => job.task)).toEqual(['default', 'special'])
  })

  it('ends with the reason of its signal', async () => {
    const { mill, clock } = bench()
    const stop = new AbortController()
    const taking = fault(() => mill.queue('q').take({ wait: '1h', signal: stop.signal }))
    await clock.advance(10)
    stop.abort(new Error('enough'))
    expect(await taking).toBe('Error: enough')
  })

  it('shows the job as a handler sees it', async () => {
    const { job, id } = await held({}, { to: 'ada' })
    expect(job).toMatchObject({ id, queue: 'q', task: 'default', attempt: 1, maxAttempts: 20 })
    expect([job.payload, job.meta, job.history, job.origin]).toEqual([{ to: 'ada' }, {}, [], null])
    expect(job.signal.aborted).toBe(false)
  })

  it.each<[string, (job: HeldJob) => Promise<void>, object]>([
    ['complete', (job) => job.complete('done'), { state: 'completed', result: 'done' }],
    ['fail', (job) => job.fail(new Error('x')), { state: 'retryable', attempt: 1 }],
    ['snooze', (job) => job.snooze('5m'), { state: 'scheduled', attempt: 0 }],
    ['release', (job) => job.release(), { state: 'available', attempt: 0 }],
    ['discard', (job) => job.discard('bad'), { state: 'discarded', reason: 'bad' }],
    ['cancel', (job) => job.cancel('why'), { state: 'cancelled', reason: 'why' }],
  ])('%s is durable when it answers, and ends the hold', async (_, settle, end) => {
    const { job, left } = await held()
    await settle(job)
    expect(await left()).toMatchObject(end)
    expect(await fault(() => job.complete())).toContain('LEASE_LOST')
  })

  it('gives back what is disposed unsettled, and leaves alone what is settled', async () => {
    const { job, left } = await held()
    await job[Symbol.asyncDispose]()
    expect(await left()).toMatchObject({ state: 'available', attempt: 0 })
    const other = await held()
    await other.job.complete()
    await other.job[Symbol.asyncDispose]()
    expect(await other.left()).toMatchObject({ state: 'completed' })
  })

  it.each<[string, (job: HeldJob) => Promise<void>]>([
    ['snooze', (job) => job.snooze('5m')],
    ['release', (job) => job.release()],
  ])('refuses to %s where delivery is at-most-once, and leaves the job held', async (word, ask) => {
    const { job, left, id } = await held({ delivery: 'at-most-once' })
    const said = await fault(() => ask(job))
    expect(said).toContain('OPTION_INVALID queue("q").delivery')
    expect(said).toContain(`${word} asks for another run of job "${id}"`)
    expect(await left()).toMatchObject({ state: 'running', attempt: 1 })
    await job.complete('done after all')
    expect(await left()).toMatchObject({ state: 'completed', result: 'done after all' })
  })

  it('takes the first verdict, though it is disposed or told another before that one is known', async () => {
    const { job, left } = await held({
      output: z.number().refine(async () => Promise.resolve(true)),
    })
    const done = job.complete(5)
    const second = fault(() => job.fail(new Error('late')))
    await job[Symbol.asyncDispose]()
    await done
    expect(await second).toMatch('LEASE_LOST')
    expect(await left()).toMatchObject({ state: 'completed', result: 5 })
  })

  it('discards what is disposed unsettled where delivery is at-most-once, reason unknown', async () => {
    const { mill, job, left } = await held({ delivery: 'at-most-once' })
    const reasons: string[] = []
    mill.on('job.discarded', ({ reason }) => reasons.push(reason))
    await job[Symbol.asyncDispose]()
    expect(await left()).toMatchObject({
      state: 'discarded',
      attempt: 1,
      reason: 'who had taken it let go of it without a verdict',
    })
    expect(reasons).toEqual(['unknown'])
  })

  it('fails the attempt past the timeout, and a late verdict changes nothing', async () => {
    const { clock, job, left } = await held({ timeout: '5s' })
    await clock.advance(5100)
    expect(job.signal.aborted).toBe(true)
    expect(await left()).toMatchObject({ state: 'retryable', history: [{ outcome: 'timeout' }] })
    expect(await fault(() => job.complete())).toContain('LEASE_LOST')
    await job[Symbol.asyncDispose]()
  })

  it('fails the attempt when the result does not fit, and says so', async () => {
    const { job, left } = await held({ limits: { resultBytes: 5 } })
    expect(await fault(() => job.complete('too long'))).toContain('RESULT_INVALID')
    expect(await left()).toMatchObject({ state: 'retryable' })
  })

  it('discards a payload that does not fit and takes the next in its stead', async () => {
    const { mill, another } = bench()
    await mill.queue('q').enqueueMany(['old', 5])
    const queue = another().queue('q', { input: z.number() })
    expect((await queue.take())?.payload).toBe(5)
    expect(await queue.counts()).toMatchObject({ discarded: 1, running: 1 })
  })

  it('refuses what it does not know', async () => {
    const queue = bench().mill.queue('q')
    expect(await fault(() => queue.take({ wiat: 1 } as object))).toContain("'wait'")
    expect(await fault(() => queue.take({ limit: 0 }))).toContain('whole number')
    expect(await fault(() => queue.take({ wait: -1 }))).toContain('take.wait')
  })
})

describe('jobs()', () => {
  it('pulls for ever, one unsettled at a time, and ends with its signal', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q')
    await queue.enqueueMany([1, 2, 3])
    const stop = new AbortController()
    const seen: unknown[] = []
    for await (const job of queue.jobs({ signal: stop.signal })) {
      seen.push([job.payload, (await queue.counts()).running])
      await job.complete()
      if (seen.length === 3) stop.abort()
    }
    expect(seen).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ])
  })

  it('keeps at most `concurrency` unsettled, and goes on when one of them ends', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q', { timeout: '10s' })
    await queue.enqueueMany([1, 2, 3, 4])
    const open: HeldJob<number>[] = []
    const loop = (async () => {
      for await (const job of queue.jobs({ concurrency: 2 })) {
        open.push(job)
        if (open.length === 4) break
      }
    })()
    await clock.advance(10)
    expect(open.map((job) => job.payload)).toEqual([1, 2])
    await open[0].complete()
    await clock.advance(10)
    expect(open.map((job) => job.payload)).toEqual([1, 2, 3])
    await clock.advance(11_000)
    await loop
    expect(open.map((job) => job.payload)).toEqual([1, 2, 3, 4])
  })

  it('gives back what is not settled when the loop is left', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    await queue.enqueue(1)
    for await (const job of queue.jobs()) {
      expect(job.attempt).toBe(1)
      break
    }
    expect(await queue.counts()).toMatchObject({ available: 1, running: 0 })
  })

  it('ends while it waits for room, and while it waits for a job', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    for (const jobs of [[], [1]]) {
      await queue.enqueueMany(jobs)
      const stop = new AbortController()
      let seen = 0
      const loop = (async () => {
        for await (const job of queue.jobs({ signal: stop.signal })) seen += job.attempt
      })()
      await clock.advance(10)
      expect(seen).toBe(jobs.length)
      stop.abort()
      await clock.advance(10)
      await loop
    }
    expect(await queue.counts()).toMatchObject({ available: 1, running: 0 })
  })
})
