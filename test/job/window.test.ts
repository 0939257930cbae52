// What a rate remembers, beside a plain list of every grant: exact as far as it promises to be, never
// too low anywhere, small however much is granted, and the same from an image and after forgetting.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GrantWindow, OPEN } from '../../src/job/book/window.js'
import { Rates, groupName, groupNamed, keyName, queueName } from '../../src/job/book/rates.js'
import { Windows } from '../../src/job/book/windows.js'
import { grantSpan, startAllowance } from '../../src/job/rate.js'
import { seededChance } from 'millrace/testing'

/** Grants at these gaps, with a count of how many at each moment. */
const bursts = fc.array(
  fc.record({
    gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 })),
    many: fc.integer({ min: 1, max: 9 }),
  }),
  { maxLength: 60 },
)

describe('a window of grants', () => {
  it('counts as a list of all grants does', () => {
    fc.assert(
      fc.property(bursts, fc.integer({ min: 1, max: 1_500 }), (told, span) => {
        const window = new GrantWindow()
        const all: number[] = []
        let now = 5
        for (const { gap, many } of told) {
          now += gap
          for (let one = 0; one < many; one++) {
            window.charge({ now, keep: 1_500 })
            all.push(now)
          }
          expect(window.used(now, span)).toBe(all.filter((at) => at + span > now).length)
        }
      }),
    )
  })

  it('opens exactly when a grant more would be within the count', () => {
    fc.assert(
      fc.property(
        bursts,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 12 }),
        (told, count, more) => {
          const span = 300
          const window = new GrantWindow()
          const all: number[] = []
          let now = 0
          for (const { gap } of told) {
            now += gap
            window.charge({ now, keep: span })
            all.push(now)
            const fits = (at: number) => {
              const used = all.filter((grant) => grant + span > at).length
              return used + (at < now + span ? more : 0) < count
            }
            const opens = window.opensAt(now, count, span, more)
            const expected = [now, ...all.map((at) => at + span), now + span]
              .filter((at) => at >= now && fits(at))
              .sort((a, b) => a - b)[0]
            expect(opens === OPEN ? now : opens).toBe(expected)
          }
        },
      ),
    )
  })

  it('stays small under a million grants, and is never too low, nor too high by a 1,024th', () => {
    const chance = seededChance(9)
    const window = new GrantWindow()
    const span = 60_000
    const all: number[] = []
    let now = 0
    for (let grant = 0; grant < 1_000_000; grant++) {
      now += chance.next() * 0.2
      window.charge({ now, keep: span })
      all.push(now)
      if (grant % 20_011 !== 0) continue
      for (const asked of [span, span / 7, span / 100]) {
        const used = window.used(now, asked)
        expect(used).toBeGreaterThanOrEqual(within(all, now, asked))
        expect(used).toBeLessThanOrEqual(within(all, now, asked * (1 + 1 / 1_024)) + 1)
      }
    }
    expect(window.image().at.length).toBeLessThan(20_000)
  })

  it('is exact for the last thousand moments, however old the rest is', () => {
    const window = new GrantWindow()
    for (let at = 0; at < 50_000; at++) window.charge({ now: at, keep: Infinity })
    for (const span of [1, 10, 500, 1_000]) expect(window.used(49_999, span)).toBe(span)
  })

  it('answers from its image as it did, and goes on alike', () => {
    const window = new GrantWindow()
    for (let at = 0; at < 9_000; at++) window.charge({ now: at * 1.5, keep: 10_000 })
    const again = GrantWindow.of(window.image())
    for (let at = 9_000; at < 20_000; at++) {
      window.charge({ now: at * 1.5, keep: 10_000 })
      again.charge({ now: at * 1.5, keep: 10_000 })
    }
    const now = 20_000 * 1.5
    expect([...again.entries(now)]).toEqual([...window.entries(now)])
  })
})

/** By halving: the list is long. */
function within(all: readonly number[], now: number, span: number): number {
  let low = 0
  let high = all.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (all[middle] + span > now) high = middle
    else low = middle + 1
  }
  return all.length - low
}

