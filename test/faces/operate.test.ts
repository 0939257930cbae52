// Operators: looking, counting, changing.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Selector, State } from '../../src/index.js'
import { SCAN_JOBS } from '../../src/job/defaults.js'
import { bench, fault } from './harness.js'

/** A queue with one job in each of some states. */
async function mixed() {
  const all = bench()
  const queue = all.mill.queue<string>('q', { keep: { completed: '1d' }, attempts: 2 })
  await queue.enqueue('done', { tags: ['vip'] })
  await queue.enqueue('bad')
  const worker = queue.work((payload, job) => (payload === 'bad' ? job.discard('no') : 'ok'))
  await all.mill.runUntilIdle()
  await worker.stop()
  await queue.enqueue('soon', { group: 'g' })
  await queue.enqueue('later', { in: '1h' })
  await all.mill.enqueue({ name: 'special', queue: 'q' }, 'task')
  return { ...all, queue }
}

describe('looking', () => {
  it('counts by state, all and by selector, and what waits', async () => {
    const { queue } = await mixed()
    expect(await queue.counts()).toEqual({
      scheduled: 1,
      available: 2,
      running: 0,
      retryable: 0,
      waiting: 0,
      completed: 1,
      cancelled: 0,
      discarded: 1,
    })
    expect((await queue.counts({ task: 'special' })).available).toBe(1)
    expect(await queue.length()).toBe(3)
  })

  it.each<[Selector, string[]]>([
    [{}, ['task', 'later', 'soon', 'bad', 'done']],
    [{ state: 'available' }, ['task', 'soon']],
    [{ states: ['completed', 'discarded'] }, ['bad', 'done']],
    [{ state: 'available', states: ['completed'] }, []],
    [{ task: 'special' }, ['task']],
    [{ group: 'g' }, ['soon']],
    [{ group: '' }, ['task', 'later', 'bad', 'done']],
    [{ tag: 'vip' }, ['done']],
    [{ search: 'ater' }, ['later']],
    [{ ids: [] }, []],
    [{ search: '' }, ['task', 'later', 'soon', 'bad', 'done']],
  ])('lists what fits %o, newest first', async (which, payloads) => {
    const { queue } = await mixed()
    expect((await queue.list(which)).map((job) => job.payload)).toEqual(payloads)
  })

  it.each(['list', 'counts'] as const)(
    'leaves the event loop to others while %s searches through thousands',
    async (how) => {
      const { mill } = bench()
      const queue = mill.queue<string>('q')
      const looks = 3
      const straws = Array.from({ length: SCAN_JOBS }, () => 'straw')
      for (let lot = 0; lot < looks; lot++) await queue.enqueueMany(straws)
      let turns = 0
      const next = (): void => {
        turns++
        turning = setImmediate(next)
      }
      let turning = setImmediate(next)
      await queue[how]({ search: 'needle' })
      clearImmediate(turning)
      expect(turns).toBeGreaterThanOrEqual(looks - 1)
    },
  )

  it('turns pages until there is no next', async () => {
    const { mill } = bench()
    const queue = mill.queue<number>('q')
    await queue.enqueueMany([1, 2, 3, 4, 5])
    const seen: number[][] = []
    let page = await queue.list({}, { limit: 2 })
    for (;;) {
      seen.push(page.map((job) => job.payload))
      if (page.next === null) break
      page = await queue.list({}, { limit: 2, after: page.next })
    }
    expect(seen.flat()).toEqual([5, 4, 3, 2, 1])
    expect(page).toEqual([expect.objectContaining({ payload: 1 })])
  })

  it('answers null for an id that nobody knows', async () => {
    expect(await bench().mill.queue('q').get('none')).toBeNull()
  })

  it.each<[(queue: ReturnType<typeof open>) => Promise<unknown>, string]>([
    [(queue) => queue.list({ stat: 'available' } as object), "did you mean 'state'"],
    [(queue) => queue.list({ state: 'ready' as State }), 'list.state'],
    [(queue) => queue.list({}, { limit: 0 }), 'list.limit'],
    [(queue) => queue.list({}, { limit: 1001 }), 'list.limit'],
    [(queue) => queue.counts({ ids: 'x' as never }), 'an array of ids'],
    [(queue) => queue.get(''), 'not empty'],
    [(queue) => queue.cancel({}), 'a selector that is not empty'],
    [(queue) => queue.retry({ ids: undefined }), 'a selector that is not empty'],
    [(queue) => queue.delete({ search: '' }), 'a selector that is not empty'],
    [(queue) => queue.delete(''), 'not empty'],
    [(queue) => queue.purge(['running' as 'available']), 'other than running'],
    [(queue) => queue.update('x', { prio: 1 } as object), 'one of payload'],
    [(queue) => queue.update('x', { in: 1, at: new Date() } as object), "either 'in' or 'at'"],
    [(queue) => queue.set({ atempts: 1 } as object), "did you mean 'attempts'"],
  ])('refuses what could mean too much or nothing', async (run, message) => {
    expect((await fault(() => run(open()))).toLowerCase()).toContain(message.toLowerCase())
  })
})

const open = () => bench().mill.queue('q')

