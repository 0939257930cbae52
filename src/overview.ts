/** What a Millrace tells of itself: its queues, the workers of all nodes, and whether all is well. */
import { invalid } from './job/check.js'
import type { Counts, Millis } from './job/job.js'
import type { PageAsk } from './job/selector.js'
import { MillraceError } from './job/errors.js'
import type { Engine } from './engine/engine.js'
import type { Parts } from './parts.js'
import { fill, page } from './queue/page.js'
import type { Page } from './queue/page.js'
import type { NodeRow, QueueRow, Store, Traits } from './store.js'
import type { Clock } from './time/clock.js'
import type { Worker } from './worker.js'

export interface QueueInfo {
  readonly name: string
  readonly counts: Counts
  /** Whether it is paused everywhere, by itself or with all queues. */
  readonly paused: boolean
  /** Of all nodes, who pulls by hand included; of a process that died until it is swept. */
  readonly workers: number
  /** When the job that is next was or will be due, of several tasks the oldest; null: none waits. */
  readonly oldestDue: Date | null
}

export interface WorkerInfo {
  readonly id: string
  readonly node: string
  readonly queue: string
  /** The tasks that it knows; [] for one that takes any, as `take` does. */
  readonly tasks: readonly string[]
  readonly state: Worker['state'] | 'lost'
  readonly running: number
  readonly concurrency: number
  readonly startedAt: Date
  readonly beatAgo: Millis
}

/** Nodes of one look at the store. */
const NODES = 100

/** Where a page of workers begins: `look` is the store's own cursor; what it shows before the node was shown. */
interface Place {
  readonly look: string | null
  readonly node: string
  /** Of this node's workers, who were shown. */
  readonly skip: number
}

export interface Health {
  readonly ok: boolean
  readonly store: string
  readonly traits: Traits
  /** One question and its answer; null: there was none. */
  readonly roundTrip: Millis | null
  readonly problems: readonly string[]
}

export function queuesOf({ engine, clock }: Parts, ask: PageAsk): Promise<Page<QueueInfo>> {
  return fill(clock, ask, (next) => engine.store.queues(next), queueInfo)
}

function queueInfo(row: QueueRow): QueueInfo {
  const oldestDue = row.oldestDue === null ? null : new Date(row.oldestDue)
  return { name: row.name, counts: row.counts, paused: row.paused, workers: row.workers, oldestDue }
}

/** A page may end among the workers of a node, so its cursor names him, too, and how many were shown. */
export async function workersOf(store: Store, ask: PageAsk): Promise<Page<WorkerInfo>> {
  const shown: WorkerInfo[] = []
  let place = readCursor(ask.cursor)
  for (;;) {
    const seen = await store.nodes({ limit: NODES, cursor: place.look })
    for (const row of seen.items) {
      if (row.node < place.node) continue
      const skip = row.node === place.node ? place.skip : 0
      const workers = workersOfNode(row).slice(skip)
      const room = ask.limit - shown.length
      shown.push(...workers.slice(0, room))
      if (workers.length > room) {
        return page(shown, writeCursor({ ...place, node: row.node, skip: skip + room }))
      }
    }
    if (seen.cursor === null) return page(shown, null)
    place = { look: seen.cursor, node: '', skip: 0 }
    if (shown.length === ask.limit) return page(shown, writeCursor(place))
  }
}

function workersOfNode(row: NodeRow): readonly WorkerInfo[] {
  return row.workers.map((card, at) => ({
    id: card.worker,
    node: row.node,
    queue: card.queue,
    tasks: card.tasks ?? [],
    state: row.lost ? 'lost' : card.state,
    running: row.running[at] ?? 0,
    concurrency: card.concurrency,
    startedAt: new Date(row.startedAt),
    beatAgo: row.beatAgo,
  }))
}

function readCursor(cursor: string | null): Place {
  if (cursor === null) return { look: null, node: '', skip: 0 }
  const [, skip, node, look] = /^(\d+)\/([^/]*)\/(.*)$/s.exec(cursor) ?? []
  if (skip === undefined) throw invalid('workers.after', 'the `next` of the page before', cursor)
  return { look: look === '' ? null : look, node, skip: Number(skip) }
}

function writeCursor({ look, node, skip }: Place): string {
  return `${skip}/${node}/${look ?? ''}`
}

/** Asks one question; a store that cannot be reached is an answer here, not a throw. */
export async function healthOf(engine: Engine, clock: Clock): Promise<Health> {
  const problems: string[] = []
  let roundTrip: Millis | null = null
  try {
    await engine.open()
    const began = clock.mono()
    // Nothing that takes longer the more jobs there are: whoever looks after a process asks every few seconds.
    await engine.store.nodes({ limit: 1, cursor: null })
    roundTrip = clock.mono() - began
    const workers = await workersOf(engine.store, { limit: 1000, cursor: null })
    const lost = workers.filter((worker) => worker.state === 'lost').length
    if (lost > 0) problems.push(`${lost} workers are lost; their jobs wait for a sweep`)
  } catch (error) {
    problems.push(MillraceError.is(error) ? error.message : String(error))
  }
  const { name, traits } = engine.store
  return { ok: problems.length === 0, store: name, traits, roundTrip, problems }
}
