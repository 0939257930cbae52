/**
 * JSON lines out of a stream of bytes: one value a line, blank lines are none. Promises that every
 * line that is bad is answered with its number and why, and disturbs no other; and that no more than
 * one longest line is ever held.
 */
import type { ReadLine } from '../copy/export-lines.js'
import { LINE_BYTES } from './bounds.js'

const NEWLINE = 10

export async function* jsonLines(
  input: AsyncIterable<Uint8Array>,
  longest = LINE_BYTES,
): AsyncGenerator<ReadLine, void, void> {
  let number = 1
  let parts: Uint8Array[] = []
  let bytes = 0
  const take = (): ReadLine | null => {
    const line = bytes > longest ? tooLong(number, longest) : read(number, Buffer.concat(parts))
    parts = []
    bytes = 0
    number++
    return line
  }
  const hold = (part: Uint8Array): void => {
    bytes += part.length
    if (bytes <= longest) parts.push(part)
    else parts = []
  }
  for await (const chunk of input) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      hold(chunk.subarray(from, end))
      from = end + 1
      const line = take()
      if (line !== null) yield line
    }
    if (from < chunk.length) hold(chunk.subarray(from))
  }
  const last = take()
  if (last !== null) yield last
}

function tooLong(number: number, longest: number): ReadLine {
  return { number, kind: 'bad', why: `longer than ${longest} bytes` }
}

function read(number: number, bytes: Buffer): ReadLine | null {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return { number, kind: 'bad', why: 'not UTF-8' } // the decoder says no more than that either
  }
  if (text.trim() === '') return null
  try {
    return { number, kind: 'value', value: JSON.parse(text) as unknown, bytes: bytes.length } // as: any → unknown
  } catch (error) {
    return { number, kind: 'bad', why: `not JSON: ${error instanceof Error ? error.message : ''}` }
  }
}