describe('rates together', () => {
  const rate = { name: 'q:a', count: 2, per: 1_000, span: grantSpan(1_000) }

  it('forget what is over, and answer as if they had not', () => {
    const rates = new Rates()
    rates.charge(rate, null, { now: 100 })
    rates.throttle('q:a', 100, 500)
    rates.forget(600)
    expect([rates.windows.size, rates.throttles.size]).toEqual([1, 0])
    expect(rates.room(rate, 600, 0)).toBe(1)
    rates.forget(100 + rate.span)
    rates.forget(100 + rate.span)
    expect(rates.windows.size).toBe(0)
    expect(rates.room(rate, 100 + rate.span, 0)).toBe(2)
  })

  it('hold no more than what is young, whatever comes and goes', () => {
    const rates = new Rates()
    for (let group = 0; group < 10_000; group++) {
      rates.charge({ ...rate, name: `g:${group}` }, null, { now: group * 10 })
    }
    expect(rates.windows.size).toBeLessThan(1_000)
  })

  it('keep a key’s grants for as long as any of its queues asks', () => {
    const rates = new Rates()
    const minute = { count: 5, per: 60_000, key: 'k' }
    rates.share(1, null, { count: 2, per: 1_000, key: 'k' })
    rates.share(2, null, minute)
    const shared = { ...rate, name: 'k:k' }
    for (let at = 0; at < 5; at++) rates.charge(shared, 'k', { now: at * 2_000 })
    const wide = { name: 'k:k', count: 5, per: 60_000, span: grantSpan(60_000) }
    expect(rates.room(wide, 10_000, 0)).toBe(0)
    expect(rates.opensAt(wide, 10_000, 0)).toBe(wide.span)
    expect(rates.room(shared, 10_000, 0)).toBe(2)
  })

  it('keep the longer of two rests', () => {
    const rates = new Rates()
    rates.throttle('q:a', 0, 1_000)
    rates.throttle('q:a', 100, 200)
    expect(rates.throttledUntil('q:a', 999)).toBe(1_000)
    expect(rates.throttledUntil('q:a', 1_000)).toBe(OPEN)
  })
})

describe('the start allowance', () => {
  it('is a 64th of the window, from 5 ms to 250 ms', () => {
    expect([100, 320, 6_400, 16_000, 3_600_000].map(startAllowance)).toEqual([5, 5, 100, 250, 250])
    expect(grantSpan(6_400)).toBe(6_500)
  })
})

describe('windows by name', () => {
  it('say whose they are, whatever queues, groups and keys are called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (queue, group) => {
        expect(groupNamed(groupName(queue, group))).toEqual({ queue, group })
        expect(groupNamed(queueName(queue))).toBeNull()
        expect(groupNamed(keyName(`g:1:${group}`))).toBeNull()
      }),
    )
  })

  it('are forgotten when they are over, all in the end, and never before', () => {
    const chance = seededChance(11)
    const windows = new Windows()
    const until = new Map<string, number>()
    let now = 0
    for (let step = 0; step < 5_000; step++) {
      now += Math.floor(chance.next() * 20)
      const name = `g${Math.floor(chance.next() * 300)}`
      const keep = 100 + Math.floor(chance.next() * 900)
      windows.open(name, now).charge({ now, keep })
      until.set(name, now + keep)
      if (step % 50 > 0) continue
      const young = [...until].filter(([, over]) => over > now)
      expect(young.filter(([other]) => windows.get(other)?.isForgotten !== false)).toEqual([])
    }
    expect(windows.size).toBeLessThan(300)
    for (let round = 0; windows.size > 0; round++) {
      expect(round).toBeLessThan(300)
      windows.forget(2, now + 1_000)
    }
  })

  it('of one moment, and of many, open alike', () => {
    const [lone, many] = [new GrantWindow(), new GrantWindow()]
    many.charge({ now: 0, keep: 1_000 })
    many.charge({ now: 400, keep: 1_000, count: 3 })
    lone.charge({ now: 400, keep: 1_000, count: 3 })
    for (const now of [1_000, 1_399, 1_400]) {
      for (const count of [1, 3, 4, 5]) {
        const [a, b] = [lone, many].map((one) => one.opensAt(now, count, 1_000, 1))
        expect(a).toBe(b)
      }
      expect(lone.used(now, 1_000)).toBe(many.used(now, 1_000))
      expect([...lone.entries(now)]).toEqual([...many.entries(now)])
    }
    for (const one of [lone, many]) one.charge({ now: 1_400, keep: 500 })
    expect(many.image()).toEqual(lone.image())
  })
})
