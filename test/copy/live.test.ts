// A move while both sides work, on virtual time: each job runs once, in order where order is promised,
// wherever the mover is broken off.
import { describe, expect, it } from 'vitest'
import type { End } from '../../src/copy/ends.js'
import { move } from '../../src/copy/live.js'
import { patient } from '../../src/copy/patience.js'
import { seededChance } from '../../src/time/virtual.js'
import { unique } from '../../src/testing/conformance/build.js'
import { jobsIn } from '../../src/testing/conformance/carrying.js'
import type { PlayedNode } from '../../src/testing/conformance/played-node.js'
import { player, MINUTE } from '../../src/testing/conformance/played-scheduler.js'
import { nodeOn, put, run, sides } from './ends.js'

const COMPLETE = { kind: 'complete', result: null } as const

describe('a live move', () => {
  it('takes what waits, leaves what runs to its end, and takes what fails', async () => {
    const { clock, from, to } = await sides()
    const [a, b, c] = await put(from, 3)
    const here = await nodeOn(from)
    const { jobs } = await here.claim({ limit: 2 })
    const enough = new AbortController()
    const first = await run(clock, from, to, { signal: enough.signal, tell: () => enough.abort() })
    expect([first.moved, first.running, first.isDrained]).toEqual([1, 2, false])
    const there = await nodeOn(to)
    expect(await there.drain()).toEqual([c])
    await here.settle(jobs[0], COMPLETE)
    await here.settle(jobs[1], { kind: 'retry', delay: 0 })
    expect((await here.claim()).jobs).toEqual([])
    expect(await run(clock, from, to)).toMatchObject({ moved: 1, isDrained: true, refused: [] })
    expect(await there.drain()).toEqual([b])
    expect(a).toBeDefined()
    expect((await jobsIn(from.store)).filter(({ state }) => state !== 'receipt')).toEqual([])
  })

  it('keeps blocking order over both sides: a group follows when its job has ended', async () => {
    const { clock, from, to } = await sides()
    await from.store.declare('q', { order: 'blocking' })
    const ids = await put(from, 4, (n) => ({ group: n < 2 ? 'a' : 'b' }))
    const here = await nodeOn(from)
    const held = await here.take()
    const enough = new AbortController()
    await run(clock, from, to, { signal: enough.signal, tell: () => enough.abort() })
    const there = await nodeOn(to)
    expect(await there.drain()).toEqual([ids[2], ids[3]])
    const [explained] = await to.store.explain([{ queue: 'q', id: ids[1] }])
    expect(explained?.gates).toMatchObject([{ kind: 'moving', what: 'group', side: 'arriving' }])
    await here.settle(held, { kind: 'retry', delay: 1_000 })
    expect(await run(clock, from, to)).toMatchObject({ isDrained: true })
    await clock.advance(1_000)
    expect(await there.drain()).toEqual([ids[0], ids[1]])
  })

  it('counts what runs here in a cap over there', async () => {
    const { clock, from, to } = await sides()
    await from.store.declare('q', { concurrency: 1 })
    await put(from, 2)
    const here = await nodeOn(from)
    const held = await here.take()
    const enough = new AbortController()
    await run(clock, from, to, { signal: enough.signal, tell: () => enough.abort() })
    const there = await nodeOn(to)
    expect((await there.claim()).jobs).toEqual([])
    await here.settle(held, COMPLETE)
    expect(await run(clock, from, to)).toMatchObject({ isDrained: true })
    expect((await there.claim()).jobs).toHaveLength(1)
  })

  it('counts what rates have granted here, also of a key that queues share', async () => {
    const { clock, from, to } = await sides()
    const rate = { count: 3, per: MINUTE, key: 'smtp' }
    for (const queue of ['q', 'r']) await from.store.declare(queue, { rate })
    await put(from, 8, (n) => ({ queue: ['q', 'r'][n % 2] }))
    expect(await (await nodeOn(from)).drain({ limit: 2 })).toHaveLength(3)
    expect(await run(clock, from, to)).toMatchObject({ isDrained: true })
    const there = await nodeOn(to)
    const drained = async (): Promise<number> =>
      (await there.drain()).length + (await there.drain({ queue: 'r' })).length
    expect(await drained()).toBe(0)
    await clock.advance(MINUTE + 1_000)
    expect(await drained()).toBe(3)
  })

  it('leaves alone what is on another way', async () => {
    const { clock, from, to } = await sides()
    await put(from, 2, (n) => ({ queue: ['q', 'r'][n] }))
    const say = (queue: string, side: 'moving' | 'arriving') => {
      const transit = { side, with: 'elsewhere', groups: null }
      return from.store.control({ kind: 'transit', queue, transit }, null)
    }
    await say('q', 'moving')
    await say('r', 'arriving')
    expect((await run(clock, from, to)).unmovable).toEqual({
      q: 'it is moving to elsewhere',
      r: 'it is still arriving from elsewhere',
    })
    expect(await jobsIn(to.store)).toEqual([])
  })

  it('refuses unique keys while producers are on both sides, and says so', async () => {
    const { clock, from, to } = await sides()
    const [id] = await put(from, 1, () => ({ unique: unique('k') }))
    await put(from, 1, () => ({ queue: 'other' }))
    const report = await run(clock, from, to)
    expect(report).toMatchObject({ moved: 1, isDrained: false })
    expect(report.unmovable.q).toMatch(/unique keys.*--producers-stopped/)
    expect(await (await nodeOn(from)).claim()).toMatchObject({ jobs: [{ id }] })
    const again = await sides()
    await put(again.from, 1, () => ({ unique: unique('k') }))
    const done = await run(again.clock, again.from, again.to, { producersStopped: true })
    expect(done).toMatchObject({ moved: 1, isDrained: true })
  })

  it('takes schedules over: each slot fires on one side', async () => {
    const { clock, from, to } = await sides()
    const [here, there] = [player({} as never, from.store), player({} as never, to.store)]
    await here.put('s', { overlap: 'skip' }, clock.wall())
    await clock.advance(MINUTE)
    expect(await here.round()).toHaveLength(1)
    const node = await nodeOn(from)
    const held = await node.take()
    const enough = new AbortController()
    await run(clock, from, to, { signal: enough.signal, tell: () => enough.abort() })
    expect([await here.rows('due'), await there.rows()]).toEqual([[], []])
    await node.settle(held, COMPLETE)
    await run(clock, from, to)
    expect(await here.rows()).toEqual([])
    await clock.advance(MINUTE)
    expect(await there.round()).toHaveLength(1)
    expect(await there.round()).toEqual([])
  })

  it('follows parents over: whoever waits gets its result there', async () => {
    const { clock, from, to } = await sides()
    const [mum, dad] = await put(from, 2, (n) => ({ queue: ['a', 'z'][n] }))
    const here = await nodeOn(from)
    const held = await here.take({ queue: 'z' })
    const after = [
      { queue: 'a', id: mum },
      { queue: 'z', id: dad },
    ]
    const [child] = await put(from, 1, () => ({ queue: 'm', after }))
    const enough = new AbortController()
    const tell = (): void => enough.abort()
    const report = await run(clock, from, to, { signal: enough.signal, tell })
    expect(report).toMatchObject({ running: 1, left: 1 })
    const there = await nodeOn(to)
    expect(await there.drain({ queue: 'a' })).toEqual([mum])
    await here.settle(held, { kind: 'complete', result: { text: '7', codec: 'json' } })
    expect(await run(clock, from, to)).toMatchObject({ isDrained: true })
    expect(await there.drain({ queue: 'm' })).toEqual([child])
  })

  it('opens over there though somebody enqueues here all the time', async () => {
    const { clock, from, to } = await sides()
    await put(from, 500)
    const { store } = patient(from, clock, fail)
    const busy: End = {
      name: from.name,
      store: {
        ...store,
        dump: async (ask) => {
          if (ask.part === 'jobs') await put(from, 3)
          return store.dump(ask)
        },
      },
    }
    const enough = new AbortController()
    const words = { signal: enough.signal, tell: () => enough.abort() }
    const { moved } = await run(clock, busy, to, words)
    expect(moved).toBeGreaterThan(500)
    expect(await (await nodeOn(to)).drain()).toHaveLength(moved)
  })

  it('ends with what nobody may move, and tells it', async () => {
    const { clock, from, to } = await sides()
    await put(to, 1, () => ({ unique: unique('k') }))
    await put(from, 1, () => ({ unique: unique('k') }))
    const report = await run(clock, from, to, { producersStopped: true })
    expect(report).toMatchObject({ moved: 0, left: 1, isDrained: false })
    expect(report.refused[0].why).toMatch(/has its unique key "k" there/)
  })
})

