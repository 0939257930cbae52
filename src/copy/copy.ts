/**
 * A copy while no worker runs: everything that the source keeps, into queues of the target that are
 * closed until all of it is there and was found to be the same. The source is not changed. It may be
 * broken off at any point and begun again: what is there is passed over, and nothing has started.
 *
 *     close the target's queues ──▶ load ──▶ compare ──▶ open
 */
import type { Portable, PortableQueue } from '../job/portable.js'
import type { TransitSide } from '../job/transit.js'
import { isJob, pagesOf, queuesOf, sizesOf } from './ends.js'
import type { Carrier, End, Source } from './ends.js'
import { differences, Reckoning } from './reckoning.js'
import type { Tally } from './reckoning.js'
import { Taking } from './taking.js'
import type { Refusal } from './taking.js'

export interface CopyAsk {
  readonly from: Source
  readonly to: End
  /** Also queues that were copied before and are open since. */
  readonly again: boolean
  /** Called now and then: so many jobs stand in the target. */
  readonly tell: (jobs: number) => void
}

export interface CopyReport {
  /** Jobs that were put in, and those that were there. */
  readonly loaded: number
  readonly present: number
  /** By queue: what the target keeps now of what was copied. */
  readonly queues: Readonly<Record<string, Tally>>
  /** Queues that were left alone, since they were copied before. */
  readonly skipped: readonly string[]
  readonly refused: readonly Refusal[]
  /** Why the target's queues are closed yet; null: they are open. */
  readonly stopped: string | null
}

export async function copy({ from, to, again, tell }: CopyAsk): Promise<CopyReport> {
  const standing = await queuesOf(to.store)
  const sizes = await sizesOf(to.store)
  const taking = new Taking(to.store)
  const read = new Reckoning()
  const opened: string[] = []
  const skipped = new Set<string>()
  const early: Portable[] = []
  const report = (stopped: string | null, there = new Reckoning()): CopyReport => ({
    loaded: taking.loaded,
    present: taking.present,
    queues: Object.fromEntries(opened.map((queue) => [queue, there.of(queue)])),
    skipped: [...skipped],
    refused: taking.refused,
    stopped,
  })
  const busy = await from.quiet()
  if (busy !== null) return report(busy)
  for await (const page of from.pages()) {
    const wanted: Portable[] = []
    for (const item of page) {
      if (item.kind === 'queue') {
        const standsThere = standing.get(item.queue)
        const verdict = judge(item, standsThere, sizes.get(item.queue) ?? 0, from.name, again)
        if (verdict === 'skip') skipped.add(item.queue)
        else if (verdict !== 'take') return report(verdict)
        else opened.push(item.queue)
      }
      if (!skipped.has(queueIn(item))) wanted.push(item)
    }
    // Everything is said of the queues before the first of them is touched.
    if (wanted.every((item) => item.kind === 'queue' || item.kind === 'scope')) {
      early.push(...wanted)
      continue
    }
    await prepare(to, from, taking, early)
    for (const item of wanted) if (isJob(item)) read.add(item)
    await taking.take(wanted)
    tell(taking.loaded + taking.present)
  }
  await prepare(to, from, taking, early)
  await taking.settle()
  const { heldBack, refused } = taking
  if (refused.length > 0) return report(`${refused.length} jobs were refused`)
  if (heldBack.length > 0)
    return report(`${heldBack.length} jobs come after others that are missing`)
  const there = await reckon(to.store, opened)
  const [first] = differences(read, there)
  if (first !== undefined) return report(`the two differ: ${first}`)
  for (const queue of opened) await say(to, queue, 'arrived', from.name)
  return report(null, there)
}

/** 'take', 'skip', or why nothing at all may be taken. */
function judge(
  { queue }: PortableQueue,
  there: PortableQueue | undefined,
  jobs: number,
  from: string,
  again: boolean,
): string {
  const transit = there?.transit ?? null
  if (transit !== null && transit.with === from) {
    if (transit.side === 'arriving') return 'take'
    if (transit.side === 'arrived') return again ? 'take' : 'skip'
  }
  if (jobs === 0) return 'take'
  return `queue ${queue} of the target has ${jobs} jobs of its own: choose a place, or a scope, where it is empty`
}

function queueIn(item: Portable): string {
  return 'queue' in item ? item.queue : ''
}

/** Closes the queues, and says of them what the source says. */
async function prepare(to: End, from: Source, taking: Taking, early: Portable[]): Promise<void> {
  const items = early.splice(0)
  for (const item of items) {
    if (item.kind === 'queue') await say(to, item.queue, 'arriving', from.name)
  }
  for (let at = 0; at < items.length; at += QUEUES_AT_ONCE) {
    await taking.take(items.slice(at, at + QUEUES_AT_ONCE))
  }
}

const QUEUES_AT_ONCE = 100

export async function say(
  { store }: End,
  queue: string,
  side: TransitSide,
  other: string,
  groups: readonly string[] | null = null,
): Promise<void> {
  const transit = { side, with: other, groups: side === 'arriving' ? groups : null }
  await store.control({ kind: 'transit', queue, transit }, null)
}

/** All that these queues keep. */
export async function reckon(store: Carrier, queues: readonly string[]): Promise<Reckoning> {
  const reckoning = new Reckoning()
  if (queues.length === 0) return reckoning
  for await (const page of pagesOf(store, 'jobs', queues)) {
    for (const item of page) if (isJob(item)) reckoning.add(item)
  }
  return reckoning
}
