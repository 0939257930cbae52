/**
 * Any name as one segment of a path. Two different names never share a segment, also where the
 * file system takes upper for lower case or normalises unicode: a segment has only lower-case
 * ASCII letters, digits, `-`, `_`, `%`, and dots that are neither first nor last. So it cannot
 * climb, hide, be a Windows device, or be too long.
 *
 *     mail.out    mail.out            itself, where that is safe
 *     Ünï/x       %dcn%ef%2fx         %hh: one UTF-16 unit below 256
 *     日本         %u65e5%u672c        %uhhhh: any other
 *     (empty)     %
 *     very long   %%<sha256>          for these the name is kept elsewhere
 */
import { createHash } from 'node:crypto'

/** File systems take 255; this leaves room for what callers put behind it. */
export const SEGMENT_LIMIT = 200

const EMPTY = '%'
const HASHED = '%%'
const UNSAFE = /[^a-z0-9_.-]|^\.|\.$/g
const ESCAPE = /%(?:u([0-9a-f]{4})|([0-9a-f]{2}))/g
const DEVICE = /^(?:con|prn|aux|nul|conin|conout|com[0-9]|lpt[0-9])(?=\.|$)/

/** The segment for a name; the same name always has the same. */
export function encodeName(name: string): string {
  if (name === '') return EMPTY
  // Safe characters stand for themselves: a name above the limit cannot come out below it.
  const segment = name.length > SEGMENT_LIMIT ? null : escaped(name)
  if (segment !== null && segment.length <= SEGMENT_LIMIT) return segment
  return HASHED + createHash('sha256').update(name, 'utf16le').digest('hex')
}

/** The name of a segment, or null when it was hashed or is no segment of ours. */
export function decodeName(segment: string): string | null {
  if (segment === EMPTY) return ''
  const name = segment.replace(ESCAPE, (_, wide?: string, narrow?: string) =>
    String.fromCharCode(Number.parseInt(wide ?? narrow ?? '', 16)),
  )
  return encodeName(name) === segment ? name : null
}

/** Whether a segment stands for a name that was too long to be kept in it. */
export function isHashedName(segment: string): boolean {
  return /^%%[0-9a-f]{64}$/.test(segment)
}

function escaped(name: string): string {
  const segment = name.replace(UNSAFE, escapeUnit)
  return segment.replace(DEVICE, (device) => escapeUnit(device.charAt(0)) + device.slice(1))
}

/** Without the `u` flag a pattern sees single units, so that lone surrogates stay apart too. */
function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0)
  const digits = code.toString(16)
  return code < 256 ? `%${digits.padStart(2, '0')}` : `%u${digits.padStart(4, '0')}`
}
