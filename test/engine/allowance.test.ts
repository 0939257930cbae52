// The start allowance: a grant of a rate counts from when the store gave it, so what could not be
// started soon after goes back unrun.
import { describe, expect, it } from 'vitest'
import type { Live } from '../../src/engine/engine.js'
import { startAllowance } from '../../src/job/rate.js'
import type { SettingsLayer } from '../../src/job/settings.js'
import type { Store } from '../../src/store.js'
import { sleep } from '../../src/time/clock.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { COMPLETE, insert, newJob, rig, stateOf, working } from './harness.js'

const PER = 6_400
const ALLOWED = startAllowance(PER)
const RATED: SettingsLayer = { rate: { count: 100, per: PER, key: null } }

/** Three jobs whose first claim takes so long on its way back. */
async function slow(by: number, settings: SettingsLayer, count = 3) {
  const parts = rig()
  const { engine, scripted, clock } = parts
  await engine.open()
  await engine.store.declare('q', settings)
  await insert(engine, ...Array.from({ length: count }, (_, at) => newJob(`j${at}`)))
  scripted.next('exchange', async (call) => {
    const answer = await call()
    await sleep(clock, by)
    return answer
  })
  const starts: [string, number][] = []
  const perform = ({ claimed }: Live) => (starts.push([claimed.id, clock.mono()]), COMPLETE)
  return { ...parts, starts, perform }
}

/** Claims take so long on their way; tells what the last of them asked for. */
function delayed(store: Store, clock: VirtualClock, trip: { takes: number; margin: number }) {
  const exchange: Store['exchange'] = async (ask) => {
    const answer = await store.exchange(ask)
    if (ask.claim.length === 0) return answer
    trip.margin = ask.claim[0].margin ?? 0
    await sleep(clock, trip.takes)
    return answer
  }
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'exchange') return exchange
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

describe('a job of a rated queue', () => {
  it('is started when its claim was quick enough', async () => {
    const { engine, clock, starts, perform, told } = await slow(ALLOWED, RATED)
    engine.start(working(perform))
    await clock.advance(ALLOWED + 1)
    expect(starts).toHaveLength(3)
    expect(told('job.released')).toEqual([])
  })

  it('goes back unrun when it was not, with its attempt; the first time nobody is troubled', async () => {
    const { engine, clock, starts, perform, told } = await slow(ALLOWED + 1, RATED)
    engine.start(working(perform))
    await clock.advance(ALLOWED + 2)
    expect(told('job.released')).toHaveLength(3)
    expect(told('store.error')).toEqual([])
    await clock.advance(1_000)
    expect(starts.map(([id]) => id)).toEqual(['j0', 'j1', 'j2'])
    expect(told('job.completed').map(({ attempt }) => attempt)).toEqual([1, 1, 1])
  })

  it('gets a margin where every claim takes longer, and only as long as that is so', async () => {
    const trip = { takes: 3 * ALLOWED, margin: 0 }
    const clock = new VirtualClock()
    const { engine, told } = rig({ clock, wrap: (store) => delayed(store, clock, trip) })
    await engine.open()
    await engine.store.declare('q', RATED)
    let ran = 0
    engine.start(working(() => (ran++, COMPLETE)))
    const run = async (): Promise<void> => {
      const before = ran
      await insert(engine, newJob(`n${before}`))
      while (ran === before) await clock.advance(10)
    }
    for (let job = 0; job < 20; job++) await run()
    expect(told('job.released').length).toBeLessThan(5)
    expect(trip.margin).toBeGreaterThanOrEqual(trip.takes - ALLOWED)
    expect(trip.margin).toBeLessThanOrEqual(2 * (trip.takes - ALLOWED))
    expect(told('store.error')).toEqual([])
    // Longer than it had asked for: somebody should know, once.
    trip.takes = 9 * ALLOWED
    for (let job = 0; job < 3; job++) await run()
    expect(told('store.error')).toMatchObject([
      { error: { code: 'OPTION_INVALID', subject: 'queue("q").rate' } },
    ])
    trip.takes = 0
    for (let job = 0; job < 500; job++) await run()
    expect(trip.margin).toBe(0)
  })

  it('goes back for a rate of groups, too, and by the shorter of both', async () => {
    const groups = { concurrency: Infinity, rate: { count: 100, per: PER / 10 }, weights: {} }
    const { engine, clock, perform, told } = await slow(ALLOWED, { ...RATED, groups })
    engine.start(working(perform))
    await clock.advance(ALLOWED + 1)
    expect(told('job.released')).toHaveLength(3)
  })

  it('may be as late as it likes where there is no rate', async () => {
    const { engine, clock, starts, perform } = await slow(20_000, {})
    engine.start(working(perform))
    await clock.advance(20_001)
    expect(starts).toHaveLength(3)
  })

  it('waits for a batch no longer than half of that', async () => {
    const { engine, clock, told } = await slow(0, RATED)
    const seen: [number, number][] = []
    engine.start({
      ...working(() => COMPLETE),
      perform: {
        size: 10,
        wait: 60_000,
        together: (lives) => {
          seen.push([lives.length, clock.mono()])
          return async () => COMPLETE
        },
      },
    })
    await clock.advance(1_000)
    expect(seen).toEqual([[3, ALLOWED / 2]])
    expect(told('job.released')).toEqual([])
  })

  it('is not handed to a taker too late either; who waits gets it with the next claim', async () => {
    const { engine, clock } = await slow(ALLOWED + 1, RATED, 1)
    const taken = engine.take({ queue: 'q', limit: 1, wait: 5_000, backoff: null })
    await clock.advance(ALLOWED + 10)
    const [held] = await taken
    expect(held.live.claimed).toMatchObject({ id: 'j0', attempt: 1 })
    expect(await stateOf(engine, 'j0')).toBe('running')
  })
})
