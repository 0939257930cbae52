// Which slots a plan has, and which of the missed ones are made up for: against walking slot by slot.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Plan, Slot } from '../../src/job/schedule.js'
import { firing, lastMoments, nextSlot } from '../../src/job/slots.js'
import type { Firing, Timing } from '../../src/job/slots.js'

const MINUTE = 60_000
const START = Date.UTC(2026, 2, 1)

const cron = (line: string, timeZone = 'UTC'): Plan => ({ kind: 'cron', line, timeZone })
const every = (span: number): Plan => ({ kind: 'every', span })
const of = (plan: Plan, jitter = 0): Timing => ({ plan, jitter, of: 'q\0s' })

function ended<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

function first(timing: Timing, after = START): Slot {
  const slot = nextSlot(timing, after)
  if (slot === null) throw new Error('a slot comes')
  return slot
}

/** Every slot that is due by `now`, one after the other. */
function walked(timing: Timing, from: Slot, now: number): Slot[] {
  const slots: Slot[] = []
  for (let slot: Slot | null = from; slot !== null && slot.due <= now;) {
    slots.push(slot)
    slot = nextSlot(timing, slot.at)
  }
  return slots
}

function fires(timing: Timing, missed: 'skip' | 'once' | 'all', from: Slot, now: number): Firing {
  return ended(firing(timing, missed, from, now))
}

describe('slots', () => {
  it('of an interval lie on multiples of it', () => {
    expect(first(of(every(15 * MINUTE)), START - 1).at).toBe(START)
    expect(first(of(every(15 * MINUTE)), START).at).toBe(START + 15 * MINUTE)
    expect(first(of(every(7_000)), START + 1).at % 7_000).toBe(0)
  })

  it('of one moment are one', () => {
    const once = of({ kind: 'at', at: START })
    expect(nextSlot(once, START - 1)).toEqual({ at: START, due: START })
    expect(nextSlot(once, START)).toBeNull()
  })

  it('fire with jitter, before the next one, the same every time, each by itself', () => {
    const timing = of(every(MINUTE), 10 * MINUTE)
    const slots = walked(timing, first(timing), START + 100 * MINUTE)
    expect(slots.length).toBeGreaterThan(90)
    const late = slots.map(({ at, due }) => due - at)
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...late)).toBeLessThan(MINUTE)
    expect(new Set(late).size).toBeGreaterThan(80)
    expect(walked(timing, first(timing), START + 100 * MINUTE)).toEqual(slots)
    const other = { ...timing, of: 'q\0other' }
    expect(first(other).due).not.toBe(first(timing).due)
  })
})

describe('what is due', () => {
  const timing = of(cron('*/5 * * * *'))
  const from = first(timing)

  it.each(['skip', 'once', 'all'] as const)(
    'fires once when it is fired in time (%s)',
    (missed) => {
      const next = first(timing, from.at)
      expect(fires(timing, missed, from, from.due)).toEqual({ run: [from], next })
      expect(fires(timing, missed, from, from.due + MINUTE)).toEqual({ run: [from], next })
    },
  )

  it('was missed a minute later', () => {
    const now = from.due + MINUTE + 1
    expect(fires(timing, 'skip', from, now).run).toEqual([])
    expect(fires(timing, 'once', from, now).run).toEqual([from])
    expect(fires(timing, 'all', from, now).run).toEqual([from])
  })

  it('of several is the last one, or all', () => {
    const now = from.due + 17 * MINUTE
    const slots = walked(timing, from, now)
    expect(slots).toHaveLength(4)
    expect(fires(timing, 'skip', from, now).run).toEqual([])
    expect(fires(timing, 'skip', from, from.due + 15 * MINUTE).run).toEqual([slots[3]])
    expect(fires(timing, 'once', from, now).run).toEqual([slots[3]])
    expect(fires(timing, 'all', from, now).run).toEqual(slots)
    for (const missed of ['skip', 'once', 'all'] as const) {
      expect(fires(timing, missed, from, now).next).toEqual(first(timing, now))
    }
  })

  it('of one moment fires however late, unless missed ones are left out', () => {
    const once = of({ kind: 'at', at: START + 1 })
    const slot = first(once)
    const late = START + 1_000 * MINUTE
    expect(fires(once, 'once', slot, late)).toEqual({ run: [slot], next: null })
    expect(fires(once, 'all', slot, late)).toEqual({ run: [slot], next: null })
    expect(fires(once, 'skip', slot, late)).toEqual({ run: [], next: null })
  })

  it('is found at once after ten years of seconds', () => {
    for (const plan of [every(1_000), cron('* * * * * *')]) {
      const start = { at: START, due: START }
      const now = START + 10 * 365 * 1440 * MINUTE + 500
      const { run, next } = fires(of(plan), 'once', start, now)
      expect(run).toEqual([{ at: now - 500, due: now - 500 }])
      expect(next?.at).toBe(now + 500)
    }
  })

  const plans = fc.oneof(
    fc.constantFrom(
      cron('*/7 * * * *'),
      cron('30 2 * * *', 'America/New_York'),
      cron('*/10 1-3 * * *', 'America/New_York'),
      cron('5,20 */3 * * 1-5'),
    ),
    fc.integer({ min: 1_000, max: 300 * MINUTE }).map(every),
  )

  it('is what walking slot by slot finds, with jitter and across a change of clocks', () => {
    const gone = fc.integer({ min: 0, max: 14 * 1440 * MINUTE })
    const jitter = fc.constantFrom(0, 1, MINUTE, 100 * MINUTE)
    fc.assert(
      fc.property(plans, jitter, gone, (plan, most, ms) => {
        const timing = of(plan, most)
        const from = first(timing)
        const now =
          from.due + (plan.kind === 'every' ? ms % (plan.span * 50) : ms % (3_000 * MINUTE))
        const slots = walked(timing, from, now)
        expect(fires(timing, 'all', from, now).run).toEqual(slots)
        expect(fires(timing, 'once', from, now).run).toEqual(slots.slice(-1))
        expect(fires(timing, 'once', from, now).next).toEqual(nextSlot(timing, slots.at(-1)!.at)) // `from` is due, so there is one
      }),
      { numRuns: 150 },
    )
  })
})

describe('of many that were missed', () => {
  it.each([
    ['each minute', cron('* * * * *')],
    ['each hour, in a zone', cron('0 * * * *', 'Europe/Paris')],
    ['three in a row each day', cron('1,2,3 4 * * *')],
    ['an interval', every(61_000)],
  ])('the last hundred are taken: %s', (_, plan) => {
    const from = first(of(plan)).at
    const slots: number[] = [from]
    while (slots.length < 700) slots.push(first(of(plan), slots.at(-1)).at)
    const last = slots.at(-1) ?? 0
    expect(ended(lastMoments(plan, from, last, 100))).toEqual(slots.slice(-100))
    expect(ended(lastMoments(plan, from, last, 700))).toEqual(slots)
    expect(ended(lastMoments(plan, from, last, 699))).toEqual(slots.slice(-699))
  })

  it('never more than was asked for, and always the last, when they come in bursts', () => {
    const plan = cron('* * 9 1 * *')
    const from = first(of(plan)).at
    const last = Date.UTC(2027, 2, 1, 9, 59, 59)
    const found = ended(lastMoments(plan, from, last, 100))
    expect(found.length).toBeGreaterThan(0)
    expect(found.length).toBeLessThanOrEqual(100)
    expect(found.at(-1)).toBe(last)
  })
})
