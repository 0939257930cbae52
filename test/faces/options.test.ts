// What a producer may say of a job: checked once, where it is given, and complete afterwards.
import { describe, expect, it } from 'vitest'
import { PLAIN_TERMS, termsOf } from '../../src/job/options.js'
import type { Scope } from '../../src/job/options.js'

const terms = (options: unknown, scope: Scope = 'one') =>
  termsOf(options, PLAIN_TERMS, scope, 'queue("q")')

const refusal = (options: unknown, scope: Scope = 'one'): string => {
  try {
    terms(options, scope)
  } catch (error) {
    return String(error).toLowerCase()
  }
  return 'taken'
}

const REF = { queue: 'q', id: 'a' }

describe('the options of a job', () => {
  it('cost nothing when there are none', () => {
    expect(terms(undefined)).toBe(PLAIN_TERMS)
  })

  it('come out complete and in milliseconds', () => {
    const at = new Date('2000-01-01T00:00:00Z')
    expect(
      terms({
        priority: 'high',
        group: 'customer-7',
        at,
        unique: { key: 'k', for: '1h' },
        attempts: 3,
        timeout: false,
        expiresIn: '2m',
        after: [REF, { ...REF, status: 'enqueued' }, { queue: 'other', id: 'b' }],
        onParentFailed: 'run',
        tags: ['a', 'b', 'a'],
        meta: { trace: 1n },
        id: 'mine',
      }),
    ).toEqual({
      priority: 10,
      group: 'customer-7',
      delay: 0,
      at: at.getTime(),
      unique: { key: 'k', while: 'unfinished', for: 3_600_000, onConflict: 'keep' },
      attempts: 3,
      timeout: Infinity,
      expiresIn: 120_000,
      after: [REF, { queue: 'other', id: 'b' }],
      onParentFailed: 'run',
      tags: ['a', 'b'],
      meta: expect.objectContaining({ codec: 'rich' }),
      id: 'mine',
      tx: undefined,
    })
  })

  it('lie over those of the layer below, and an undefined one says nothing', () => {
    const base = termsOf({ attempts: 5, priority: 'low' }, PLAIN_TERMS, 'task', 'task("t")')
    const over = termsOf({ attempts: 2, priority: undefined }, base, 'one', 'task("t")')
    expect(over).toMatchObject({ attempts: 2, priority: -10 })
  })

  it.each([
    [{ prioritet: 1 }, "did you mean 'priority'"],
    [{ Timeout: '5s' }, "did you mean 'timeout'"],
    [{ delay: 5_000 }, "did you mean 'in'"],
    [{ runAt: new Date() }, "did you mean 'at'"],
    [{ jobId: 'a' }, "did you mean 'id'"],
    [{ maxAttempts: 3 }, "did you mean 'attempts'"],
    [{ colour: 'red' }, 'expected one of'],
    [{ after: 'x' }, 'an array of jobs'],
    [{ after: ['x'] }, 'after[0]'],
    [{ after: [{ queue: 'q' }] }, 'after[0].id'],
    [{ after: Array.from({ length: 10_001 }, () => REF) }, 'at most 10000'],
    [{ after: [REF], unique: { key: 'k', onConflict: 'replace' } }, "no 'replace' beside it"],
    [{ onParentFailed: 'stop' }, "'wait' or 'discard' or 'run'"],
    [{ in: '1s', at: new Date() }, "either 'in' or 'at'"],
    [{ at: new Date(NaN) }, 'a valid Date'],
    [{ at: 5 }, "use 'in'"],
    [{ in: -1 }, 'queue("q").in'],
    [{ in: Infinity }, 'a span'],
    [{ in: Number.MAX_SAFE_INTEGER }, 'a span of at most 50000000d'],
    [{ priority: 101 }, 'queue("q").priority'],
    [{ attempts: 1.5 }, 'a whole number'],
    [{ attempts: -1 }, 'a whole number'],
    [{ timeout: 0 }, 'at least 1ms'],
    [{ tags: 'vip' }, 'an array of strings'],
    [{ tags: [1] }, 'tags[0]'],
    [{ tags: Array.from({ length: 33 }, (_, at) => `t${at}`) }, 'at most 32'],
    [{ meta: 5 }, 'meta: expected a plain object, like { requestid }, received 5'],
    [{ meta: [] }, 'a plain object'],
    [{ meta: null }, 'a plain object'],
    [{ meta: new Map([['a', 1]]) }, 'a plain object'],
    [{ meta: new Date() }, 'a plain object'],
    [{ meta: { run: () => 1 } }, 'meta.run'],
    [{ id: '' }, 'not empty'],
    [{ id: 'x'.repeat(513) }, 'at most 512 bytes'],
    [{ group: '\ud800' }, 'well-formed Unicode'],
    [{ unique: 'k' }, 'an object of options'],
    [{ unique: {} }, 'unique.key'],
    [{ unique: { key: 'k', forr: 1 } }, "did you mean 'for'"],
    [{ unique: { key: 'k', while: 'ever' } }, "'unfinished' or 'waiting'"],
    ['high', 'an object of options'],
  ])('refuse %o, naming the option', (options, message) => {
    expect(refusal(options)).toContain(message.toLowerCase())
  })

  it('refuse for many what only one job can have, and say how', () => {
    expect(refusal({ id: 'x' }, 'all')).toContain('give a function')
    expect(refusal({ tx: {} }, 'each')).toContain('last argument')
    expect(refusal({ group: 'g' }, 'task')).toContain('one of attempts')
  })

  it('keep no prototype of the user alive: what is inherited is not read', () => {
    expect(terms(Object.create({ priority: 'high' }))).toMatchObject({ priority: 0 })
  })
})
