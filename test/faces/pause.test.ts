// Pause and resume: here and everywhere, of a queue, a group, everything; with and without waiting.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { millrace } from '../../src/index.js'
import type { Millrace, MillraceEvent } from '../../src/index.js'
import { bench, fault } from './harness.js'

/** Two Millraces on one memory, each with a worker that notes what it ran. */
function two(options = {}) {
  const { mill, clock, another } = bench()
  const other = another()
  const ran: string[] = []
  const work = (each: Millrace, name: string) =>
    each.queue<number>('q').work((n) => void ran.push(`${name}${n}`), options)
  return { mill, other, clock, ran, work }
}

function pauses(mill: Millrace): unknown[] {
  const heard: unknown[] = []
  const note = ({ type, queue, group, where }: MillraceEvent<'queue.paused' | 'queue.resumed'>) =>
    void heard.push([type, queue, group, where])
  mill.on('queue.paused', note)
  mill.on('queue.resumed', note)
  return heard
}

describe('a queue that is paused everywhere', () => {
  it('starts nothing on any node, until it is resumed from any', async () => {
    const { mill, other, clock, ran, work } = two()
    work(mill, 'a')
    work(other, 'b')
    await clock.advance(10)
    await mill.queue('q').pause()
    await other.queue('q').enqueueMany([1, 2, 3])
    await clock.advance(60_000)
    expect(ran).toEqual([])
    expect(await mill.queues()).toMatchObject([{ name: 'q', paused: true }])
    await other.queue('q').resume()
    await clock.advance(10)
    expect(ran).toHaveLength(3)
    expect(await mill.queues()).toMatchObject([])
  })

  it('gives back what was fetched ahead, and lets go on what runs', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q')
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    const ran: number[] = []
    queue.work(
      async (n) => {
        ran.push(n)
        if (n === 50) await gate
      },
      { concurrency: 1 },
    )
    await queue.enqueueMany(Array.from({ length: 100 }, (_, at) => at))
    await clock.advance(100)
    await queue.pause()
    await clock.advance(100)
    expect(await queue.counts()).toMatchObject({ running: 1, available: 49 })
    go()
    await clock.advance(10_000)
    expect(ran).toHaveLength(51)
    await queue.resume()
    await clock.advance(100)
    expect(ran).toHaveLength(100)
  })

  it('is paused for takers, too', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    await queue.enqueue(1)
    await queue.pause()
    expect(await queue.take()).toBeNull()
    const waiting = queue.take({ wait: '1m' })
    await clock.advance(10_000)
    await queue.resume()
    await clock.advance(10)
    expect((await waiting)?.payload).toBe(1)
  })

  it('is still paused after a restart, on a folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-pause-'))
    try {
      const url = `file:${join(folder, 'queues')}` as const
      const before = millrace(url)
      await before.queue('q').enqueue(1)
      await before.queue('q').pause()
      await before.queue('g').pause({ group: 'slow' })
      await before.close()
      const after = millrace(url)
      expect(await after.queue('q').take()).toBeNull()
      await after.queue('g').enqueue(1, { group: 'slow' })
      await after.queue('g').enqueue(2)
      expect((await after.queue('g').take())?.payload).toBe(2)
      expect(await after.queue('g').take()).toBeNull()
      await after.queue('q').resume()
      expect((await after.queue('q').take())?.payload).toBe(1)
      await after.close()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('a queue that is paused here', () => {
  it('starts nothing in this process, and goes on in others', async () => {
    const { mill, other, clock, ran, work } = two()
    work(mill, 'a')
    await mill.queue('q').pause({ where: 'here' })
    await mill.queue('q').enqueue(1)
    await clock.advance(10_000)
    expect(ran).toEqual([])
    expect(await mill.queue('q').take()).toBeNull()
    expect(await mill.queues()).toMatchObject([{ paused: false }])
    work(other, 'b')
    await clock.advance(10)
    expect(ran).toEqual(['b1'])
    await mill.queue('q').enqueue(2)
    await mill.queue('q').resume() // of everywhere, which is another layer
    await clock.advance(10)
    expect(ran).toEqual(['b1', 'b2'])
    await mill.queue('q').resume({ where: 'here' })
    await mill.queue('q').enqueueMany([3, 4, 5, 6])
    await clock.advance(1_000)
    expect(ran).toHaveLength(6)
  })

  it('holds for workers that start later, and wakes who waits to take', async () => {
    const { mill, clock, ran, work } = two()
    const queue = mill.queue('q')
    await queue.pause({ where: 'here' })
    work(mill, 'a')
    await queue.enqueue(1)
    await clock.advance(10_000)
    expect(ran).toEqual([])
    await mill.queue('r').pause({ where: 'here' })
    await mill.queue('r').enqueue(7)
    const waiting = mill.queue('r').take({ wait: '1h' })
    await clock.advance(60_000)
    await mill.queue('r').resume({ where: 'here' })
    await queue.resume({ where: 'here' })
    await clock.advance(10)
    expect(ran).toEqual(['a1'])
    expect((await waiting)?.payload).toBe(7)
  })

  it('keeps a worker idle that is asked to run until idle', async () => {
    const { mill, work, ran } = two()
    work(mill, 'a')
    await mill.queue('q').enqueue(1)
    await mill.queue('q').pause({ where: 'here' })
    expect(await mill.runUntilIdle()).toEqual({ ran: 0, idle: true })
    expect(ran).toEqual([])
  })
})

describe('a group that is paused', () => {
  it.each(['here', 'everywhere'] as const)('rests %s, and the others go on', async (where) => {
    const { mill, clock } = bench()
    const queue = mill.queue<number>('q')
    const ran: number[] = []
    queue.work((n) => void ran.push(n))
    await queue.pause({ group: 'g1', where })
    await queue.enqueueMany([0, 1, 2, 3, 4, 5], (n) => ({ group: `g${n % 2}` }))
    await clock.advance(5_000)
    expect(ran).toEqual([0, 2, 4])
    const [held] = await queue.take({ limit: 9 })
    expect(held).toBeUndefined()
    await queue.resume({ group: 'g1', where })
    await clock.advance(10)
    expect(ran).toEqual([0, 2, 4, 1, 3, 5])
  })

  it('may be the group of jobs without one', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    await queue.enqueue(1)
    await queue.enqueue(2, { group: 'g' })
    await queue.pause({ group: '' })
    expect((await queue.take())?.payload).toBe(2)
    expect(await queue.take()).toBeNull()
  })
})