describe('changing', () => {
  it('cancels what waits and asks what runs', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    const running = await queue.enqueue('running')
    queue.work((_, job) => {
      return new Promise((_, reject) => job.signal.addEventListener('abort', () => reject('stop')))
    })
    await clock.advance(10)
    const waiting = await queue.enqueue('waiting', { in: '1h' })
    expect(await queue.cancel({ ids: [running.id, waiting.id] })).toEqual({ changed: 2 })
    await clock.advance(10_000)
    expect(await queue.counts()).toMatchObject({ cancelled: 2 })
  })

  it('retries with fresh attempts and marked history, and a dead letter goes home', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', { attempts: 1 })
    const { id } = await queue.enqueue(1)
    const worker = queue.work(() => Promise.reject(new Error('no')))
    await mill.runUntilIdle()
    await worker.stop()
    expect(await queue.retry(id)).toEqual({ changed: 1 })
    expect(await queue.get(id)).toMatchObject({ state: 'available', attempt: 0 })
    mill.queue('q', { attempts: 1, deadLetter: 'dead' })
    queue.work(() => Promise.reject(new Error('no')))
    await mill.runUntilIdle()
    const [letter] = await mill.queue('dead').list()
    expect(letter.origin?.history).toMatchObject([{ round: 1 }, { round: 2 }])
    expect(await mill.queue('dead').retry(letter.id)).toEqual({ changed: 1 })
    expect(await mill.queue('dead').length()).toBe(0)
  })

  it('deletes what does not run, and purges the final states', async () => {
    const { queue } = await mixed()
    expect(await queue.delete({ group: 'g' })).toEqual({ changed: 1 })
    expect(await queue.purge()).toEqual({ changed: 2 })
    expect(await queue.purge(['scheduled'])).toEqual({ changed: 1 })
    expect(await queue.delete({ ids: [] })).toEqual({ changed: 0 })
    expect((await queue.list()).map((job) => job.payload)).toEqual(['task'])
  })

  it('updates a job that waits, and says of others that it did not', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { input: z.string() })
    const { id } = await queue.enqueue('old')
    const at = new Date(clock.wall() + 5000)
    expect(await queue.update(id, { payload: 'new', priority: 'high', at })).toBe(true)
    expect(await queue.get(id)).toMatchObject({
      payload: 'new',
      priority: 10,
      state: 'scheduled',
      dueAt: at,
    })
    expect(await queue.update(id, { in: 0 })).toBe(true)
    expect(await queue.get(id)).toMatchObject({ state: 'available', payload: 'new' })
    expect(await fault(() => queue.update(id, { payload: 5 as never }))).toContain(
      'PAYLOAD_INVALID',
    )
    expect(await queue.update('none', { priority: 1 })).toBe(false)
  })
})

describe('settings', () => {
  it('stand in layers: default, declared, overridden, until null takes the word back', async () => {
    const { mill, another } = bench()
    const queue = mill.queue('q', { attempts: 5, timeout: '1s' })
    expect(await queue.settings()).toMatchObject({
      declared: { attempts: 5, timeout: 1000 },
      overrides: {},
      effective: { attempts: 5, timeout: 1000, receipts: 600_000 },
    })
    const elsewhere = another().queue('q')
    const set = await elsewhere.set({ attempts: 9 })
    expect(set).toMatchObject({ overrides: { attempts: 9 }, effective: { attempts: 9 } })
    expect((await queue.set({ attempts: null })).effective.attempts).toBe(5)
  })

  it('that are only referred to stay as they were declared', async () => {
    const { mill, another } = bench()
    await mill.queue('q', { attempts: 5 }).enqueue(1)
    await another().queue('q').enqueue(2)
    const { declared, revision } = await mill.queue('q').settings()
    expect([declared, revision]).toEqual([{ attempts: 5 }, 1])
  })

  it('are written when they change, the last declaration wins, and a change is an event', async () => {
    const { mill } = bench()
    const told: unknown[] = []
    mill.on('queue.declared', ({ queue, revision, changed }) =>
      told.push([queue, revision, changed]),
    )
    await mill.queue('q', { attempts: 5 }).length()
    await mill.queue('q', { attempts: 5 }).length()
    await mill.queue('q', { timeout: '2s' }).length()
    expect(told).toEqual([
      ['q', 1, ['attempts']],
      ['q', 2, ['attempts', 'timeout']],
    ])
    expect((await mill.queue('q').settings()).declared).toEqual({ timeout: 2000 })
  })

  it('refuse dead letters that would come back, at the first operation', async () => {
    const { mill } = bench()
    await mill.queue('a', { deadLetter: 'b' }).length()
    await mill.queue('b', { deadLetter: 'c' }).length()
    const queue = mill.queue('c', { deadLetter: 'a' })
    const said = 'OPTION_INVALID queue("c").deadLetter'
    expect(await fault(() => queue.enqueue(1))).toContain(said)
    expect(await fault(() => queue.length())).toContain('c → a → b → c')
    expect(await fault(() => mill.queue('b').set({ deadLetter: 'a' }))).toContain('OPTION_INVALID')
    expect(await mill.queue('a').length()).toBe(0)
  })

  it('refuse them also where an override that kept them apart is taken back', async () => {
    const { mill } = bench()
    const queue = mill.queue('a', { deadLetter: 'b' })
    await queue.set({ deadLetter: false })
    await mill.queue('b', { deadLetter: 'a' }).length()
    expect(await fault(() => queue.set({ deadLetter: null }))).toContain('a → b → a')
    expect(await mill.queue('b').length()).toBe(0)
  })
})
