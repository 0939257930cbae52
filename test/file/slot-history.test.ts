// The judge of schedules: a sound history passes, and each kind of broken one is found.
import { describe, expect, it } from 'vitest'
import { judgeSlots } from '../../src/testing/slot-history.js'
import type { Blackout, SlotPlan, SlotRun } from '../../src/testing/slot-history.js'

const ALL: SlotPlan = { name: 's', span: 100, missed: 'all', overlap: 'queue' }
const ONCE: SlotPlan = { ...ALL, missed: 'once' }
const SINGLE: SlotPlan = { ...ONCE, overlap: 'skip' }

/** Of this slot, begun 5 ms later. The clock of the runs is that of the wall here. */
function run(slot: number, more: Partial<SlotRun> = {}): SlotRun {
  const where = { queue: 'q', group: 's', id: `s@${slot}`, place: slot, attempt: 1 }
  const from = more.from ?? slot + 5
  const when = { from, to: from + 10, wall: from, end: 'done' } as const
  return { ...where, ...when, isWorkerKilled: false, ...more }
}

const faultsOf = (plan: SlotPlan, runs: readonly SlotRun[], blackouts: readonly Blackout[] = []) =>
  judgeSlots(runs, [plan], blackouts).faults

describe('a slot', () => {
  it('fires once, in its time; what is left out is counted', () => {
    const report = judgeSlots([run(100), run(200), run(500)], [ONCE], [])
    expect(report).toEqual({
      faults: [],
      fired: new Map([['s', 3]]),
      leftOut: new Map([['s', 2]]),
    })
  })

  it('that fires twice is found, under another id or by the same attempt in two workers', () => {
    expect(faultsOf(ALL, [run(100), run(100, { id: 'other', attempt: 2, from: 120 })])).toContain(
      's: slot 100 fired twice: s@100,other',
    )
    const killed = run(100, { end: 'killed', isWorkerKilled: true })
    expect(faultsOf(ALL, [killed, run(100, { from: 150 })])).toEqual([
      's: slot 100: attempt 1 after 1',
    ])
  })

  it('may run again when its worker was killed or it failed, and for no other reason', () => {
    const again = run(100, { attempt: 2, from: 150 })
    expect(faultsOf(ALL, [run(100, { end: 'killed', isWorkerKilled: true }), again])).toEqual([])
    expect(faultsOf(ALL, [run(100, { isWorkerKilled: true }), again])).toEqual([])
    expect(faultsOf(ALL, [run(100, { end: 'failed' }), again])).toEqual([])
    expect(faultsOf(ALL, [run(100), again])).toHaveLength(1)
  })

  it('that fires early, that the plan does not have, or whose job is never done is found', () => {
    expect(faultsOf(ALL, [run(100, { wall: 99 })])).toEqual(['s: slot 100 fired early, at 99'])
    expect(faultsOf(ALL, [run(150)])).toEqual(['s: slot 150 is none of the plan'])
    expect(faultsOf(ALL, [run(100, { end: 'killed' })])).toHaveLength(1)
    expect(faultsOf(ALL, [run(100, { group: 't' })])).toEqual(['s@100 is of no schedule'])
  })

  it('that is left out is found where all of them are to fire', () => {
    expect(faultsOf(ALL, [run(100), run(200, { from: 305 }), run(300)])).toEqual([])
    expect(faultsOf(ALL, [run(100), run(300)])).toEqual(['s: slot 200 never fired'])
  })

  it('beside the unfinished job of the one before is found where that is to be left out', () => {
    const long = run(100, { to: 206 })
    expect(faultsOf(ONCE, [long, run(200)])).toEqual([])
    expect(faultsOf(SINGLE, [long, run(300)])).toEqual([])
    expect(faultsOf(SINGLE, [long, run(200)])).toEqual(['s: slot 200 beside that of 100'])
  })
})

describe('when nobody lives for a while', () => {
  const dark = { from: 310, to: 650 }
  const before = [run(200), run(300)]

  it('the last slot of that time stands for all', () => {
    expect(faultsOf(ONCE, [...before, run(600, { from: 655 })], [dark])).toEqual([])
  })

  it('one that was missed and fires all the same is found, unless all are to', () => {
    const late = [400, 500, 600].map((slot) => run(slot, { from: 655 + slot / 100 }))
    expect(faultsOf(ALL, [...before, ...late], [dark])).toEqual([])
    expect(faultsOf(ONCE, [...before, ...late.slice(1)], [dark])).toEqual([
      's: slot 500 was missed, and fired',
    ])
  })

  it('a schedule that does not go on is found', () => {
    expect(faultsOf(ONCE, before, [dark])).toEqual(['s: nothing fired after 650'])
  })
})
