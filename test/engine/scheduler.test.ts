// The scheduler by itself: a store that fails, many schedules at one moment, many missed slots, and
// what a full queue costs the others. Virtual time, on the memory store.
import { describe, expect, it } from 'vitest'
import { faultyStore } from 'millrace/testing'
import type { FaultRates, FaultyStore } from 'millrace/testing'
import { memoryStore } from 'millrace/memory'
import { VirtualClock, seededChance } from '../../src/time/virtual.js'
import { bench } from '../faces/harness.js'

const MINUTE = 60_000

/** `fail`: from now on the store fails as often in what a scheduler asks. */
function faultyBench() {
  const clock = new VirtualClock()
  const inner = memoryStore({ clock })
  const chance = seededChance(7)
  const ratesOf: { tick?: FaultRates; schedules?: FaultRates } = {}
  const fail = (rates: FaultRates) => Object.assign(ratesOf, { tick: rates, schedules: rates })
  const store: FaultyStore = faultyStore(inner, { clock, chance, ratesOf, lateness: 500 })
  return { ...bench({}, { store, clock }), clock, store, fail }
}

describe('the scheduler', () => {
  it('fires each slot once on a store that fails before, after and late', async () => {
    const { mill, clock, store, fail } = faultyBench()
    const slots: string[] = []
    const errors: unknown[] = []
    mill.on('store.error', ({ error }) => errors.push(error))
    const queue = mill.queue('q')
    queue.work((_, job) => void slots.push(JSON.stringify(job.meta.schedule)))
    await queue.schedule('s', { every: '1s', payload: 1, missed: 'all' })
    fail({ before: 0.2, after: 0.2, late: 0.1, slow: 0.1 })
    await clock.advance(3 * MINUTE)
    expect(store.injected.length).toBeGreaterThan(50)
    store.heal()
    await clock.advance(MINUTE + 1)
    expect(slots).toHaveLength(240)
    expect(new Set(slots).size).toBe(240)
    // Trouble is told when it begins and now and then, not for each call.
    expect(errors.length).toBeGreaterThan(0)
    expect(errors.length).toBeLessThan(store.injected.length)
    await mill.close()
    expect(clock.untilNext()).toBeNull()
  })

  it('fires all that are due at one moment, page by page', async () => {
    const { mill, clock, store } = faultyBench()
    const queue = mill.queue('q')
    queue.work(() => undefined, { concurrency: 0 })
    for (let n = 0; n < 250; n++) await queue.schedule(`s${n}`, { every: '1h', payload: n })
    await clock.advance(60 * MINUTE - 1)
    const before = store.calls('tick')
    await clock.advance(1)
    expect(await queue.length()).toBe(250)
    expect(store.calls('tick') - before).toBe(3)
    await mill.close()
  })

  it('makes up for the last thousand of many that were missed, in order, a hundred in a call', async () => {
    const { mill, clock, another } = bench()
    await mill.queue('q').schedule('s', { cron: '* * * * *', payload: 1, missed: 'all' })
    await mill.close()
    await clock.advance(2_500 * MINUTE + 1)
    const back = another()
    const slots: string[] = []
    back.queue('q').work((_, job) => {
      slots.push((job.meta.schedule as { slot: string }).slot)
    })
    await clock.advance(10_000)
    const first = clock.wall() - 10_001 - 999 * MINUTE
    const expected = Array.from({ length: 1_000 }, (_, at) => new Date(first + at * MINUTE))
    expect(slots).toEqual(expected.map((at) => at.toISOString()))
    await back.close()
  })

  it('does not let what a full queue refuses hold up the others', async () => {
    const { mill, clock } = bench()
    const full = mill.queue('full', { limits: { backlog: 0 } })
    const free = mill.queue('free')
    let ran = 0
    free.work(() => void ran++)
    for (let n = 0; n < 130; n++) await full.schedule(`s${n}`, { every: '1m', payload: n })
    await free.schedule('s', { every: '90s', payload: 1 })
    await clock.advance(3 * MINUTE)
    expect(ran).toBe(2)
    expect(await full.length()).toBe(0)
    await mill.close()
  })
})
