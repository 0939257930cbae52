// Millrace itself: where its store is, its life, and what it tells of itself.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { millrace } from '../../src/index.js'
import type { MillraceEvent } from '../../src/index.js'
import { LazyStore } from '../../src/lazy-store.js'
import { memoryStore, sharedMemory } from '../../src/stores/memory/memory-store.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { bench, fault } from './harness.js'

const loose = millrace as (place: unknown, options?: unknown) => unknown // as: what users without types may do

describe('a store', () => {
  it('of PostgreSQL takes whatever its driver knows, but no misspelt word of ours', () => {
    const url = 'postgres://me:secret@localhost/app?sslmode=disable&application_name=x'
    expect(() => millrace(url)).not.toThrow()
    const misspelt = (): unknown => millrace(`${url}&shcema=jobs`)
    expect(misspelt).toThrow("Did you mean 'schema'")
    expect(misspelt).not.toThrow('secret')
  })

  it('is named by a URL and loaded when it is opened', async () => {
    await using mill = millrace('memory:')
    const { id } = await mill.queue('q').enqueue(1)
    expect((await mill.queue('q').get(id))?.payload).toBe(1)
  })

  it.each(['', '?durability=process'])(
    'is a folder under file:%s, which outlives it',
    async (query) => {
      const folder = await mkdtemp(join(tmpdir(), 'millrace-faces-'))
      try {
        const url: string = `${pathToFileURL(folder).href}${query}`
        const first = millrace(url)
        await first.queue('q', { attempts: 3 }).enqueue({ to: 'ada' })
        await first.close()
        await using second = millrace(`file:${relative(process.cwd(), folder)}${query}`)
        expect((await second.health()).traits.reach).toBe('host')
        const job = await second.queue('q').take()
        expect(job).toMatchObject({ payload: { to: 'ada' }, maxAttempts: 3 })
        await job?.complete()
        expect(await second.queue('q').length()).toBe(0)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  )

  it('may be made by hand', async () => {
    await using mill = millrace(memoryStore())
    expect(await mill.health()).toMatchObject({ ok: true, store: 'memory', problems: [] })
  })

  it.each([
    ['postgres:host', 'another'],
    ['sqlite:', 'a file'],
    ['redis://host', 'DRIVER_MISSING store redis:'],
    ['fil:./queues', "did you mean 'file'"],
    ['foo:bar', 'Take one of memory:, file:, maildir:, sqlite:, postgres:'],
    ['./queues', 'write a scheme'],
    ['', 'write a scheme'],
    ['memory:x', 'nothing behind it'],
    ['file:', 'a folder'],
    ['file:./q?durable=process', 'durability'],
    ['file:./q?durability=none', "'power' or 'process'"],
    [{}, 'a URL or a store'],
    [undefined, 'a URL or a store'],
  ])('is refused when it is %o', async (place, message) => {
    const said = await fault(() => loose(place))
    expect(said.toLowerCase()).toContain(message.toLowerCase())
  })

  it.each([
    [{ scop: 'x' }, "did you mean 'scope'"],
    [{ scope: '' }, 'not empty'],
    [{ lease: '9s', beat: '5s' }, 'a third of the lease'],
    [{ lease: 1 }, 'millrace.lease'],
    [{ poll: 0 }, 'millrace.poll'],
    [{ upkeep: 1 }, 'true or false'],
    [{ drainOn: ['SIGKILL'] }, 'drainOn[0]'],
  ])('is refused with options %o', async (options, message) => {
    const said = await fault(() => loose('memory:', options))
    expect(said.toLowerCase()).toContain(message.toLowerCase())
  })
})

describe('its life', () => {
  it('ends once, and then everything says STORE_CLOSED', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    await queue.enqueue(1)
    await Promise.all([mill.close(), mill.close()])
    await mill.close()
    for (const run of [
      () => queue.enqueue(2),
      () => queue.length(),
      () => queue.take(),
      () => queue.work(() => 1),
      () => mill.queues(),
      () => mill.open(),
    ]) {
      expect(await fault(run)).toContain('STORE_CLOSED')
    }
    expect(await mill.health()).toMatchObject({ ok: false, roundTrip: null })
  })

  it('may end before it began', async () => {
    await millrace('memory:').close()
    await using mill = millrace('memory:', { scope: 'unused' })
    expect(mill.on('job.started', () => 1)).toBeTypeOf('function')
  })

  it('lets what runs finish before it ends', async () => {
    const { mill, clock, another } = bench()
    const queue = mill.queue('q')
    await queue.enqueue(1, { id: 'mine' })
    let finish = (): void => undefined
    queue.work(() => new Promise<string>((resolve) => (finish = () => resolve('in time'))))
    await clock.advance(10)
    const closing = mill.close({ timeout: '10s' })
    finish()
    await clock.advance(10)
    await closing
    const again = await another().queue<number, string>('q').enqueue(1, { id: 'mine' })
    expect(await again.result()).toBe('in time')
  })

  it('gives back what does not end in time', async () => {
    const { mill, clock, another } = bench()
    const queue = mill.queue('q')
    await queue.enqueue(1)
    let why: unknown
    queue.work((_, job) => {
      job.signal.addEventListener('abort', () => {
        why = job.signal.reason
      })
      return new Promise<void>(() => undefined)
    })
    await clock.advance(10)
    const closing = mill.close({ timeout: '10s' })
    await clock.advance(15_000)
    await closing
    expect(String(why)).toContain('LEASE_LOST')
    expect(await another().queue('q').counts()).toMatchObject({ available: 1, running: 0 })
  })

  it('drains on the signals that it was told, and lets go of them', async () => {
    const before = process.listenerCount('SIGTERM')
    const { mill } = bench({ drainOn: ['SIGTERM'] })
    await mill.queue('q').enqueue(1)
    expect(process.listenerCount('SIGTERM')).toBe(before + 1)
    process.emit('SIGTERM')
    expect(process.listenerCount('SIGTERM')).toBe(before)
    await mill.close()
    expect(await fault(() => mill.queue('q').length())).toContain('STORE_CLOSED')
  })

  it('drains with all others of its process, which have one listener', async () => {
    const before = process.listenerCount('SIGTERM')
    const mills = Array.from({ length: 12 }, () => bench({ drainOn: ['SIGTERM'] }).mill)
    expect(process.listenerCount('SIGTERM')).toBe(before + 1)
    await mills[0].close()
    process.emit('SIGTERM')
    expect(process.listenerCount('SIGTERM')).toBe(before)
    const lengths = mills.map((mill) => fault(() => mill.queue('q').length()))
    for (const length of lengths) expect(await length).toContain('STORE_CLOSED')
  })

  it('tells of no trouble while a store takes its time to open', async () => {
    const clock = new VirtualClock()
    const told: unknown[] = []
    const ran: unknown[] = []
    let open = (): void => undefined
    const slow = new Promise<void>((resolve) => (open = resolve))
    const shared = sharedMemory(clock)
    const store = new LazyStore('memory', memoryStore().traits, async () => {
      await slow
      return memoryStore({ shared })
    })
    const { mill } = bench({ beat: '1s' }, { store, clock })
    mill.on('store.error', ({ error }) => told.push(error.message))
    mill.on('store.recovered', (event) => told.push(event))
    mill.queue('q').work((payload) => ran.push(payload))
    await clock.advance(60_000)
    const enqueued = mill.queue('q').enqueue('at last')
    open()
    await enqueued
    await clock.advance(10_000)
    expect(told).toEqual([])
    expect(ran).toEqual(['at last'])
    await mill.close()
  })

  it('keeps scopes apart in one store', async () => {
    const { mill, another } = bench()
    await mill.queue('q').enqueue(1)
    const other = another({ scope: 'other' })
    expect(await other.queue('q').length()).toBe(0)
    expect(await mill.queue('q').length()).toBe(1)
  })
})

describe('what it tells', () => {
  it('of its queues and of the workers of all nodes, page by page', async () => {
    const { mill, another, clock } = bench()
    const elsewhere = another()
    for (const name of ['a', 'b']) {
      mill.queue(name).work(() => 1, { concurrency: 3 })
      elsewhere.queue(name).work(() => 1)
      await mill.queue(name).enqueue(1, { in: '1h' })
    }
    await clock.advance(10)
    const queues = await mill.queues()
    expect(queues.map(({ name, workers }) => [name, workers])).toEqual([
      ['a', 2],
      ['b', 2],
    ])
    expect(queues[0]).toMatchObject({ paused: false, counts: { scheduled: 1 } })
    const seen: unknown[] = []
    let page = await mill.workers({ limit: 3 })
    for (;;) {
      seen.push(
        ...page.map(({ queue, concurrency, state, tasks }) => [queue, concurrency, state, tasks]),
      )
      if (page.next === null) break
      page = await mill.workers({ limit: 3, after: page.next })
    }
    expect(seen).toHaveLength(4)
    expect(seen).toContainEqual(['a', 3, 'working', ['default']])
    expect(seen).toContainEqual(['b', 10, 'working', ['default']])
  })

  it('as events to listeners, whose throws reach no job', async () => {
    const { mill } = bench()
    const told: string[] = []
    const stop = mill.on('job.completed', (event) => {
      told.push(`${event.type} ${event.queue}`)
      throw new Error('listener')
    })
    mill.on('store.error', ({ error }) => told.push(error.code))
    const queue = mill.queue('q')
    queue.work(() => 1)
    await queue.enqueue(1)
    await mill.runUntilIdle()
    stop()
    await queue.enqueue(1)
    await mill.runUntilIdle()
    expect(told).toEqual(['job.completed q', 'OPTION_INVALID'])
    expect(await fault(() => mill.on('job.done' as 'job.lost', () => 1))).toContain(
      'OPTION_INVALID',
    )
  })

  it('as events to be iterated, from the call on, until the signal or the end', async () => {
    const { mill } = bench()
    const stop = new AbortController()
    const types = ['job.enqueued', 'job.completed'] as const
    const some = mill.events({ types, signal: stop.signal })
    const all = mill.events()
    const queue = mill.queue('q')
    queue.work(() => 1)
    await queue.enqueue(1)
    await mill.runUntilIdle()
    stop.abort()
    await mill.close()
    const read = async (stream: AsyncIterable<MillraceEvent>) => {
      const seen: string[] = []
      for await (const event of stream) seen.push(event.type)
      return seen
    }
    expect(await read(some)).toEqual(['job.enqueued', 'job.completed'])
    expect(await read(all)).toContain('worker.stopped')
  })

  it('drops the oldest events of a reader that never reads', async () => {
    const { mill } = bench()
    const stream = mill.events({ types: ['job.enqueued'] })
    const queue = mill.queue('q')
    const jobs = await queue.enqueueMany(Array.from({ length: 10_000 }, (_, at) => at))
    await queue.enqueue('last')
    for await (const event of stream) {
      expect(event.id).toBe(jobs[1].id)
      break
    }
  })

  it('of its health, also when the store cannot be reached', async () => {
    const broken = memoryStore()
    broken.open = () => Promise.reject(new Error('no way'))
    const health = await millrace(broken).health()
    expect(health).toMatchObject({ ok: false, roundTrip: null, store: 'memory' })
    expect(health.problems[0]).toContain('no way')
  })
})

describe('by hand', () => {
  it('sweeps one bounded round', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { limits: { age: '1s' } })
    await queue.enqueue(1)
    await clock.advance(2000)
    expect(await mill.sweep()).toEqual({
      freed: 0,
      expired: 1,
      discarded: 1,
      pruned: 0,
      more: false,
    })
  })

  it('runs until nothing is runnable, or its time is up', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q')
    queue.work(async (n) => void (n > 0 && (await queue.enqueue(n - 1))))
    await queue.enqueue(3)
    expect(await mill.runUntilIdle()).toEqual({ ran: 4, idle: true })
    mill.queue('slow').work(() => new Promise(() => undefined))
    await mill.queue('slow').enqueue(1)
    const running = mill.runUntilIdle({ maxMs: 100 })
    await clock.advance(100)
    expect(await running).toMatchObject({ idle: false })
    expect(await fault(() => mill.runUntilIdle({ maxMs: -1 }))).toContain('OPTION_INVALID')
  })
})
