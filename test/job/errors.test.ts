import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type * as errors from '../../src/job/errors.js'
import { MillraceError, millraceError, shown } from '../../src/job/errors.js'

const fault = {
  code: 'OPTION_INVALID',
  subject: 'worker.concurrency',
  expected: 'a whole number from 0',
  received: -1,
  remedy: 'give the number of slots',
} as const

describe('MillraceError', () => {
  it('says the thing, what was expected, what came and the way out', () => {
    const error = millraceError(fault)
    expect(error.message).toBe(
      'OPTION_INVALID worker.concurrency: expected a whole number from 0, received -1. Give the number of slots.',
    )
    expect(error).toMatchObject(fault)
    expect(error.name).toBe('MillraceError')
    expect(error).toBeInstanceOf(Error)
    expect(error.stack).toContain('errors.test')
  })

  it('says nothing of what came where nothing did', () => {
    const { received: _, ...rest } = fault
    expect(millraceError(rest).message).not.toContain('received')
    expect(millraceError({ ...rest, received: undefined }).message).toContain('received undefined')
  })

  it('keeps the cause, and has none otherwise', () => {
    const cause = new Error('disk')
    expect(millraceError({ ...fault, cause }).cause).toBe(cause)
    expect('cause' in millraceError(fault)).toBe(false)
  })

  it('is told by its code', () => {
    const error: unknown = millraceError(fault)
    expect(MillraceError.is(error)).toBe(true)
    expect(MillraceError.is(error, 'OPTION_INVALID')).toBe(true)
    expect(MillraceError.is(error, 'QUEUE_FULL')).toBe(false)
    for (const other of [null, undefined, 1, 'x', {}, new Error('x'), { code: 'OPTION_INVALID' }]) {
      expect(MillraceError.is(other)).toBe(false)
    }
  })

  it('is known to another copy of the package', async () => {
    const path = '../../src/job/errors.js?another-copy'
    const copy = (await import(/* @vite-ignore */ path)) as typeof errors
    const foreign: unknown = copy.millraceError(fault)
    expect(foreign).not.toBeInstanceOf(MillraceError)
    expect(MillraceError.is(foreign, 'OPTION_INVALID')).toBe(true)
  })

  it('keeps what came at hand, and out of logs', () => {
    const received = { password: 'hunter2' }
    const error = millraceError({ ...fault, received })
    expect(error.received).toBe(received)
    expect(inspect(error) + JSON.stringify(error) + error.message).not.toContain('hunter2')
  })
})

describe('shown', () => {
  it('is short, whatever came', () => {
    const huge = ['x'.repeat(1e6), 10n ** 5000n, new Array(1e6), { ['k'.repeat(1e5)]: 1 }]
    for (const value of [...huge, new Error('y'.repeat(1e5)), Symbol('z'.repeat(1e5))]) {
      expect(shown(value).length).toBeLessThan(260)
    }
  })

  it('tells the shape of objects and not their contents', () => {
    expect(shown({ user: 1, token: 'secret' })).toBe('an object with user, token')
    expect(shown([1, 2])).toBe('an array of 2')
    expect(shown(new (class User {})())).toBe('an instance of User')
    expect(shown(() => 1)).toBe('a function')
    expect(shown(Object.create(null))).toBe('an empty object')
    expect(shown(new Date(0))).toBe('1970-01-01T00:00:00.000Z')
    expect([shown(null), shown(undefined), shown(-0), shown(2n), shown(true)]).toEqual(
      ['null', 'undefined', '-0', '2n', 'true'], // prettier-ignore
    )
  })

  it('hides the password of a URL', () => {
    expect(shown('postgres://ada:p@ss@db.example/jobs')).toBe(
      '"postgres://ada:***@db.example/jobs"',
    )
  })
})
