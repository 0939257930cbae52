import { describe, expect, it } from 'vitest'
import type { Asked, Live } from '../../src/engine/engine.js'
import { MillraceError } from '../../src/job/errors.js'
import { sharedMemory } from '../../src/stores/memory/memory-store.js'
import { sleep } from '../../src/time/clock.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { upTo } from '../../src/testing/conformance/build.js'
import { COMPLETE, insert, newJob, rig, signal, stateOf, storeError, working } from './harness.js'

const never = () => new Promise<Asked>(() => undefined)

describe('a node', () => {
  it('keeps what it holds by beating, however long it takes', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const [a, b] = [1, 2].map((seed) => rig({ clock, memory, seed }))
    await insert(a.engine, newJob('long', { timeout: Infinity }))
    a.engine.start(working(() => sleep(clock, 600_000).then(() => COMPLETE)))
    await clock.advance(10)
    b.engine.start(working(() => COMPLETE))
    await clock.advance(600_010)
    expect(a.told('job.completed')).toHaveLength(1)
    expect(b.told('job.started')).toHaveLength(0)
  })

  it('that is silent for its lease loses its jobs to others, who tell it', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const a = rig({ clock, memory, seed: 1, upkeep: false })
    const b = rig({ clock, memory, seed: 2 })
    await insert(a.engine, newJob('x'))
    a.engine.start(working(never))
    await clock.advance(10)
    a.scripted.failBefore('beat', 1000)
    a.scripted.failBefore('check', 1000)
    b.engine.start(working(() => COMPLETE))
    await clock.advance(60_000)
    expect(b.told('job.completed')).toMatchObject([{ id: 'x', attempt: 2 }])
    expect(b.told('job.lost')).toMatchObject([{ id: 'x', attempt: 1 }])
    expect(b.told('worker.lost')).toHaveLength(1)
    expect(b.told('attempt.failed')).toMatchObject([{ outcome: 'lost' }])
  })

  it('whose store was away for longer than its lease says how its runs ended, once it is back', async () => {
    const { clock, scripted, engine, told } = rig()
    await insert(engine, newJob('x', { attempts: 1 }))
    const end = signal()
    engine.start(working(() => end.done.then(() => COMPLETE)))
    await clock.advance(10)
    let isAway = true
    const away = async (call: () => Promise<unknown>): Promise<unknown> => {
      if (isAway) throw storeError('STORE_UNREACHABLE')
      return call()
    }
    for (const verb of ['exchange', 'beat', 'check', 'sweep', 'enlist'] as const) {
      for (let calls = 0; calls < 300; calls++) scripted.next(verb, away)
    }
    end.fire()
    await clock.advance(60_000)
    expect(told('job.completed')).toEqual([])
    // The verdict and the claim, each at most every 2.5 seconds in the end.
    expect(scripted.count('exchange')).toBeLessThan(80)
    isAway = false
    await clock.advance(60_000)
    expect(told('job.started')).toHaveLength(1)
    expect(told('job.completed')).toMatchObject([{ id: 'x', attempt: 1 }])
  })

  it('that closes gives up what its store does not hear, once its lease is gone', async () => {
    const { clock, scripted, engine } = rig()
    await insert(engine, newJob('x'))
    const end = signal()
    engine.start(working(() => end.done.then(() => COMPLETE)))
    await clock.advance(10)
    for (const verb of ['exchange', 'beat', 'check', 'sweep'] as const) {
      scripted.failBefore(verb, 300)
    }
    end.fire()
    let isClosed = false
    void engine.close({ timeout: Infinity }).then(() => (isClosed = true))
    await clock.advance(20_000)
    expect(isClosed).toBe(false)
    await clock.advance(40_000)
    expect(isClosed).toBe(true)
  })

  it('that was swept aborts what it lost, goes on under a new id, and its verdict is void', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const a = rig({ clock, memory, seed: 1, upkeep: false })
    const b = rig({ clock, memory, seed: 2 })
    await insert(a.engine, newJob('x', { timeout: Infinity }))
    const late = signal()
    let live: Live | null = null
    a.engine.start(
      working((one) => {
        if (live !== null) return COMPLETE
        live = one
        return late.done.then(() => COMPLETE)
      }),
    )
    await clock.advance(10)
    const before = a.engine.node
    a.scripted.failBefore('beat', 7)
    a.scripted.failBefore('check', 7)
    const bWorker = b.engine.start(working(never))
    await clock.advance(45_000)
    expect(a.engine.node).not.toBe(before)
    const lost = live as unknown as Live // as: assigned in the handler, which the compiler does not follow
    expect(MillraceError.is(lost.signal.reason, 'LEASE_LOST')).toBe(true)
    expect(b.told('job.started')).toMatchObject([{ id: 'x', attempt: 2 }])
    late.fire()
    await clock.advance(1_000)
    expect(a.told('job.completed')).toHaveLength(0)
    expect(await stateOf(a.engine, 'x')).toBe('running')
    await insert(a.engine, newJob('y'), newJob('z'))
    await clock.advance(5_000)
    expect(a.told('job.completed').length + b.told('job.started').length).toBe(3)
    expect(bWorker.state).toBe('working')
  })

  it('that was swept runs nothing of a claim that its old id had asked for', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const a = rig({ clock, memory, seed: 1, upkeep: false })
    const b = rig({ clock, memory, seed: 2 })
    await insert(a.engine, newJob('x', { timeout: Infinity }))
    a.engine.start(working(never, { concurrency: 2 }))
    await clock.advance(10)
    const [claimed, answer] = [signal(), signal()]
    a.scripted.next('exchange', async (call) => {
      const answered = await call()
      claimed.fire()
      await answer.done
      return answered
    })
    await insert(a.engine, newJob('y', { timeout: Infinity }))
    await claimed.done
    const before = a.engine.node
    a.scripted.failBefore('beat', 7)
    a.scripted.failBefore('check', 7)
    b.engine.start(working(never, { concurrency: 5 }))
    await clock.advance(45_000)
    expect(a.engine.node).not.toBe(before)
    answer.fire()
    await clock.advance(1_000)
    expect(a.told('job.started').map(({ id }) => id)).toEqual(['x'])
    expect(b.told('job.started').map(({ id }) => id)).toEqual(['x', 'y'])
  })

  it('that stood still past its lease looks first what it lost, and starts nothing before', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const a = rig({ clock, memory, seed: 1, upkeep: false })
    await insert(a.engine, newJob('x', { timeout: Infinity }), newJob('y'))
    const go = signal()
    const started: string[] = []
    a.engine.start(
      working(
        ({ claimed }) => {
          started.push(claimed.id)
          return claimed.id === 'x' ? go.done.then(() => COMPLETE) : COMPLETE
        },
        { concurrency: 1 },
      ),
    )
    await clock.advance(10)
    const checks = a.scripted.count('check')
    const release = a.scripted.hold('check')
    // The process is stopped: time goes on and none of its timers fires.
    const { mono } = clock
    clock.mono = () => mono.call(clock) + 60_000
    go.fire()
    await clock.quiet()
    expect(a.scripted.count('check')).toBe(checks + 1)
    expect(started).toEqual(['x'])
    release()
    await clock.quiet()
    await clock.advance(5_000)
    expect(started).toEqual(['x', 'y'])
  })

  it('that stands still while it starts its jobs starts the rest only when it has looked', async () => {
    const clock = new VirtualClock()
    const { engine, told, scripted } = rig({ clock, memory: sharedMemory(clock), upkeep: false })
    await insert(engine, ...upTo(3).map((n) => newJob(`${n}`)))
    const { mono } = clock
    const release = scripted.hold('check')
    const stop = () => {
      clock.mono = () => mono.call(clock) + 60_000
      return COMPLETE
    }
    engine.start(working(stop, { concurrency: 3 }))
    await clock.advance(10)
    expect(scripted.count('check')).toBe(1)
    expect(told('job.started')).toHaveLength(1)
    release()
    await clock.advance(5_000)
    expect(told('job.completed')).toHaveLength(3)
  })

  it('that hears nothing of the store for a lease starts nothing that it holds, until it has looked', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const a = rig({ clock, memory, seed: 1, upkeep: false })
    const b = rig({ clock, memory, seed: 2 })
    const quick = upTo(60).map((n) => newJob(`${n}`))
    await insert(a.engine, ...quick.slice(0, 30), newJob('long'), ...quick.slice(30))
    const go = signal()
    const run = ({ claimed }: Live) =>
      claimed.id === 'long' ? go.done.then(() => COMPLETE) : COMPLETE
    a.engine.start(working(run, { concurrency: 1 }))
    await clock.advance(10)
    const started = a.told('job.started').length
    for (const verb of ['beat', 'check', 'exchange'] as const) a.scripted.failBefore(verb, 9)
    const other = b.engine.start(working(never, { concurrency: 100 }))
    await clock.advance(40_000)
    expect(b.told('job.started')).toHaveLength(quick.length + 1 - a.told('job.completed').length)
    go.fire()
    await clock.quiet()
    expect(a.told('job.started')).toHaveLength(started)
    await other.pause()
    await insert(b.engine, newJob('later'))
    await clock.advance(20_000)
    expect(a.told('job.completed').at(-1)).toMatchObject({ id: 'later' })
  })

  it('with workers and nothing to hold shows itself within its lease', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const a = rig({ clock, memory, seed: 1 })
    const b = rig({ clock, memory, seed: 2 })
    a.engine.start(working(() => COMPLETE))
    b.engine.start(working(() => COMPLETE, { queue: 'other' }))
    await clock.advance(300_000)
    expect(a.told('worker.lost')).toHaveLength(0)
    expect(b.told('worker.lost')).toHaveLength(0)
    expect(a.scripted.count('beat')).toBeLessThanOrEqual(62)
  })

  it('asks what was cancelled on every tick, even when the hint was lost', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const [a, b] = [1, 2].map((seed) => rig({ clock, memory, seed }))
    a.scripted.deaf = true
    await insert(a.engine, newJob('x'))
    a.engine.start(
      working(async (live) => {
        await new Promise((resolve) => live.signal.addEventListener('abort', resolve))
        throw live.signal.reason
      }),
    )
    await clock.advance(10)
    await b.engine.control({ kind: 'cancel', queue: 'q', which: { ids: ['x'] }, reason: null })
    expect(await stateOf(a.engine, 'x')).toBe('running')
    await clock.advance(5_000)
    expect(await stateOf(a.engine, 'x')).toBe('cancelled')
  })

  it('enlists before its first claim, and again when its workers change', async () => {
    const { engine, scripted, clock } = rig()
    const worker = engine.start(working(() => COMPLETE))
    await clock.advance(10)
    const verbs = scripted.calls.map(({ verb }) => verb)
    expect(verbs.indexOf('enlist')).toBeLessThan(verbs.indexOf('exchange'))
    const { items } = await engine.store.nodes({ limit: 10, cursor: null })
    expect(items).toMatchObject([
      { node: engine.node, lease: 30_000, workers: [{ worker: worker.id, concurrency: 10 }] },
    ])
    await worker.pause()
    await clock.advance(10)
    const paused = await engine.store.nodes({ limit: 10, cursor: null })
    expect(paused.items[0].workers[0].state).toBe('paused')
  })
})

