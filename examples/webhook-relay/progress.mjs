// What is shown while it runs: in a terminal a small table that is drawn over itself, elsewhere a
// line a second. Plain ANSI; no colours where NO_COLOR is set or nobody looks.

const COLUMNS = ['waiting', 'running', 'done', 'retried', 'dead']
const NAME_WIDTH = 16
const BAR_WIDTH = 48
const NARROWEST = 80 // in less, the table would break its lines and could not be drawn over

export function makeProgress({ out = process.stdout, env = process.env, now = Date.now } = {}) {
  const isLive = out.isTTY === true && env.TERM !== 'dumb' && out.columns >= NARROWEST
  const paint = painter(isLive && !env.NO_COLOR)
  const begun = now()
  let drawn = 0 // how many lines are to be drawn over
  let lastLine = -Infinity

  const erase = () => (drawn > 0 ? `\x1b[${drawn}A\x1b[0J` : '')

  return {
    paint,
    /** A line that stays, above what moves. */
    note(line) {
      out.write(`${erase()}${line}\n`)
      drawn = 0
    },
    /** `rows`: a queue's name and its numbers. `share`: how much of the whole is done, from 0 to 1. */
    show({ rows, share, finished }) {
      const seconds = (now() - begun) / 1000
      const rate = `${(finished / Math.max(seconds, 0.001)).toFixed(1)}/s`
      if (isLive) {
        const lines = [
          ...table(rows, paint),
          '',
          bar(share, `${rate}  ${seconds.toFixed(0)} s`, paint),
        ]
        out.write(`${erase()}${lines.join('\n')}\n`)
        drawn = lines.length
      } else if (seconds - lastLine >= 1 || share === 1) {
        lastLine = seconds
        const [first] = rows
        const numbers = COLUMNS.map((column) => `${column} ${String(first[column]).padStart(3)}`)
        out.write(`${seconds.toFixed(0).padStart(3)} s  ${numbers.join('  ')}  ${rate}\n`)
      }
    },
  }
}

function table(rows, paint) {
  const head = ['queue'.padEnd(NAME_WIDTH), ...COLUMNS.map((column) => column.padStart(9))]
  const body = rows.map((row) => {
    const cells = COLUMNS.map((column) => cell(column, row[column], paint))
    return `  ${row.name.padEnd(NAME_WIDTH)}${cells.join('')}`
  })
  return ['', paint.dim(`  ${head.join('')}`), ...body]
}

function cell(column, value, paint) {
  const text = String(value).padStart(9)
  if (value === 0 || value === '') return paint.dim(text)
  if (column === 'done') return paint.green(text)
  return column === 'dead' ? paint.red(text) : text
}

function bar(share, text, paint) {
  const full = Math.round(share * BAR_WIDTH)
  const percent = `${Math.floor(share * 100)} %`.padStart(5)
  return `  ${paint.green('█'.repeat(full))}${paint.dim('░'.repeat(BAR_WIDTH - full))} ${percent}  ${text}`
}

function painter(hasColour) {
  const code = (number) => (text) => (hasColour ? `\x1b[${number}m${text}\x1b[0m` : text)
  return { bold: code(1), dim: code(2), red: code(31), green: code(32), yellow: code(33) }
}
