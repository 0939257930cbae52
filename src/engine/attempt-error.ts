/**
 * Whatever a handler threw, as the plain record that history keeps. Promises: always a record, of
 * at most `ERROR_BYTES`, also for a thrown string, null, or an object whose properties throw.
 */
import { ERROR_BYTES } from '../job/defaults.js'
import { shown } from '../job/errors.js'
import type { AttemptError } from '../job/job.js'

/** A name tells the kind of error; nobody needs more of it. */
const NAME_SHARE = 128
/** The message comes before the stack: most of the record may be message, not all. */
const MESSAGE_SHARE = ERROR_BYTES / 2

export function attemptError(thrown: unknown): AttemptError {
  if (!(thrown instanceof Error)) {
    return { name: 'Thrown', message: cutBytes(plain(thrown), MESSAGE_SHARE) }
  }
  const name = cutBytes(text(thrown, 'name', 'Error'), NAME_SHARE)
  const message = cutBytes(text(thrown, 'message', ''), MESSAGE_SHARE)
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

function plain(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  try {
    return shown(thrown)
  } catch {
    return 'something that cannot be shown' // a proxy or getter that throws: there is nothing to tell of it
  }
}

function text(error: Error, field: 'name' | 'message' | 'stack', otherwise: string): string {
  try {
    const value: unknown = error[field]
    return typeof value === 'string' ? value : otherwise
  } catch {
    return otherwise // a getter that throws: the record goes without this field
  }
}
