// The judge of a history with gates: a sound history passes, and each kind of broken one is found.
import { describe, expect, it } from 'vitest'
import { judgeGates } from '../../src/testing/gate-history.js'
import type { Gate, Pause, Run } from '../../src/testing/gate-history.js'

const CAP: Gate = { kind: 'cap', name: 'cap', queue: 'q', of: 'queue', most: 2 }
const GROUP_CAP: Gate = { kind: 'cap', name: 'groupCap', queue: 'q', of: 'group', most: 1 }
const ORDER: Gate = { kind: 'order', name: 'order', queue: 'q' }
const RATE: Gate = {
  ...{ kind: 'rate', name: 'rate', queues: ['q', 'r'], of: 'key', count: 2, span: 100 },
}
const GROUP_RATE: Gate = { ...RATE, name: 'groupRate', of: 'group' }

/** Job `place` from one moment to another. */
function run(place: number, from: number, to: number, more: Partial<Run> = {}): Run {
  const id = `${more.queue ?? 'q'}-${place}`
  return { queue: 'q', group: 'a', id, place, attempt: 1, from, to, end: 'done', ...more }
}

const faultsOf = (gate: Gate, ...runs: Run[]) => judgeGates(runs, [], [gate]).faults
const pressedOf = (gate: Gate, ...runs: Run[]) =>
  judgeGates(runs, [], [gate]).pressed.get(gate.name)

describe('a cap', () => {
  it('may be reached, also by one that begins as another ends', () => {
    const runs = [run(1, 0, 10), run(2, 5, 20), run(3, 10, 30)]
    expect(faultsOf(CAP, ...runs)).toEqual([])
    expect(pressedOf(CAP, ...runs)).toBe(2)
  })

  it('is broken by one instant with one too many, in whatever order they are told', () => {
    const faults = faultsOf(CAP, run(3, 9, 30), run(1, 0, 10), run(2, 5, 20))
    expect(faults).toEqual([expect.stringContaining('cap: 3 of q at once, of 2')])
  })

  it('counts the run of a killed worker until the kill, and not after it', () => {
    const killed = run(1, 0, 50, { end: 'killed' })
    expect(faultsOf(CAP, killed, run(2, 5, 60), run(3, 50, 60))).toEqual([])
    expect(faultsOf(CAP, killed, run(2, 5, 60), run(3, 49, 60))).toHaveLength(1)
  })

  it('counts a run that never ended for ever', () => {
    const open = run(1, 0, Infinity, { end: 'unknown' })
    expect(faultsOf(CAP, open, run(2, 900, 990), run(3, 950, 990))).toHaveLength(1)
  })

  it('of groups is one for each group', () => {
    expect(faultsOf(GROUP_CAP, run(1, 0, 10), run(2, 0, 10, { group: 'b' }))).toEqual([])
    expect(faultsOf(GROUP_CAP, run(1, 0, 10), run(2, 9, 20))).toEqual([
      expect.stringContaining('groupCap: 2 of a at once'),
    ])
  })
})

describe('a rate', () => {
  it('lets a start leave the window when the span has passed', () => {
    const runs = [run(1, 0, 1), run(2, 99, 100), run(3, 100, 101), run(4, 199, 200)]
    expect(faultsOf(RATE, ...runs)).toEqual([])
    expect(pressedOf(RATE, ...runs)).toBe(2)
  })

  it('is broken by any window, also one that no beat of the clock begins', () => {
    const faults = faultsOf(RATE, run(1, 10, 11), run(2, 60, 61), run(3, 109.9, 111))
    expect(faults).toEqual([
      expect.stringContaining('3 starts of rate in a window of 100 ms, of 2'),
    ])
  })

  it('with a key counts the starts of all its queues, failed and killed ones too', () => {
    const other = run(2, 10, 11, { queue: 'r', end: 'failed' })
    const killed = run(3, 20, 21, { end: 'killed' })
    expect(faultsOf(RATE, run(1, 0, 1), other, killed)).toHaveLength(1)
    expect(faultsOf(RATE, run(1, 0, 1), { ...other, queue: 's' }, killed)).toEqual([])
  })

  it('of groups is one for each group of each queue', () => {
    const elsewhere = [run(2, 1, 2, { group: 'b' }), run(3, 2, 3, { queue: 'r' })]
    expect(faultsOf(GROUP_RATE, run(1, 0, 1), ...elsewhere, run(4, 3, 4))).toEqual([])
    expect(faultsOf(GROUP_RATE, run(1, 0, 1), run(2, 1, 2), run(3, 2, 3))).toHaveLength(1)
  })
})

describe('a blocking order', () => {
  const failed = run(1, 0, 5, { end: 'failed' })

  it('holds through the retries of a job, and other groups never notice', () => {
    const runs = [failed, run(2, 6, 9, { group: 'b' }), run(1, 20, 25, { attempt: 2 })]
    expect(faultsOf(ORDER, ...runs, run(3, 25, 30))).toEqual([])
    expect(pressedOf(ORDER, ...runs)).toBe(1)
  })

  it('is broken by one that passes a job which failed and runs again', () => {
    const faults = faultsOf(ORDER, failed, run(2, 6, 9), run(1, 20, 25, { attempt: 2 }))
    expect(faults).toEqual([expect.stringContaining('order: out of order in a')])
  })

  it('is broken by one that begins before an earlier one has', () => {
    expect(faultsOf(ORDER, run(2, 0, 5), run(1, 5, 9))).toHaveLength(1)
  })

  it('is broken by two of a group at once, though in order', () => {
    expect(faultsOf(ORDER, run(1, 0, 5), run(2, 4.9, 9))).toEqual([
      expect.stringContaining('order: two of a at once'),
    ])
  })
})

describe('a pause', () => {
  const pause: Pause = { queue: 'q', group: null, from: 100, to: 200 }
  const despite = (given: Pause, ...runs: Run[]) => judgeGates(runs, [given], []).faults

  it('allows what ended before its answer, what began after its end, and other queues', () => {
    const elsewhere = run(3, 150, 160, { queue: 'r' })
    expect(despite(pause, run(1, 90, 100), run(2, 200, 210), elsewhere)).toEqual([])
  })

  it('is broken by a start within it, and by a run that its answer did not wait for', () => {
    expect(despite(pause, run(1, 199, 210))).toHaveLength(1)
    expect(despite(pause, run(1, 90, 101))).toHaveLength(1)
  })

  it('of a group or of everything is held to that', () => {
    const group = { ...pause, group: 'b' }
    expect(despite(group, run(1, 150, 160))).toEqual([])
    expect(despite(group, run(1, 150, 160, { group: 'b' }))).toHaveLength(1)
    expect(despite({ ...pause, queue: null }, run(1, 150, 160, { queue: 'r' }))).toHaveLength(1)
  })
})

describe('a job', () => {
  it('never runs twice at once, in a queue without any gate', () => {
    const again = run(1, 9, 20, { attempt: 2 })
    expect(judgeGates([run(1, 0, 10), again], [], []).faults).toEqual([
      expect.stringContaining('twice at once'),
    ])
  })
})
