/**
 * Values on their way to PostgreSQL. A list goes as text, which the server reads as its type: drivers
 * write lists out, too, in several times the time.
 */
import { marked } from '../sql/names.js'
import type { Value } from '../sql/port.js'

export function sent(value: Value): string | number | null {
  if (typeof value === 'string') return marked(value)
  if (typeof value === 'number' || value === null) return value
  return arrayLiteral(value)
}

/** A list as text. */
export function arrayLiteral(values: readonly (string | number | null)[]): string {
  let text = '{'
  for (let at = 0; at < values.length; at++) {
    if (at > 0) text += ','
    text += element(values[at])
  }
  return `${text}}`
}

function element(value: string | number | null): string | number {
  if (value === null) return 'NULL'
  return typeof value === 'number' ? value : `"${escaped(marked(value))}"`
}

function escaped(text: string): string {
  return text.includes('"') || text.includes('\\') ? text.replace(/["\\]/g, '\\$&') : text
}