describe('everything that is paused', () => {
  it.each(['here', 'everywhere'] as const)('%s, is a layer of its own', async (where) => {
    const { mill, clock } = bench()
    const ran: string[] = []
    for (const name of ['a', 'b']) mill.queue(name).work(() => void ran.push(name))
    await mill.pauseAll({ where })
    await mill.queue('a').pause()
    for (const name of ['a', 'b']) await mill.queue(name).enqueue(1)
    await clock.advance(10_000)
    expect(ran).toEqual([])
    await mill.resumeAll({ where })
    await clock.advance(10)
    expect(ran).toEqual(['b'])
    await mill.queue('a').resume()
    await clock.advance(10)
    expect(ran).toEqual(['b', 'a'])
  })
})

describe('a pause that waits', () => {
  /** A job that runs until it is let go, here or elsewhere. */
  async function running(elsewhere: boolean) {
    const { mill, clock, another } = bench()
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    await mill.queue('q').enqueue(1, { group: 'g' })
    const worker = elsewhere ? another() : mill
    worker.queue('q').work(() => gate)
    await clock.advance(10)
    return { mill, queue: mill.queue('q'), clock, go: () => go() }
  }

  it.each([
    ['here', false],
    ['everywhere', false],
    ['everywhere', true],
  ] as const)('answers when nothing runs %s', async (where, elsewhere) => {
    const { queue, clock, go } = await running(elsewhere)
    let answered = false
    const paused = queue.pause({ where, wait: true }).then(() => (answered = true))
    await clock.advance(3_000)
    expect(answered).toBe(false)
    go()
    await clock.advance(1_000)
    await paused
    await queue.enqueue(2)
    expect(await queue.take()).toBeNull()
  })

  it('here does not wait for what runs elsewhere, nor for other groups', async () => {
    const there = await running(true)
    await there.queue.pause({ where: 'here', wait: true })
    const here = await running(false)
    await here.queue.pause({ group: 'other', wait: true })
    await here.queue.pause({ group: 'other', where: 'here', wait: true })
    const own = { group: 'g', wait: true, timeout: '1s' } as const
    const failed = fault(() => here.queue.pause(own))
    await here.clock.advance(1_001)
    expect(await failed).toContain('PAUSE_TIMEOUT queue("q").pause, group "g"')
  })

  it.each(['here', 'everywhere'] as const)(
    'in vain %s is taken back, and says so',
    async (where) => {
      const { mill, queue, clock } = await running(false)
      const heard = pauses(mill)
      const failed = fault(() => queue.pause({ where, wait: true, timeout: '2s' }))
      await clock.advance(2_001)
      expect(await failed).toContain('PAUSE_TIMEOUT queue("q").pause')
      expect(await failed).toContain('taken back')
      await queue.enqueue(2)
      await clock.advance(10)
      expect(await queue.counts()).toMatchObject({ running: 2 })
      expect(heard).toEqual([
        ['queue.paused', 'q', null, where],
        ['queue.resumed', 'q', null, where],
      ])
    },
  )

  it('in vain leaves a pause that was there before', async () => {
    const { queue, clock } = await running(false)
    await queue.pause()
    const failed = fault(() => queue.pause({ wait: true }))
    await clock.advance(5_001)
    expect(await failed).toContain('t was paused before, and still is')
    await queue.enqueue(2)
    expect(await queue.take()).toBeNull()
  })

  it('is for everything, too', async () => {
    const { mill, clock, go } = await running(true)
    const failed = fault(() => mill.pauseAll({ wait: true, timeout: '1s' }))
    await clock.advance(1_001)
    expect(await failed).toContain('PAUSE_TIMEOUT pauseAll')
    go()
    await clock.advance(1)
    await mill.pauseAll({ wait: true })
  })
})

