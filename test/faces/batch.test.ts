// workBatch: one call for many jobs, and an end of its own for each of them.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Discard, Snooze } from '../../src/index.js'
import type { BatchHandler } from '../../src/index.js'
import { bench, fault } from './harness.js'

/** These payloads through one batch; what each job became. */
async function runs(handler: BatchHandler<number>, payloads: readonly number[], options = {}) {
  const { mill, clock } = bench()
  const queue = mill.queue<number>('q', { keep: { completed: '1d' }, attempts: 1, ...options })
  const jobs = await queue.enqueueMany(payloads)
  let calls = 0
  queue.workBatch((...given) => {
    calls++
    return handler(...given)
  })
  await mill.runUntilIdle()
  const found = await Promise.all(jobs.map(({ id }) => queue.get(id)))
  return { mill, clock, queue, jobs: found, calls }
}

describe('a batch handler', () => {
  it('gets payloads and jobs in order, in one call', async () => {
    const seen: unknown[] = []
    const { calls } = await runs(
      (payloads, jobs) => {
        seen.push(
          payloads,
          jobs.map(({ payload, attempt }) => [payload, attempt]),
        )
      },
      [1, 2, 3],
    )
    expect(calls).toBe(1)
    expect(seen).toEqual([
      [1, 2, 3],
      [
        [1, 1],
        [2, 1],
        [3, 1],
      ],
    ])
  })

  it('completes all by returning nothing', async () => {
    const { jobs } = await runs(() => undefined, [1, 2])
    expect(jobs).toMatchObject([
      { state: 'completed', result: undefined },
      { state: 'completed', result: undefined },
    ])
  })

  it('answers each with a result or a verdict, in order', async () => {
    const { jobs } = await runs(
      async (payloads, jobs) =>
        payloads.map((payload, at) => {
          if (payload === 1) return jobs[at].fail(new Error('not this one'))
          if (payload === 2) return jobs[at].discard('no such address')
          if (payload === 3) return jobs[at].cancel('enough')
          if (payload === 4) return jobs[at].snooze('1h')
          return payload * 10
        }),
      [0, 1, 2, 3, 4, 5],
    )
    expect(jobs).toMatchObject([
      { state: 'completed', result: 0 },
      { state: 'discarded', reason: 'not this one', history: [{ outcome: 'failed' }] },
      { state: 'discarded', reason: 'no such address' },
      { state: 'cancelled', reason: 'enough' },
      { state: 'scheduled', attempt: 0 },
      { state: 'completed', result: 50 },
    ])
  })

  it('fails all by throwing, each by its own backoff', async () => {
    const { jobs, calls, clock } = await runs(
      (_, jobs) => {
        if (jobs[0].attempt === 1) throw new Error('the other side is down')
      },
      [1, 2, 3],
      { attempts: 2, backoff: { type: 'fixed', delay: '5s' } },
    )
    expect(calls).toBe(1)
    for (const job of jobs) {
      expect(job).toMatchObject({
        state: 'retryable',
        history: [{ outcome: 'failed', error: { message: 'the other side is down' } }],
      })
    }
    await clock.advance(6_000)
  })

  it('snoozes all by throwing Snooze; a thrown Discard, which may mean one, fails them', async () => {
    const snoozed = await runs(() => Promise.reject(new Snooze('1h')), [1, 2])
    expect(snoozed.jobs).toMatchObject([{ state: 'scheduled' }, { state: 'scheduled' }])
    const thrown = await runs(() => Promise.reject(new Discard('bad address')), [1, 2], {
      attempts: 2,
    })
    expect(thrown.jobs.map((job) => job?.state)).toEqual(['retryable', 'retryable'])
    expect(thrown.jobs[0]?.history[0].error?.message).toContain('return job.discard(…)')
  })

  it.each([
    ['too few answers', () => [1]],
    ['too many answers', () => [1, 2, 3]],
    ['no array', (() => 'done') as never],
    ['null', (() => null) as never],
  ])('fails all by answering with %s', async (_, handler) => {
    const { jobs } = await runs(handler, [1, 2])
    for (const job of jobs) {
      expect(job?.history[0].error?.message).toContain('an array of 2 results or verdicts')
    }
  })

  it('fails one whose verdict stands in another place, or was not returned', async () => {
    const swapped = await runs((_, jobs) => [jobs[1].cancel(), jobs[0].cancel()], [1, 2])
    expect(swapped.jobs.map((job) => job?.history[0].error?.message)).toEqual([
      expect.stringContaining('a verdict of this run'),
      expect.stringContaining('a verdict of this run'),
    ])
    const kept = await runs((_, jobs) => void jobs[0].fail('never returned'), [1, 2])
    expect(kept.jobs.map((job) => job?.state)).toEqual(['discarded', 'completed'])
    expect(kept.jobs[0]?.history[0].error?.message).toContain('it to return')
  })

  it('is not called for what the input schema refuses; the others go on', async () => {
    const { mill } = bench()
    const plain = mill.queue('q')
    const jobs = await plain.enqueueMany([{ n: '1' }, { n: 'x' }, { n: '3' }])
    const queue = mill.queue('q', { input: z.object({ n: z.coerce.number() }) })
    const seen: unknown[] = []
    queue.workBatch((payloads) => void seen.push(payloads))
    await mill.runUntilIdle()
    expect(seen).toEqual([[{ n: 1 }, { n: 3 }]])
    expect(await queue.get(jobs[1].id)).toMatchObject({ state: 'discarded' })
  })

  it('is not called when nothing fits', async () => {
    const { mill } = bench()
    await mill.queue('q').enqueueMany(['x', 'y'])
    let calls = 0
    mill.queue('q', { input: z.number() }).workBatch(() => void calls++)
    expect(await mill.runUntilIdle()).toEqual({ ran: 2, idle: true })
    expect(calls).toBe(0)
  })

  it('has each result checked by the output schema', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', {
      input: z.number(),
      output: z.string().max(1),
      keep: { completed: '1d' },
      attempts: 1,
    })
    const jobs = await queue.enqueueMany([1, 22])
    queue.workBatch((payloads) => payloads.map(String))
    await mill.runUntilIdle()
    expect(await queue.get(jobs[0].id)).toMatchObject({ state: 'completed', result: '1' })
    expect(await queue.get(jobs[1].id)).toMatchObject({
      state: 'discarded',
      history: [{ error: { message: expect.stringContaining('output schema') } }],
    })
  })

  it('keeps the order within a group', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q')
    const many = Array.from({ length: 60 }, (_, at) => at)
    await queue.enqueueMany(many, (at) => ({ group: `g${at % 3}` }))
    const seen = new Map<string, number[]>()
    const note = (payload: number, group: string) =>
      seen.set(group, [...(seen.get(group) ?? []), payload])
    queue.workBatch((payloads, jobs) => payloads.forEach((one, at) => note(one, jobs[at].group)), {
      size: 7,
      concurrency: 1,
    })
    await mill.runUntilIdle()
    for (const of of seen.values()) expect(of).toEqual([...of].sort((a, b) => a - b))
    expect([...seen.values()].flat()).toHaveLength(60)
  })

  it('leaves the jobs of tasks to those who know them', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q')
    await queue.enqueue(1)
    await mill.enqueue({ name: 'other', queue: 'q' }, 2)
    const seen: unknown[] = []
    queue.workBatch((payloads) => void seen.push(payloads))
    await mill.runUntilIdle()
    expect(seen).toEqual([[1]])
    expect(await queue.counts()).toMatchObject({ available: 1 })
  })
})

