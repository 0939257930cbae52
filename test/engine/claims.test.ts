import { describe, expect, it } from 'vitest'
import type { Asked } from '../../src/engine/engine.js'
import { DRAINED_SPAN, PREFETCH_BYTES, PREFETCH_JOBS } from '../../src/job/defaults.js'
import { PREFETCH_PATIENCE } from '../../src/job/defaults.js'
import type { ClaimAsk } from '../../src/job/claim.js'
import type { ExchangeAsk } from '../../src/store.js'
import { sleep } from '../../src/time/clock.js'
import { sharedMemory } from '../../src/stores/memory/memory-store.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { COMPLETE, insert, newJob, overriding, rig, signal, stateOf, working } from './harness.js'
import type { Rig } from './harness.js'

/** All claims so far, in order. */
const claims = ({ scripted }: Rig): readonly ClaimAsk[] =>
  scripted.calls
    .filter(({ verb }) => verb === 'exchange')
    .flatMap(({ args }) => (args[0] as ExchangeAsk).claim)

const many = (count: number, change = {}) =>
  Array.from({ length: count }, (_, n) => newJob(`j${String(n).padStart(5, '0')}`, change))

describe('a worker', () => {
  it('never runs more at once than its concurrency, and runs them in order', async () => {
    const { engine, clock } = rig()
    await insert(engine, ...many(50))
    let [running, most] = [0, 0]
    const order: string[] = []
    engine.start(
      working(
        async ({ claimed }) => {
          order.push(claimed.id)
          most = Math.max(most, ++running)
          await sleep(clock, 10)
          running--
          return COMPLETE
        },
        { concurrency: 3 },
      ),
    )
    await clock.advance(1000)
    expect(most).toBe(3)
    expect(order).toEqual(many(50).map(({ id }) => id))
  })

  it('with concurrency 0 runs nothing and asks nothing', async () => {
    const made = rig()
    await insert(made.engine, newJob('a'))
    made.engine.start(working(() => COMPLETE, { concurrency: 0 }))
    await made.clock.advance(10_000)
    expect(claims(made)).toEqual([])
    expect(await stateOf(made.engine, 'a')).toBe('available')
  })

  it('that idles starts a new job at once, by its hint', async () => {
    const { engine, clock, told } = rig({ poll: 60_000 })
    engine.start(working(() => COMPLETE))
    await clock.advance(5_000)
    await insert(engine, newJob('a'))
    await clock.quiet()
    expect(told('job.completed')).toHaveLength(1)
  })

  it('that hears no hints finds a job within its poll', async () => {
    const { engine, clock, told, scripted } = rig({ poll: 2_000 })
    scripted.deaf = true
    engine.start(working(() => COMPLETE))
    await clock.advance(100)
    await insert(engine, newJob('a'))
    await clock.advance(1_000)
    expect(told('job.started')).toHaveLength(0)
    await clock.advance(1_000)
    expect(told('job.completed')).toHaveLength(1)
  })

  it('sleeps exactly until the next job is due', async () => {
    const { engine, clock, told, scripted } = rig({ poll: 60_000 })
    await insert(engine, newJob('a', { delay: 7_777 }))
    engine.start(working(() => COMPLETE))
    await clock.advance(7_776)
    expect(told('job.started')).toHaveLength(0)
    const before = scripted.count('exchange')
    expect(before).toBeLessThan(4)
    await clock.advance(1)
    expect(told('job.completed')).toHaveLength(1)
  })

  it('hears of a job for later that comes before its next look', async () => {
    const { engine, clock, told, scripted } = rig({ poll: 60_000 })
    engine.start(working(() => COMPLETE))
    await clock.advance(10)
    const before = scripted.count('exchange')
    await insert(engine, newJob('b', { delay: 900 }))
    await insert(engine, newJob('a', { delay: 300 }))
    await clock.advance(299)
    expect(told('job.started')).toHaveLength(0)
    await clock.advance(1)
    expect(told('job.completed')).toHaveLength(1)
    await clock.advance(600)
    expect(told('job.completed')).toHaveLength(2)
    expect(scripted.count('exchange') - before).toBeLessThan(12)
  })

  it('looks once after however many hints', async () => {
    const made = rig()
    const go = signal()
    made.engine.start(working(() => go.done.then(() => COMPLETE), { concurrency: 2 }))
    await made.clock.advance(10)
    const before = claims(made).length
    const release = made.scripted.hold('exchange')
    await insert(made.engine, newJob('a'))
    await made.clock.quiet()
    for (let n = 0; n < 20; n++) {
      await insert(made.engine, newJob(`h${n}`))
      await made.clock.quiet()
    }
    expect(claims(made).length - before).toBe(1)
    release()
    await made.clock.quiet()
    expect(claims(made).length - before).toBeLessThanOrEqual(2)
    go.fire()
    await made.clock.advance(100)
  })

  it('looks again at once after a hint that came while its claim was being answered', async () => {
    const { engine, clock, scripted, told } = rig({ poll: 600_000 })
    const [asked, go] = [signal(), signal()]
    scripted.next('exchange', async (call) => {
      const answer = await call()
      asked.fire()
      await go.done
      return answer
    })
    engine.start(working(() => COMPLETE))
    await asked.done
    await insert(engine, newJob('a'))
    await clock.quiet()
    go.fire()
    await clock.quiet()
    expect(told('job.completed')).toHaveLength(1)
  })

  it('claims as one that is alone only when its whole node holds nothing', async () => {
    const made = rig()
    await insert(made.engine, newJob('a'))
    const go = signal()
    made.engine.start(working(() => go.done.then(() => COMPLETE)))
    await made.clock.advance(10)
    made.engine.start(working(() => COMPLETE, { queue: 'other' }))
    await made.clock.advance(10)
    const other = claims(made).filter(({ queue }) => queue === 'other')
    expect(other.map(({ alone }) => alone)).toEqual([false])
    expect(claims(made)[0].alone).toBe(true)
    go.fire()
    await made.clock.advance(2_000)
    expect(claims(made).at(-1)?.alone || claims(made).at(-2)?.alone).toBe(true)
  })

  it('claims only the tasks that it knows', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('a', { task: 'x' }), newJob('b', { task: 'y' }))
    engine.start(working(() => COMPLETE, { tasks: ['y'] }))
    await clock.advance(10_000)
    expect(told('job.completed').map(({ id }) => id)).toEqual(['b'])
    expect(await stateOf(engine, 'a')).toBe('available')
  })

  it('sends a verdict first and the next claim right behind it, which waits for no sync', async () => {
    const made = rig()
    await made.engine.open()
    await made.engine.store.declare('q', { delivery: 'at-most-once' })
    await insert(made.engine, ...many(10))
    made.engine.start(working(() => COMPLETE, { concurrency: 1 }))
    await made.clock.advance(10)
    const trips = made.scripted.calls.filter(({ verb }) => verb === 'exchange')
    const sent = trips.map(({ args }) => {
      const { settle, claim } = args[0] as ExchangeAsk
      return `${settle.length} ${claim.length}`
    })
    expect(sent).toEqual(['0 1', ...many(10).flatMap(() => ['1 0', '0 1'])])
  })
})

