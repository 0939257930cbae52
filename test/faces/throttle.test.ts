// job.throttle: the other side asked us to wait, and nothing more starts until it is over.
import { describe, expect, it } from 'vitest'
import { bench, runs } from './harness.js'

describe('job.throttle', () => {
  it('holds its queue back on every node, from before its own verdict on', async () => {
    const { mill, clock, another } = bench()
    const queue = mill.queue<number>('q', { backoff: { type: 'none' } })
    await queue.enqueueMany([1, 2, 3])
    await mill.queue('other').enqueue(9)
    const ran: unknown[] = []
    const other = another()
    for (const each of [mill, other]) {
      each.queue<number>('q').work(
        (payload, job) => {
          ran.push([clock.mono(), payload])
          if (ran.length > 1) return
          job.throttle('30s')
          throw new Error('429')
        },
        { concurrency: 1 },
      )
    }
    other.queue('other').work(() => void ran.push([clock.mono(), 'other']))
    await clock.advance(29_000)
    expect(ran).toContainEqual([expect.anything(), 'other'])
    const started = ran.filter((run) => (run as unknown[])[1] !== 'other').length
    await clock.advance(900)
    expect(ran.filter((run) => (run as unknown[])[1] !== 'other')).toHaveLength(started)
    expect(started).toBeLessThanOrEqual(2) // the other node may have started one before it landed
    await clock.advance(200)
    expect(ran).toHaveLength(5)
  })

  it('gives back what its own worker had fetched ahead', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q')
    const ran: number[] = []
    queue.work(
      async (payload, job) => {
        ran.push(payload)
        if (payload === 50) {
          job.throttle('10s')
          await new Promise((resolve) => clock.after(5, () => resolve(null)))
        }
      },
      { concurrency: 1 },
    )
    await queue.enqueueMany(Array.from({ length: 200 }, (_, at) => at))
    await clock.advance(9_000)
    expect(ran).toHaveLength(51)
    expect(await queue.counts()).toMatchObject({ running: 0, available: 149 })
    await clock.advance(2_000)
    expect(ran).toHaveLength(200)
  })

  it('holds one group back, and lets the others go on', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q')
    await queue.enqueueMany([0, 1, 2, 3, 4, 5], (n) => ({ group: `g${n % 2}` }))
    const ran: number[] = []
    queue.work(
      (payload, job) => {
        ran.push(payload)
        if (payload === 0) job.throttle('10s', 'group')
      },
      { concurrency: 1 },
    )
    await clock.advance(9_000)
    expect(ran.filter((n) => n % 2 === 1)).toEqual([1, 3, 5])
    expect(ran.filter((n) => n % 2 === 0)).toEqual([0])
    await clock.advance(1_100)
    expect(ran.filter((n) => n % 2 === 0)).toEqual([0, 2, 4])
  })

  it('is there for jobs that are taken', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    await queue.enqueueMany([1, 2])
    const held = await queue.take()
    held?.throttle('5s')
    await held?.complete()
    expect(await queue.take()).toBeNull()
    await clock.advance(5_000)
    expect(await queue.take()).not.toBeNull()
  })

  it.each([
    [['soon'], 'job.throttle delay: expected a span'],
    [[-1], 'job.throttle delay'],
    [[Infinity], 'job.throttle delay'],
    [['1s', 'world'], "job.throttle of: expected 'queue' or 'key' or 'group'"],
    [['1s', 'key'], 'expected a rate with a key in queue("q")'],
  ])('refuses %j', async (words, message) => {
    const { job } = await runs((_, job) => job.throttle(...(words as ['1s'])))
    expect(job.history[0].error?.message).toContain(message)
  })
})
