/**
 * The one class of our errors. Every one says four things: what it is about, what was expected,
 * what came, and the way out. Programs tell them apart by `code`, which never changes its meaning.
 * It stands under all floors: it imports nothing, so that whoever checks something can say so.
 */

export type ErrorCode =
  | 'OPTION_INVALID'
  | 'PAYLOAD_INVALID'
  | 'PAYLOAD_TOO_LARGE'
  | 'LOT_TOO_LARGE'
  | 'QUEUE_FULL'
  | 'DUPLICATE'
  | 'PARENT_UNKNOWN'
  | 'TX_UNSUPPORTED'
  | 'OUTCOME_UNKNOWN'
  | 'LEASE_LOST'
  | 'JOB_DISCARDED'
  | 'JOB_CANCELLED'
  | 'RESULT_INVALID'
  | 'RESULT_TIMEOUT'
  | 'RESULT_GONE'
  | 'PAUSE_TIMEOUT'
  | 'VERDICT_NOT_RETURNED'
  | 'ATTEMPT_TIMEOUT'
  | 'STORE_UNREACHABLE'
  | 'STORE_CLOSED'
  | 'STORE_WIPED'
  | 'FORMAT_UNSUPPORTED'
  | 'DRIVER_MISSING'

/** What an error is made of. Leave `received` out where nothing came that could be named. */
export interface Fault<C extends ErrorCode = ErrorCode> {
  readonly code: C
  readonly subject: string
  readonly expected: string
  readonly received?: unknown
  readonly remedy: string
  readonly cause?: unknown
}

/** Known to every copy of this package, so that `is` works across them. */
const BRAND = Symbol.for('millrace.error')
/** The longest quotation of what came: enough to recognise it, too short to flood a log. */
const SHOWN = 200

let make: <C extends ErrorCode>(fault: Fault<C>) => MillraceError<C>

/** Made by Millrace alone; ask `MillraceError.is(error, code)` rather than `instanceof`. */
export class MillraceError<C extends ErrorCode = ErrorCode> extends Error {
  static {
    make = (fault) => new MillraceError(fault)
  }

  readonly code: C
  /** The thing: a queue, an option's path, a job with its id. */
  readonly subject: string
  readonly expected: string
  /** As it came. Not enumerable, so that loggers do not print what the message took care to cut. */
  declare readonly received: unknown
  /** The way out. */
  readonly remedy: string

  private constructor(fault: Fault<C>) {
    super(sentence(fault), 'cause' in fault ? { cause: fault.cause } : undefined)
    this.code = fault.code
    this.subject = fault.subject
    this.expected = fault.expected
    this.remedy = fault.remedy
    Object.defineProperty(this, 'received', { value: fault.received })
  }

  /** True also for errors of another copy of this package; with `code`, only for that one. */
  static is<C extends ErrorCode>(error: unknown, code?: C): error is MillraceError<C> {
    if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
    return code === undefined || ('code' in error && error.code === code)
  }
}
Object.defineProperty(MillraceError.prototype, BRAND, { value: true })
Object.defineProperty(MillraceError.prototype, 'name', { value: 'MillraceError' })

/** The only way to make one. Not part of the public face. */
export function millraceError<C extends ErrorCode>(fault: Fault<C>): MillraceError<C> {
  return make(fault)
}

function sentence(fault: Fault): string {
  const came = 'received' in fault ? `, received ${shown(fault.received)}` : ''
  const remedy = fault.remedy.charAt(0).toUpperCase() + fault.remedy.slice(1)
  const end = /[.!?]$/.test(remedy) ? '' : '.'
  return `${fault.code} ${fault.subject}: expected ${fault.expected}${came}. ${remedy}${end}`
}

/**
 * A value in at most `SHOWN` characters, for a message. Of objects only the shape, since their
 * contents may be large or secret; of strings no password in a URL.
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(cut(withoutPassword(value)))
    case 'bigint':
      return cut(`${value}n`)
    case 'function':
      return value.name === '' ? 'a function' : `the function ${cut(value.name)}`
    case 'symbol':
      return cut(value.toString())
    case 'object':
      return value === null ? 'null' : shownObject(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
    case 'undefined':
      return String(value)
  }
}

function shownObject(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Error) return `${value.name}: ${cut(withoutPassword(value.message))}`
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype)
    return `an instance of ${maker(prototype)}`
  const keys = Object.keys(value)
  return keys.length === 0
    ? 'an empty object'
    : cut(`an object with ${keys.slice(0, 20).join(', ')}`)
}

function maker(prototype: unknown): string {
  const own = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value as unknown // as: any → unknown
  return typeof own === 'function' && own.name !== '' ? cut(own.name) : 'an unnamed class'
}

function withoutPassword(text: string): string {
  return text.slice(0, 2000).replace(/(:\/\/[^\s/:@]*:)[^\s/]*@/g, '$1***@')
}

function cut(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}
