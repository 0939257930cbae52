/**
 * Values that JSON cannot say, written as JSON that people can read. Such a value is an object with
 * one key that begins with `$`:
 *
 *   {"$date":"2000-01-01T00:00:00.000Z"}   null for an invalid Date
 *   {"$map":[[key,value],…]}   {"$set":[…]}   {"$bigint":"123"}   {"$undefined":true}
 *   {"$number":"NaN"}          Infinity, -Infinity, -0
 *   {"$bytes":["Uint8Array","<base64>"]}   any typed array, Buffer, ArrayBuffer; in memory order
 *   {"$plain":{"$date":…}}     an ordinary object that would read as one of these
 *
 * Reading makes these kinds and no others. It defines no property that the text did not name, and
 * only own ones, so that `__proto__` is a key like any other.
 */
import { types } from 'node:util'
import { BIGINT_DIGITS, PAYLOAD_DEPTH, PAYLOAD_VALUES } from './defaults.js'
import { millraceError } from './errors.js'
import type { MillraceError } from './errors.js'

/** What makes the bytes an array again; `size` is that of one element. */
interface Kind {
  readonly size: number
  readonly make: (bytes: ArrayBuffer) => unknown
}
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['Buffer', { size: 1, make: (bytes) => Buffer.from(bytes) }],
  ['ArrayBuffer', { size: 1, make: (bytes) => bytes }],
  ...[
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
  ].map((array): [string, Kind] => [
    array.name,
    { size: array.BYTES_PER_ELEMENT, make: (bytes) => new array(bytes) },
  ]),
])
const NUMBERS: ReadonlyMap<unknown, number> = new Map(
  [NaN, Infinity, -Infinity, -0].map((n) => [Object.is(n, -0) ? '-0' : String(n), n]),
)
const DIGITS = new RegExp(`^-?[0-9]{1,${BIGINT_DIGITS}}$`)
/** A value takes at most three levels of JSON: the mark, the list of a map, the pair. */
const MARKED_DEPTH = 3 * PAYLOAD_DEPTH + 3

/** The value as plain JSON with marks. Throws PAYLOAD_INVALID with the path of what is refused. */
export function toMarked(value: unknown, subject: string): unknown {
  return mark(value, { subject, path: [], above: new Set(), left: PAYLOAD_VALUES })
}

/** The value that `toMarked` marked, built in place from parsed JSON. Throws PAYLOAD_INVALID. */
export function fromMarked(json: unknown, subject: string): unknown {
  return unmark(json, MARKED_DEPTH, subject)
}

/** Made by a literal, by `JSON.parse`, or by `Object.create(null)`; of any realm. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  // Another realm's Object.prototype: nothing is above it, and it has what every object inherits.
  return (
    Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
  ) // as: not null
}

// ── Writing ─────────────────────────────────────────────────────────────────────────────────────

interface Writing {
  readonly subject: string
  /** From the subject to the value at hand, as it would be written in code. */
  readonly path: string[]
  readonly above: Set<object>
  left: number
}

function mark(value: unknown, at: Writing): unknown {
  if (--at.left < 0)
    throw refusal(at, `at most ${PAYLOAD_VALUES} values`, 'more', 'PAYLOAD_TOO_LARGE')
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value
      return { $number: Object.is(value, -0) ? '-0' : String(value) }
    case 'undefined':
      return { $undefined: true }
    case 'bigint': {
      const digits = String(value)
      if (digits.length > BIGINT_DIGITS)
        throw refusal(at, `at most ${BIGINT_DIGITS} digits`, digits)
      return { $bigint: digits }
    }
    case 'object':
      return value === null ? null : markObject(value, at)
    case 'function':
    case 'symbol':
      throw refusal(at, 'data', value)
  }
}

function markObject(value: object, at: Writing): unknown {
  if (at.above.has(value))
    throw refusal(at, 'data without cycles', 'an object that contains itself')
  if (at.above.size === PAYLOAD_DEPTH) throw refusal(at, `at most ${PAYLOAD_DEPTH} levels`, 'more')
  at.above.add(value)
  const marked = markByKind(value, at)
  at.above.delete(value)
  return marked
}

function markByKind(value: object, at: Writing): unknown {
  if (Array.isArray(value)) return markArray(value, at)
  if (isPlainObject(value)) return markPlain(value, at)
  const bytes = markBytes(value)
  if (bytes !== undefined) return bytes
  const bare = Reflect.ownKeys(value).length === 0 && isOrdinary(value, 2)
  if (bare && types.isDate(value)) {
    return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
  }
  if (bare && types.isMap(value)) {
    const pair = ([key, item]: [unknown, unknown], i: number): unknown => [
      within(key, `.keys()[${i}]`, at),
      within(item, `.values()[${i}]`, at),
    ]
    return { $map: Array.from(value.entries(), pair) }
  }
  if (bare && types.isSet(value)) {
    return { $set: Array.from(value, (item, i) => within(item, `.values()[${i}]`, at)) }
  }
  throw refusal(at, 'plain data', value)
}

function markArray(array: readonly unknown[], at: Writing): unknown[] {
  const keys = Reflect.ownKeys(array)
  if (keys.length !== array.length + 1 || !isOrdinary(array, 2)) {
    // + 1: 'length'
    throw refusal(at, 'an array without holes, and with nothing but its elements', array)
  }
  return array.map((item, i) => within(item, `[${i}]`, at))
}

