// job.step: done once over all attempts, kept with the job, and bounded.
import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/index.js'
import type { Job } from '../../src/index.js'
import { bench, runs } from './harness.js'

const FIXED = { attempts: 5, backoff: { type: 'fixed', delay: '1s' } } as const

/** A job whose handler fails so often, and then completes. */
async function failing(times: number, handler: (job: Job) => unknown, options = {}) {
  const { mill, clock } = bench()
  const queue = mill.queue('q', { ...FIXED, keep: { completed: '1d' }, ...options })
  const { id } = await queue.enqueue(1)
  queue.work(async (_, job) => {
    const answer = await handler(job)
    if (job.attempt <= times) throw new Error(`attempt ${job.attempt}`)
    return answer
  })
  await clock.advance(60_000)
  const job = await queue.get(id)
  return { mill, clock, queue, id, job }
}

describe('a step', () => {
  it('is done once, whatever becomes of its attempt', async () => {
    const done: string[] = []
    const { job } = await failing(2, async (job) => {
      const charge = await job.step('charge', () => (done.push('charge'), { id: 7 }))
      const mail = await job.step('mail', async () => (done.push('mail'), 'sent'))
      return [charge, mail]
    })
    expect(done).toEqual(['charge', 'mail'])
    expect(job).toMatchObject({ state: 'completed', attempt: 3, result: [{ id: 7 }, 'sent'] })
    expect(job?.history.map(({ steps }) => steps)).toEqual([
      ['charge', 'mail'],
      undefined,
      undefined,
    ])
  })

  it('that fails is done again, and its error is the handler’s', async () => {
    let tries = 0
    const { job } = await failing(0, (job) =>
      job.step('flaky', () => {
        if (++tries < 3) throw new TypeError('not yet')
        return tries
      }),
    )
    expect(job).toMatchObject({ state: 'completed', result: 3, attempt: 3 })
    expect(job?.history[0]).toMatchObject({ error: { name: 'TypeError', message: 'not yet' } })
  })

  it.each([
    undefined,
    null,
    0,
    '',
    new Date(5),
    new Map([['a', new Set([1n])]]),
    { deep: [undefined, { x: -0 }] },
  ])('gives back what it gave: %o', async (value) => {
    const got: unknown[] = []
    await failing(1, async (job) => void got.push(await job.step('x', () => value)))
    expect(got).toEqual([value, value])
  })

  it('shares one doing among calls that come together', async () => {
    let done = 0
    const { job } = await failing(0, async (job) => {
      const step = () => job.step('once', async () => ++done)
      return [...(await Promise.all([step(), step(), step()])), await step()]
    })
    expect(job?.result).toEqual([1, 1, 1, 1])
    expect(done).toBe(1)
  })

  it('gives each reader a value of its own once it is kept', async () => {
    const { job } = await failing(0, async (job) => {
      await job.step('list', () => [1])
      const mine = await job.step('list', () => [2])
      mine.push(3)
      return job.step('list', () => [4])
    })
    expect(job?.result).toEqual([1])
  })

  it('goes along when the job is dead and an operator brings it back', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { attempts: 1, deadLetter: 'dead' })
    const done: string[] = []
    const charge = (job: Job) => job.step('charge', () => void done.push(job.queue))
    await queue.enqueue(1)
    let broken = true
    queue.work(async (_, job) => {
      await charge(job)
      if (broken) throw new Error('broken')
    })
    await mill.runUntilIdle()
    const dead = mill.queue('dead')
    const [letter] = await dead.list()
    expect(letter.origin?.history[0].steps).toEqual(['charge'])
    broken = false
    await dead.retry(letter.id)
    await clock.advance(10)
    expect(done).toEqual(['q'])
    expect(await queue.length()).toBe(0)
  })

  it('is there for jobs that are taken, and for batches', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', FIXED)
    await queue.enqueue(1)
    const done: string[] = []
    const held = await queue.take()
    await held?.step('a', () => void done.push('taken'))
    await held?.release()
    await expect(held?.step('b', () => void done.push('late'))).rejects.toMatchObject({
      code: 'LEASE_LOST',
    })
    queue.workBatch(async (_, [job]) => {
      await job.step('a', () => void done.push('again'))
      await job.step('b', () => void done.push('batch'))
    })
    await mill.runUntilIdle()
    expect(done).toEqual(['taken', 'batch'])
  })

  it('is not done when its attempt is over, and its holder hears it', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { attempts: 1, timeout: '1s' })
    await queue.enqueue(1)
    const heard: unknown[] = []
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    queue.work(async (_, job) => {
      await gate
      await job.step('late', () => heard.push('done')).catch((error: unknown) => heard.push(error))
    })
    await clock.advance(5_000)
    go()
    await clock.advance(1)
    expect(heard).toMatchObject([{ code: 'LEASE_LOST' }])
    expect(MillraceError.is(heard[0], 'LEASE_LOST')).toBe(true)
  })
})

describe('what a step may be', () => {
  it('is a name and a function', async () => {
    for (const [name, run, message] of [
      ['', () => 1, 'job.step name'],
      [7, () => 1, 'job.step name'],
      ['x'.repeat(2000), () => 1, 'job.step name'],
      ['x', 'value', 'a function that does the step'],
    ]) {
      const { job } = await runs((_, job) => job.step(name as string, run as () => unknown))
      expect(job.history[0].error?.message).toContain(message)
    }
  })

  it('is refused when its value cannot be kept, and says which', async () => {
    const { job } = await runs((_, job) => job.step('client', () => ({ call: () => 1 })))
    expect(job.history[0].error?.message).toContain('RESULT_INVALID step "client" of job')
  })

  it('is at most a thousand of a job, refused before they are done', async () => {
    let done = 0
    const { job } = await runs(
      async (_, job) => {
        for (let at = 0; at < 1_001; at++) await job.step(`s${at}`, () => ++done)
      },
      { timeout: false },
    )
    expect(done).toBe(1_000)
    expect(job.history[0].error?.message).toContain('at most 1000 steps of one job')
  })

  it('is together within limits.resultBytes, over attempts', async () => {
    const { job } = await failing(
      1,
      async (job) => {
        await job.step('first', () => 'x'.repeat(60))
        if (job.attempt === 2) await job.step('second', () => 'x'.repeat(60))
      },
      { limits: { resultBytes: 100 }, attempts: 2 },
    )
    expect(job?.state).toBe('discarded')
    expect(job?.reason).toContain('all steps of the job within 100 bytes (limits.resultBytes)')
  })
})

describe('middleware', () => {
  it('may do steps of its own', async () => {
    const { mill, clock } = bench()
    const done: unknown[] = []
    mill.use(async (job, next) => {
      done.push(await job.step('seen', () => job.attempt))
      await next()
    })
    const queue = mill.queue('q', FIXED)
    await queue.enqueue(1)
    queue.work((_, job) => {
      if (job.attempt === 1) throw new Error('again')
    })
    await clock.advance(5_000)
    expect(done).toEqual([1, 1])
  })
})
