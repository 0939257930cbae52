/**
 * How the maildir store says that something is wrong. What the system reports becomes ours once,
 * where it enters; the report travels along as the cause.
 */
import { isOfSystem } from '../../disk/errno.js'
import { millraceError } from '../../job/errors.js'

/** The disk could not be asked, or said no. Nothing was changed. */
export function unreachable(subject: string, cause: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'to read and write letters',
    received: wordsOf(cause),
    remedy:
      'see whether the folder is there, is ours and has room; `millrace doctor` looks at all three',
    cause,
  })
}

/** It was done in memory, and nobody knows what the disk kept of it. */
export function unknown(subject: string, cause: unknown): Error {
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject,
    expected: 'to write down and sync what was done',
    received: wordsOf(cause),
    remedy: 'repeat the call with the same ids: what took effect is not done twice',
    cause,
  })
}

/** It is being read anew, and cannot answer until then. */
export function reloading(subject: string, cause: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'a folder that was written without a fault',
    received: wordsOf(cause),
    remedy: 'repeat the call; the store reads the folder anew',
    cause,
  })
}

/** This process may not write to the folder; `cause`: what the system said when it tried. */
export function mayNotWrite(subject: string, cause?: unknown): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'a folder that this process may write to',
    received: 'one that it may only look at',
    remedy: 'make it writable and repeat the call; looks are answered meanwhile',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** It was opened to look alone. */
export function onlyLooks(subject: string): Error {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: `access of ${subject}`,
    expected: "'full' for a call that changes something",
    received: 'look',
    remedy: 'open the store without that option',
  })
}

/** Another process keeps the folder now. */
export function deposed(subject: string): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject,
    expected: 'to be the keeper of this folder still',
    received: 'a process that followed while this one stood still',
    remedy: 'repeat the call; it goes to the new keeper',
  })
}

/** The folder, or what keeps it, was taken away while it was open. */
export function wiped(path: string): Error {
  return millraceError({
    code: 'STORE_WIPED',
    subject: path,
    expected: 'the store that was opened',
    received: 'a folder that was removed or replaced meanwhile, or its `.keeper` was',
    remedy:
      'find out who removed it; restore it from a backup, or begin anew by opening it with a new Millrace',
  })
}

/** Errors of the system become ours; others stay as they are. */
export function named(subject: string, error: unknown): unknown {
  return isOfSystem(error) ? unreachable(subject, error) : error
}

function wordsOf(cause: unknown): unknown {
  return cause instanceof Error ? cause.message : cause
}
