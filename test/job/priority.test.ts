import { describe, expect, it } from 'vitest'
import { priorityOf } from '../../src/job/priority.js'

describe('priorities', () => {
  it('are words or whole numbers from -100 to 100', () => {
    const given = ['high', 'normal', 'low', undefined, 100, -100, 0, -0]
    expect(given.map((p) => priorityOf(p, 'priority'))).toEqual([10, 0, -10, 0, 100, -100, 0, 0])
  })

  it.each([101, -101, 1.5, NaN, Infinity, '5', 'urgent', null, true, 5n])('%s is refused', (p) => {
    expect(() => priorityOf(p, 'enqueue.priority')).toThrow(/OPTION_INVALID enqueue\.priority/)
  })
})
