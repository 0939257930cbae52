import { describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { sharedMemory } from '../../src/stores/memory/memory-store.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { COMPLETE, insert, newJob, rig, stateOf } from './harness.js'

const spec = (change = {}) => ({ queue: 'q', limit: 1, wait: 0, backoff: null, ...change })

describe('a take', () => {
  it('gets what is runnable, at most its limit, or nothing at once', async () => {
    const { engine } = rig()
    expect(await engine.take(spec())).toEqual([])
    await insert(engine, newJob('a'), newJob('b'), newJob('c'))
    const held = await engine.take(spec({ limit: 2 }))
    expect(held.map(({ live }) => live.claimed.id)).toEqual(['a', 'b'])
    expect(await stateOf(engine, 'c')).toBe('available')
  })

  it('waits for a first job, and hears of it by a hint', async () => {
    const { engine, clock } = rig({ poll: 100_000 })
    const taken = engine.take(spec({ wait: 50_000 }))
    await clock.advance(10_000)
    await insert(engine, newJob('a'))
    expect((await taken)[0].live.claimed.id).toBe('a')
  })

  it('answers empty when its wait is over, also while the store does not answer', async () => {
    const { engine, clock, scripted } = rig()
    const taken = engine.take(spec({ wait: 5_000 }))
    await clock.advance(1_000)
    scripted.failBefore('exchange', 1_000)
    await clock.advance(5_000)
    expect(await taken).toEqual([])
  })

  it('that only looks rejects when the store does not answer', async () => {
    const { engine, clock, scripted } = rig()
    await engine.open()
    scripted.failBefore('exchange')
    const taken = engine.take(spec()).catch((error: unknown) => error)
    await clock.advance(100)
    expect(await taken).toMatchObject({ code: 'STORE_UNREACHABLE' })
  })

  it('rejects, or is over in time, where the store will not hear of who takes', async () => {
    const { engine, clock, scripted } = rig()
    await engine.open()
    scripted.failBefore('enlist', 1_000)
    const looking = engine.take(spec()).catch((error: unknown) => error)
    const waiting = engine.take(spec({ wait: 1_000 }))
    const given = new AbortController()
    const aborted = engine.take(spec({ wait: 90_000, signal: given.signal }))
    const heard = aborted.catch((error: unknown) => error)
    await clock.advance(500)
    expect(await looking).toMatchObject({ code: 'STORE_UNREACHABLE' })
    given.abort('enough')
    expect(await heard).toBe('enough')
    // Who only looks hears at once what the store has said already.
    expect(await engine.take(spec()).catch((error: unknown) => error)).toMatchObject({
      code: 'STORE_UNREACHABLE',
    })
    await clock.advance(500)
    expect(await waiting).toEqual([])
  })

  it('rejects where the store was closed under it', async () => {
    const { engine, clock } = rig()
    await engine.open()
    await engine.store.close()
    const taken = engine.take(spec()).catch((error: unknown) => error)
    await clock.advance(100)
    expect(await taken).toMatchObject({ code: 'STORE_CLOSED' })
  })

  it('that finds nothing leaves the loop to others, however often it is asked', async () => {
    await using mill = millrace('memory:')
    const queue = mill.queue('q')
    await queue.take()
    let isOver = false
    setImmediate(() => setImmediate(() => (isOver = true)))
    let takes = 0
    for (; !isOver && takes < 1_000; takes++) await queue.take()
    expect(isOver).toBe(true)
  })

  it('that was aborted rejects, and what arrives for it goes back', async () => {
    const { engine, clock, scripted } = rig()
    await engine.take(spec())
    await insert(engine, newJob('a'))
    const release = scripted.hold('exchange')
    const stop = new AbortController()
    const taken = engine.take(spec({ signal: stop.signal })).catch((error: unknown) => error)
    await clock.quiet()
    stop.abort('no more')
    expect(await taken).toBe('no more')
    release()
    await clock.advance(10)
    const [found] = await engine.store.get([{ queue: 'q', id: 'a' }])
    expect(found).toMatchObject({ job: { state: 'available', attempt: 0 } })
  })

  it('leaves its job running until a verdict, which is durable when it answers', async () => {
    const { engine, clock } = rig()
    await insert(engine, newJob('a', { timeout: Infinity }))
    const [held] = await engine.take(spec())
    await clock.advance(600_000)
    expect(await stateOf(engine, 'a')).toBe('running')
    await held.settle({ kind: 'snooze', delay: 1_000 })
    expect(await stateOf(engine, 'a')).toBe('scheduled')
  })

  it('settled twice throws LEASE_LOST the second time', async () => {
    const { engine } = rig()
    await insert(engine, newJob('a'))
    const [held] = await engine.take(spec())
    await held.settle(COMPLETE)
    await expect(held.settle(COMPLETE)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  })

  it('past its timeout fails its attempt, and its token is dead', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('a', { timeout: 1_000 }))
    const [held] = await engine.take(spec())
    const { signal } = held.live
    await clock.advance(1_100)
    expect(signal.reason).toMatchObject({ code: 'ATTEMPT_TIMEOUT' })
    expect(told('attempt.failed')).toMatchObject([{ outcome: 'timeout' }])
    await expect(held.settle(COMPLETE)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  })

  it('is kept by beats like a worker, and swept like one', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const [a, b] = [1, 2].map((seed) => rig({ clock, memory, seed }))
    await insert(a.engine, newJob('a', { timeout: Infinity }))
    const [held] = await a.engine.take(spec())
    expect(await b.engine.take(spec())).toEqual([])
    a.scripted.failBefore('beat', 1_000)
    a.scripted.failBefore('check', 1_000)
    const again = b.engine.take(spec({ wait: 120_000 }))
    await clock.advance(120_000)
    expect((await again)[0].live.claimed).toMatchObject({ id: 'a', attempt: 2 })
    await expect(held.settle(COMPLETE)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  })

  it('is given back when the engine closes', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const [a, b] = [1, 2].map((seed) => rig({ clock, memory, seed }))
    await insert(a.engine, newJob('a'))
    const [held] = await a.engine.take(spec())
    await a.engine.close({ timeout: 0 })
    expect(a.told('job.released')).toHaveLength(1)
    expect(a.told('store.error')).toEqual([])
    expect(await stateOf(b.engine, 'a')).toBe('available')
    await expect(held.settle(COMPLETE)).rejects.toMatchObject({ code: 'LEASE_LOST' })
  })
})