describe('a worker that was told there is no more', () => {
  /** How many claims there were when one job, which takes so long, has ended. */
  async function claimsOfOne(takes: number, settings = {}): Promise<number> {
    const made = rig()
    await made.engine.open()
    await made.engine.store.declare('q', settings)
    await insert(made.engine, newJob('a'))
    const slow = () => sleep(made.clock, takes).then(() => COMPLETE)
    made.engine.start(working(slow, { concurrency: 2 }))
    await made.clock.advance(takes + 5)
    expect(made.told('job.completed')).toHaveLength(1)
    return claims(made).length
  }

  it('does not look again when its job ends a moment later, and does when it ends later', async () => {
    expect(await claimsOfOne(1)).toBe(1)
    expect(await claimsOfOne(DRAINED_SPAN + 1)).toBe(2)
  })

  it('looks again at once where the job that ended may have opened a gate', async () => {
    expect(await claimsOfOne(1, { concurrency: 5 })).toBeGreaterThan(1)
  })
})

describe('what is fetched ahead', () => {
  it('grows to large claims when handlers are fast, whatever the concurrency', async () => {
    const made = rig()
    await insert(made.engine, ...many(5000))
    made.engine.start(working(() => COMPLETE, { concurrency: 1 }))
    await made.clock.advance(100)
    expect(made.told('job.completed')).toHaveLength(5000)
    const limits = claims(made).map(({ limit }) => limit)
    expect(Math.max(...limits)).toBeGreaterThan(200)
    expect(Math.max(...limits)).toBeLessThanOrEqual(PREFETCH_JOBS + 1)
    for (let at = 1; at < limits.length; at++) {
      expect(limits[at]).toBeLessThanOrEqual(2 * Math.max(...limits.slice(0, at)) + 1)
    }
  })

  it('is about 50 ms of measured work when handlers are slow', async () => {
    const made = rig()
    await insert(made.engine, ...many(200))
    made.engine.start(working(() => sleep(made.clock, 25).then(() => COMPLETE), { concurrency: 1 }))
    await made.clock.advance(1000)
    expect(Math.max(...claims(made).map(({ limit }) => limit))).toBeLessThanOrEqual(3)
  })

  it('is a few megabytes of payloads, however fast the handlers are', async () => {
    const made = rig()
    const payload = { text: JSON.stringify('x'.repeat(64 * 1024)), codec: 'json' as const }
    await insert(made.engine, ...many(1000, { payload }))
    made.engine.start(working(() => COMPLETE, { concurrency: 1 }))
    await made.clock.advance(100)
    expect(made.told('job.completed')).toHaveLength(1000)
    const limits = claims(made).map(({ limit }) => limit)
    const most = PREFETCH_BYTES / payload.text.length
    expect(Math.max(...limits)).toBeLessThanOrEqual(most + 1)
    expect(Math.max(...limits)).toBeGreaterThan(most / 2)
  })

  it('is nothing where a claim counts as a grant', async () => {
    const made = rig()
    await made.engine.open()
    await made.engine.store.declare('q', { delivery: 'at-most-once' })
    await insert(made.engine, ...many(100))
    made.engine.start(working(() => COMPLETE, { concurrency: 2 }))
    await made.clock.advance(100)
    expect(made.told('job.completed')).toHaveLength(100)
    expect(Math.max(...claims(made).map(({ limit }) => limit))).toBe(2)
  })

  it('goes back to others when what runs holds its slot, and is not fetched again meanwhile', async () => {
    const made = rig()
    const { engine, clock, told } = made
    await insert(engine, ...many(3000))
    const stuck = signal()
    let done = 0
    const slow = engine.start(
      working(() => (++done === 1000 ? stuck.done.then(() => COMPLETE) : COMPLETE), {
        concurrency: 1,
      }),
    )
    await clock.advance(PREFETCH_PATIENCE - 1)
    expect(slow.running).toBe(1)
    const ahead = (await countOf(engine, 'running')) - 1
    expect(ahead).toBeGreaterThan(100)
    expect(told('job.released')).toEqual([])
    await clock.advance(10)
    expect(told('job.released')).toHaveLength(ahead)
    expect(await countOf(engine, 'running')).toBe(1)
    // All that waits is hinted at, and the worker that waits for its slot asks for none of it.
    const before = claims(made).length
    await clock.advance(10 * PREFETCH_PATIENCE)
    expect(claims(made)).toHaveLength(before)
    const other = engine.start(working(() => (done++, COMPLETE), { concurrency: 1 }))
    await clock.advance(PREFETCH_PATIENCE)
    expect(done).toBe(3000)
    expect(await countOf(engine, 'running')).toBe(1)
    stuck.fire()
    await clock.advance(1)
    expect(told('job.completed')).toHaveLength(3000)
    await Promise.all([slow.stop({ timeout: 0 }), other.stop({ timeout: 0 })])
  })

  it('does not go to and fro where all slots come free together', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, ...many(4000))
    // In one turn, as timers of one moment end; each sleep by itself has a turn of its own here.
    const ends = new Map<number, Promise<void>>()
    const together = async (): Promise<Asked> => {
      const due = clock.mono() + 300
      const end = ends.get(due) ?? sleep(clock, 300)
      ends.set(due, end)
      await end
      return COMPLETE
    }
    engine.start(working(together, { concurrency: 100 }))
    await clock.advance(6_000)
    const completed = told('job.completed').length
    expect(completed).toBeGreaterThanOrEqual(1_900)
    expect(told('job.released').length).toBeLessThan(completed / 2)
  })

  it('is what the last second says, not the years before: slow jobs get nothing beside them', async () => {
    const made = rig()
    const { engine, clock } = made
    await insert(engine, ...many(1000))
    let done = 0
    const late = (): boolean => done++ >= 500
    engine.start(
      working(() => (late() ? sleep(clock, 60).then(() => COMPLETE) : COMPLETE), {
        concurrency: 1,
      }),
    )
    await clock.advance(5_000)
    expect(await countOf(engine, 'running')).toBe(1)
    const limits = claims(made).map(({ limit }) => limit)
    expect(limits.at(-1)).toBe(1)
  })

  it('goes back on pause, and pause answers when it has', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, ...many(3000))
    let done = 0
    const stuck = signal()
    const worker = engine.start(
      working(() => (++done > 1000 ? stuck.done.then(() => COMPLETE) : COMPLETE), {
        concurrency: 1,
      }),
    )
    await clock.advance(10)
    expect(worker.running).toBe(1)
    const running = await countOf(engine, 'running')
    expect(running).toBeGreaterThan(1)
    await worker.pause()
    expect(await countOf(engine, 'running')).toBe(1)
    expect(told('job.released').length).toBe(running - 1)
    stuck.fire()
    await clock.advance(10_000)
    expect(done).toBe(1001)
    await worker.resume()
    await clock.advance(10)
    expect(done).toBe(3000)
  })
})

