// Batches in the engine: how they fill, what ends them, and that each job in one keeps its own end.
import { describe, expect, it } from 'vitest'
import type { Asked, Batching, Live, WorkSpec } from '../../src/engine/engine.js'
import { COMPLETE, insert, newJob, rig, signal, stateOf, working } from './harness.js'

type Answer = (live: Live) => Asked | Promise<Asked>

/** A worker of batches that notes what ran together, and answers each job by `answer`. */
function batches(
  seen: string[][],
  change: Partial<Omit<WorkSpec, 'perform'> & Omit<Batching, 'together'>> = {},
  answer: Answer = () => COMPLETE,
): WorkSpec {
  const { size = 10, wait = 200, ...rest } = change
  return {
    ...working(() => COMPLETE, rest),
    perform: {
      size,
      wait,
      together: (lives) => {
        seen.push(lives.map(({ claimed }) => claimed.id))
        return async (live) => answer(live)
      },
    },
  }
}

const ids = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => `j${String(from + at).padStart(3, '0')}`)
const insertAll = (engine: ReturnType<typeof rig>['engine'], names: readonly string[]) =>
  insert(engine, ...names.map((id) => newJob(id)))

describe('a batch', () => {
  it('starts at once when it is full, in the order of the claims', async () => {
    const { engine, clock, told } = rig()
    await insertAll(engine, ids(25))
    const seen: string[][] = []
    engine.start(batches(seen))
    await clock.advance(10)
    expect(seen).toEqual([ids(10), ids(10, 10)])
    expect(told('job.completed')).toHaveLength(20)
  })

  it('starts with what is there once its first job has waited', async () => {
    const { engine, clock } = rig()
    const seen: string[][] = []
    engine.start(batches(seen))
    await insertAll(engine, ids(2))
    await clock.advance(150)
    await insertAll(engine, ids(1, 2))
    await clock.advance(49)
    expect(seen).toEqual([])
    await clock.advance(1)
    expect(seen).toEqual([ids(3)])
  })

  it('that may not wait takes what one claim brings', async () => {
    const { engine, clock } = rig()
    await insertAll(engine, ids(3))
    const seen: string[][] = []
    engine.start(batches(seen, { wait: 0 }))
    await clock.advance(1)
    expect(seen).toEqual([ids(3)])
  })

  it('fills from several claims', async () => {
    const { engine, clock, scripted } = rig()
    const seen: string[][] = []
    engine.start(batches(seen, { size: 4, wait: 10_000 }))
    for (const id of ids(4)) {
      await insert(engine, newJob(id))
      await clock.advance(100)
    }
    expect(seen).toEqual([ids(4)])
    expect(scripted.count('exchange')).toBeGreaterThanOrEqual(4)
  })

  it('never merges tasks, and keeps the order within each', async () => {
    const { engine, clock } = rig()
    await insert(engine, ...ids(7).map((id, at) => newJob(id, { task: at % 2 ? 'odd' : 'even' })))
    const seen: string[][] = []
    engine.start(batches(seen, { size: 3 }))
    await clock.advance(300)
    expect(seen).toEqual([['j000', 'j002', 'j004'], ['j001', 'j003', 'j005'], ['j006']])
  })

  it('does not wait for company that there is no room for', async () => {
    const { engine, clock } = rig()
    await insert(engine, ...ids(4).map((id, at) => newJob(id, { task: `t${at % 2}` })))
    const seen: string[][] = []
    engine.start(batches(seen, { size: 4, wait: 60_000, concurrency: 1 }))
    await clock.advance(10)
    expect(seen).toEqual([['j000', 'j002']])
    await clock.advance(60_000) // now there is room, so the others wait
    expect(seen).toEqual([
      ['j000', 'j002'],
      ['j001', 'j003'],
    ])
  })

  it('is one run of the concurrency, and no more is claimed than the slots have room for', async () => {
    const { engine, clock } = rig()
    await insertAll(engine, ids(100))
    const seen: string[][] = []
    const gate = signal()
    const worker = engine.start(
      batches(seen, { size: 5, concurrency: 2 }, async () => {
        await gate.done
        return COMPLETE
      }),
    )
    await clock.advance(1_000)
    expect(worker.running).toBe(2)
    expect(seen).toHaveLength(2)
    await engine.open()
    const { counts } = await engine.store.count({ queue: 'q', which: {}, cursor: null })
    expect(counts).toMatchObject({ running: 10, available: 90 })
    gate.fire()
    await clock.advance(1_000)
    expect(seen.flat()).toEqual(ids(100))
  })

  it('lets one time out by itself: its signal aborts, the others go on', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('a', { timeout: 1_000 }), newJob('b'), newJob('c'))
    const aborted: string[] = []
    const gate = signal()
    engine.start(
      batches([], { size: 3 }, async ({ claimed, signal }) => {
        signal.addEventListener('abort', () => aborted.push(claimed.id))
        await gate.done
        return COMPLETE
      }),
    )
    await clock.advance(1_001)
    expect(aborted).toEqual(['a'])
    expect(told('attempt.failed')).toMatchObject([{ id: 'a', outcome: 'timeout' }])
    gate.fire()
    await clock.advance(1)
    expect(told('job.completed').map(({ id }) => id)).toEqual(['b', 'c'])
    expect(await stateOf(engine, 'a')).toBe('retryable')
  })

  it('frees its slot only when all of it has ended', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('a', { timeout: 1_000, attempts: 1 }), newJob('b'), newJob('c'))
    const seen: string[][] = []
    const gate = signal()
    const worker = engine.start(
      batches(seen, { size: 2, concurrency: 1, wait: 0 }, async ({ claimed }) => {
        if (claimed.id !== 'c') await gate.done
        return COMPLETE
      }),
    )
    await clock.advance(5_000)
    expect(told('job.discarded')).toMatchObject([{ id: 'a' }])
    expect(seen).toEqual([['a', 'b']])
    expect(worker.running).toBe(1)
    gate.fire()
    await clock.advance(5_000)
    expect(seen).toEqual([['a', 'b'], ['c']])
    expect(worker.running).toBe(0)
  })

  it('tells a job in it that it is cancelled, and one that was lost counts no more', async () => {
    const { engine, clock, scripted, told } = rig()
    await insertAll(engine, ['a', 'b', 'c'])
    const reasons: string[] = []
    const gate = signal()
    engine.start(
      batches([], { size: 3 }, async ({ claimed, signal }) => {
        signal.addEventListener('abort', () =>
          reasons.push(`${claimed.id} ${(signal.reason as { code: string }).code}`),
        )
        await gate.done
        return { kind: 'fail', error: new Error('no') }
      }),
    )
    await clock.advance(10)
    await engine.control({ kind: 'cancel', queue: 'q', which: { ids: ['a'] }, reason: 'enough' })
    await clock.advance(10)
    scripted.next('check', async (call) => {
      const checked = (await call()) as { cancelling: string[]; lost: string[] }
      const ask = scripted.calls.filter(({ verb }) => verb === 'check').at(-1)?.args[0]
      const { held } = ask as { held: { id: string; token: string }[] }
      return { ...checked, lost: held.filter(({ id }) => id === 'b').map(({ token }) => token) }
    })
    await clock.advance(5_000)
    expect(reasons).toEqual(['a JOB_CANCELLED', 'b LEASE_LOST'])
    gate.fire()
    await clock.advance(1)
    expect(told('job.cancelled')).toMatchObject([{ id: 'a' }])
    expect(told('job.retrying')).toMatchObject([{ id: 'c' }])
  })

  it('is without what was lost while it filled', async () => {
    const { engine, clock, scripted } = rig({ beat: 1_000 })
    await insertAll(engine, ['a', 'b'])
    const seen: string[][] = []
    engine.start(batches(seen, { wait: 3_000 }))
    await clock.advance(10)
    scripted.next('check', async () => {
      const ask = scripted.calls.filter(({ verb }) => verb === 'check').at(-1)?.args[0]
      const { node, held } = ask as { node: string; held: { token: string }[] }
      const { rules } = await engine.store.check({ node, held: [] })
      return { gone: false, cancelling: [], lost: [held[0].token], rules }
    })
    await clock.advance(5_000)
    expect(seen).toEqual([['b']])
  })

  it('that waits to fill goes back on pause and on stop, unrun', async () => {
    for (const end of ['pause', 'stop'] as const) {
      const { engine, clock, told } = rig()
      await insertAll(engine, ids(3))
      const seen: string[][] = []
      const worker = engine.start(batches(seen, { wait: 60_000 }))
      await clock.advance(100)
      const ended = end === 'pause' ? worker.pause() : worker.stop({ timeout: 1_000 })
      await clock.advance(1)
      await ended
      await clock.advance(60_000)
      expect(seen).toEqual([])
      expect(told('job.released')).toHaveLength(3)
      const [found] = await engine.store.get([{ queue: 'q', id: 'j000' }])
      expect(found).toMatchObject({ job: { state: 'available', attempt: 0 } })
    }
  })

  it('that runs when its worker stops has until the timeout, then goes back', async () => {
    const { engine, clock, told } = rig()
    await insertAll(engine, ids(2))
    const worker = engine.start(batches([], { wait: 0 }, () => new Promise(() => undefined)))
    await clock.advance(10)
    const stopped = worker.stop({ timeout: 1_000 })
    await clock.advance(999)
    expect(worker.state).toBe('draining')
    await clock.advance(10)
    await stopped
    expect(told('job.released').map(({ id }) => id)).toEqual(ids(2))
  })

  it('does not wait while somebody wants to know when all is done', async () => {
    const { engine } = rig()
    await insertAll(engine, ids(23))
    const seen: string[][] = []
    engine.start(batches(seen, { wait: 1e9, concurrency: 1 }))
    expect(await engine.runUntilIdle({ maxMs: Infinity })).toEqual({ ran: 23, idle: true })
    expect(seen.map((batch) => batch.length)).toEqual([10, 10, 3])
  })

  it('takes no neighbour along when a job must run alone', async () => {
    const { engine, clock, scripted } = rig()
    await insertAll(engine, ids(4))
    const poisoned = (id: string) => id === 'j001'
    scripted.next('exchange', async (call) => {
      const answer = (await call()) as { claimed: { jobs: { id: string; crashes: number }[] }[] }
      const claimed = answer.claimed.map((one) => ({
        ...one,
        jobs: one.jobs.map((job) => (poisoned(job.id) ? { ...job, crashes: 2 } : job)),
      }))
      return { ...answer, claimed }
    })
    const seen: string[][] = []
    engine.start(batches(seen, { size: 4, wait: 0 }))
    await clock.advance(1_000)
    expect(seen[0]).toEqual(['j001'])
    expect(seen.slice(1).flat().sort()).toEqual(['j000', 'j002', 'j003'])
  })

  it('is as large as a capped queue allows, and never larger', async () => {
    const { engine, clock } = rig()
    await engine.open()
    await engine.store.declare('q', { delivery: 'at-most-once' })
    await insertAll(engine, ids(30))
    const seen: string[][] = []
    const limits: number[] = []
    const exchange = engine.store.exchange.bind(engine.store)
    engine.store.exchange = (ask) => {
      limits.push(...ask.claim.map(({ limit }) => limit))
      return exchange(ask)
    }
    engine.start(batches(seen, { concurrency: 2 }))
    await clock.advance(1_000)
    expect(Math.max(...limits)).toBe(20)
    expect(seen.map((batch) => batch.length)).toEqual([10, 10, 10])
  })
})
