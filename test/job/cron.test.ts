// Cron lines: what comes next, when clocks are set, and what is none. The oracle asks Intl minute by
// minute what the clock shows, and shares nothing with croner.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTimeZone, nextOfCron } from '../../src/job/cron.js'
import { changesOf, momentsOf } from './cron-oracle.js'
import type { PlainLine } from './cron-oracle.js'

const MINUTE = 60_000
const DAY = 1440 * MINUTE

function next(line: string, zone: string, after: string, count = 1): (string | null)[] {
  const found: (string | null)[] = []
  let at: number | null = Date.parse(after)
  for (let n = 0; n < count && at !== null; n++) {
    at = nextOfCron(line, zone, at)
    found.push(at === null ? null : new Date(at).toISOString().replace(':00.000Z', 'Z'))
  }
  return found
}

describe('the next time of a cron line', () => {
  const after = '2026-01-01T00:00:00Z'
  it.each([
    ['* * * * *', '2026-01-01T00:01Z'],
    ['0 9 * * 1-5', '2026-01-01T09:00Z'],
    ['0 9 * * MON', '2026-01-05T09:00Z'],
    ['0 0 L * *', '2026-01-31T00:00Z'],
    ['0 0 29 2 *', '2028-02-29T00:00Z'],
    ['0 0 * * 5#3', '2026-01-16T00:00Z'],
    ['0 0 15W 2 *', '2026-02-16T00:00Z'],
    ['@daily', '2026-01-02T00:00Z'],
    ['30 0 12 1 1 * 2030', '2030-01-01T12:00:30.000Z'],
    ['*/20 * * * * *', '2026-01-01T00:00:20.000Z'],
  ])('of %s is right', (line, expected) => {
    expect(next(line, 'UTC', after)).toEqual([expected])
  })

  it('is after the moment, also when that is a fraction of a millisecond before it', () => {
    const at = Date.parse('2026-01-01T09:00:00Z')
    expect(nextOfCron('0 9 * * *', 'UTC', at - 0.5)).toBe(at)
    expect(nextOfCron('0 9 * * *', 'UTC', at)).toBe(at + DAY)
    expect(nextOfCron('0 9 * * *', 'UTC', at + 0.5)).toBe(at + DAY)
  })

  it.each(['0 0 30 2 *', '0 0 31 4 *', '* * * * * * 2020', '0 0 0 31 2,4,6,9,11 * 2026-2099'])(
    'of %s never comes',
    (line) => expect(next(line, 'UTC', after)).toEqual([null]),
  )

  it.each(['', '* * * *', '61 * * * *', 'every day', '*/0 * * * *', '@reboot', '5 4 * * FUN'])(
    'of %j is refused',
    (line) => expect(() => next(line, 'UTC', after)).toThrow(),
  )

  it('is not asked of a date, nor of a line as long as a book', () => {
    expect(() => next('2030-01-01T00:00:00', 'UTC', after)).toThrow('a date is no cron line')
    expect(() => next('0 '.repeat(10_000), 'UTC', after)).toThrow('characters')
  })
})

