/**
 * How the file store says that something is wrong with its disk. What the system reports becomes
 * ours once, where it enters; the report travels along as the cause.
 */
import { isOfSystem } from '../../disk/errno.js'
import { millraceError } from '../../job/errors.js'

/** The disk could not be asked, or said no. Nothing was changed. */
export function unreachable(subject: string, cause: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'to read and append',
    received: wordsOf(cause),
    remedy:
      'see whether the folder is there, is ours and has room; `millrace doctor` looks at all three',
    cause,
  })
}

/** It was written, and nobody could look what became of it. */
export function unknown(subject: string, cause: unknown): Error {
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject,
    expected: 'to read and sync what was appended',
    received: wordsOf(cause),
    remedy: 'repeat the call with the same ids: what took effect is not done twice',
    cause,
  })
}

/** The store goes over what it has once more, and cannot answer until then. */
export function reloading(subject: string, cause: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'a log that was followed without a gap',
    received: wordsOf(cause),
    remedy: 'repeat the call; the store loads itself anew',
    cause,
  })
}

/** Two processes made different things of the same bytes: one of them, or both, must read anew. */
export function parted(subject: string): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'the state that another process read from the same log',
    received: 'another one',
    remedy: 'repeat the call; the store loads itself anew',
  })
}

/** It was read anew, and is different still. */
export function estranged(subject: string): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'the state that another process reads from the same log',
    received: 'another one, also after it was loaded anew',
    remedy:
      'stop all processes of this store and look at it with `millrace doctor`; where that finds no damage, please report it',
  })
}

export function wiped(path: string): Error {
  return millraceError({
    code: 'STORE_WIPED',
    subject: path,
    expected: 'the store that was opened',
    received: 'a folder that was removed or replaced meanwhile',
    remedy: 'find out who removed it; restore it from a backup, or start again on an empty folder',
  })
}

/** Errors of the system become ours; ours, and those that are nobody's fault but ours, stay. */
export function named(subject: string, error: unknown): unknown {
  return isOfSystem(error) ? unreachable(subject, error) : error
}

function wordsOf(cause: unknown): unknown {
  return cause instanceof Error ? cause.message : cause
}
