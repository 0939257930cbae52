/**
 * SQL with `$1` for a library that writes `?`. Only placeholders become question marks: what stands in
 * a string, a quoted name, a dollar-quoted body or a comment is left alone, and every question mark
 * that was there before is escaped, as Knex wants it wherever it stands. It cannot express a question
 * mark behind a backslash, which Knex would take for an escape, and refuses that.
 */

export interface Questioned {
  readonly text: string
  /** In the order of the question marks: one that is used twice is there twice. */
  readonly params: readonly unknown[]
}

/**
 * What may stand in SQL without being looked into, by PostgreSQL's lexical structure, or a placeholder.
 * Comments may be nested, so their end is looked for by hand.
 */
const TOKEN = new RegExp(
  [
    String.raw`(?<![\w$])[eE]'(?:[^'\\]|\\[^]|'')*'`, // a string with backslashes
    String.raw`'(?:[^']|'')*'`, // a string, or the quoted part of U&'…', B'…', X'…'
    String.raw`"(?:[^"]|"")*"`, // a name
    String.raw`(?<![\w$])\$(?<tag>[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*|)\$[^]*?\$\k<tag>\$`,
    String.raw`--[^\n]*`,
    String.raw`(?<comment>/\*)`,
    String.raw`(?<![\w$])\$(?<number>\d+)`,
  ].join('|'),
  'g',
)

/** Throws RangeError for a placeholder without a parameter, and for a backslash before a question mark. */
export function questionMarks(text: string, params: readonly unknown[]): Questioned {
  if (text.includes('\\?')) throw new RangeError('a question mark behind a backslash')
  const parts: string[] = []
  const used: unknown[] = []
  let from = 0
  TOKEN.lastIndex = 0
  for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
    const { comment, number } = token.groups ?? {}
    if (comment !== undefined) TOKEN.lastIndex = endOfComment(text, token.index)
    if (number === undefined) continue
    const at = Number(number) - 1
    if (at < 0 || at >= params.length) throw new RangeError(`no parameter for $${number}`)
    parts.push(escaped(text.slice(from, token.index)), '?')
    used.push(params[at])
    from = TOKEN.lastIndex
  }
  parts.push(escaped(text.slice(from)))
  return { text: parts.join(''), params: used }
}

function escaped(text: string): string {
  return text.replaceAll('?', '\\?')
}

function endOfComment(text: string, from: number): number {
  const marks = /\/\*|\*\//g
  marks.lastIndex = from
  let depth = 0
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return text.length
}
