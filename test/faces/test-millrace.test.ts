// The Millrace for the tests of users.
import { describe, expect, it } from 'vitest'
import { defineTask } from '../../src/index.js'
import { testMillrace } from '../../src/testing/test-millrace.js'
import { fault } from './harness.js'

describe('testMillrace', () => {
  it('moves its clock by hand, stopping at each moment something is due', async () => {
    const mill = testMillrace({ now: new Date('2024-02-28T00:00:00Z') })
    const queue = mill.queue('q')
    const ran: string[] = []
    queue.work((payload) => void ran.push(`${String(payload)} ${mill.now().toISOString()}`))
    await queue.enqueue('first', { in: '1h' })
    await queue.enqueue('second', { in: '2d' })
    await mill.advance('30m')
    expect(ran).toEqual([])
    await mill.advance('2d')
    expect(ran).toEqual(['first 2024-02-28T01:00:00.000Z', 'second 2024-03-01T00:00:00.000Z'])
    expect(mill.now()).toEqual(new Date('2024-03-01T00:30:00Z'))
  })

  it('remembers all that was enqueued, oldest first, as it was then', async () => {
    const mill = testMillrace()
    const task = defineTask<{ user: number; name: string }>('welcome', { queue: 'emails' })
    const queue = mill.queue('q')
    queue.work((payload) => payload === 'first' && queue.enqueue('second'))
    await queue.enqueue('first', { tags: ['t'], group: 'g' })
    await mill.runUntilIdle()
    await mill.enqueue(task, { user: 7, name: 'ada' })
    expect(mill.enqueued().map((job) => job.payload)).toEqual([
      'first',
      'second',
      { user: 7, name: 'ada' },
    ])
    expect(mill.enqueued('q').map((job) => job.state)).toEqual(['available', 'available'])
    expect(mill.enqueued(task)[0].payload.user).toBe(7)
    expect(mill.enqueued({ tag: 't', group: 'g', queue: 'q' })).toHaveLength(1)
    expect(mill.enqueued({ task, payload: { user: 7 } })).toHaveLength(1)
    expect(mill.enqueued({ task: 'welcome', payload: { user: 8 } })).toHaveLength(0)
    mill.clear()
    expect(mill.enqueued()).toEqual([])
  })

  it('asserts and refutes, saying what was there instead', async () => {
    const mill = testMillrace()
    await mill.queue('q').enqueue({ a: 1 })
    await mill.queue('q').enqueue({ a: 2 })
    mill.assertEnqueued('q')
    mill.assertEnqueued('q', 2)
    mill.assertEnqueued({ payload: { a: 1 } }, 1)
    mill.refuteEnqueued('other')
    expect(await fault(() => mill.assertEnqueued('other'))).toMatch(/at least one job.*a: 1/s)
    expect(await fault(() => mill.assertEnqueued('q', 1))).toContain('expected 1 job like')
    expect(await fault(() => mill.refuteEnqueued('q'))).toContain('found 2')
    expect(await fault(() => mill.assertEnqueued({ que: 'q' } as object))).toContain("'queue'")
  })

  it('only records in mode record', async () => {
    const mill = testMillrace({ mode: 'record' })
    const queue = mill.queue('q')
    const worker = queue.work(() => Promise.reject(new Error('must not run')))
    await queue.enqueue(1)
    await mill.advance('1h')
    expect(await mill.runUntilIdle()).toEqual({ ran: 0, idle: true })
    expect(worker.running).toBe(0)
    expect(await queue.counts()).toMatchObject({ available: 1 })
    mill.assertEnqueued('q', 1)
  })

  it('does not count a duplicate, and shows a replaced job as it is now', async () => {
    const mill = testMillrace()
    const queue = mill.queue('q')
    await queue.enqueue(1, { unique: { key: 'k' } })
    await queue.enqueue(2, { unique: { key: 'k' } })
    await queue.enqueue(3, { unique: { key: 'k', onConflict: 'replace' } })
    expect(mill.enqueued().map((job) => job.payload)).toEqual([3])
  })

  it('falls out the same way each time', async () => {
    const ids = async () => {
      const queue = testMillrace().queue('q')
      return (await queue.enqueueMany([1, 2])).map((job) => job.id)
    }
    expect(await ids()).toEqual(await ids())
  })

  it('refuses options that it does not know', async () => {
    expect(await fault(() => testMillrace({ mod: 'run' } as object))).toContain("'mode'")
    expect(await fault(() => testMillrace({ now: new Date(NaN) }))).toContain('a valid Date')
  })
})