describe('claims of several nodes', () => {
  it('share a queue: each job runs once, and losers of a race go on at once', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const rigs = [1, 2, 3].map((seed) => rig({ clock, memory, seed }))
    const ran: string[] = []
    for (const { engine } of rigs) {
      engine.start(working(({ claimed }) => (ran.push(claimed.id), COMPLETE), { concurrency: 4 }))
    }
    await clock.advance(10)
    await insert(rigs[0].engine, ...many(500))
    await clock.advance(100)
    expect(ran.length).toBe(500)
    expect(new Set(ran).size).toBe(500)
  })

  it('that brought nothing though a job was promised take a breath, and ask for a sweep', async () => {
    const made = rig({ upkeep: true })
    const before = made.scripted.count('sweep')
    for (let n = 0; n < 6; n++) {
      made.scripted.next('exchange', async (call) => {
        const answer = (await call()) as { claimed: { nextIn: number | null }[] }
        return { ...answer, claimed: answer.claimed.map((one) => ({ ...one, nextIn: 0 })) }
      })
    }
    made.engine.start(working(() => COMPLETE))
    await made.clock.advance(1_000)
    expect(made.scripted.count('sweep')).toBeGreaterThan(before)
    expect(claims(made).length).toBeLessThan(12)
  })
})

describe('a claim', () => {
  it('whose answer was lost strands nothing: its jobs go back, attempts and all', async () => {
    const { engine, clock, scripted, told } = rig()
    await insert(engine, newJob('a'), newJob('b'))
    scripted.failAfter('exchange')
    engine.start(working(() => COMPLETE))
    await clock.advance(10)
    expect(await stateOf(engine, 'a')).toBe('running')
    await clock.advance(2 * 5_000)
    expect(told('job.completed').map(({ attempt }) => attempt)).toEqual([1, 1])
  })
})

