import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_BACKOFF, delayAfter, planBackoff } from '../../src/job/backoff.js'
import type { BackoffFunction } from '../../src/job/backoff.js'
import type { MillraceError } from '../../src/job/errors.js'
import { seededChance } from '../../src/time/virtual.js'
import { LONGEST_SPAN } from '../../src/time/duration.js'

const chance = seededChance(1)
const failure = { error: new Error('x'), job: { id: 'j' } }
const delays = (backoff: unknown, attempts = [1, 2, 3, 4, 5]) =>
  attempts.map((n) => delayAfter(planBackoff(backoff, 'backoff'), n, chance, failure))

describe('backoff', () => {
  it('none and fixed', () => {
    expect(delays({ type: 'none' })).toEqual([0, 0, 0, 0, 0])
    expect(delays({ type: 'fixed', delay: '3s' })).toEqual([3000, 3000, 3000, 3000, 3000])
  })

  it('linear grows by the step up to the cap', () => {
    expect(delays({ type: 'linear', step: 750, max: 3000 })).toEqual([750, 1500, 2250, 3000, 3000])
  })

  it('exponential grows by the factor up to the cap', () => {
    const plain = { type: 'exponential', min: '1s', max: '10s', jitter: 0 }
    expect(delays(plain)).toEqual([1000, 2000, 4000, 8000, 10_000])
    expect(delays({ ...plain, factor: 3 }, [1, 2, 3])).toEqual([1000, 3000, 9000])
    expect(delays({ ...plain, min: 0 })).toEqual([0, 0, 0, 0, 0])
  })

  it('is exponential from 1s to 1h with a tenth of jitter by default', () => {
    expect(planBackoff(undefined, 'b')).toEqual(DEFAULT_BACKOFF)
    expect(planBackoff({ type: 'exponential' }, 'b')).toEqual({
      ...{ type: 'exponential', min: 1000, max: 3_600_000, factor: 2, jitter: 0.1 },
    })
  })

  it('keeps jitter within its share and below the cap, and does not bunch at it', () => {
    const plan = planBackoff({ type: 'exponential', max: '1m', jitter: 0.2 }, 'b')
    for (const attempt of [1, 3, 6, 20]) {
      const drawn = Array.from({ length: 500 }, () => delayAfter(plan, attempt, chance, failure))
      const base = Math.min(60_000, 1000 * 2 ** (attempt - 1))
      expect(Math.min(...drawn)).toBeGreaterThanOrEqual(base * 0.8)
      expect(Math.max(...drawn)).toBeLessThanOrEqual(Math.min(60_000, base * 1.2))
      expect(new Set(drawn).size).toBeGreaterThan(100)
    }
  })

  it('stays whole, finite and safe for every plan and attempt, caps of Infinity too', () => {
    const span = fc.oneof(fc.nat(), fc.double({ min: 0, max: LONGEST_SPAN, noNaN: true }))
    const factor = fc.double({ min: 1, max: 1e300, noNaN: true })
    const jitter = fc.double({ min: 0, max: 1, noNaN: true })
    const plan = fc.oneof(
      fc.record({
        type: fc.constant('exponential'),
        min: span,
        max: fc.constant(Infinity),
        factor,
        jitter,
      }),
      fc.record({ type: fc.constant('linear'), step: span, max: fc.constant(Infinity) }),
      fc.record({ type: fc.constant('fixed'), delay: span }),
    )
    fc.assert(
      fc.property(plan, fc.integer({ min: 1, max: 1e9 }), (given, attempt) => {
        const delay = delayAfter(planBackoff(given, 'b'), attempt, chance, failure)
        expect(Number.isSafeInteger(delay) && delay >= 0 && delay <= LONGEST_SPAN).toBe(true)
      }),
    )
  })

  it('can be any function, (2^n + 1) s among them', () => {
    const curve = (attempt: number) => (2 ** (attempt - 1) + 1) * 1000
    expect([1, 2, 3, 4, 5].map((n) => delayAfter(curve, n, chance, failure))).toEqual(
      [2000, 3000, 5000, 9000, 17_000], // prettier-ignore
    )
    const spelled: BackoffFunction<{ id: string }> = (_, __, job) => (job.id === 'j' ? '5m' : '1s')
    expect(delayAfter(spelled, 1, chance, failure)).toBe(300_000)
    expect(planBackoff(curve, 'b')).toEqual({ type: 'custom' })
  })

  it('caps a function at 1h; a throw or no span is 1h, and is told', () => {
    const hour = 3_600_000
    const told: MillraceError[] = []
    const hearing = { ...failure, onFault: (fault: MillraceError) => void told.push(fault) }
    const boom = () => {
      throw new Error('boom')
    }
    expect(delayAfter(() => '2d', 1, chance, hearing)).toBe(hour)
    expect(delayAfter(() => Infinity, 1, chance, hearing)).toBe(hour)
    expect(told).toEqual([])
    const faults = [boom, () => NaN, () => -1, () => 'soon', () => undefined, async () => 5]
    for (const fault of faults) {
      expect(delayAfter(fault as () => number, 1, chance, hearing)).toBe(hour)
      expect(delayAfter(fault as () => number, 1, chance, failure)).toBe(hour)
    }
    expect(told).toHaveLength(faults.length)
    expect((told[0].cause as Error).message).toBe('boom')
  })

  it('is the default where a stored function is not at hand', () => {
    const delay = delayAfter({ type: 'custom' }, 1, chance, failure)
    expect(delay).toBeGreaterThanOrEqual(900)
    expect(delay).toBeLessThanOrEqual(1100)
  })

  it.each([
    ['a word', 'exponential', 'b'],
    ['no type', {}, 'b'],
    ['another type', { type: 'cubic' }, 'b'],
    ['the name of a function, and none', { type: 'custom' }, 'b'],
    ['an unknown field', { type: 'fixed', delay: 1, max: 5 }, 'b.max'],
    ['no step', { type: 'linear' }, 'b.step'],
    ['a negative span', { type: 'fixed', delay: -1 }, 'b.delay'],
    ['an endless delay', { type: 'fixed', delay: Infinity }, 'b.delay'],
    ['a factor below 1', { type: 'exponential', factor: 0.5 }, 'b.factor'],
    ['a factor of Infinity', { type: 'exponential', factor: Infinity }, 'b.factor'],
    ['jitter above 1', { type: 'exponential', jitter: 2 }, 'b.jitter'],
    ['a cap below the first delay', { type: 'exponential', min: '1m', max: '1s' }, 'b.max'],
  ])('refuses %s', (_, given, subject) => {
    expect(() => planBackoff(given, 'b')).toThrow(`OPTION_INVALID ${subject}:`)
  })
})
