/**
 * Errors as the system reports them through the disk's port: an Error with a `code` that nobody has
 * wrapped yet, or the cause of one that somebody has.
 */
import { MillraceError } from '../job/errors.js'

/** As the disk's port throws them, not wrapped yet. */
export function isOfSystem(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && !(error instanceof MillraceError)
}

/** ENOENT, as it was reported or wrapped. */
export function isMissing(error: unknown): boolean {
  return hasCode(error, ['ENOENT'])
}

/** The disk, or this user's share of it, is full. */
export function isFull(error: unknown): boolean {
  return hasCode(error, ['ENOSPC', 'EDQUOT'])
}

/** The folder, or all of its file system, is not ours to write to. */
export function isForbidden(error: unknown): boolean {
  return hasCode(error, ['EACCES', 'EPERM', 'EROFS'])
}

export function hasCode(error: unknown, codes: readonly string[]): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && codes.includes(String(at.code))) return true
  }
  return false
}
