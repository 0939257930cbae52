// Circles among jobs of one lot: found at any depth and in linear time, and named.
import { describe, expect, it } from 'vitest'
import { circleIn } from '../../src/job/graph.js'
import type { NewJob } from '../../src/job/lot.js'
import { newJob, unique } from '../../src/testing/conformance/build.js'

function job(id: string, ...after: string[]): NewJob {
  return newJob(id, { after: after.map((parent) => ({ queue: 'q', id: parent })) })
}

function named(jobs: readonly NewJob[]): string | null {
  return (
    circleIn(jobs)
      ?.map(({ id }) => id)
      .join(' ') ?? null
  )
}

describe('a graph of jobs', () => {
  it('without a circle is none, however it is ordered and joined', () => {
    expect(named([])).toBeNull()
    expect(named([job('a'), job('b')])).toBeNull()
    expect(named([job('d', 'b', 'c'), job('b', 'a'), job('c', 'a', 'b'), job('a')])).toBeNull()
    expect(named([job('a', 'elsewhere'), job('b', 'a', 'elsewhere')])).toBeNull()
  })

  it('names the jobs of a circle, each after the next', () => {
    expect(named([job('a', 'a')])).toBe('a a')
    expect(named([job('x', 'a'), job('a', 'b'), job('b', 'c'), job('c', 'y', 'a')])).toBe('a b c a')
    expect(named([job('tree'), job('b', 'tree', 'a'), job('a', 'tree', 'b')])).toBe('b a b')
  })

  it('tells queues apart', () => {
    const other = newJob('a', { queue: 'other', after: [{ queue: 'q', id: 'a' }] })
    expect(named([job('a'), other])).toBeNull()
  })

  it('takes jobs that will be one for one', () => {
    const key = unique('k')
    const first = { ...job('a', 'b'), unique: key }
    const again = { ...job('c'), unique: key }
    expect(named([first, again, job('b', 'c')])).toBe('a b a')
    expect(named([job('a'), job('b', 'a'), job('a', 'b')])).toBe('a b a')
  })

  it('is looked through without recursion, along a chain of 100,000 and among as many edges', () => {
    const count = 100_000
    const chain = Array.from({ length: count }, (_, at) =>
      at === count - 1
        ? job('last')
        : job(at === 0 ? 'first' : `${at}`, at === count - 2 ? 'last' : `${at + 1}`),
    )
    expect(circleIn(chain)).toBeNull()
    const closed = [...chain.slice(0, -1), job('last', 'first')]
    expect(circleIn(closed)?.length).toBe(count + 1)
    const wide = Array.from({ length: 300 }, (_, at) => `p${at}`)
    const layers = [...wide.map((id) => job(id)), ...wide.map((_, at) => job(`c${at}`, ...wide))]
    expect(circleIn(layers)).toBeNull()
  })
})
