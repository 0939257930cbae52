// Cron lines by brute force: every minute of a span is asked of Intl what the clock on the wall
// shows, and compared with what the line says. It shares nothing with what it checks.

/** A line of minutes and hours, every day. `exact`: it has neither `*` nor a step. */
export interface PlainLine {
  readonly line: string
  readonly hours: readonly number[]
  readonly minutes: readonly number[]
  readonly exact: boolean
}

const MINUTE = 60_000

interface Shown {
  readonly day: string
  /** Minutes since midnight. */
  readonly minute: number
  /** Minutes since the epoch, if this clock had always shown UTC. */
  readonly count: number
}

const formats = new Map<string, Intl.DateTimeFormat>()
/** What was asked before: several lines are asked of the same minutes. */
const known = new Map<string, Shown>()

function shownAt(zone: string, at: number): Shown {
  const key = `${zone} ${at}`
  const shown = known.get(key) ?? lookUp(zone, at)
  known.set(key, shown)
  return shown
}

function lookUp(zone: string, at: number): Shown {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat('en-CA', {
      ...{ timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit' },
      ...{ hour: '2-digit', minute: '2-digit' },
    })
  formats.set(zone, format)
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]))
  const [year, month, date, hour, minute] = ['year', 'month', 'day', 'hour', 'minute'].map((type) =>
    Number(parts.get(type as Intl.DateTimeFormatPartTypes)),
  )
  const count = Date.UTC(year, month - 1, date, hour, minute) / MINUTE
  return { day: `${year}-${month}-${date}`, minute: hour * 60 + minute, count }
}

/** All moments of the line in [from, until), whole minutes both. */
export function momentsOf(line: PlainLine, zone: string, from: number, until: number): number[] {
  const wanted = new Set(line.hours.flatMap((h) => line.minutes.map((m) => h * 60 + m)))
  const found: number[] = []
  const seen = new Set<string>()
  // From a day before, so that what is there twice is known to be the second.
  let before = shownAt(zone, from - 1441 * MINUTE)
  for (let at = from - 1440 * MINUTE; at < until; at += MINUTE) {
    const shown = shownAt(zone, at)
    let fires = false
    if (wanted.has(shown.minute)) fires = !line.exact || !seen.has(`${shown.day} ${shown.minute}`)
    seen.add(`${shown.day} ${shown.minute}`)
    const left = shown.count - before.count - 1
    for (let back = 1; line.exact && back <= left && back <= shown.minute; back++) {
      // Left out of this very day, and said exactly: it comes when the clock goes on.
      if (wanted.has(shown.minute - back)) fires = true
    }
    if (fires && at >= from) found.push(at)
    before = shown
  }
  return found
}

/** The moments at which the clock of a zone is set, in a year. */
export function changesOf(zone: string, year: number): number[] {
  const ahead = (at: number): number => shownAt(zone, at).count - at / MINUTE
  const changes: number[] = []
  const end = Date.UTC(year + 1, 0, 1)
  for (let day = Date.UTC(year, 0, 1); day < end; day += 1440 * MINUTE) {
    if (ahead(day) === ahead(day + 1440 * MINUTE)) continue
    for (let at = day + MINUTE; at <= day + 1440 * MINUTE; at += MINUTE) {
      if (ahead(at) !== ahead(at - MINUTE)) changes.push(at)
    }
  }
  return changes
}
