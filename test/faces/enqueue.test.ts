// Producing: what is taken, what is refused, and what the producer hears.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { bench, fault, schema } from './harness.js'

describe('enqueue', () => {
  it('stores the payload as it was when it was called', async () => {
    const { mill } = bench()
    const queue = mill.queue<{ to: string }>('q')
    const payload = { to: 'ada' }
    const pending = queue.enqueue(payload)
    payload.to = 'eve'
    expect((await queue.get((await pending).id))?.payload).toEqual({ to: 'ada' })
  })

  it('keeps the order of the calls, though the first ones wait for the store to open', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q', { attempts: 2 })
    const first = [queue.enqueue(1), queue.enqueue(2)]
    await mill.open()
    await Promise.all([...first, queue.enqueue(3)])
    const listed = await queue.list()
    expect(listed.map((job) => job.payload)).toEqual([3, 2, 1])
  })

  it('takes rich payloads and gives them back as they went in', async () => {
    const { mill } = bench()
    const payload = { at: new Date(5), map: new Map([['a', 1n]]), set: new Set([undefined]) }
    const { id } = await mill.queue('q').enqueue(payload)
    expect((await mill.queue('q').get(id))?.payload).toEqual(payload)
  })

  it('refuses what would come back changed, with its path', async () => {
    const { mill } = bench()
    const run = () => mill.queue('q').enqueue({ deep: [{ run: () => 1 }] })
    expect(await fault(run)).toMatch(/PAYLOAD_INVALID queue\("q"\) payload\.deep\[0\]\.run/)
    expect(await mill.queue('q').length()).toBe(0)
  })

  it('asks the input schema, whichever library made it, and stores the raw input', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', { input: z.object({ n: z.coerce.number() }) })
    const { id } = await queue.enqueue({ n: '5' })
    expect((await queue.get(id))?.payload).toEqual({ n: '5' })
    expect(await fault(() => queue.enqueue({ n: 'x' }))).toMatch(
      /PAYLOAD_INVALID queue\("q"\) payload\.n: expected what the input schema describes/,
    )
  })

  it('awaits an asynchronous schema', async () => {
    const { mill } = bench()
    const input = schema<string>(async (value) => {
      if (value === 'bad') throw new Error('no such thing')
      return String(value)
    })
    const queue = mill.queue('q', { input })
    await queue.enqueue('good')
    expect(await fault(() => queue.enqueue('bad'))).toContain('no such thing')
    expect(await queue.length()).toBe(1)
  })

  it('refuses a payload and a meta beyond the limits of the queue', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', { limits: { payloadBytes: 10, metaBytes: 20 } })
    expect(await fault(() => queue.enqueue('x'.repeat(9)))).toMatch(/PAYLOAD_TOO_LARGE.*10 bytes/)
    expect(await fault(() => queue.enqueue(1, { meta: { a: 'ü'.repeat(9) } }))).toMatch(
      /PAYLOAD_TOO_LARGE queue\("q"\)\.meta.*20 bytes/,
    )
    await queue.enqueue('x'.repeat(8), { meta: { a: 'b' } })
    await mill.queue('q').set({ limits: { metaBytes: 100 } })
    await queue.enqueue(1, { meta: { a: 'ü'.repeat(9) } })
  })

  it('throws QUEUE_FULL when the backlog is full, and tells of it', async () => {
    const { mill } = bench()
    const refused: string[] = []
    mill.on('job.refused', (event) => refused.push(`${event.queue} ${event.code}`))
    const queue = mill.queue('q', { limits: { backlog: 1 } })
    await queue.enqueue(1)
    expect(await fault(() => queue.enqueue(2))).toMatch(/QUEUE_FULL queue\("q"\)/)
    expect(refused).toEqual(['q QUEUE_FULL'])
  })

  it('says of a unique key whether the old job stayed, was replaced, or refused the new', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q')
    const told: string[] = []
    for (const type of ['job.enqueued', 'job.replaced'] as const) {
      mill.on(type, (event) => told.push(event.type))
    }
    const unique = (onConflict: 'keep' | 'replace' | 'reject') => ({
      unique: { key: 'k', onConflict },
    })
    const first = await queue.enqueue(1, unique('keep'))
    expect(first.status).toBe('enqueued')
    expect(await queue.enqueue(2, unique('keep'))).toMatchObject({
      status: 'duplicate',
      id: first.id,
    })
    expect(await queue.enqueue(3, unique('replace'))).toMatchObject({ status: 'replaced' })
    expect(await fault(() => queue.enqueue(4, unique('reject')))).toContain('DUPLICATE')
    expect((await queue.list()).map((job) => job.payload)).toEqual([3])
    expect(told).toEqual(['job.enqueued', 'job.replaced'])
  })

  it('makes the same id one job', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    expect(await queue.enqueue(1, { id: 'mine' })).toMatchObject({ status: 'enqueued', id: 'mine' })
    expect(await queue.enqueue(2, { id: 'mine' })).toMatchObject({ status: 'duplicate' })
    expect(await queue.length()).toBe(1)
  })

  it('carries every option to where operators see it', async () => {
    const { mill, clock } = bench()
    const { id } = await mill.queue('q').enqueue(1, {
      in: '10s',
      priority: 'high',
      group: 'g',
      attempts: 3,
      tags: ['vip'],
      meta: { request: 7n },
    })
    expect(await mill.queue('q').get(id)).toMatchObject({
      state: 'scheduled',
      dueAt: new Date(clock.wall() + 10_000),
      priority: 10,
      group: 'g',
      maxAttempts: 3,
      tags: ['vip'],
      meta: { request: 7n },
      attempt: 0,
      history: [],
      origin: null,
      result: undefined,
    })
  })

  it('refuses a transaction where the store has none', async () => {
    const { mill } = bench()
    expect(await fault(() => mill.queue('q').enqueue(1, { tx: {} }))).toContain('TX_UNSUPPORTED')
    const many = () => mill.queue('q').enqueueMany([1], {}, { tx: {} })
    expect(await fault(many)).toContain('TX_UNSUPPORTED')
  })
})

