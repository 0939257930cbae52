/** Priorities: three words for most, whole numbers for the rest. Higher comes first. */
import { PRIORITY_HIGH, PRIORITY_LIMIT, PRIORITY_LOW, PRIORITY_NORMAL } from './defaults.js'
import { millraceError } from './errors.js'

/** -100 to 100; 'high' is 10, 'normal' 0, 'low' -10. */
export type Priority = 'high' | 'normal' | 'low' | number

/** The number of a priority; undefined is 'normal'. Throws OPTION_INVALID for what is none. */
export function priorityOf(value: unknown, subject: string): number {
  switch (value) {
    case 'high':
      return PRIORITY_HIGH
    case undefined:
    case 'normal':
      return PRIORITY_NORMAL
    case 'low':
      return PRIORITY_LOW
  }
  if (Number.isInteger(value) && Math.abs(value as number) <= PRIORITY_LIMIT) {
    return (value as number) + 0 // as: isInteger has seen a number; + 0 turns -0 into 0
  }
  throw millraceError({
    code: 'OPTION_INVALID',
    subject,
    expected: `'high', 'normal', 'low' or a whole number from -${PRIORITY_LIMIT} to ${PRIORITY_LIMIT}`,
    received: value,
    remedy: 'higher numbers run first; leave it out for normal',
  })
}
