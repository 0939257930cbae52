import { describe, expect, it } from 'vitest'
import { sleep } from '../../src/time/clock.js'
import { VirtualClock, seededChance } from '../../src/time/virtual.js'

describe('the virtual clock', () => {
  it('stands still until it is advanced', async () => {
    const clock = new VirtualClock({ wall: 1000 })
    expect([clock.wall(), clock.mono()]).toEqual([1000, 0])
    await clock.advance(250)
    expect([clock.wall(), clock.mono()]).toEqual([1250, 250])
    expect(new VirtualClock().wall()).toBe(Date.parse('2000-01-01T00:00:00Z'))
  })

  it('runs timers at their time, in order, and those asked for on the way', async () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    const note = (name: string) => () => void seen.push(`${name}@${clock.mono()}`)
    clock.after(20, note('b'))
    clock.after(10, note('a'))
    clock.after(20, note('c'))
    clock.after(15, () => clock.after(2, note('nested')))
    clock.after(31, note('late'))
    await clock.advance(30)
    expect(seen).toEqual(['a@10', 'nested@17', 'b@20', 'c@20'])
    expect(clock.untilNext()).toBe(1)
  })

  it('lets what a timer started come to rest before the next', async () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    const chain = async (name: string) => {
      for (let i = 0; i < 20; i++) {
        await Promise.resolve()
        await new Promise<void>((resolve) => clock.soon(resolve))
      }
      seen.push(`${name}@${clock.mono()}`)
    }
    clock.after(1, () => void chain('first'))
    clock.after(2, () => seen.push(`second@${clock.mono()}`))
    await clock.advance(2)
    expect(seen).toEqual(['first@1', 'second@2'])
  })

  it('lets a loop that sleeps run through days', async () => {
    const clock = new VirtualClock()
    let rounds = 0
    const loop = async () => {
      for (; rounds < 48; rounds++) await sleep(clock, 3_600_000)
    }
    const done = loop()
    await clock.advance(2 * 86_400_000)
    await done
    expect(rounds).toBe(48)
  })

  it('moves the wall apart from the other hand', async () => {
    const clock = new VirtualClock({ wall: 5000 })
    let ran = 0
    clock.after(100, () => ran++)
    clock.jumpWall(-4000)
    expect([clock.wall(), clock.mono()]).toEqual([1000, 0])
    clock.jumpWall(1_000_000)
    expect(ran).toBe(0)
    await clock.advance(100)
    expect(ran).toBe(1)
  })

  it('forgets cancelled timers, and never runs one at Infinity', async () => {
    const clock = new VirtualClock()
    const timers = [5, 5, 5, 7].map((at) => clock.after(at, () => ran.push(at)))
    const ran: number[] = []
    clock.after(Infinity, () => ran.push(Infinity))
    timers[1].cancel()
    timers[1].cancel()
    timers[3].cancel()
    await clock.advance(1e12)
    timers[0].cancel()
    expect(ran).toEqual([5, 5])
    expect(clock.untilNext()).toBeNull()
  })

  it('runs overlapping advances one after the other', async () => {
    const clock = new VirtualClock()
    await Promise.all([clock.advance(10), clock.advance(20)])
    expect(clock.mono()).toBe(30)
    expect(() => clock.advance(-1)).toThrow(RangeError)
    expect(() => clock.advance(Infinity)).toThrow(RangeError)
  })
})

describe('sleep', () => {
  it('ends after its span, not before', async () => {
    const clock = new VirtualClock()
    let awake = false
    void sleep(clock, 100).then(() => (awake = true))
    await clock.advance(99)
    expect(awake).toBe(false)
    await clock.advance(1)
    expect(awake).toBe(true)
  })

  it('rejects with the reason when the signal aborts, and leaves no timer', async () => {
    const clock = new VirtualClock()
    const controller = new AbortController()
    const slept = sleep(clock, 100, controller.signal)
    controller.abort('enough')
    await expect(slept).rejects.toBe('enough')
    await expect(sleep(clock, 100, controller.signal)).rejects.toBe('enough')
    expect(clock.untilNext()).toBeNull()
  })
})

describe('seeded chance', () => {
  it('falls the same way for the same seed, and otherwise for another', () => {
    const draw = (seed: number) => {
      const chance = seededChance(seed)
      return [chance.next(), ...chance.bytes(8), chance.next()]
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  it('is spread evenly enough over [0, 1)', () => {
    const chance = seededChance(3)
    const bins = new Array<number>(10).fill(0)
    for (let i = 0; i < 10_000; i++) bins[Math.floor(chance.next() * 10)]++
    for (const count of bins) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})
