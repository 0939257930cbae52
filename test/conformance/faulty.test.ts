// The faulty store does what it is told, and nothing else; and what is repeated through it counts once.
import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/job/errors.js'
import { describeStore, faultyStore, seededChance, VirtualClock } from 'millrace/testing'
import type { FaultOptions, FaultyStore, OpenMedium, StoreVerb } from 'millrace/testing'
import { COMPLETE, newJob, settlement, upTo } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { openMemory } from './memory-medium.js'

const openWell: OpenMedium = async (ask) => {
  const medium = await openMemory(ask)
  return {
    async connect(words) {
      const store = await medium.connect(words)
      return faultyStore(store, { clock: ask.clock })
    },
    destroy: () => medium.destroy(),
  }
}

describeStore({ name: 'memory behind a faulty store that is well', describe, it, open: openWell })

async function faulty(options: Partial<FaultOptions> = {}) {
  const clock = new VirtualClock()
  const medium = await openMemory({ clock, chance: seededChance(1) })
  const inner = await medium.connect()
  return { clock, inner, store: faultyStore(inner, { clock, ...options }) }
}

const one = (id: string) => [{ jobs: [newJob(id)] }]
const isThere = async (store: FaultyStore, id: string) =>
  (await store.get([{ queue: 'q', id }]))[0] !== null

describe('a faulty store', () => {
  it('fails before the call: nothing was done', async () => {
    const { store } = await faulty()
    store.script('insert', { kind: 'before' })
    await expect(store.insert(one('a'))).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    expect(await isThere(store, 'a')).toBe(false)
    expect(await store.insert(one('a'))).toEqual([[{ status: 'inserted', id: 'a' }]])
  })

  it('fails after the call: it was done, and the repeat hears so', async () => {
    const { store } = await faulty()
    store.script('insert', { kind: 'after' }, null, { kind: 'after', code: 'STORE_UNREACHABLE' })
    await expect(store.insert(one('a'))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(await store.insert(one('a'))).toEqual([[{ status: 'duplicate', id: 'a' }]])
    await expect(store.insert(one('b'))).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    expect(await isThere(store, 'b')).toBe(true)
  })

  it('answers late: done at once, told when the time has passed', async () => {
    const { clock, inner, store } = await faulty()
    store.script('insert', { kind: 'late', by: 500 })
    let told = false
    const answer = store.insert(one('a')).then(() => (told = true))
    await clock.advance(499)
    expect([(await inner.get([{ queue: 'q', id: 'a' }]))[0] !== null, told]).toEqual([true, false])
    await clock.advance(1)
    expect(await answer).toBe(true)
  })

  it('is slow: not done before the time has passed', async () => {
    const { clock, inner, store } = await faulty()
    store.script('insert', { kind: 'slow', by: 500 })
    const answer = store.insert(one('a'))
    await clock.advance(499)
    expect(await inner.get([{ queue: 'q', id: 'a' }])).toEqual([null])
    await clock.advance(1)
    expect(await answer).toEqual([[{ status: 'inserted', id: 'a' }]])
  })

  it('tells what came, and heals', async () => {
    const { store } = await faulty()
    store.script('get', null, { kind: 'before' }, { kind: 'before' })
    await store.get([])
    await expect(store.get([])).rejects.toThrow('STORE_UNREACHABLE')
    store.heal()
    await store.get([])
    expect(store.calls('get')).toBe(3)
    expect(store.injected).toEqual([{ verb: 'get', call: 2, fault: { kind: 'before' } }])
  })

  it('can fail in every verb', async () => {
    const { store } = await faulty({ chance: seededChance(1), rates: { before: 1 } })
    const page = { limit: 1, cursor: null }
    const verdict = { kind: 'complete', result: null } as const
    const settlement = { queue: 'q', id: 'x', token: '1', verdict, ran: null }
    const calls: Record<StoreVerb, () => Promise<unknown>> = {
      open: () => store.open({ scope: 'default' }),
      insert: () => store.insert([]),
      exchange: () => store.exchange({ node: 'n', settle: [], claim: [] }),
      commit: () =>
        store.commit(settlement, () => undefined, { signal: new AbortController().signal }),
      note: () => store.note([]),
      enlist: () => store.enlist(cardOf('n')),
      leave: () => store.leave('n'),
      beat: () => store.beat({ node: 'n', upTo: 0, open: [], overdue: [] }),
      check: () => store.check({ node: 'n', held: [] }),
      sweep: () => store.sweep({ node: 'n', limit: 1 }),
      get: () => store.get([]),
      parents: () => store.parents({ queue: 'q', id: 'x' }),
      list: () => store.list({ queue: 'q', which: {}, page }),
      count: () => store.count({ queue: 'q', which: {}, cursor: null }),
      explain: () => store.explain([]),
      explainQueue: () => store.explainQueue('q'),
      groups: () => store.groups('q', page),
      queues: () => store.queues(page),
      nodes: () => store.nodes(page),
      control: () => store.control({ kind: 'retry', queue: 'q', which: {} }, null),
      settings: () => store.settings('q'),
      declare: () => store.declare('q', {}),
      override: () => store.override('q', { say: {}, takeBack: [] }),
      tick: () => store.tick([]),
      schedules: () => store.schedules({ queue: null, name: null, by: 'name', page }),
      dump: () => store.dump({ part: 'jobs', queues: null, page }),
      load: () => store.load([]),
      plan: () => store.plan({ kind: 'remove', queue: 'q', name: 's' }),
    }
    for (const call of Object.values(calls))
      await expect(call()).rejects.toThrow('STORE_UNREACHABLE')
    expect(store.injected).toHaveLength(Object.keys(calls).length)
  })

  it('throws the same faults for the same seed', async () => {
    const rates = { before: 0.2, after: 0.2, late: 0.1, slow: 0.1 }
    const tales = []
    for (const _ of upTo(2)) {
      const { clock, store } = await faulty({ chance: seededChance(9), rates, lateness: 10 })
      for (const call of upTo(50)) {
        const [ended] = [Promise.allSettled([store.insert(one(`j${call}`))])]
        await clock.advance(20)
        await ended
      }
      tales.push(store.injected.map(({ call, fault }) => `${call} ${JSON.stringify(fault)}`))
    }
    expect(tales[0].length).toBeGreaterThan(15)
    expect(tales[1]).toEqual(tales[0])
  })

  it('loses and doubles hints', async () => {
    for (const [hints, times] of [
      ['lose', 0],
      ['double', 2],
      ['pass', 1],
    ] as const) {
      const { clock, store } = await faulty({ hints })
      let heard = 0
      store.watch((hint) => (heard += hint.what === 'jobs' ? 1 : 0))
      await store.insert(one('a'))
      await clock.advance(0)
      expect(heard, hints).toBe(times)
    }
  })
})

/** Repeats until there is an answer, as the engine does. */
async function until<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    const [ended] = await Promise.allSettled([call()])
    if (ended.status === 'fulfilled') return ended.value
    if (!MillraceError.is(ended.reason) || tries > 100) throw ended.reason
  }
}

