import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  LAST_INSTANT,
  LONGEST_SPAN,
  formatDuration,
  millis,
  parseDuration,
} from '../../src/time/duration.js'

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['1.5h', 5_400_000],
    ['0s', 0],
    [0, 0],
    [250.5, 250.5],
  ])('%s is %d ms', (given, ms) => {
    expect(millis(given, 'timeout')).toBe(ms)
  })

  it.each([
    '',
    '5',
    's',
    '5 s',
    ' 5s',
    '5S',
    '-5s',
    '5x',
    '1e3s',
    '.5s',
    '5s5',
    '٥s',
    '9'.repeat(400) + 's',
  ])('%j is none', (given) => {
    expect(parseDuration(given)).toBeUndefined()
    expect(() => millis(given, 'timeout')).toThrow('OPTION_INVALID timeout: expected a span')
  })

  it.each([-1, NaN, -Infinity, null, undefined, true, 5n, {}, [], new Date(5)])(
    '%s is none',
    (given) => {
      expect(() => millis(given, 'timeout', { infinite: true })).toThrow(/OPTION_INVALID/)
    },
  )

  it('may be Infinity only where the option says so', () => {
    expect(millis(Infinity, 'age', { infinite: true })).toBe(Infinity)
    expect(() => millis(Infinity, 'age')).toThrow(/OPTION_INVALID age/)
    expect(() => millis(1e300, 'age')).toThrow(/OPTION_INVALID age/)
  })

  it('ends while there are dates', () => {
    expect(millis(LONGEST_SPAN, 'in')).toBe(4.32e15)
    for (const far of [LONGEST_SPAN + 1, Number.MAX_SAFE_INTEGER, '50000001d']) {
      expect(() => millis(far, 'in')).toThrow(/OPTION_INVALID in: .*a span of at most 50000000d/s)
    }
    expect(Number.isNaN(new Date(LAST_INSTANT).getTime())).toBe(false)
    expect(Number.isNaN(new Date(LAST_INSTANT + 1).getTime())).toBe(true)
  })

  it('may have a floor', () => {
    expect(millis('1s', 'every', { least: 1000 })).toBe(1000)
    expect(() => millis('999ms', 'every', { least: 1000 })).toThrow('a span of at least 1s')
    expect(() => millis('999ms', 'every', { least: 1000 })).toThrow("Write it like '30s', '5m',")
  })
})

describe('formatDuration', () => {
  it.each([
    [0, '0ms'],
    [450, '450ms'],
    [999.7, '1s'],
    [1500, '1.5s'],
    [9949, '9.9s'],
    [9950, '10s'],
    [12_300, '12s'],
    [59_700, '1m'],
    [192_000, '3m 12s'],
    [3_599_900, '1h'],
    [7_500_000, '2h 5m'],
    [86_399_999, '1d'],
    [694_800_000, '8d 1h'],
    [Infinity, '∞'],
    [-1500, '-1.5s'],
    [NaN, '?'],
  ])('%d ms reads %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('never shows a unit that is full', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
        expect(formatDuration(ms)).not.toMatch(/\b(1000ms|60s|60m|24h)/)
      }),
    )
  })
})
