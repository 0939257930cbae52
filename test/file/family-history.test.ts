// The judge of jobs that come after others: a sound history passes, and each kind of broken one is found.
import { describe, expect, it } from 'vitest'
import { judgeFamilies } from '../../src/testing/family-history.js'
import type { Member } from '../../src/testing/family-history.js'
import type { Run } from '../../src/testing/gate-history.js'

function member(id: string, parents: readonly string[] = [], more: Partial<Member> = {}): Member {
  return { id, parents, policy: 'wait', isDoomed: false, ...more }
}

function run(id: string, from: number, to: number, more: Partial<Run> = {}): Run {
  return { queue: 'q', group: '', id, place: 0, attempt: 1, from, to, end: 'done', ...more }
}

const FAMILY = [member('a'), member('b'), member('c', ['a', 'b'])]
const DOOMED = [member('a', [], { isDoomed: true }), member('b', ['a'], { policy: 'discard' })]
const failed = run('a', 0, 5, { end: 'failed' })

describe('a child', () => {
  it('may begin as the last of its parents ends', () => {
    const runs = [run('a', 0, 5), run('b', 2, 9), run('c', 9, 12)]
    expect(judgeFamilies(FAMILY, runs)).toEqual({ faults: [], pressed: 0, fallen: new Set() })
  })

  it('that begins before one of them has ended is found', () => {
    const runs = [run('a', 0, 5), run('b', 2, 9), run('c', 8, 12)]
    expect(judgeFamilies(FAMILY, runs).faults).toEqual([
      expect.stringContaining('c began at 8, and b ran from 2 to 9'),
    ])
  })

  it('waits for the retry of a parent, and for that of one whose worker was killed', () => {
    for (const end of ['failed', 'killed'] as const) {
      const again = [run('a', 0, 5, { end }), run('b', 0, 1), run('a', 20, 25, { attempt: 2 })]
      const report = judgeFamilies(FAMILY, [...again, run('c', 25, 26)])
      expect([report.faults, report.pressed]).toEqual([[], 1])
      expect(judgeFamilies(FAMILY, [...again, run('c', 6, 7)]).faults).toHaveLength(1)
    }
  })

  it('that begins after one that was never done is found', () => {
    const runs = [run('a', 0, 5), run('b', 0, 5, { end: 'killed' }), run('c', 8, 12)]
    expect(judgeFamilies(FAMILY, runs).faults).toContain('c began, and b was never done')
  })

  it('that never ran, or was never done, is found', () => {
    const parents = [run('a', 0, 5), run('b', 0, 5)]
    expect(judgeFamilies(FAMILY, parents).faults).toEqual(['c never ran'])
    const killed = run('c', 8, 9, { end: 'killed' })
    expect(judgeFamilies(FAMILY, [...parents, killed]).faults).toEqual(['c was never done'])
  })
})

describe('when a parent fails for good', () => {
  it('what is to fall with it does, and whatever is to fall with that', () => {
    const members = [...DOOMED, member('c', ['b'], { policy: 'discard' })]
    const report = judgeFamilies(members, [failed])
    expect([report.faults, report.fallen]).toEqual([[], new Set(['b', 'c'])])
  })

  it('a child that should have fallen and ran is found', () => {
    expect(judgeFamilies(DOOMED, [failed, run('b', 9, 10)]).faults).toEqual([
      'b ran, and a of its parents failed',
    ])
  })

  it('one that runs anyhow does so when all have ended, and not before', () => {
    const members = [DOOMED[0], member('b', ['a'], { policy: 'run' })]
    expect(judgeFamilies(members, [failed, run('b', 5, 6)]).faults).toEqual([])
    expect(judgeFamilies(members, [failed, run('b', 4, 6)]).faults).toHaveLength(1)
    expect(judgeFamilies(members, [failed]).faults).toEqual(['b never ran'])
  })
})
