/**
 * Pages: an array that knows where the next one begins. A store may answer a short or empty page
 * because each of its looks is bounded; here the looks go on until the page is full or all is seen.
 */
import { invalid, onlyKnown, record, whole } from '../job/check.js'
import { PAGE, PAGE_LIMIT } from '../job/defaults.js'
import type { PageAsk, Paged } from '../job/selector.js'
import { nextTurn } from '../time/clock.js'
import type { Clock } from '../time/clock.js'

/** `limit` [100], at most 1000; `after`: the `next` of the page before. */
export interface PageOptions {
  readonly limit?: number
  readonly after?: string
}

/** An array that knows where the next page begins; `null`: there is none. */
export interface Page<T> extends ReadonlyArray<T> {
  readonly next: string | null
}

/** Options of a page, checked. */
export function pageAsk(options: unknown, subject: string): PageAsk {
  if (options === undefined) return { limit: PAGE, cursor: null }
  const given = record(options, subject)
  onlyKnown(given, ['limit', 'after'], subject)
  const bounds = { least: 1, most: PAGE_LIMIT }
  const limit = given.limit === undefined ? PAGE : whole(given.limit, `${subject}.limit`, bounds)
  const after = given.after ?? null
  if (after === null || typeof after === 'string') return { limit, cursor: after }
  throw invalid(`${subject}.after`, 'the `next` of the page before', after)
}

/** One full page, or all that is left. Between two looks the event loop has a turn: they may be many. */
export async function fill<Row, T>(
  clock: Clock,
  ask: PageAsk,
  look: (ask: PageAsk) => Promise<Paged<Row>>,
  show: (row: Row) => T,
): Promise<Page<T>> {
  const shown: T[] = []
  let cursor = ask.cursor
  for (;;) {
    const seen = await look({ limit: ask.limit - shown.length, cursor })
    for (const row of seen.items) shown.push(show(row))
    cursor = seen.cursor
    if (cursor === null || shown.length >= ask.limit) return page(shown, cursor)
    await nextTurn(clock)
  }
}

/** `next` is not enumerable, so that a page equals the plain array of what is on it. */
export function page<T>(items: T[], next: string | null): Page<T> {
  const page: unknown = Object.defineProperty(items, 'next', { value: next })
  return page as Page<T> // as: `next` was just defined
}
