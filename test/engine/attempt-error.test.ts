// Whatever a handler throws becomes a record that an operator can read.
import { describe, expect, it } from 'vitest'
import { attemptError } from '../../src/engine/attempt-error.js'
import { ERROR_BYTES } from '../../src/job/defaults.js'

/** An error as careless code makes it: its message is not text. */
const worded = (message: unknown): Error => Object.assign(new Error('x'), { message })

const circle: Record<string, unknown> = { code: 'E42' }
circle.self = circle

describe('an attempt error', () => {
  it.each<[unknown, string]>([
    [{ code: 'E42', detail: { field: 'to' } }, "{ code: 'E42', detail: { field: 'to' } }"],
    [['first', 'second'], "[ 'first', 'second' ]"],
    [circle, "<ref *1> { code: 'E42', self: [Circular *1] }"],
    [10n, '10n'],
    [undefined, ''],
  ])('shows a message that is no text: %s', (message, shown) => {
    expect(attemptError(worded(message))).toMatchObject({ name: 'Error', message: shown })
  })

  it('takes the message of a thrown object that is no error', () => {
    const thrown = { message: 'no such row', code: 'PGRST116' }
    expect(attemptError(thrown)).toEqual({ name: 'Thrown', message: 'no such row' })
    expect(attemptError({ code: 1 })).toEqual({ name: 'Thrown', message: 'an object with code' })
    expect(attemptError({ message: 5 }).message).toBe('an object with message')
  })

  it('is a record also of what cannot be looked at', () => {
    const hostile = new Error('x')
    Object.defineProperty(hostile, 'message', {
      get: () => {
        throw new Error('no')
      },
    })
    expect(attemptError(hostile).message).toBe('something that cannot be shown')
    const { proxy, revoke } = Proxy.revocable<object>({}, {})
    revoke()
    expect(attemptError(proxy)).toEqual({
      name: 'Thrown',
      message: 'something that cannot be shown',
    })
  })

  it('keeps within its bytes, whatever was put into it', () => {
    const rows = Array.from({ length: 1000 }, () => ({ text: 'ü'.repeat(3000) }))
    const error = attemptError(worded({ rows }))
    expect(error.message).toContain('rows')
    const texts = [error.name, error.message, error.stack ?? '']
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    expect(bytes).toBeLessThanOrEqual(ERROR_BYTES)
  })
})
