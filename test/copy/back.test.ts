// A live move that is given up: at whatever point it was, everything goes back. And movers that meet.
import { describe, expect, it } from 'vitest'
import type { End } from '../../src/copy/ends.js'
import { move } from '../../src/copy/live.js'
import { patient } from '../../src/copy/patience.js'
import { jobsIn } from '../../src/testing/conformance/carrying.js'
import { MINUTE, player } from '../../src/testing/conformance/played-scheduler.js'
import type { Store } from '../../src/store.js'
import { nodeOn, put, run, sides } from './ends.js'

const COMPLETE = { kind: 'complete', result: null } as const

/** What is left of jobs, receipts not counted. */
async function living(end: { readonly store: Store }): Promise<readonly string[]> {
  const jobs = await jobsIn(end.store)
  return jobs.filter(({ state }) => state !== 'receipt').map(({ id }) => id)
}

describe('a move that was given up', () => {
  it.each(['load', 'depart'])('goes back though it was broken off at its first %s', async (at) => {
    const { clock, from, to, faulty } = await sides()
    await from.store.declare('q', { order: 'blocking' })
    const ids = await put(from, 6, (n) => ({ group: `${n % 2}` }))
    const ill = await faulty()
    if (at === 'load') ill.to.script('load', null, { kind: 'after' })
    else ill.from.script('control', null, { kind: 'before' })
    const broken = run(clock, { ...from, store: ill.from }, { ...to, store: ill.to })
    await expect(broken).rejects.toMatchObject({ name: 'MillraceError' })
    expect(await living(to), 'they stand on both sides').toEqual(ids)
    expect(await living(from)).toEqual(ids)
    expect(await run(clock, to, from)).toMatchObject({ isDrained: true, refused: [] })
    expect(await living(to)).toEqual([])
    expect(await (await nodeOn(to)).drain()).toEqual([])
    expect(await (await nodeOn(from)).drain()).toEqual(ids)
  })

  it('goes back with what runs over there, when that has ended', async () => {
    const { clock, from, to } = await sides()
    await from.store.declare('q', { concurrency: 1 })
    const [a, b, c] = await put(from, 3)
    await run(clock, from, to)
    const there = await nodeOn(to)
    const held = await there.take()
    expect(held.id).toBe(a)
    const enough = new AbortController()
    const words = { signal: enough.signal, tell: () => enough.abort() }
    expect(await run(clock, to, from, words)).toMatchObject({ moved: 2, running: 1 })
    const here = await nodeOn(from)
    expect((await here.claim()).jobs, 'the cap counts what runs over there').toEqual([])
    await there.settle(held, COMPLETE)
    expect(await run(clock, to, from)).toMatchObject({ isDrained: true })
    expect(await here.drain()).toEqual([b, c])
  })

  it('goes back with its schedules: each slot fires once', async () => {
    const { clock, from, to } = await sides()
    const [here, there] = [player({} as never, from.store), player({} as never, to.store)]
    await here.put('s', { missed: 'all' }, clock.wall())
    const fired = async (): Promise<readonly number[]> => {
      await clock.advance(MINUTE)
      return [(await here.round()).length, (await there.round()).length]
    }
    expect(await fired()).toEqual([1, 0])
    await run(clock, from, to)
    expect(await fired()).toEqual([0, 1])
    await run(clock, to, from)
    expect(await fired()).toEqual([1, 0])
    await run(clock, from, to)
    expect(await fired()).toEqual([0, 1])
  })
})

describe('a pause of everything', () => {
  it('comes along as one of each queue, and its end over there stays', async () => {
    const { clock, from, to } = await sides()
    await put(to, 1, () => ({ queue: 'theirs' }))
    const [id] = await put(from, 1)
    const pause = { kind: 'pause', queue: null, group: null, by: 'me' } as const
    await from.store.control(pause, null)
    expect(await run(clock, from, to)).toMatchObject({ moved: 1, isDrained: true })
    const there = await nodeOn(to)
    expect(await there.drain()).toEqual([])
    expect(await there.drain({ queue: 'theirs' })).toHaveLength(1)
    await to.store.control({ ...pause, kind: 'resume', queue: 'q' }, null)
    await run(clock, from, to)
    expect(await there.drain(), 'a mover that begins anew does not pause it again').toEqual([id])
  })
})

describe('two movers', () => {
  it('do not work side by side, in either direction', async () => {
    const { clock, from, to } = await sides()
    await put(from, 3)
    const enough = new AbortController()
    const words = { self: 'one', producersStopped: false, follow: true, clock }
    const tell = (): void => undefined
    const first = move({ ...words, from, to, tell, signal: enough.signal })
    await clock.advance(500)
    const another = { isDrained: false, stopped: expect.stringMatching(/another command moves/) }
    expect(await run(clock, from, to, { self: 'two' })).toMatchObject(another)
    expect(await run(clock, to, from, { self: 'two' })).toMatchObject(another)
    enough.abort()
    expect(await first).toMatchObject({ moved: 3, stopped: null })
    expect(await run(clock, to, from, { self: 'two' })).toMatchObject({ moved: 3, stopped: null })
  })

  it('one that stood still for a lease ends when another has begun meanwhile', async () => {
    const { clock, from, to } = await sides()
    const ids = await put(from, 3)
    let goOn = (): void => undefined
    const standing = new Promise<void>((resolve) => (goOn = resolve))
    const { store } = patient(from, clock, () => undefined)
    const slow: End = {
      name: from.name,
      store: {
        ...store,
        dump: async (ask) => {
          const page = await store.dump(ask)
          if (ask.part === 'jobs') await standing
          return page
        },
      },
    }
    const signal = new AbortController().signal
    const words = { self: 'one', producersStopped: false, follow: false, clock, signal }
    const first = move({ ...words, from: slow, to, tell: () => undefined })
    await clock.advance(31_000)
    const enough = new AbortController()
    const second = move({
      ...{ ...words, self: 'two', follow: true, from, to, tell: () => undefined },
      signal: enough.signal,
    })
    await clock.advance(1_000)
    goOn()
    expect(await first).toMatchObject({ stopped: expect.stringMatching(/another command moves/) })
    enough.abort()
    expect(await second).toMatchObject({ moved: 3, stopped: null })
    expect(await (await nodeOn(to)).drain()).toEqual(ids)
  })

  it('of two sources, the second waits until a queue has come from the first', async () => {
    const { clock, from, to } = await sides()
    await put(from, 1)
    const transit = { side: 'arriving', with: 'elsewhere', groups: null } as const
    await to.store.control({ kind: 'transit', queue: 'q', transit }, null)
    const report = await run(clock, from, to)
    expect(report.unmovable).toEqual({ q: 'over there it is still arriving from elsewhere' })
  })
})
