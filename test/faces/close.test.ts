// What was asked for before a close is carried out, or says why not; what comes after it is refused.
import { describe, expect, it } from 'vitest'
import type { Millrace } from '../../src/index.js'
import { millraceError } from '../../src/job/errors.js'
import { LazyStore } from '../../src/lazy-store.js'
import { memoryStore, sharedMemory } from '../../src/stores/memory/memory-store.js'
import { defineTask } from '../../src/task.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { bench, fault, schema } from './harness.js'

/** A Millrace whose store opens when it is let, or fails; and another on the same memory. */
function unopened() {
  const clock = new VirtualClock()
  const shared = sharedMemory(clock)
  let settle = (_error: Error | null): void => undefined
  const loaded = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === null ? resolve() : reject(error))
  })
  const store = new LazyStore('memory', memoryStore().traits, async () => {
    await loaded
    return memoryStore({ shared })
  })
  const { mill } = bench({}, { store, clock })
  const there = (): Millrace => bench({}, { store: memoryStore({ shared }), clock }).mill
  return { mill, clock, there, open: () => settle(null), fail: (error: Error) => settle(error) }
}

describe('a close in the same turn', () => {
  it.each([
    ['enqueue', (mill: Millrace) => mill.queue('q').enqueue(1), 1],
    ['enqueueMany', (mill: Millrace) => mill.queue('q').enqueueMany([1, 2]), 2],
    ['a task', (mill: Millrace) => mill.enqueue(welcome, 1), 1],
    ['a declared queue', (mill: Millrace) => mill.queue('q', { attempts: 2 }).enqueue(1), 1],
    ['a schema', (mill: Millrace) => mill.queue('q', { input: slowly }).enqueue(1), 1],
  ])('of a store that is not open yet sends %s', async (_, call, jobs) => {
    const { mill, open, there } = unopened()
    const called = fault(() => call(mill))
    const closing = mill.close()
    open()
    expect(await called).toBe('fine')
    await closing
    expect(await there().queue('q').length()).toBe(jobs)
  })

  it('of one that is open sends also what a schema was asked about first', async () => {
    const { mill, another } = bench()
    await mill.open()
    const queue = mill.queue('q', { input: slowly })
    const calls = [queue.enqueue(1), queue.enqueueMany([2, 3])]
    await mill.close()
    await Promise.all(calls)
    expect(await another().queue('q').length()).toBe(3)
  })

  it('carries out what operators asked for', async () => {
    const { mill, open, there } = unopened()
    const before = there()
    await before.queue('q').enqueueMany([1, 2], (_, at) => ({ id: `job ${at}` }))
    await before.queue('q').schedule('old', { every: '1h', payload: 0 })
    const queue = mill.queue('q')
    const calls = [
      queue.cancel('job 0'),
      queue.update('job 1', { priority: 7 }),
      queue.set({ attempts: 9 }),
      queue.schedule('new', { every: '1h', payload: 0 }),
      queue.runNow('old'),
      queue.pauseSchedule('old'),
      queue.pause(),
      mill.pauseAll(),
    ]
    const closing = mill.close()
    open()
    await Promise.all(calls)
    await closing
    const after = there().queue('q')
    expect((await after.get('job 0'))?.state).toBe('cancelled')
    expect((await after.get('job 1'))?.priority).toBe(7)
    expect((await after.settings()).overrides).toEqual({ attempts: 9 })
    expect((await after.schedules()).map(({ name, paused }) => [name, paused])).toEqual([
      ['new', false],
      ['old', true],
    ])
    expect(await after.length()).toBe(2)
    const paused = (await there().explain('q'))?.gates.filter(({ kind }) => kind === 'paused')
    expect(paused).toHaveLength(2)
  })

  it('answers with the store’s own error where it cannot be opened', async () => {
    const { mill, fail } = unopened()
    const called = fault(() => mill.queue('q').enqueue(1))
    const closing = mill.close()
    const missing = { subject: 'store', expected: 'a driver', remedy: 'install it' }
    fail(millraceError({ code: 'DRIVER_MISSING', ...missing }))
    expect(await called).toContain('DRIVER_MISSING')
    await closing
  })

  it('answers in our words where its code cannot be loaded', async () => {
    const { mill, fail } = unopened()
    const called = fault(() => mill.queue('q').enqueue(1))
    const closing = mill.close()
    fail(new Error('EMFILE: too many open files'))
    expect(await called).toContain('STORE_UNREACHABLE store memory: expected its code to be loaded')
    await closing
  })

  it('waits no longer than it does for anything else', async () => {
    const { mill, clock, there } = unopened()
    const never = schema<number>(() => new Promise<number>(() => undefined))
    const called = fault(() => mill.queue('q', { input: never }).enqueue(1))
    const closing = mill.close({ timeout: '1s' })
    await clock.advance(6000)
    await closing
    expect(await Promise.race([called, Promise.resolve('no answer')])).toBe('no answer')
    expect(await there().queue('q').length()).toBe(0)
  })

  it('waits for nobody who waits for others', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    const job = await queue.enqueue(1, { in: '1h' })
    await queue.enqueue(2)
    const held = await queue.take()
    const waiting = [
      fault(() => job.result({ timeout: '1h' })),
      fault(() => mill.queue('empty').take({ wait: '1h' })),
      fault(() => queue.pause({ wait: true, timeout: '1h' })),
    ]
    await clock.advance(10)
    const closing = mill.close({ timeout: '1s' })
    await clock.advance(6000)
    await closing
    expect(held).not.toBeNull()
    expect((await Promise.all(waiting)).join()).toContain('STORE_CLOSED')
  })

  it('refuses whoever comes later, also while it still waits', async () => {
    const { mill, open, there } = unopened()
    const called = mill.queue('q').enqueue(1)
    const closing = mill.close()
    for (const late of [
      () => mill.queue('q').enqueue(2),
      () => mill.queue('q').enqueueMany([2]),
      () => mill.queue('q').cancel('any'),
      () => mill.queue('q').take(),
      () => mill.open(),
    ]) {
      const refused = fault(late)
      open()
      expect(await refused).toContain('STORE_CLOSED')
    }
    await called
    await closing
    expect(await there().queue('q').length()).toBe(1)
  })
})

const welcome = defineTask<number>('welcome', { queue: 'q' })

const slowly = schema<number>(async (value) => {
  await Promise.resolve()
  return value as number // as: the test gives numbers
})
