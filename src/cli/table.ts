/**
 * Tables for people: columns as wide as their widest cell, numbers to the right, the last column
 * cut where the terminal ends. Colours are put on afterwards, since they have no width.
 */
import { cut } from './plain.js'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  readonly align?: 'left' | 'right'
  /** Puts colour on a cell that is as wide as it will be. */
  readonly paint?: (text: string, row: Row) => string
}

const GAP = '  '

export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  look: { readonly columns: number; readonly head: (text: string) => string },
): readonly string[] {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)))
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...cells.map((line) => line[at].length)),
  )
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0)
  const last = columns.length - 1
  widths[last] = Math.min(widths[last], Math.max(look.columns - before, columns[last].title.length))

  const place = (text: string, at: number): string => {
    if (columns[at].align === 'right') return text.padStart(widths[at])
    return at === last ? cut(text, widths[at]) : text.padEnd(widths[at])
  }
  const head = columns.map(({ title }, at) => place(title, at)).join(GAP)
  const body = rows.map((row, line) =>
    columns
      .map(({ paint = (text: string) => text }, at) => paint(place(cells[line][at], at), row))
      .join(GAP),
  )
  return [look.head(head.trimEnd()), ...body.map((line) => line.trimEnd())]
}
