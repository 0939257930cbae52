/**
 * Names in columns. The text of PostgreSQL has no NUL, and drivers of SQLite read it up to one; names
 * may have it: such a name is written with a mark in its place, and sorts as it did.
 */

export function needsMark(text: string): boolean {
  return text.includes('\u0000') || text.includes('\u0001')
}

export function marked(text: string): string {
  if (!needsMark(text)) return text
  return text.replaceAll('\u0001', '\u0001b').replaceAll('\u0000', '\u0001a')
}

export function isMarked(text: string): boolean {
  return text.includes('\u0001')
}

export function named(text: string): string {
  if (!isMarked(text)) return text
  return text.replaceAll('\u0001a', '\u0000').replaceAll('\u0001b', '\u0001')
}