describe('a verdict that landed', () => {
  it('is no loss, though its token is found dead before its answer came', async () => {
    const { engine, clock, scripted, told } = rig()
    await insert(engine, newJob('x'))
    const [go, landed, answer] = [signal(), signal(), signal()]
    engine.start(working(() => go.done.then(() => COMPLETE)))
    await clock.advance(10)
    const release = scripted.hold('check')
    await clock.advance(5_000)
    scripted.next('exchange', async (call) => {
      const answered = await call()
      landed.fire()
      await answer.done
      return answered
    })
    go.fire()
    await landed.done
    release()
    await clock.quiet()
    answer.fire()
    await clock.quiet()
    expect(told('job.completed')).toHaveLength(1)
    expect(told('store.error')).toHaveLength(0)
  })
})

describe('a sweep', () => {
  it('expires jobs of a queue that nobody works, and tells both events', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('x', { queue: 'orphan', expiresIn: 1_000 }))
    engine.start(working(() => COMPLETE))
    await clock.advance(15_000)
    expect(told('job.expired')).toMatchObject([{ id: 'x', queue: 'orphan' }])
    expect(told('job.discarded')).toMatchObject([{ id: 'x', reason: 'expired' }])
    expect(told('sweep').length).toBeGreaterThan(0)
  })

  it('runs by hand, and not by itself when upkeep is off', async () => {
    const { engine, clock, scripted } = rig({ upkeep: false })
    engine.start(working(() => COMPLETE))
    await clock.advance(60_000)
    expect(scripted.count('sweep')).toBe(0)
    expect(await engine.sweep()).toMatchObject({ freed: 0, expired: 0, more: false })
  })

  it('says for how long it has heard the store since an outage', async () => {
    const { engine, clock, scripted } = rig()
    const calm = (): unknown => {
      const { args } = scripted.calls.findLast(({ verb }) => verb === 'sweep') ?? { args: [] }
      return (args[0] as { calm?: number } | undefined)?.calm
    }
    engine.start(working(() => COMPLETE))
    await clock.advance(30_000)
    expect(calm()).toBeUndefined()
    scripted.failBefore('exchange', 3)
    await clock.advance(10_000)
    const first = calm()
    expect(first).toBeTypeOf('number')
    await clock.advance(30_000)
    expect(calm()).toBeGreaterThan(Number(first))
    expect(calm()).toBeLessThanOrEqual(40_000)
  })

  it('goes on while there is more', async () => {
    const { engine, clock, told } = rig()
    const jobs = Array.from({ length: 1200 }, (_, n) => newJob(`e${n}`, { expiresIn: 100 }))
    await insert(engine, ...jobs.map((job) => ({ ...job, queue: 'orphan' })))
    engine.start(working(() => COMPLETE))
    await clock.advance(12_000)
    expect(told('job.expired')).toHaveLength(1200)
  })
})