describe('what is repeated through a faulty store', () => {
  it.each([1, 2, 3])('counts once: inserts, claims and verdicts (seed %i)', async (seed) => {
    const rates = { before: 0.25, after: 0.25 }
    const chance = seededChance(seed)
    const { inner, store } = await faulty({ chance, ratesOf: { insert: rates, exchange: rates } })
    const ids = upTo(60).map((index) => `job-${index}`)
    for (const id of ids) await until(() => store.insert(one(id)))
    const node = await PlayedNode.enlist(inner, cardOf('n'))
    const runs: string[] = []
    while (runs.length < ids.length) {
      const claim = [node.ask({ limit: 5 })]
      const asked = { node: node.id, settle: [], claim }
      const [ended] = await Promise.allSettled([store.exchange(asked)])
      if (ended.status === 'rejected') {
        await inner.beat({ node: node.id, upTo: node.claims, open: [], overdue: [] })
        continue
      }
      const { jobs } = ended.value.claimed[0]
      const settle = jobs.map((job) => settlement(job, COMPLETE))
      const { settled } = await until(() => store.exchange({ node: node.id, settle, claim: [] }))
      expect(settled.every((answer) => answer.status === 'done')).toBe(true)
      runs.push(...jobs.map((job) => job.id))
    }
    expect(runs).toEqual(ids)
    expect(store.injected.length).toBeGreaterThan(20)
    const { counts } = await inner.count({ queue: 'q', which: {}, cursor: null })
    expect(Object.values(counts).every((count) => count === 0)).toBe(true)
  })
})