describe('middleware round a batch', () => {
  it('wraps each of its jobs; one that throws takes only its own job out', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q', { attempts: 1 })
    const answers: unknown[] = []
    mill.use(async (job, next) => {
      if (job.payload === 2) throw new Error('not allowed')
      answers.push(await next())
    })
    const jobs = await queue.enqueueMany([1, 2, 3])
    const seen: unknown[] = []
    queue.workBatch((payloads) => (seen.push(payloads), payloads.map((one) => one * 10)))
    await mill.runUntilIdle()
    expect(seen).toEqual([[1, 3]])
    expect(answers).toEqual([10, 30])
    expect(await queue.get(jobs[1].id)).toMatchObject({ state: 'discarded', reason: 'not allowed' })
  })
})

describe('the options of workBatch', () => {
  it.each([
    [{ size: 0 }, 'queue("q").workBatch.size: expected a whole number from 1 to 1000'],
    [{ size: 1.5 }, 'workBatch.size'],
    [{ size: 1001 }, 'workBatch.size'],
    [{ wait: -1 }, 'workBatch.wait: expected a span'],
    [{ wait: Infinity }, 'workBatch.wait'],
    [{ concurrency: -1 }, 'workBatch.concurrency'],
    [{ sise: 3 }, "Did you mean 'size'"],
    [{ isolate: 'thread' }, 'workBatch.isolate'],
  ])('%j are refused', async (options, message) => {
    const queue = bench().mill.queue('q')
    expect(await fault(() => queue.workBatch(() => undefined, options as never))).toContain(message)
  })

  it('are not those of work, and there must be a handler', async () => {
    const queue = bench().mill.queue('q')
    const given = { size: 3 } as never
    expect(await fault(() => queue.work(() => 1, given))).toContain('an option of workBatch')
    expect(await fault(() => queue.workBatch(3 as never))).toContain('(payloads, jobs) => results')
  })

  it('say how large a batch is, and how long it waits', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q')
    const seen: number[] = []
    queue.workBatch((payloads) => void seen.push(payloads.length), { size: 3, wait: '1s' })
    await queue.enqueueMany([1, 2, 3, 4])
    await clock.advance(999)
    expect(seen).toEqual([3])
    await clock.advance(2)
    expect(seen).toEqual([3, 1])
  })
})
