// Tasks: one queue, many contracts, each with its handler.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/index.js'
import type { TaskHandler } from '../../src/index.js'
import { bench, fault } from './harness.js'

const welcome = defineTask('welcome', {
  queue: 'emails',
  input: z.object({ user: z.coerce.number() }),
  output: z.object({ message: z.string() }),
  attempts: 5,
  priority: 'low',
  tags: ['mail'],
})
const plain = defineTask<{ n: number }, number>('plain', { queue: 'emails' })

describe('a task', () => {
  it('brings its payload to its handler and the result back, each checked', async () => {
    const { mill } = bench()
    const got: unknown[] = []
    mill.work('emails', [
      welcome.handle(({ user }, job) => {
        got.push(user, job.task)
        return { message: `m${user}` }
      }),
      plain.handle(({ n }) => n * 2),
    ])
    const first = await mill.enqueue(welcome, { user: '7' })
    const [second] = await mill.enqueueMany(plain, [{ n: 4 }])
    expect(await first.result()).toEqual({ message: 'm7' })
    expect(await second.result()).toBe(8)
    expect(got).toEqual([7, 'welcome'])
    const wrong = mill.enqueue(welcome, { user: 'x' })
    expect(await fault(() => wrong)).toMatch(/PAYLOAD_INVALID task\("welcome"\) payload\.user/)
  })

  it('has options of its own, above the queue and below the call', async () => {
    const { mill } = bench()
    const queue = mill.queue('emails', { attempts: 9, timeout: '7s' })
    const byTask = await mill.enqueue(welcome, { user: 1 })
    const byCall = await mill.enqueue(welcome, { user: 1 }, { attempts: 2, tags: [] })
    const byQueue = await mill.enqueue(plain, { n: 1 })
    expect(await queue.get(byTask.id)).toMatchObject({
      maxAttempts: 5,
      priority: -10,
      tags: ['mail'],
      task: 'welcome',
    })
    expect(await queue.get(byCall.id)).toMatchObject({ maxAttempts: 2, priority: -10, tags: [] })
    expect(await queue.get(byQueue.id)).toMatchObject({ maxAttempts: 9, priority: 0 })
  })

  it('that a worker does not know stays for one that does', async () => {
    const { mill, clock } = bench()
    const ran: string[] = []
    mill.work('emails', [plain.handle(() => (ran.push('plain'), 1))])
    mill.queue('emails').work(() => void ran.push('default'))
    await mill.enqueue(welcome, { user: 1 })
    await mill.enqueue(plain, { n: 1 })
    await mill.queue('emails').enqueue('no task')
    await clock.advance(60_000)
    expect(ran.sort()).toEqual(['default', 'plain'])
    expect(await mill.queue('emails').counts()).toMatchObject({ available: 1, discarded: 0 })
    mill.work('emails', [welcome.handle(() => (ran.push('welcome'), { message: '' }))])
    await clock.advance(1000)
    expect(ran).toContain('welcome')
  })

  it('may be referred to by its name and queue alone, without its schema', async () => {
    const { mill } = bench()
    await mill.enqueue({ name: 'welcome', queue: 'emails' }, { user: 3 })
    const got: unknown[] = []
    mill.work('emails', [welcome.handle(({ user }) => (got.push(user), { message: '' }))])
    await mill.runUntilIdle()
    expect(got).toEqual([3])
  })

  it('may be worked on another queue, as its dead letters are', async () => {
    const { mill } = bench()
    mill.queue('emails', { deadLetter: 'graveyard', attempts: 1 })
    const brief = defineTask<number>('brief', { queue: 'emails' })
    mill.work('emails', [brief.handle(() => Promise.reject(new Error('no')))])
    const got: unknown[] = []
    mill.work('graveyard', [brief.handle((n, job) => void got.push(n, job.origin?.queue))])
    await mill.enqueue(brief, 5)
    await mill.runUntilIdle()
    expect(got).toEqual([5, 'emails'])
  })

  it.each<[() => unknown, string]>([
    [() => defineTask('', { queue: 'q', input: z.string() }), 'not empty'],
    [() => defineTask<number>('t', { queue: '' }), 'task("t").queue'],
    [() => defineTask<number>('t', {} as never), 'task("t").queue'],
    [() => defineTask<number>('t', { queue: 'q', group: 'g' } as never), 'one of queue'],
    [() => defineTask<number>('t', { queue: 'q', attempts: 0.5 }), 'whole number'],
    [() => defineTask<number>('t', { queue: 'q', input: {} } as never), 'a Standard Schema'],
    [() => plain.handle('x' as never), 'a function (payload, job)'],
    [() => bench().mill.work('q', []), 'at least one task'],
    [() => bench().mill.work('q', [plain as unknown as TaskHandler]), 'call task.handle'],
    [() => bench().mill.work('q', [{ task: 'plain' } as TaskHandler]), 'call task.handle'],
    [
      () => bench().mill.work('q', [plain.handle(() => 1), plain.handle(() => 2)]),
      'each task once',
    ],
    [() => bench().mill.work('q', new URL('file:///x.js'), {} as never), "'thread' or 'process'"],
    [() => bench().mill.enqueue({ name: 'x' } as never, 1), 'task("x").queue'],
  ])('that is not whole is refused where it is given', async (run, message) => {
    expect((await fault(run)).toLowerCase()).toContain(message.toLowerCase())
  })
})