function markPlain(value: object, at: Writing): unknown {
  const symbol = Object.getOwnPropertySymbols(value)[0]
  if (symbol !== undefined) throw refusal(at, 'keys that are strings', symbol)
  const marked: Record<string, unknown> = {}
  const keys = Object.keys(value)
  for (const key of keys) {
    const property = Object.getOwnPropertyDescriptor(value, key)
    const step = /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
    if (property === undefined || !('value' in property)) {
      throw refusal({ ...at, path: [...at.path, step] }, 'a value', 'an accessor')
    }
    put(marked, key, within(property.value, step, at))
  }
  return keys.length === 1 && keys[0].startsWith('$') ? { $plain: marked } : marked
}

function markBytes(value: object): unknown {
  if (ArrayBuffer.isView(value)) {
    const name = Buffer.isBuffer(value)
      ? 'Buffer'
      : types.isTypedArray(value)
        ? value[Symbol.toStringTag]
        : ''
    if (!KINDS.has(name) || !isOrdinary(value, name === 'Buffer' ? 4 : 3)) return undefined
    return { $bytes: [name, base64(value.buffer, value.byteOffset, value.byteLength)] }
  }
  if (!types.isArrayBuffer(value) || !isOrdinary(value, 2)) return undefined
  return { $bytes: ['ArrayBuffer', base64(value, 0, value.byteLength)] }
}

function base64(buffer: ArrayBufferLike, offset: number, length: number): string {
  return Buffer.from(buffer, offset, length).toString('base64')
}

/** Whether so many prototypes stand above it: one more is a subclass, which would be lost. */
function isOrdinary(value: object, prototypes: number): boolean {
  let count = 0
  let above: unknown = Object.getPrototypeOf(value)
  for (; above !== null; above = Object.getPrototypeOf(above)) count++
  return count === prototypes
}

function within(value: unknown, step: string, at: Writing): unknown {
  at.path.push(step)
  const marked = mark(value, at)
  at.path.pop()
  return marked
}

function refusal(
  at: Writing,
  expected: string,
  received: unknown,
  code: 'PAYLOAD_INVALID' | 'PAYLOAD_TOO_LARGE' = 'PAYLOAD_INVALID',
): MillraceError {
  const remedy =
    'hand over what JSON says, undefined, BigInt, Date, Map, Set, typed arrays or Buffer; for anything else its fields or its text'
  const path = at.path.length > 20 ? [...at.path.slice(0, 20), '…'] : at.path
  return millraceError({ code, subject: at.subject + path.join(''), expected, received, remedy })
}

// ── Reading ─────────────────────────────────────────────────────────────────────────────────────

function unmark(json: unknown, depthLeft: number, subject: string): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (depthLeft === 0) throw damaged(subject, `at most ${MARKED_DEPTH} levels of JSON`, 'more')
  if (Array.isArray(json)) {
    for (let i = 0; i < json.length; i++) json[i] = unmark(json[i], depthLeft - 1, subject)
    return json
  }
  const record = json as Record<string, unknown> // as: parsed JSON that is no array
  const keys = Object.keys(record)
  const isMarked = keys.length === 1 && keys[0].startsWith('$')
  if (isMarked) return readMark(keys[0], record[keys[0]], depthLeft - 1, subject)
  return unmarkFields(record, depthLeft, subject)
}

function unmarkFields(record: Record<string, unknown>, depthLeft: number, subject: string): object {
  for (const [key, item] of Object.entries(record)) {
    if (typeof item === 'object' && item !== null)
      put(record, key, unmark(item, depthLeft - 1, subject))
  }
  return record
}

function readMark(name: string, given: unknown, depthLeft: number, subject: string): unknown {
  switch (name) {
    case '$undefined':
      return undefined
    case '$number': {
      const number = NUMBERS.get(given)
      if (number !== undefined) return number
      break
    }
    case '$bigint':
      if (typeof given === 'string' && DIGITS.test(given)) return BigInt(given)
      break
    case '$date': {
      if (given === null) return new Date(NaN)
      const date = new Date(typeof given === 'string' ? given : NaN)
      if (!Number.isNaN(date.getTime())) return date
      break
    }
    case '$map': {
      const pairs = Array.isArray(given) ? (unmark(given, depthLeft, subject) as unknown[]) : [null] // as: in place
      if (pairs.every(isPair)) return new Map(pairs)
      break
    }
    case '$set':
      if (Array.isArray(given)) return new Set(unmark(given, depthLeft, subject) as unknown[]) // as: in place
      break
    case '$bytes': {
      const bytes = readBytes(given)
      if (bytes !== undefined) return bytes
      break
    }
    case '$plain':
      if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
        return unmarkFields(given as Record<string, unknown>, depthLeft, subject) // as: parsed JSON
      }
  }
  throw damaged(subject, 'a value that Millrace marked', { [name]: given })
}

function readBytes(given: unknown): unknown {
  if (!Array.isArray(given)) return undefined
  const [name, text] = given as unknown[] // as: any[] → unknown[]
  if (typeof name !== 'string' || typeof text !== 'string') return undefined
  const kind = KINDS.get(name)
  const decoded = Buffer.from(text, 'base64')
  if (kind === undefined || decoded.length % kind.size !== 0) return undefined
  const bytes = new ArrayBuffer(decoded.length)
  decoded.copy(new Uint8Array(bytes))
  return kind.make(bytes)
}

function isPair(value: unknown): value is [unknown, unknown] {
  return Array.isArray(value) && value.length === 2
}

/** An own property of any name; plain assignment of `__proto__` would set the prototype. */
function put(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value
  else {
    const property = { value, writable: true, enumerable: true, configurable: true }
    Object.defineProperty(target, key, property)
  }
}

function damaged(subject: string, expected: string, received: unknown): MillraceError {
  return millraceError({
    code: 'PAYLOAD_INVALID',
    subject,
    expected,
    received,
    remedy: 'look where it was written: this text is damaged or foreign',
  })
}
