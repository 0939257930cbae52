/**
 * The two ends of a copy: what jobs come from, and where they go. A source is a store or a file of
 * lines; both are read part by part, in pages that fit one call of the target.
 */
import { hostname } from 'node:os'
import { DUMP_JOBS, LEASE } from '../job/defaults.js'
import type { Part, Portable, PortableJob, PortablePause, PortableQueue } from '../job/portable.js'
import type { Paged } from '../job/selector.js'
import type { NodeRow, Store } from '../store.js'

/** What a copy asks of a store: verbs that may all be repeated. */
export type Carrier = Pick<
  Store,
  | 'traits'
  | ('dump' | 'load' | 'control' | 'get' | 'sweep' | 'nodes' | 'queues' | 'plan')
  | ('enlist' | 'beat' | 'leave')
>

/** A store, open, and what people call it. */
export interface End {
  readonly store: Carrier
  /** The same for the same place, whoever says it from where: a gate remembers it. */
  readonly name: string
}

/** Pages in the order of `PARTS`; throws what cannot be read. */
export interface Source {
  readonly name: string
  /** Why it cannot be read now; null: it can. */
  quiet(): Promise<string | null>
  pages(): AsyncGenerator<readonly Portable[], void, void>
}

/** `self`: a name of our own, among the nodes of the source. */
export function storeSource({ store, name }: End, self: string): Source {
  return {
    name,
    async quiet() {
      await settleDead(store, self)
      const busy = (await nodesOf(store)).find(isAtWork)
      return busy === undefined ? null : stillBusy(busy)
    },
    async *pages() {
      for (const part of ['queues', 'jobs', 'keys', 'rates', 'schedules'] as const) {
        yield* pagesOf(store, part)
      }
    },
  }
}

/** Page after page of one part; of these queues, or of all. */
export async function* pagesOf(
  store: Carrier,
  part: Part,
  queues: readonly string[] | null = null,
): AsyncGenerator<readonly Portable[], void, void> {
  let cursor: string | null = null
  do {
    const page: Paged<Portable> = await store.dump({
      ...{ part, queues },
      page: { limit: DUMP_JOBS, cursor },
    })
    if (page.items.length > 0) yield page.items
    cursor = page.cursor
  } while (cursor !== null)
}

export function isJob(item: Portable): item is PortableJob {
  return item.kind === 'job'
}

export function isQueue(item: Portable): item is PortableQueue {
  return item.kind === 'queue'
}

/** What is said of each queue, by name. */
export async function queuesOf(
  store: Carrier,
  names: readonly string[] | null = null,
): Promise<Map<string, PortableQueue>> {
  const found = new Map<string, PortableQueue>()
  for await (const page of pagesOf(store, 'queues', names)) {
    for (const item of page) if (isQueue(item)) found.set(item.queue, item)
  }
  return found
}

/** The pause of everything; null: there is none. */
export async function pauseOfAll(store: Carrier): Promise<PortablePause | null> {
  for await (const page of pagesOf(store, 'queues')) {
    for (const item of page) if (item.kind === 'scope') return item.paused
    return null // it stands before all queues
  }
  return null
}

/** How many jobs each queue has, receipts not counted. */
export async function sizesOf(store: Carrier): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<Store['queues']>> = await store.queues({ limit: 100, cursor })
    for (const { name, counts } of page.items) {
      sizes.set(
        name,
        Object.values(counts).reduce((sum, count) => sum + count, 0),
      )
    }
    cursor = page.cursor
  } while (cursor !== null)
  return sizes
}

/**
 * Whether both are one and the same, whatever they are called: who makes himself known in the one is
 * known in the other. A move onto itself would end every job as one that went elsewhere.
 */
export async function isSamePlace(from: End, to: End, self: string): Promise<boolean> {
  const node = `millrace looks for itself ${self}`
  const card = { node, host: hostname(), pid: process.pid, lease: LEASE, workers: [] }
  await from.store.enlist(card)
  try {
    return (await nodesOf(to.store)).some((known) => known.node === node)
  } finally {
    await from.store.leave(node)
  }
}

/** Frees what the dead hold, so that it can be carried as it will go on. */
export async function settleDead(store: Carrier, self: string): Promise<void> {
  while ((await store.sweep({ node: self, limit: SWEPT_AT_ONCE })).more) continue
}

const SWEPT_AT_ONCE = 500

/** A worker may start a job at any time; one that has not been heard of for its lease is gone. */
function isAtWork({ workers, running, lost, beatAgo, lease }: NodeRow): boolean {
  if (running.some((count) => count > 0)) return true
  return workers.length > 0 && !lost && beatAgo <= lease
}

function stillBusy({ node, host, pid, workers, running, beatAgo }: NodeRow): string {
  const jobs = running.reduce((sum, count) => sum + count, 0)
  const seconds = Math.round(beatAgo / 1000)
  const what = jobs > 0 ? `runs ${many(jobs, 'job')}` : `has ${many(workers.length, 'worker')}`
  return `node ${node} (process ${pid} on ${host}, heard of ${seconds} s ago) ${what}: stop its workers, or move with --live`
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

export async function nodesOf(store: Carrier): Promise<NodeRow[]> {
  const nodes: NodeRow[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<Store['nodes']>> = await store.nodes({ limit: 100, cursor })
    nodes.push(...page.items)
    cursor = page.cursor
  } while (cursor !== null)
  return nodes
}
