import { describe, expect, it } from 'vitest'
import { HELD_MOST, INSERT_REPEATS } from '../../src/job/defaults.js'
import { MillraceError } from '../../src/job/errors.js'
import { sleep } from '../../src/time/clock.js'
import { insert, newJob, overriding, rig, stateOf } from './harness.js'

describe('inserts', () => {
  it('of one tick are one call of the store', async () => {
    const { engine, scripted } = rig()
    await insert(engine, ...Array.from({ length: 1000 }, () => newJob(engine.newId())))
    expect(scripted.count('insert')).toBe(1)
    await engine.close({ timeout: 0 })
  })

  it('in flight may be refused one by one: a neighbour never fails with them', async () => {
    const { engine } = rig()
    await engine.open()
    await engine.store.declare('small', { limits: { ...LIMITS, backlog: 1 } })
    const lot = (id: string, queue: string) => engine.insert({ jobs: [newJob(id, { queue })] })
    const answers = await Promise.all([lot('a', 'small'), lot('b', 'small'), lot('c', 'q')])
    expect(answers.map(([answer]) => answer.status)).toEqual(['inserted', 'refused', 'inserted'])
  })

  it('are repeated while the store does not answer; trouble is told once, and its end', async () => {
    const { engine, scripted, clock, told } = rig()
    scripted.failBefore('insert', 4)
    const answer = engine.insert({ jobs: [newJob('a')] })
    await clock.advance(10_000)
    expect(await answer).toEqual([{ status: 'inserted', id: 'a' }])
    expect(told('store.error')).toHaveLength(1)
    expect(told('store.recovered')).toHaveLength(1)
  })

  it('whose answer was lost are repeated with the same id and are one job', async () => {
    const { engine, scripted, clock } = rig()
    scripted.failAfter('insert', 2)
    const answer = engine.insert({ jobs: [newJob('a'), newJob('b')] })
    await clock.advance(10_000)
    expect(await answer).toEqual([
      { status: 'inserted', id: 'a' },
      { status: 'inserted', id: 'b' },
    ])
    expect(await engine.store.count({ queue: 'q', which: {}, cursor: null })).toMatchObject({
      counts: { available: 2 },
    })
  })

  it("whose answer was lost say duplicate of a user's own id: it may be the older one", async () => {
    const { engine, scripted, clock } = rig()
    scripted.failAfter('insert')
    const answer = engine.insert({ jobs: [newJob('mine', { ownId: true })] })
    await clock.advance(10_000)
    expect(await answer).toEqual([{ status: 'duplicate', id: 'mine' }])
  })

  it('whose fate stays unknown name their job, each its own', async () => {
    const { engine, scripted, clock } = rig()
    scripted.failAfter('insert')
    scripted.failBefore('insert', INSERT_REPEATS)
    const answers = Promise.allSettled(
      ['a', 'b'].map((id) => engine.insert({ jobs: [newJob(id)] })),
    )
    await clock.advance(60_000)
    expect(await answers).toMatchObject(
      ['a', 'b'].map((id) => ({
        reason: { code: 'OUTCOME_UNKNOWN', subject: `job ${id} for queue q` },
      })),
    )
  })

  it('give up after a bound, and then certainly had no effect', async () => {
    const { engine, scripted, clock } = rig()
    scripted.failBefore('insert', INSERT_REPEATS + 1)
    const answer = engine.insert({ jobs: [newJob('a')] }).catch((error: unknown) => error)
    await clock.advance(60_000)
    expect(MillraceError.is(await answer, 'STORE_UNREACHABLE')).toBe(true)
    expect(await stateOf(engine, 'a')).toBe('gone')
  })

  describe('whose id or key somebody has in an open transaction', () => {
    /** Until it is told otherwise, `held` is. */
    function holding() {
      const open = new Set(['held'])
      const wrap = overriding('insert', (store) => async (lots) => {
        const answers = await store.insert(lots.filter(({ jobs }) => !open.has(jobs[0].id)))
        let at = 0
        return lots.map(({ jobs }) => (open.has(jobs[0].id) ? null : answers[at++]))
      })
      return { ...rig({ wrap }), open }
    }

    it('keep nobody else waiting, and are in when that is over', async () => {
      const { engine, clock, open, told } = holding()
      const held = engine.insert({ jobs: [newJob('held')] })
      const beside = engine.insert({ jobs: [newJob('beside')] })
      expect(await beside).toEqual([{ status: 'inserted', id: 'beside' }])
      expect(await engine.insert({ jobs: [newJob('later')] })).toHaveLength(1)
      await clock.advance(5_000)
      open.clear()
      await clock.advance(1_000)
      expect(await held).toEqual([{ status: 'inserted', id: 'held' }])
      expect(told('store.error')).toEqual([])
    })

    it('stand in the order of the calls, with all that want the same', async () => {
      const words = (payload: number) => ({
        unique: { key: 'k', while: 'unfinished', for: 0, onConflict: 'replace' } as const,
        payload: { text: String(payload), codec: 'json' } as const,
      })
      let isHeld = true
      let calls = 0
      const order: string[][] = []
      const wrap = overriding('insert', (store) => async (lots) => {
        // The first answer takes its time, as behind a lock.
        if (calls++ === 0) await sleep(clock, 200)
        if (isHeld) return lots.map(() => null)
        order.push(lots.map(({ jobs }) => jobs[0].payload.text))
        return store.insert(lots)
      })
      const { engine, clock } = rig({ wrap })
      const told: Promise<unknown>[] = []
      for (let n = 0; n < 5; n++) {
        told.push(engine.insert({ jobs: [newJob(`job-${n}`, words(n))] }))
        await clock.advance(90)
      }
      await clock.advance(500)
      isHeld = false
      await clock.advance(2_000)
      await Promise.all(told)
      expect(order.flat()).toEqual(['0', '1', '2', '3', '4'])
    })

    it('are refused in time, however many want something else', async () => {
      const wrap = overriding('insert', () => async (lots) => lots.map(() => null))
      const { engine, clock } = rig({ wrap })
      const answers = Array.from({ length: 200 }, (_, n) => {
        return engine.insert({ jobs: [newJob(`own-${n}`, { ownId: true })] })
      })
      const all = Promise.allSettled(answers)
      await clock.advance(HELD_MOST + 2_000)
      expect(new Set((await all).map(({ status }) => status))).toEqual(new Set(['rejected']))
    })

    it('are refused after a while, and then are not there', async () => {
      const { engine, clock, open } = holding()
      const held = engine.insert({ jobs: [newJob('held')] }).catch((error: unknown) => error)
      await clock.advance(HELD_MOST + 1_000)
      expect(await held).toMatchObject({
        code: 'STORE_UNREACHABLE',
        subject: 'job held for queue q',
        expected: expect.stringContaining('transaction') as unknown,
      })
      open.clear()
      await clock.advance(HELD_MOST)
      expect(await stateOf(engine, 'held')).toBe('gone')
    })

    it('are waited for when we close, as long as that may take, and then are told', async () => {
      const { engine, clock, open } = holding()
      const [first, second] = [newJob('held'), newJob('for ever')].map((job) => {
        open.add(job.id)
        return engine.insert({ jobs: [job] }).catch((error: unknown) => error)
      })
      await engine.insert({ jobs: [newJob('beside')] })
      const closed = engine.close({ timeout: 4_000 })
      await clock.advance(1_000)
      open.delete('held')
      await clock.advance(10_000)
      await closed
      expect(await first).toEqual([{ status: 'inserted', id: 'held' }])
      expect(await second).toMatchObject({ code: 'STORE_CLOSED' })
    })
  })

  it('after close say STORE_CLOSED; those before it are sent', async () => {
    const { engine, scripted } = rig()
    await engine.open()
    const sent = engine.insert({ jobs: [newJob('a')] })
    await Promise.resolve()
    await engine.close({ timeout: 0 })
    expect(await sent).toEqual([{ status: 'inserted', id: 'a' }])
    expect(scripted.count('insert')).toBe(1)
    await expect(engine.insert({ jobs: [newJob('b')] })).rejects.toMatchObject({
      code: 'STORE_CLOSED',
    })
  })

  it('wait for a store that opens later, and tell its failure to open', async () => {
    let opens = 0
    const { engine } = rig({
      wrap: overriding('open', (store) => async (ask) => {
        if (opens++ === 0) throw new Error('not yet')
        return store.open(ask)
      }),
    })
    await expect(engine.insert({ jobs: [newJob('a')] })).rejects.toThrow('not yet')
    expect(await engine.insert({ jobs: [newJob('a')] })).toEqual([{ status: 'inserted', id: 'a' }])
  })
})

const LIMITS = {
  payloadBytes: 1_048_576,
  resultBytes: 1_048_576,
  metaBytes: 16_384,
  backlog: Infinity,
  age: Infinity,
}
