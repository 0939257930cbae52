// What one exchange brings is gone on with in the same turn of the loop, for as long as everything
// ends at once; and the turn ends all the same.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { TURN_SPAN, TURN_TRIPS } from '../../src/job/defaults.js'
import type { ExchangeAsk } from '../../src/store.js'
import { sleep } from '../../src/time/clock.js'
import { COMPLETE, insert, newJob, rig, working } from './harness.js'
import type { Rig } from './harness.js'

afterEach(() => vi.restoreAllMocks())

const many = (count: number) => Array.from({ length: count }, (_, n) => newJob(`j${n}`))

/** On a queue with a cap, of which nothing is fetched ahead: so many jobs for a worker of one slot. */
async function capped(jobs: number, concurrency: number | null = 1000): Promise<Rig> {
  const made = rig({ upkeep: false })
  await made.engine.open()
  if (concurrency !== null) await made.engine.store.declare('q', { concurrency })
  await insert(made.engine, ...many(jobs))
  await made.clock.quiet()
  return made
}

/** 'claim' and 'settle', with how many, in the order in which they left. */
const trips = ({ scripted }: Rig): string[] =>
  scripted.calls
    .filter(({ verb }) => verb === 'exchange')
    .map(({ args }) => {
      const { settle, claim } = args[0] as ExchangeAsk
      return claim.length > 0 ? `claim ${claim[0].limit}` : `settle ${settle.length}`
    })

describe('jobs that end at once', () => {
  it('are followed by the next within the turn', async () => {
    const made = await capped(20)
    const soon = vi.spyOn(made.clock, 'soon')
    made.engine.start(working(() => COMPLETE, { concurrency: 1 }))
    await made.clock.quiet()
    expect(made.told('job.completed')).toHaveLength(20)
    expect(trips(made).filter((trip) => trip === 'claim 1')).toHaveLength(21)
    expect(soon.mock.calls.length).toBeLessThan(10)
  })

  it('make room for the next within the turn: their verdicts leave before the claim', async () => {
    const made = await capped(3, 1)
    made.engine.start(working(() => COMPLETE, { concurrency: 1 }))
    await made.clock.quiet()
    const turn = ['claim 1', 'settle 1']
    expect(trips(made)).toEqual([...turn, ...turn, ...turn, 'claim 1'])
  })

  it('are asked for together: by all slots that they leave, once all have ended', async () => {
    const made = await capped(40)
    const hops = (id: string) => Number(id.slice(1)) % 7
    const perform = async (id: string) => {
      for (let hop = 0; hop < hops(id); hop++) await Promise.resolve()
      return COMPLETE
    }
    made.engine.start(working(({ claimed }) => perform(claimed.id), { concurrency: 10 }))
    await made.clock.quiet()
    expect(trips(made).filter((trip) => trip.startsWith('claim'))).toEqual(
      Array.from({ length: 5 }, () => 'claim 10'),
    )
  })

  it('let others have their turn after so many exchanges', async () => {
    const made = await capped(4 * TURN_TRIPS)
    let ran = 0
    let others = Infinity
    const perform = () => {
      if (++ran === 1) made.clock.soon(() => (others = ran))
      return COMPLETE
    }
    made.engine.start(working(perform, { concurrency: 1 }))
    await made.clock.quiet()
    expect(ran).toBe(4 * TURN_TRIPS)
    expect(others).toBeLessThanOrEqual(TURN_TRIPS)
    expect(others).toBeGreaterThan(1)
  })

  it('let others have their turn after so long', async () => {
    const made = await capped(100)
    let ran = 0
    let others = Infinity
    const start = made.clock.mono()
    vi.spyOn(made.clock, 'mono').mockImplementation(() => start + ran)
    const perform = () => {
      if (++ran === 1) made.clock.soon(() => (others = ran))
      return COMPLETE
    }
    made.engine.start(working(perform, { concurrency: 1 }))
    await made.clock.quiet()
    expect(ran).toBe(100)
    expect(others).toBeLessThanOrEqual(TURN_SPAN + 1)
  })
})

describe('jobs that take their time', () => {
  it('are each asked for when a slot is free, and cost no more turns than they need', async () => {
    const made = await capped(6)
    const { clock } = made
    const perform = async () => (await sleep(clock, 10), COMPLETE)
    made.engine.start(working(perform, { concurrency: 2 }))
    await clock.advance(29)
    expect(made.told('job.completed')).toHaveLength(4)
    const soon = vi.spyOn(clock, 'soon')
    await clock.quiet()
    expect(soon).not.toHaveBeenCalled()
    await clock.advance(1)
    expect(made.told('job.completed')).toHaveLength(6)
  })
})
