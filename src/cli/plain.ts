/**
 * Values as text: for programs in JSON, for people in one line or a few. Promises that nothing in a
 * job can steer the terminal that shows it, and that every payload has a JSON, if not one to read
 * back: a Date is its ISO text, a BigInt its digits, a Map its pairs, a Set or typed array its items.
 */
import { inspect } from 'node:util'
import { formatDuration } from '../time/duration.js'

/** One line of JSON. */
export function jsonText(value: unknown): string {
  return JSON.stringify(jsonable(value)) ?? 'null'
}

function jsonable(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Error) {
    return { name: value.name, message: value.message, ...jsonableFields(value) }
  }
  if (value instanceof Map) return [...value].map((pair) => pair.map(jsonable))
  if (value instanceof Set) return [...value].map(jsonable)
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)]
  if (ArrayBuffer.isView(value)) {
    const items = value instanceof DataView ? new Uint8Array(value.buffer) : value
    return Array.from(items as unknown as Iterable<unknown>, jsonable) // as: all views but DataView are iterable
  }
  if (Array.isArray(value)) return value.map(jsonable)
  return jsonableFields(value)
}

function jsonableFields(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, jsonable(each)]))
}

/** Ends and turns lines, moves the cursor, or hides the direction of text. */
// eslint-disable-next-line no-control-regex -- control characters are what it is about
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** Text from a job, safe to print: what is no letter is written as its number. */
export function safe(text: string): string {
  return text.replace(UNSAFE, (unit) => {
    const digits = unit.charCodeAt(0).toString(16)
    return digits.length > 2 ? `\\u${digits.padStart(4, '0')}` : `\\x${digits.padStart(2, '0')}`
  })
}

/** A value in one line of at most `width` characters. */
export function brief(value: unknown, width: number): string {
  const options = { depth: 3, breakLength: Infinity, compact: true, maxStringLength: width }
  return cut(safe(inspect(value, options)), width)
}

/** A value on as many lines as it takes, each safe. */
export function whole(value: unknown): readonly string[] {
  const options = { depth: null, maxArrayLength: null, maxStringLength: null, breakLength: 90 }
  return inspect(value, options).split('\n').map(safe)
}

export function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(width - 1, 0))}…` : text
}

export function count(number: number): string {
  return number.toLocaleString('en-US')
}

/** `1 job`, `1,234 jobs`. */
export function many(number: number, one: string): string {
  return `${count(number)} ${one}${number === 1 ? '' : 's'}`
}

export function jobs(number: number): string {
  return many(number, 'job')
}

export function instant(at: Date): string {
  return at.toISOString().replace(/\.000Z$/, 'Z')
}

/** `3m 12s ago`, `in 5s`, `now`. */
export function away(at: Date, now: number): string {
  const span = at.getTime() - now
  if (Math.abs(span) < 1000) return 'now'
  return span > 0 ? `in ${formatDuration(span)}` : `${formatDuration(-span)} ago`
}
