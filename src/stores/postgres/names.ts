/**
 * Text on its way to and from PostgreSQL, whose text has no NUL; names may. What cannot be sent is
 * written with a mark before it.
 */
import type { Value } from '../sql/port.js'

export function sent(value: Value): unknown {
  if (typeof value === 'string') return marked(value)
  if (Array.isArray(value)) return value.map((one: string | number | null) => sent(one))
  return value
}

/** An array as text, which the server reads as its type. */
export function arrayLiteral(values: readonly (string | number | null)[]): string {
  return `{${values.map(element).join()}}`
}

function element(value: string | number | null): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}

export function marked(text: string): string {
  if (!text.includes('\u0000') && !text.includes('\u0001')) return text
  return text.replaceAll('\u0001', '\u0001b').replaceAll('\u0000', '\u0001a')
}

export function named(text: string): string {
  if (!text.includes('\u0001')) return text
  return text.replaceAll('\u0001a', '\u0000').replaceAll('\u0001b', '\u0001')
}
