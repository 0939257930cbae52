/**
 * Whatever a handler threw, as the plain record that history keeps. Promises: always a record, of
 * at most `ERROR_BYTES`, also for a thrown string, null, or an object whose properties throw.
 */
import { inspect } from 'node:util'
import { ERROR_BYTES } from '../job/defaults.js'
import { shown } from '../job/errors.js'
import type { AttemptError } from '../job/job.js'

/** A name tells the kind of error; nobody needs more of it. */
const NAME_SHARE = 128
/** The message comes before the stack: most of the record may be message, not all. */
const MESSAGE_SHARE = ERROR_BYTES / 2
const MESSAGE_SHOWN = { breakLength: Infinity, maxArrayLength: 20, maxStringLength: MESSAGE_SHARE }
const UNSHOWABLE = 'something that cannot be shown'

export function attemptError(thrown: unknown): AttemptError {
  if (!isError(thrown)) {
    return { name: 'Thrown', message: cutBytes(plain(thrown), MESSAGE_SHARE) }
  }
  const name = cutBytes(text(thrown, 'name', 'Error'), NAME_SHARE)
  const message = cutBytes(messageOf(thrown), MESSAGE_SHARE)
  const left = ERROR_BYTES - Buffer.byteLength(name) - Buffer.byteLength(message)
  const stack = cutBytes(text(thrown, 'stack', ''), left)
  return stack === '' ? { name, message } : { name, message, stack }
}

/** The first `most` bytes of it, cut between characters. */
export function cutBytes(whole: string, most: number): string {
  if (whole.length * 3 <= most) return whole
  if (Buffer.byteLength(whole) <= most) return whole
  const bytes = Buffer.from(whole.slice(0, most))
  let end = Math.min(most, bytes.length)
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error
  } catch {
    return false // a revoked proxy does not even say what it is
  }
}

/** What is no error may still say something: many libraries throw objects with a message. */
function plain(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  try {
    const isObject = typeof thrown === 'object' && thrown !== null
    const said = isObject && 'message' in thrown ? thrown.message : null
    return typeof said === 'string' && said !== '' ? said : shown(thrown)
  } catch {
    return UNSHOWABLE // a proxy or getter that throws: there is nothing to tell of it
  }
}

/** A message is there to be read, also when it is an object: some clients put the answer there. */
function messageOf(error: Error): string {
  try {
    const value: unknown = error.message
    if (typeof value === 'string') return value
    return value === undefined || value === null ? '' : inspect(value, MESSAGE_SHOWN)
  } catch {
    return UNSHOWABLE // a getter that throws
  }
}

function text(error: Error, field: 'name' | 'stack', otherwise: string): string {
  try {
    const value: unknown = error[field]
    return typeof value === 'string' ? value : otherwise
  } catch {
    return otherwise // a getter that throws: the record goes without this field
  }
}
