// Numbers for people: medians, ratios, a table in plain text.

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Each field's median over the answers of several rounds; true only if it was in all of them. */
export function medians(answers) {
  const fields = Object.keys(answers[0] ?? {})
  return Object.fromEntries(
    fields.map((field) => {
      const values = answers.map((answer) => answer[field])
      if (typeof values[0] === 'boolean') return [field, values.every(Boolean)]
      if (typeof values[0] === 'number') return [field, median(values)]
      return [field, values[0]]
    }),
  )
}

export function spell(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return '-'
  if (typeof value !== 'number') return String(value)
  if (value >= 100_000) return `${Math.round(value / 1000)}k`
  if (value >= 10_000) return `${(value / 1000).toFixed(1)}k`
  if (value >= 100) return String(Math.round(value))
  return value.toFixed(value < 10 ? 2 : 1)
}

export function table(headings, rows) {
  const lines = [headings, ...rows.map((row) => row.map(spell))]
  const widths = headings.map((_, at) => Math.max(...lines.map((line) => line[at].length)))
  const laid = lines.map((line) =>
    line
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
      .join('  ')
      .trimEnd(),
  )
  return [laid[0], '-'.repeat(laid[0].length), ...laid.slice(1)].join('\n')
}
