/**
 * What a store made of a book keeps, page by page, for another store to take over. Parts that are
 * small are gone through as a whole for each page; jobs are read by their numbers of insertion.
 */
import { DUMP_BYTES } from '../../job/defaults.js'
import type { Millis } from '../../job/job.js'
import type { Portable, PortableFact, PortablePause } from '../../job/portable.js'
import { weightOf } from '../../job/portable.js'
import type { Paged } from '../../job/selector.js'
import { oldest, portables } from '../../job/book/dump.js'
import type { Ledger } from '../../job/book/ledger.js'
import type { Pause, QueueBook } from '../../job/book/queue.js'
import { groupNamed, rateNames } from '../../job/book/rates.js'
import { coarse } from '../../job/grants.js'
import type { DumpAsk } from '../../store.js'

/** One page of what is asked for. What is over by now is not told, whether the book has noticed or not. */
export function dump(ledger: Ledger, ask: DumpAsk, now: Millis): Paged<Portable> {
  if (ask.part === 'jobs') return dumpJobs(ledger, ask)
  const queues = [...ledger.queues.values()].filter(({ name }) => {
    return ask.queues?.includes(name) ?? true
  })
  return pageOf(factsOf(ledger, queues, ask, now), ask)
}

/** Descriptions read at once. */
const READ_AT_ONCE = 100

function dumpJobs(ledger: Ledger, { queues, page }: DumpAsk): Paged<Portable> {
  const numbers = queues && new Set(queues.map((name) => ledger.findQueue(name)?.number ?? -1))
  const slots = oldest(ledger, numbers, Number(page.cursor ?? 0), page.limit + 1)
  const more = slots.length > page.limit
  if (more) slots.pop()
  const items: Portable[] = []
  let bytes = 0
  for (let at = 0; at < slots.length; at += READ_AT_ONCE) {
    const some = slots.slice(at, at + READ_AT_ONCE)
    for (const [i, job] of portables(ledger, some).entries()) {
      bytes += weightOf(job)
      if (bytes > DUMP_BYTES && items.length > 0) {
        return { items, cursor: String(ledger.columns.seq.get(some[i]) - 1) }
      }
      items.push(job)
    }
  }
  const last = slots.at(-1)
  const cursor = more && last !== undefined ? String(ledger.columns.seq.get(last)) : null
  return { items, cursor }
}

/** With what they are ordered by. */
export type Named = readonly [name: string, fact: PortableFact]

export function pageOf(facts: Named[], { page: { cursor, limit } }: DumpAsk): Paged<Portable> {
  const rest = cursor === null ? facts : facts.filter(([name]) => name > cursor)
  rest.sort(([a], [b]) => (a < b ? -1 : 1))
  const chosen = rest.slice(0, limit)
  return {
    items: chosen.map(([, fact]) => fact),
    cursor: rest.length > limit ? (chosen.at(-1)?.[0] ?? null) : null,
  }
}

function factsOf(ledger: Ledger, queues: readonly QueueBook[], ask: DumpAsk, now: Millis): Named[] {
  switch (ask.part) {
    case 'jobs':
      return []
    case 'queues': {
      const { paused } = ledger
      const whole: Named[] =
        paused === null || ask.queues !== null
          ? []
          : [['', { kind: 'scope', paused: pauseOf(ledger, paused) }]]
      return [
        ...whole,
        ...queues.map((queue): Named => [`q${queue.name}`, queueOf(ledger, queue, now)]),
      ]
    }
    case 'keys':
      return queues.flatMap((queue) => keysOf(ledger, queue, now))
    case 'schedules':
      return schedulesOf(ledger, queues, ask, now)
    case 'rates':
      return ratesOf(ledger, queues, ask, now)
  }
}

function pauseOf({ wallOffset }: Ledger, { since, by }: Pause): PortablePause {
  return { since: since + wallOffset, by }
}

function queueOf(ledger: Ledger, queue: QueueBook, now: Millis): PortableFact {
  const { name, stored, paused, transit } = queue
  const { declared, overrides } = stored
  const pausedGroups = [...queue.pausedGroups].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    kind: 'queue',
    queue: name,
    declared,
    overrides,
    paused: paused && pauseOf(ledger, paused),
    pausedGroups: pausedGroups.map(([group, pause]) => [group, pauseOf(ledger, pause)] as const),
    transit: transit && {
      ...transit,
      since: transit.since + ledger.wallOffset,
      groups: transit.groups && [...transit.groups],
    },
    hasKeys: [...queue.keys.values()].some(({ slot, until }) => slot >= 0 || until > now),
  }
}

function keysOf(ledger: Ledger, queue: QueueBook, now: Millis): Named[] {
  const found: Named[] = []
  for (const [name, { slot, id, while: how, until }] of queue.keys) {
    if (slot >= 0 || until <= now) continue
    const key = { kind: 'key', queue: queue.name, name, id, while: how } as const
    found.push([`${queue.name}\0${name}`, { ...key, until: until + ledger.wallOffset }])
  }
  return found
}

function schedulesOf(
  ledger: Ledger,
  queues: readonly QueueBook[],
  ask: DumpAsk,
  now: Millis,
): Named[] {
  const found = queues.flatMap(({ name, schedules }): Named[] =>
    [...schedules.values()].map((schedule) => [
      `${name}\0${schedule.name}`,
      { kind: 'schedule', queue: name, schedule },
    ]),
  )
  for (const [key, { revision, passed, until, isAway }] of ledger.retired) {
    const at = key.indexOf('\0')
    const of = { queue: key.slice(0, at), name: key.slice(at + 1) }
    if (ask.queues?.includes(of.queue) === false || until <= now || isAway === true) continue
    const said = { revision, passed, until: until + ledger.wallOffset }
    found.push([key, { kind: 'retired', ...of, ...said }])
  }
  return found
}

function ratesOf(ledger: Ledger, queues: readonly QueueBook[], ask: DumpAsk, now: Millis): Named[] {
  const own = new Set(queues.flatMap(({ name, settings }) => rateNames(name, settings)))
  const isWanted = (name: string): boolean =>
    ask.queues?.includes(groupNamed(name)?.queue ?? '') !== false || own.has(name)
  const found: Named[] = []
  for (const [name, until] of ledger.rates.throttles) {
    if (until <= now || !isWanted(name)) continue
    const throttle = { kind: 'throttle', name, until: until + ledger.wallOffset } as const
    found.push([`t${name}`, throttle])
  }
  for (const [name, window] of ledger.windows()) {
    if (window.isOver(now) || !isWanted(name)) continue
    const { keep } = window.image()
    const moments = [...window.entries(now)].map(([at, count]) => {
      return [at + ledger.wallOffset, count] as const
    })
    found.push([`w${name}`, { kind: 'grants', name, keep, moments: coarse(moments, keep) }])
  }
  return found
}
