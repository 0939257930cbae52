import { describe, expect, it } from 'vitest'
import type { Asked, Live } from '../../src/engine/engine.js'
import { MillraceError } from '../../src/job/errors.js'
import { sharedMemory } from '../../src/stores/memory/memory-store.js'
import { sleep } from '../../src/time/clock.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { COMPLETE, insert, newJob, rig, signal, stateOf, working } from './harness.js'

const never = () => new Promise<Asked>(() => undefined)

describe('a stop', () => {
  it('lets what runs finish, takes no more, and answers then', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, ...Array.from({ length: 10 }, (_, n) => newJob(`j${n}`)))
    const worker = engine.start(
      working(() => sleep(clock, 1_000).then(() => COMPLETE), { concurrency: 2 }),
    )
    await clock.advance(10)
    const stopped = worker.stop({ timeout: 30_000 })
    expect(worker.state).toBe('draining')
    await clock.advance(2_000)
    await stopped
    expect(worker.state).toBe('stopped')
    expect(told('job.completed')).toHaveLength(2)
    expect(told('worker.stopped')).toHaveLength(1)
    expect(await stateOf(engine, 'j2')).toBe('available')
  })

  it('whose time runs out aborts, and gives back with the attempt', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('a'))
    let live: Live | undefined
    const worker = engine.start(working((one) => ((live = one), never())))
    await clock.advance(10)
    void live?.signal
    const stopped = worker.stop({ timeout: 1_000 })
    await clock.advance(1_001)
    await stopped
    expect(live?.signal.aborted).toBe(true)
    expect(told('job.released')).toMatchObject([{ id: 'a' }])
    expect(told('worker.stopped')).toMatchObject([{ released: 1 }])
    const [found] = await engine.store.get([{ queue: 'q', id: 'a' }])
    expect(found).toMatchObject({ job: { state: 'available', attempt: 0 } })
  })

  it('does not count it as a failure when the handler throws because it was aborted', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('a'))
    const worker = engine.start(
      working(async ({ signal: aborted }) => {
        await new Promise((resolve) => aborted.addEventListener('abort', resolve))
        throw aborted.reason
      }),
    )
    await clock.advance(10)
    const stopped = worker.stop({ timeout: 100 })
    await clock.advance(200)
    await stopped
    expect(told('attempt.failed')).toHaveLength(0)
    expect(told('job.released')).toHaveLength(1)
  })

  it('never gives an at-most-once job that began to a second run', async () => {
    const { engine, clock, told } = rig()
    await engine.open()
    await engine.store.declare('q', { delivery: 'at-most-once' })
    await insert(engine, newJob('a'))
    const worker = engine.start(working(never))
    await clock.advance(10)
    const stopped = worker.stop({ timeout: 100 })
    await clock.advance(200)
    await stopped
    expect(told('job.discarded')).toMatchObject([{ id: 'a', reason: 'unknown' }])
  })

  it('ends though the store does not answer', async () => {
    const { engine, clock, scripted } = rig()
    await insert(engine, newJob('a'))
    const worker = engine.start(working(never))
    await clock.advance(10)
    scripted.failBefore('exchange', 10_000)
    const stopped = worker.stop({ timeout: 1_000 })
    await clock.advance(10_000)
    await stopped
    expect(worker.state).toBe('stopped')
  })

  it('twice is once', async () => {
    const { engine, clock, told } = rig()
    const worker = engine.start(working(() => COMPLETE))
    await clock.advance(10)
    await Promise.all([worker.stop({ timeout: 10 }), worker.stop({ timeout: 10 })])
    await worker.stop({ timeout: 10 })
    expect(told('worker.stopped')).toHaveLength(1)
  })
})

describe('a close', () => {
  it('drains, settles, leaves and closes; twice is once', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('a'))
    engine.start(working(() => sleep(clock, 500).then(() => COMPLETE)))
    await clock.advance(10)
    const closed = engine.close({ timeout: 30_000 })
    await clock.advance(1_000)
    await closed
    await engine.close({ timeout: 30_000 })
    expect(told('job.completed')).toHaveLength(1)
    await expect(engine.open()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    expect(() => engine.start(working(() => COMPLETE))).toThrow('STORE_CLOSED')
  })

  it('leaves no timer behind', async () => {
    const { engine, clock } = rig()
    await insert(engine, newJob('a'))
    engine.start(working(() => COMPLETE))
    await clock.advance(10)
    await engine.close({ timeout: 1_000 })
    expect(clock.untilNext()).toBeNull()
  })

  it('of an engine that never opened is fine', async () => {
    const { engine } = rig()
    await engine.close({ timeout: 0 })
  })

  it('ends who waits for a result or a job', async () => {
    const { engine, clock } = rig()
    await insert(engine, newJob('a', { delay: 1_000_000 }))
    const result = engine.awaitEnd({ queue: 'q', id: 'a' }, { timeout: Infinity })
    const taken = engine.take({ queue: 'q', limit: 1, wait: Infinity, backoff: null })
    const both = Promise.allSettled([result, taken])
    await clock.advance(10)
    await engine.close({ timeout: 0 })
    for (const one of await both) {
      expect(one.status === 'rejected' && MillraceError.is(one.reason, 'STORE_CLOSED')).toBe(true)
    }
  })
})

