// `after`, as producers, handlers and operators see it: a graph in one call, results that are
// handed on, circles and strangers that are refused, and the events of what falls.
import { describe, expect, it } from 'vitest'
import type { EventMap, MillraceEvent, ParentView } from '../../src/index.js'
import { bench, fault } from './harness.js'

describe('a job after others', () => {
  it('runs when they are completed, and reads what they returned', async () => {
    const { mill } = bench()
    const parts = mill.queue<number, Map<string, number>>('parts')
    const whole = mill.queue<string, readonly ParentView[]>('whole')
    const order: unknown[] = []
    whole.work(async (name, job) => (order.push(name), await job.parents()))
    const after = await parts.enqueueMany([1, 2, 3])
    const job = await whole.enqueue('sum', { after })
    expect((await whole.get(job.id))?.state).toBe('waiting')
    parts.work((n) => (order.push(n), new Map([['n', n]])))
    await mill.runUntilIdle()
    expect(order).toEqual([1, 2, 3, 'sum'])
    const seen = after.map(({ queue, id }, at) => {
      return { queue, id, state: 'completed', result: new Map([['n', at + 1]]) }
    })
    expect(await job.result()).toEqual(seen)
  })

  it('may be pulled by hand, and tells its parents there, too', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    const first = await queue.enqueue(1)
    await queue.enqueue(2, { after: [first] })
    await (await queue.take())?.complete()
    const held = await queue.take()
    expect(await held?.parents()).toEqual([
      { queue: 'q', id: first.id, state: 'completed', result: undefined },
    ])
    await held?.complete()
    expect(await fault(() => held?.parents())).toContain('LEASE_LOST')
  })

  it('is one of a graph that is put in by one call, in any order', async () => {
    const { mill } = bench()
    const queue = mill.queue<string>('q')
    const graph: Record<string, string[]> = {
      ship: ['pack', 'pay'],
      pack: ['pick'],
      pay: [],
      pick: [],
    }
    const ran: string[] = []
    queue.work((name) => void ran.push(name))
    await queue.enqueueMany(Object.keys(graph), (name) => ({
      id: name,
      after: graph[name].map((id) => ({ queue: 'q', id })),
    }))
    await mill.runUntilIdle()
    expect(ran).toEqual(['pay', 'pick', 'pack', 'ship'])
  })

  it('is refused in a circle, which is named, and nothing of the call is in', async () => {
    const { mill } = bench()
    const queue = mill.queue<string>('q')
    const after: Record<string, string> = { a: 'b', b: 'c', c: 'a', d: 'a' }
    const circle = await fault(() =>
      queue.enqueueMany(Object.keys(after), (id) => ({
        id,
        after: [{ queue: 'q', id: after[id] }],
      })),
    )
    expect(circle).toContain('OPTION_INVALID')
    expect(circle).toContain('\\"a\\" after \\"b\\" after \\"c\\" after \\"a\\"')
    const self = await fault(() =>
      queue.enqueue('x', { id: 'x', after: [{ queue: 'q', id: 'x' }] }),
    )
    expect(self).toContain('OPTION_INVALID')
    expect(await queue.length()).toBe(0)
  })

  it('is refused after one that nobody knows', async () => {
    const { mill } = bench()
    const queue = mill.queue<string>('q')
    const codes: string[] = []
    mill.on('job.refused', ({ code }) => void codes.push(code))
    const after = [{ queue: 'q', id: 'nobody' }]
    const one = await fault(() => queue.enqueue('a', { after }))
    expect(one).toContain('PARENT_UNKNOWN queue("q").after')
    expect(one).toContain('nobody')
    const many = await fault(() =>
      queue.enqueueMany(['a', 'b'], (_, at) => (at === 1 ? { after } : {})),
    )
    expect(many).toContain('payloads[1]')
    expect(await queue.length()).toBe(0)
    expect(codes).toEqual(['PARENT_UNKNOWN', 'PARENT_UNKNOWN'])
  })

  it('counts as much as its parents do when a call is too large', async () => {
    const { mill } = bench()
    const long = Array.from({ length: 10_000 }, (_, at) => ({
      queue: 'q',
      id: `${at}`.padEnd(500),
    }))
    const payloads = Array.from({ length: 10 }, () => 1)
    expect(await fault(() => mill.queue('q').enqueueMany(payloads, { after: long }))).toContain(
      'LOT_TOO_LARGE',
    )
  })

  it('may read the parents of any job as an operator', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    const first = await queue.enqueue(1)
    const { id } = await queue.enqueue(2, { after: [first] })
    expect(await queue.parents(id)).toEqual([
      { queue: 'q', id: first.id, state: 'available', result: undefined },
    ])
    expect(await queue.parents(first.id)).toEqual([])
    expect(await queue.parents('nobody')).toBeNull()
  })
})