describe('a verdict', () => {
  it('is repeated until the store answers, and counts once', async () => {
    const { engine, clock, scripted, told } = rig()
    await insert(engine, newJob('a'))
    const go = signal()
    let runs = 0
    engine.start(working(() => (runs++, go.done.then(() => COMPLETE)), { concurrency: 1 }))
    await clock.advance(10)
    scripted.failAfter('exchange')
    scripted.failBefore('exchange', 3)
    go.fire()
    await clock.advance(10_000)
    expect(runs).toBe(1)
    expect(told('job.completed')).toHaveLength(1)
    expect(told('store.error')).toHaveLength(1)
    expect(told('store.recovered')).toHaveLength(1)
    await engine.close({ timeout: 0 })
  })

  it('that makes a store fail does not hold up the others', async () => {
    const poison = (ask: ExchangeAsk) => ask.settle.some(({ id }) => id === 'j00003')
    const { engine, clock, told } = rig({
      wrap: overriding('exchange', (store) => async (ask) => {
        if (poison(ask)) throw new TypeError('bug')
        return store.exchange(ask)
      }),
    })
    await insert(engine, ...many(8))
    engine.start(working(() => COMPLETE))
    await clock.advance(20_000)
    expect(told('job.completed')).toHaveLength(7)
  })
})