describe('with patience', () => {
  it('outages of both sides are lived through, and told', async () => {
    const { clock, from, to, faulty } = await sides()
    const ids = await put(from, 30, (n) => ({ group: `${n % 3}` }))
    const ill = await faulty()
    for (const side of [ill.from, ill.to]) {
      for (const verb of ['dump', 'load', 'control', 'get', 'sweep', 'plan'] as const) {
        side.script(verb, { kind: 'before' }, null, { kind: 'after' }, { kind: 'before' })
      }
    }
    const told: string[] = []
    const tell = ({ message }: Error): void => void told.push(message)
    const [here, there] = [
      patient({ ...from, store: ill.from }, clock, tell),
      patient({ ...to, store: ill.to }, clock, tell),
    ]
    expect(await run(clock, here, there)).toMatchObject({ isDrained: true, left: 0 })
    expect(told.length).toBe(ill.from.injected.length + ill.to.injected.length)
    expect(told.length).toBeGreaterThan(8)
    expect((await (await nodeOn(to)).drain()).sort()).toEqual(ids.sort())
  })

  it('whoever could not be heard during an outage keeps his job', async () => {
    const { clock, from, to, faulty } = await sides()
    await put(from, 2)
    const node = await nodeOn(from)
    const held = await node.take()
    const ill = await faulty()
    ill.from.script(
      'sweep',
      null,
      ...Array.from({ length: 14 }, () => ({ kind: 'before' }) as const),
    )
    const enough = new AbortController()
    let isBack = false
    const moving = move({
      ...{ from: patient({ ...from, store: ill.from }, clock, () => undefined), to, self: 'copy' },
      ...{ producersStopped: false, follow: true, signal: enough.signal, clock },
      tell: () => (isBack = ill.from.injected.length === 14),
    })
    for (let n = 0; !isBack && n < 100; n++) await clock.advance(1_000)
    expect(await node.settle(held, COMPLETE)).toMatchObject({ status: 'done' })
    enough.abort()
    expect(await moving).toMatchObject({ moved: 1, running: 0, left: 0 })
  })

  it('what is no outage is told at once', async () => {
    const { clock, from, to } = await sides()
    await put(from, 1)
    await to.store.close()
    const broken = run(clock, patient(from, clock, fail), patient(to, clock, fail))
    await expect(broken).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })
})

