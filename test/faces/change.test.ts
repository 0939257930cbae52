// Changing what waits: update, debounce (a unique key, replaced with a new delay), and once in a
// period (a unique key that is held for a while).
import { describe, expect, it } from 'vitest'
import { bench, fault } from './harness.js'

const FIXED = { attempts: 3, backoff: { type: 'fixed', delay: '10s' } } as const

describe('update', () => {
  it('moves a job back and forth in time, and its payload is what runs', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<string>('q')
    const { id } = await queue.enqueue('old', { in: '1h' })
    const ran: unknown[] = []
    queue.work((payload) => void ran.push([clock.mono(), payload]))
    await queue.update(id, { in: '2h', payload: 'newer' })
    await clock.advance(3_700_000)
    expect(ran).toEqual([])
    expect(await queue.update(id, { at: new Date(clock.wall() + 1_000), payload: 'newest' })).toBe(
      true,
    )
    await clock.advance(1_000)
    expect(ran).toEqual([[3_701_000, 'newest']])
  })

  it('moves a job among those that wait', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q')
    const jobs = await queue.enqueueMany([1, 2, 3])
    await queue.update(jobs[2].id, { priority: 'high' })
    await queue.update(jobs[0].id, { priority: 'low' })
    const ran: number[] = []
    queue.work((n) => void ran.push(n), { concurrency: 1 })
    await mill.runUntilIdle()
    expect(ran).toEqual([3, 2, 1])
  })

  it('brings a retry forward; its attempts go on', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<string>('q', FIXED)
    const { id } = await queue.enqueue('bad')
    const ran: unknown[] = []
    queue.work((payload, job) => {
      ran.push([payload, job.attempt])
      if (payload === 'bad') throw new Error('bad')
    })
    await clock.advance(1_000)
    expect(await queue.update(id, { in: 0, payload: 'good' })).toBe(true)
    await clock.advance(10)
    expect(ran).toEqual([
      ['bad', 1],
      ['good', 2],
    ])
  })

  it('leaves alone what runs and what has ended, and refuses what would never be taken', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<string>('q', {
      keep: { completed: '1d' },
      limits: { payloadBytes: 20 },
    })
    const { id } = await queue.enqueue('x')
    expect(await fault(() => queue.update(id, { payload: 'x'.repeat(30) }))).toContain(
      'PAYLOAD_TOO_LARGE',
    )
    const held = await queue.take()
    expect(await queue.update(id, { payload: 'y' })).toBe(false)
    await held?.complete()
    await clock.advance(1)
    expect(await queue.update(id, { in: 0 })).toBe(false)
    expect(await queue.get(id)).toMatchObject({ payload: 'x', state: 'completed' })
  })
})

describe('debounce', () => {
  it('runs once, so long after the last call, with its payload', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q')
    const ran: unknown[] = []
    queue.work((n) => void ran.push([clock.mono(), n]))
    const call = (n: number) =>
      queue.enqueue(n, { in: '5s', unique: { key: 'doc', onConflict: 'replace' } })
    const first = await call(1)
    for (const n of [2, 3, 4]) {
      await clock.advance(4_000)
      expect(await call(n)).toMatchObject({ status: 'replaced', id: first.id })
    }
    await clock.advance(4_999)
    expect(ran).toEqual([])
    await clock.advance(1)
    expect(ran).toEqual([[17_000, 4]])
    expect((await call(5)).status).toBe('enqueued')
  })

  it('begins a new one beside the one that runs, when the key is held while waiting', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q')
    const ran: number[] = []
    queue.work(async (n) => {
      ran.push(n)
      await new Promise((resolve) => clock.after(60_000, () => resolve(null)))
    })
    const call = (n: number, held: 'waiting' | 'unfinished') =>
      queue.enqueue(n, { in: '5s', unique: { key: held, while: held, onConflict: 'replace' } })
    await call(1, 'waiting')
    await call(2, 'unfinished')
    await clock.advance(6_000)
    expect((await call(3, 'waiting')).status).toBe('enqueued')
    expect((await call(4, 'unfinished')).status).toBe('duplicate')
    await clock.advance(6_000)
    expect(ran).toEqual([1, 2, 3])
  })
})

describe('once in a period', () => {
  it('lets the first through, whatever became of it, and the next when it is over', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q', { attempts: 1, keep: { discarded: 0 } })
    const ran: number[] = []
    queue.work((n) => {
      ran.push(n)
      if (n === 1) throw new Error('no')
    })
    const call = (n: number) => queue.enqueue(n, { unique: { key: 'hourly', for: '1h' } })
    expect((await call(1)).status).toBe('enqueued')
    await clock.advance(1_000)
    expect((await call(2)).status).toBe('duplicate')
    await clock.advance(3_598_000)
    expect((await call(3)).status).toBe('duplicate')
    await clock.advance(1_001)
    expect((await call(4)).status).toBe('enqueued')
    await clock.advance(1_000)
    expect(ran).toEqual([1, 4])
  })
})
