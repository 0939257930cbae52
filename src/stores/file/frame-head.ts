/**
 * The head line of a frame as text: its fields, their order, and the way back. A head is believed
 * only when its own checksum fits, so a reader may trust the length that it declares. What is done
 * with that length is the business of `frame-scan.ts`.
 */
import { crc32 } from 'node:zlib'
import { millraceError } from '../../job/errors.js'

export interface FrameHead {
  /** What the frame does: `insert`, `claim` … Letters, digits, dots, dashes and underscores. */
  readonly kind: string
  /** A nonce of the process that wrote it; same alphabet. With `number` it names the frame. */
  readonly writer: string
  readonly number: number
  /** Store time in milliseconds; may have a fraction, is kept to the last bit. */
  readonly time: number
  /** Everything before this place was durable when the frame was written, to its writer's knowledge. */
  readonly durable: { readonly segment: number; readonly offset: number }
  /** What the writer had read and expects to find unchanged; one line of text, may be empty. */
  readonly guards: string
}

/** A head as it was read, with what it says of its body. */
export interface ReadHead {
  readonly head: FrameHead
  readonly bodyLength: number
  readonly bodyCrc: number
}

/** The guards of a claim over 500 groups with long names, and then some. */
export const HEAD_LIMIT = 1024 * 1024

/** The format's name and number; a reader of another number stops at FORMAT. */
export const MAGIC = 'mr1 '

const WORD = /^[A-Za-z0-9_.-]+$/
const LINE =
  /^mr1 (\d+) ([0-9a-f]{8}) ([0-9a-f]{8}) ([A-Za-z0-9_.-]+) (\d+) (\S+) (\d+):(\d+) ([A-Za-z0-9_.-]+) (.*)$/s

/** The part of the head line before its checksum. */
export function headFront(bodyLength: number): string {
  return `${MAGIC}${bodyLength} `
}

/** The part of the head line after the body's checksum. */
export function headBack(head: FrameHead): string {
  const { writer, number, time, durable, kind, guards } = head
  return ` ${writer} ${number} ${time} ${durable.segment}:${durable.offset} ${kind} ${guards}`
}

/** The head whose line stands from `start` to before `end` (the line end), or null. */
export function readHead(bytes: Buffer, start: number, end: number): ReadHead | null {
  const found = LINE.exec(bytes.toString('utf8', start, end))
  if (found === null) return null
  const [, length, headCrc, bodyCrc, writer, number, time, segment, offset, kind, guards] = found
  const frontEnd = start + headFront(0).length - 1 + length.length
  const covered = bytes.subarray(frontEnd + 9, end)
  const crc = crc32(covered, crc32(bytes.subarray(start, frontEnd)))
  if (crc !== Number.parseInt(headCrc, 16)) return null
  const head = {
    kind,
    writer,
    number: Number(number),
    time: Number(time),
    durable: { segment: Number(segment), offset: Number(offset) },
    guards,
  }
  if (!Number.isFinite(head.time)) return null
  return { head, bodyLength: Number(length), bodyCrc: Number.parseInt(bodyCrc, 16) }
}

/** A head that could not be read back must not be written. */
export function checkHead(head: FrameHead): void {
  if (!WORD.test(head.kind)) throw badField('kind', head.kind)
  if (!WORD.test(head.writer)) throw badField('writer', head.writer)
  if (!isCount(head.number)) throw badField('number', head.number)
  if (!Number.isFinite(head.time)) throw badField('time', head.time)
  if (!isCount(head.durable.segment)) throw badField('durable segment', head.durable.segment)
  if (!isCount(head.durable.offset)) throw badField('durable offset', head.durable.offset)
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function badField(field: string, received: string | number): Error {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: `the ${field} of a frame`,
    expected: 'a short word, or a number that can be read back',
    received,
    remedy: 'this is a fault of the store: please report it',
  })
}