describe('a job that was in two crashes', () => {
  it('runs alone: neighbours begin only when it is settled', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const victims = [1, 2].map((seed) => rig({ clock, memory, seed, upkeep: false }))
    await insert(victims[0].engine, newJob('poison'))
    for (const { engine } of victims) await crashWith(engine, clock)
    const { engine } = rig({ clock, memory, seed: 3 })
    await insert(engine, ...many(5))
    const running = new Set<string>()
    const together: string[][] = []
    const perform = async (id: string): Promise<Asked> => {
      running.add(id)
      together.push([...running])
      await sleep(clock, 10)
      running.delete(id)
      return COMPLETE
    }
    engine.start(working(({ claimed }) => perform(claimed.id), { concurrency: 5 }))
    await clock.advance(5_000)
    expect(together.flat().filter((id) => id === 'poison')).toHaveLength(1)
    expect(together.find((ids) => ids.includes('poison'))).toEqual(['poison'])
    expect(together.flat()).toContain('j00004')
  })
})

describe('a job that must run alone on a node that is never idle', () => {
  it('gets its turn: the node runs dry for it, and goes on', async () => {
    const clock = new VirtualClock()
    const memory = sharedMemory(clock)
    const victims = [1, 2].map((seed) => rig({ clock, memory, seed, upkeep: false }))
    await insert(victims[0].engine, newJob('poison'))
    for (const { engine } of victims) await crashWith(engine, clock)
    const aloneDue = overriding('exchange', (store) => async (ask) => {
      const answer = await store.exchange(ask)
      const [found] = await store.get([{ queue: 'q', id: 'poison' }])
      const due = found?.kind === 'job' && found.job.state !== 'running'
      const claimed = answer.claimed.map((one, at) => {
        return { ...one, aloneDue: due && ask.claim[at].queue === 'q' }
      })
      return { ...answer, claimed }
    })
    const { engine } = rig({ clock, memory, seed: 3, wrap: aloneDue })
    await insert(engine, ...many(2_000, { queue: 'busy' }), ...many(500))
    const running = new Set<string>()
    const beside: string[][] = []
    const others: string[] = []
    const perform = async (id: string): Promise<Asked> => {
      running.add(id)
      if (running.has('poison')) beside.push([...running])
      else others.push(id)
      await sleep(clock, 100)
      running.delete(id)
      return COMPLETE
    }
    // The other queue's worker is the first of the idle node, and so the only one to ask alone.
    for (const queue of ['busy', 'q']) {
      engine.start(working(({ claimed }) => perform(claimed.id), { queue, concurrency: 2 }))
    }
    await clock.advance(20_000)
    expect(beside).toEqual([['poison']])
    expect(others.length).toBeGreaterThan(700)
  })
})

/** A node that claims whatever there is and is never heard of again; then it is swept. */
async function crashWith(engine: Rig['engine'], clock: VirtualClock): Promise<void> {
  await engine.open()
  const node = engine.newId()
  const worker = { worker: 'w', queue: 'q', tasks: null, concurrency: 1, state: 'working' } as const
  await engine.store.enlist({ node, host: 'h', pid: 1, lease: 1_000, workers: [worker] })
  const ask = { queue: 'q', worker: 'w', claim: 1, tasks: null, limit: 1, alone: true }
  const { claimed } = await engine.store.exchange({ node, settle: [], claim: [ask] })
  expect(claimed[0].jobs).toHaveLength(1)
  await clock.advance(2_000)
  await engine.sweep()
  await clock.advance(60_000)
}

async function countOf(engine: Rig['engine'], state: 'running'): Promise<number> {
  const { counts } = await engine.store.count({ queue: 'q', which: {}, cursor: null })
  return counts[state]
}