describe('when clocks are set', () => {
  const NEW_YORK = 'America/New_York' // forward at 2026-03-08T07:00Z, back at 2026-11-01T06:00Z

  it('an exact time that is left out comes when the clock goes on', () => {
    const days = next('30 2 * * *', NEW_YORK, '2026-03-07T00:00:00Z', 3)
    expect(days).toEqual(['2026-03-07T07:30Z', '2026-03-08T07:00Z', '2026-03-09T06:30Z'])
  })

  it('an exact time that is there twice comes the first time', () => {
    const days = next('30 1 * * *', NEW_YORK, '2026-10-31T00:00:00Z', 3)
    expect(days).toEqual(['2026-10-31T05:30Z', '2026-11-01T05:30Z', '2026-11-02T06:30Z'])
  })

  it('a line with * goes by what the clock shows', () => {
    const spring = next('30 * * * *', NEW_YORK, '2026-03-08T05:40:00Z', 3)
    expect(spring).toEqual(['2026-03-08T06:30Z', '2026-03-08T07:30Z', '2026-03-08T08:30Z'])
    const autumn = next('30 * * * *', NEW_YORK, '2026-11-01T04:40:00Z', 3)
    expect(autumn).toEqual(['2026-11-01T05:30Z', '2026-11-01T06:30Z', '2026-11-01T07:30Z'])
  })

  it('a day that never was has no times', () => {
    const days = next('0 12 * * *', 'Pacific/Apia', '2011-12-29T00:00:00Z', 2)
    expect(days).toEqual(['2011-12-29T22:00Z', '2011-12-30T22:00Z'])
    expect(next('0 12 30 12 *', 'Pacific/Apia', '2011-12-01T00:00:00Z')).toEqual([
      '2012-12-29T22:00Z',
    ])
  })

  const EVERY_HOUR = Array.from({ length: 24 }, (_, hour) => hour)
  const LINES: readonly PlainLine[] = [
    { line: '30 2 * * *', hours: [2], minutes: [30], exact: true },
    { line: '0 0 * * *', hours: [0], minutes: [0], exact: true },
    { line: '15,45 1-3 * * *', hours: [1, 2, 3], minutes: [15, 45], exact: true },
    { line: '5 0,1,23 * * *', hours: [0, 1, 23], minutes: [5], exact: true },
    { line: '*/20 * * * *', hours: EVERY_HOUR, minutes: [0, 20, 40], exact: false },
    {
      line: '10 */2 * * *',
      hours: EVERY_HOUR.filter((h) => h % 2 === 0),
      minutes: [10],
      exact: false,
    },
  ]
  const ZONES: readonly (readonly [zone: string, year: number])[] = [
    ['UTC', 2026],
    ['America/New_York', 2026],
    ['Europe/London', 2026],
    ['Europe/Paris', 2027],
    ['Asia/Kathmandu', 1985],
    ['America/Sao_Paulo', 2018],
    ['America/Havana', 2026],
    ['America/St_Johns', 2010],
    ['Asia/Beirut', 2026],
    ['Africa/Cairo', 2024],
    ['Africa/Casablanca', 2026],
    ['Australia/Lord_Howe', 2026],
    ['Pacific/Chatham', 2026],
    ['Pacific/Apia', 2011],
    ['Antarctica/Troll', 2026],
  ]

  it.each(ZONES)('%s in %i is as the oracle says', (zone, year) => {
    const changes = changesOf(zone, year)
    expect(changes.length > 0).toBe(zone !== 'UTC')
    for (const change of [...changes, Date.UTC(year, 5, 15)]) {
      const from = Math.floor(change / DAY) * DAY - DAY
      const until = from + 3 * DAY
      for (const plain of LINES) {
        const found: number[] = []
        for (let at = nextOfCron(plain.line, zone, from - 1); at !== null && at < until;) {
          found.push(at)
          at = nextOfCron(plain.line, zone, at)
        }
        const iso = (moments: number[]) => moments.map((at) => new Date(at).toISOString())
        expect(iso(found), plain.line).toEqual(iso(momentsOf(plain, zone, from, until)))
      }
    }
  })
})

describe('zones', () => {
  it('are known by their names', () => {
    for (const name of ['UTC', 'Europe/Paris', 'Etc/GMT+5']) expect(isTimeZone(name)).toBe(true)
    for (const name of ['', 'No/Where', '+05:00', 'Paris?']) expect(isTimeZone(name)).toBe(false)
  })
})

describe('whatever is written', () => {
  const number = fc.integer({ min: 0, max: 70 }).map(String)
  const field = fc.oneof(
    fc.constantFrom('*', '?', 'L', '1W', '5#3', '1L', 'MON', 'JAN', '', '-', ',', '/', '*/5'),
    number,
    fc.tuple(number, number).map(([from, to]) => `${from}-${to}`),
    fc.tuple(number, number).map(([from, step]) => `${from}-59/${step}`),
    fc.string({ maxLength: 6 }),
  )
  const line = fc.array(field, { minLength: 1, maxLength: 8 }).map((fields) => fields.join(' '))
  const zone = fc.constantFrom('UTC', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu')
  const moment = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) })

  it('is refused, never comes, or comes later, and the same way again', () => {
    fc.assert(
      fc.property(line, zone, moment, (text, timeZone, after) => {
        let at: number | null
        try {
          at = nextOfCron(text, timeZone, after)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
          return
        }
        expect(at).toBe(nextOfCron(text, timeZone, after))
        if (at === null) return
        expect(at).toBeGreaterThan(after)
        // Nothing lies between: from just before it, it is still the next.
        expect(nextOfCron(text, timeZone, at - 1)).toBe(at)
      }),
      { numRuns: 1_000 },
    )
  })
})