describe('enqueueMany', () => {
  it('is fine with none', async () => {
    expect(await bench().mill.queue('q').enqueueMany([])).toEqual([])
  })

  it('asks a function for the options of each', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q')
    const jobs = await queue.enqueueMany([1, 2], (payload, at) => ({ id: `${payload}-${at}` }))
    expect(jobs.map((job) => job.id)).toEqual(['1-0', '2-1'])
  })

  it('inserts all or none, and names the index of what was in the way', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', { limits: { payloadBytes: 5 } })
    expect(await fault(() => queue.enqueueMany([1, 'too long', 3]))).toMatch(
      /PAYLOAD_TOO_LARGE queue\("q"\) payloads\[1\]/,
    )
    expect(await fault(() => queue.enqueueMany([1, () => 2]))).toMatch(/payloads\[1\]/)
    expect(await fault(() => queue.enqueueMany([1, 2], (_, at) => ({ in: -at })))).toMatch(
      /options\(1\)\.in/,
    )
    expect(await queue.length()).toBe(0)
  })

  it('refuses a lot beyond its bounds before anything is sent', async () => {
    const queue = bench().mill.queue('q')
    expect(await fault(() => queue.enqueueMany(Array<number>(10_001).fill(1)))).toContain(
      'LOT_TOO_LARGE',
    )
    const big = 'x'.repeat(1_000_000)
    expect(await fault(() => queue.enqueueMany(Array<string>(34).fill(big)))).toContain(
      'LOT_TOO_LARGE',
    )
    const large = await fault(() => queue.enqueue('x'.repeat(33_600_000)))
    expect(large).toContain('PAYLOAD_TOO_LARGE')
    expect(large).toContain('Store it elsewhere')
  })
})

describe('events of producers', () => {
  it('tell the state and how long until a job is due', async () => {
    const { mill } = bench()
    const told: unknown[] = []
    mill.on('job.enqueued', ({ state, dueIn, task, group }) =>
      told.push({ state, dueIn, task, group }),
    )
    await mill.queue('q').enqueue(1, { in: '5s', group: 'g' })
    await mill.queue('q').enqueue(2, { at: new Date(0) })
    expect(told).toEqual([
      { state: 'scheduled', dueIn: 5000, task: 'default', group: 'g' },
      { state: 'available', dueIn: 0, task: 'default', group: '' },
    ])
  })
})
