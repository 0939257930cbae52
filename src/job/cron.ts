/**
 * Cron lines: what is one, and when it comes next. croner reads them; nothing else of it is used.
 * Promises: the same line, zone and moment give the same answer in every process; a line that never
 * comes answers null. Five fields (minute first), six (second first) or seven (year last), names of
 * days and months, `L`, `W`, `#`, and `@yearly @monthly @weekly @daily @hourly`.
 *
 * When clocks are set forward or back: times that are said exactly (no `*` and no step in hours,
 * minutes and seconds) come once a day; one that is left out that day comes when the clock goes on,
 * one that is there twice comes the first time. Lines with `*` or a step go by what the clock shows:
 * what is left out does not come, what is there twice comes twice.
 */
import { Cron } from 'croner'
import { CRON_LENGTH, CRON_LINES_KNOWN } from './defaults.js'
import type { Instant } from './job.js'

/** Lines as croner reads them, the one that was used last at the end. */
const known = new Map<string, Cron>()

/** The first moment of the line after that instant. Throws when it is no cron line. */
export function nextOfCron(line: string, timeZone: string, after: Instant): Instant | null {
  const next = reader(line, timeZone).nextRun(new Date(after))
  return next === null ? null : next.getTime()
}

function reader(line: string, timeZone: string): Cron {
  const key = `${timeZone}\0${line}`
  const cron = known.get(key) ?? read(line, timeZone)
  known.delete(key)
  known.set(key, cron)
  for (const oldest of known.keys()) {
    if (known.size <= CRON_LINES_KNOWN) break
    known.delete(oldest)
  }
  return cron
}

function read(line: string, timeZone: string): Cron {
  if (line.length > CRON_LENGTH) throw new RangeError(`more than ${CRON_LENGTH} characters`)
  // croner would take a date for a line that comes once.
  if (/\d[T:]\d/.test(line)) throw new RangeError('a date is no cron line')
  // Without a name and a function it starts no timer. By an offset it is ten times as fast.
  const zone = timeZone === 'UTC' ? { utcOffset: 0 } : { timezone: timeZone }
  return new Cron(line, { ...zone, paused: true, fixedTimeRule: 'no-wildcard' })
}

/** Whether this is the name of a time zone; offsets are none, since not every Node knows them. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false // a RangeError: there is no such zone
  }
}