describe('pauses', () => {
  it('are set once and ended once, and events say who changed what', async () => {
    const { mill, another } = bench()
    const heard = pauses(mill)
    const queue = mill.queue('q')
    await queue.pause()
    await queue.pause()
    await another().queue('q').pause()
    await queue.resume()
    await queue.resume()
    await mill.pauseAll({ where: 'here' })
    await mill.resumeAll({ where: 'here' })
    await queue.pause({ group: 'g' })
    expect(heard).toEqual([
      ['queue.paused', 'q', null, 'everywhere'],
      ['queue.resumed', 'q', null, 'everywhere'],
      ['queue.paused', null, null, 'here'],
      ['queue.resumed', null, null, 'here'],
      ['queue.paused', 'q', 'g', 'everywhere'],
    ])
  })

  it.each([
    [{ where: 'there' }, `queue("q").pause.where: expected 'everywhere' or 'here'`],
    [{ group: 7 }, 'queue("q").pause.group'],
    [{ wait: 'yes' }, 'queue("q").pause.wait: expected true or false'],
    [{ wait: true, timeout: 'soon' }, 'queue("q").pause.timeout'],
    [{ timeout: '1s' }, 'queue("q").pause.timeout: expected wait: true'],
    [{ forever: true }, 'queue("q").pause.forever'],
  ])('refuse %j, naming queue and option', async (options, message) => {
    const queue = bench().mill.queue('q')
    expect(await fault(() => queue.pause(options as never))).toContain(message)
  })

  it('of everything have no group, and their ends no wait', async () => {
    const { mill } = bench()
    expect(await fault(() => mill.pauseAll({ group: 'g' } as never))).toContain('pauseAll.group')
    const resumed = fault(() => mill.queue('q').resume({ wait: true } as never))
    expect(await resumed).toContain('queue("q").resume.wait')
  })
})
