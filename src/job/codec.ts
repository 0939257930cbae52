/**
 * How payloads, results and meta become text and come back as they went in. Plain JSON, which is
 * nearly all, is checked once and handed to `JSON.stringify`; whatever is richer goes through
 * `rich.ts`. The codec's name is kept beside the text, so that reading never guesses. What would
 * come back changed (functions, class instances, cycles, accessors …) is refused with its path.
 * Text is data: reading runs nothing, revives no class, and cannot reach a prototype.
 */
import { PAYLOAD_DEPTH, PAYLOAD_VALUES } from './defaults.js'
import { millraceError } from './errors.js'
import type { MillraceError } from './errors.js'
import { fromMarked, isPlainObject, toMarked } from './rich.js'

export interface Encoded {
  readonly text: string
  /** 'json': the text is the value. 'rich': it carries marks, see `rich.ts`. */
  readonly codec: 'json' | 'rich'
}

/**
 * The text of a value. `subject` is what it is called in messages, and where its path begins.
 *
 * Knows null, booleans, numbers (NaN, the infinities and -0 too), strings (lone surrogates too),
 * arrays, plain objects (whatever their keys; without a prototype they come back with the ordinary
 * one), undefined, BigInt, Date, Map, Set, ArrayBuffer, typed arrays and Buffer. One object met
 * twice comes back as two. Throws PAYLOAD_INVALID, or PAYLOAD_TOO_LARGE when no text could hold it.
 */
export function encode(value: unknown, subject: string): Encoded {
  valuesLeft = PAYLOAD_VALUES
  if (isJson(value, PAYLOAD_DEPTH)) return { text: textOf(value, subject), codec: 'json' }
  if (valuesLeft < 0) throw tooLarge(subject, `at most ${PAYLOAD_VALUES} values`)
  return { text: textOf(toMarked(value, subject), subject), codec: 'rich' }
}

/** The value of a text. Throws PAYLOAD_INVALID for text that `encode` did not write. */
export function decode(encoded: Encoded, subject = 'payload'): unknown {
  const { text, codec } = encoded
  switch (codec) {
    case 'json':
      return parse(text, subject)
    case 'rich':
      return fromMarked(parse(text, subject), subject)
    default:
      throw millraceError({
        code: 'FORMAT_UNSUPPORTED',
        subject,
        expected: "the codec 'json' or 'rich'",
        received: codec,
        remedy: 'it was written by a newer Millrace: run that one here, too',
      })
  }
}

let valuesLeft = 0

/** Whether JSON says it all. One look at each value; measured at about 0.5 µs for ten fields. */
function isJson(value: unknown, depthLeft: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return --valuesLeft >= 0
    case 'number':
      return --valuesLeft >= 0 && Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      break
    default:
      return false
  }
  if (--valuesLeft < 0 || depthLeft === 0) return false
  if (value === null) return true
  if (Array.isArray(value)) return isJsonArray(value, depthLeft)
  if (!isPlainObject(value) || Object.getOwnPropertySymbols(value).length > 0) return false
  for (const key of Object.keys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key)
    if (property === undefined || !('value' in property)) return false
    if (!isJson(property.value, depthLeft - 1)) return false
  }
  return true
}

/** As many keys as elements: no holes, and nothing written beside them, which JSON would drop. */
function isJsonArray(array: readonly unknown[], depthLeft: number): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype) return false
  if (Object.keys(array).length !== array.length) return false
  for (let i = 0; i < array.length; i++) if (!isJson(array[i], depthLeft - 1)) return false
  return true
}

function textOf(plain: unknown, subject: string): string {
  try {
    return JSON.stringify(plain)
  } catch (cause) {
    throw tooLarge(subject, 'what fits one string of text', cause)
  }
}

function tooLarge(subject: string, expected: string, cause?: unknown): MillraceError {
  const remedy = 'put the large part elsewhere and its address here'
  return millraceError({ code: 'PAYLOAD_TOO_LARGE', subject, expected, remedy, cause })
}

function parse(text: string, subject: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw millraceError({
      code: 'PAYLOAD_INVALID',
      subject,
      expected: 'JSON text',
      received: text,
      remedy: 'look where it was written: this text is damaged or foreign',
      cause,
    })
  }
}