function fail(error: Error): void {
  throw error
}

describe('wherever it is broken off', () => {
  it.each([1, 2, 3])('each job runs once, on one side (seed %s)', async (seed) => {
    const chance = seededChance(seed)
    const below = (n: number): number => Math.floor(chance.next() * n)
    const { clock, from, to, faulty } = await sides()
    await from.store.declare('strict', { order: 'blocking' })
    const completed = new Map<string, number>()
    const order = new Map<string, string[]>()
    const crew: PlayedNode[] = [await nodeOn(from, 'here'), await nodeOn(to, 'there')]
    const all: string[] = []
    const held: Parameters<PlayedNode['settle']>[0][][] = [[], []]
    const work = async (): Promise<void> => {
      for (const [at, node] of crew.entries()) {
        const queue = ['q', 'strict'][below(2)]
        held[at].push(...(await node.claim({ queue, limit: 1 + below(3) })).jobs)
        while (held[at].length > 0 && chance.next() < 0.7) {
          const [job] = held[at].splice(below(held[at].length), 1)
          if (chance.next() < 0.25 && job.attempt < job.maxAttempts) {
            await node.settle(job, { kind: 'retry', delay: below(3) * 400 })
            continue
          }
          const settled = await node.settle(job, COMPLETE)
          expect(settled.status).toBe('done')
          completed.set(job.id, (completed.get(job.id) ?? 0) + 1)
          if (job.queue === 'strict')
            order.set(job.group, [...(order.get(job.group) ?? []), job.id])
        }
      }
    }
    const enqueued = new Map<string, string[]>()
    const produce = async (): Promise<void> => {
      const words = { queue: ['q', 'strict'][below(2)], group: ['', 'a', 'b'][below(3)] }
      const ids = await put(from, below(4), () => words)
      all.push(...ids)
      if (words.queue !== 'strict') return
      enqueued.set(words.group, [...(enqueued.get(words.group) ?? []), ...ids])
    }
    for (let n = 0; n < 8; n++) await produce()
    for (let life = 0; life < 12; life++) {
      const ill = await faulty()
      const isLast = life >= 10
      const stumbles = { before: 0.03, after: 0.03 }
      for (const side of isLast ? [] : [ill.from, ill.to]) {
        for (const verb of ['dump', 'load', 'control', 'get'] as const) {
          const calls = Array.from({ length: 60 }, () => {
            const thrown = chance.next()
            if (thrown < stumbles.before) return { kind: 'before' } as const
            return thrown < stumbles.before + stumbles.after ? ({ kind: 'after' } as const) : null
          })
          side.script(verb, ...calls)
        }
      }
      const enough = new AbortController()
      let isOver = false
      const moving = move({
        from: { ...from, store: ill.from },
        to: { ...to, store: ill.to },
        ...{ self: 'copy', producersStopped: false, follow: true, clock, tell: () => undefined },
        signal: enough.signal,
      }).then(
        () => (isOver = true),
        () => (isOver = true),
      )
      for (let turn = 0; turn < 12 && !isOver; turn++) {
        if (!isLast) await produce()
        await work()
        await clock.advance(250)
      }
      enough.abort()
      while (!isOver) {
        await work()
        await clock.advance(250)
      }
      await moving
    }
    for (let n = 0; n < 200 && completed.size < all.length; n++) {
      await run(clock, from, to, { signal: AbortSignal.abort() })
      await work()
      await clock.advance(500)
    }
    expect(completed.size, 'none is lost').toBe(all.length)
    expect([...completed.values()].filter((times) => times !== 1)).toEqual([])
    for (const [group, ids] of enqueued) expect(order.get(group)).toEqual(ids)
  })
})