describe('waiting for an end', () => {
  it('hears of it by a hint, also from another node', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const [a, b] = [1, 2].map((seed) => rig({ clock, memory, seed, poll: 100_000 }))
    await insert(a.engine, newJob('a', { ownId: true }))
    const ended = a.engine.awaitEnd({ queue: 'q', id: 'a' }, { timeout: Infinity })
    const result = { text: '42', codec: 'json' } as const
    b.engine.start(working(() => ({ kind: 'complete', result })))
    await clock.advance(10)
    expect(await ended).toMatchObject({ kind: 'receipt', receipt: { state: 'completed', result } })
  })

  it('hears of it within the poll when hints are lost', async () => {
    const { engine, clock, scripted } = rig({ poll: 2_000 })
    await engine.open()
    scripted.deaf = true
    await insert(engine, newJob('a', { ownId: true }))
    const ended = engine.awaitEnd({ queue: 'q', id: 'a' }, { timeout: Infinity })
    await clock.advance(10)
    await engine.control({ kind: 'cancel', queue: 'q', which: { ids: ['a'] }, reason: 'x' })
    await clock.advance(2_000)
    expect(await ended).toMatchObject({ kind: 'job', job: { state: 'cancelled' } })
  })

  it('says that it is gone, that time is up, or what the signal says', async () => {
    const { engine, clock } = rig()
    await insert(engine, newJob('a', { delay: 1_000_000 }))
    const on = (id: string, timeout: number, abort?: AbortSignal) =>
      engine.awaitEnd({ queue: 'q', id }, { timeout, ...(abort && { signal: abort }) })
    const stop = new AbortController()
    const [gone, timeout] = [on('nowhere', Infinity), on('a', 5_000)]
    const aborted = on('a', Infinity, stop.signal).catch((error: unknown) => error)
    await clock.advance(5_000)
    stop.abort('enough')
    expect(await Promise.all([gone, timeout, aborted])).toEqual([null, 'timeout', 'enough'])
    expect(clock.untilNext()).toBeNull()
  })

  it('of many that do not end is not looked at without a hint, until the poll', async () => {
    const { engine, clock, scripted } = rig({ poll: 10_000 })
    const jobs = Array.from({ length: 1_500 }, (_, n) => newJob(`j${n}`, { delay: 1e9 }))
    await insert(engine, ...jobs)
    const ends = jobs.map(({ id }) => engine.awaitEnd({ queue: 'q', id }, { timeout: 8_000 }))
    await clock.advance(8_000)
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['timeout']))
    expect(scripted.count('get')).toBe(2)
  })

  it('of thousands is a few reads', async () => {
    const { engine, clock, scripted } = rig()
    const jobs = Array.from({ length: 3_000 }, (_, n) => newJob(`j${n}`, { ownId: true }))
    await insert(engine, ...jobs)
    const ends = jobs.map(({ id }) => engine.awaitEnd({ queue: 'q', id }, { timeout: Infinity }))
    engine.start(working(() => COMPLETE, { concurrency: 100 }))
    await clock.advance(5_000)
    expect((await Promise.all(ends)).every((end) => end !== 'timeout' && end !== null)).toBe(true)
    expect(scripted.count('get')).toBeLessThan(40)
  })
})

describe('a run until idle', () => {
  it('runs all that is runnable, and what that enqueues, and no more', async () => {
    const { engine } = rig()
    await insert(engine, newJob('a'), newJob('later', { delay: 1_000 }))
    engine.start(
      working(async ({ claimed: { id } }) => {
        if (id.length < 5) await engine.insert({ jobs: [newJob(`${id}a`)] })
        return COMPLETE
      }),
    )
    expect(await engine.runUntilIdle({ maxMs: Infinity })).toEqual({ ran: 5, idle: true })
    expect(await engine.runUntilIdle({ maxMs: Infinity })).toEqual({ ran: 0, idle: true })
    expect(await stateOf(engine, 'later')).toBe('scheduled')
  })

  it('without a worker is idle, and ends at its time when something hangs', async () => {
    const { engine, clock } = rig()
    await insert(engine, newJob('a'))
    expect(await engine.runUntilIdle({ maxMs: Infinity })).toEqual({ ran: 0, idle: true })
    const go = signal()
    engine.start(working(() => go.done.then(() => COMPLETE)))
    const ran = engine.runUntilIdle({ maxMs: 1_000 })
    await clock.advance(1_000)
    expect(await ran).toEqual({ ran: 0, idle: false })
    go.fire()
  })
})