describe('what becomes of a job after others', () => {
  async function heard(onParentFailed: 'wait' | 'discard' | 'run') {
    const { mill } = bench()
    const queue = mill.queue<string>('q')
    const events: MillraceEvent<'job.enqueued' | 'job.discarded'>[] = []
    mill.on('job.enqueued', (event) => void events.push(event))
    mill.on('job.discarded', (event) => void events.push(event))
    const first = await queue.enqueue('first')
    const second = await queue.enqueue('second', { after: [first], onParentFailed })
    const third = await queue.enqueue('third', { after: [second], onParentFailed })
    queue.work((name, job) => (name === 'first' ? job.discard('no') : undefined))
    await mill.runUntilIdle()
    const late = await queue.enqueue('late', { after: [first], onParentFailed })
    const names = new Map([first, second, third, late].map(({ id }, at) => [id, at + 1]))
    const told = events.map(({ type, id, ...rest }) => {
      const word = rest as Partial<EventMap['job.discarded'] & EventMap['job.enqueued']>
      return `${type} ${names.get(id)} ${word.state ?? word.reason}`
    })
    return { mill, queue, first, second, third, late, told }
  }

  it('is told once each when it falls, at once or later', async () => {
    const { queue, third, late, told } = await heard('discard')
    expect(told).toEqual([
      'job.enqueued 1 available',
      'job.enqueued 2 waiting',
      'job.enqueued 3 waiting',
      'job.discarded 1 given-up',
      'job.discarded 2 parent-failed',
      'job.discarded 3 parent-failed',
      'job.enqueued 4 waiting',
      'job.discarded 4 parent-failed',
    ])
    expect(await queue.get(third.id)).toMatchObject({ state: 'discarded', reason: 'parent-failed' })
    expect(await fault(() => late.result())).toContain('JOB_DISCARDED')
  })

  it('waits on until an operator retries the parent', async () => {
    const { mill, queue, first, second, third } = await heard('wait')
    expect((await queue.get(third.id))?.state).toBe('waiting')
    await queue.retry(second.id)
    await mill.runUntilIdle()
    expect(await queue.get(second.id)).toBeNull()
    expect(await queue.get(third.id)).toBeNull()
    expect((await queue.get(first.id))?.state).toBe('discarded')
  })

  it('runs when they all have ended, and sees how', async () => {
    const { mill } = bench()
    const queue = mill.queue<string>('q')
    const [bad, good] = await queue.enqueueMany(['bad', 'good'])
    let seen: readonly ParentView[] = []
    queue.work(async (name, job) => {
      if (name === 'bad') return job.cancel()
      if (name === 'last') seen = await job.parents()
      return name
    })
    await queue.enqueue('last', { after: [bad, good], onParentFailed: 'run' })
    await mill.runUntilIdle()
    expect(seen.map(({ state, result }) => [state, result])).toEqual([
      ['cancelled', undefined],
      ['completed', 'good'],
    ])
  })
})
