/**
 * A live move, with workers on both sides: unit after unit of queues goes over, and the rounds are
 * repeated until nothing is left in the source, or for as long as somebody still enqueues there. What
 * runs in the source ends there. It may be broken off at any point and begun again.
 */
import { DUMP_JOBS } from '../job/defaults.js'
import { effective } from '../job/effective.js'
import type { PortableQueue } from '../job/portable.js'
import type { Clock } from '../time/clock.js'
import { alone, AnotherMover } from './alone.js'
import { queuesOf, settleDead, sizesOf } from './ends.js'
import type { End } from './ends.js'
import type { Refusal } from './taking.js'
import { Unit } from './unit.js'

export interface MoveAsk {
  readonly from: End
  readonly to: End
  /** A name of our own, among the nodes of the source. */
  readonly self: string
  /** Nobody enqueues in the source any more. */
  readonly producersStopped: boolean
  /** Goes on when the source is empty, until it is told to stop. */
  readonly follow: boolean
  /** Ends it after the round that is under way. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly tell: (state: MoveState) => void
}

export interface MoveState {
  readonly moved: number
  /** In the source: what runs, and what cannot go yet. */
  readonly running: number
  readonly left: number
}

export interface MoveReport extends MoveState {
  readonly refused: readonly Refusal[]
  /** Queues that were not touched, and why. */
  readonly unmovable: Readonly<Record<string, string>>
  /** Nothing is left in the source that may go. */
  readonly isDrained: boolean
  /** Why it ended before it was done, though nobody asked it to; null: it did not. */
  readonly stopped: string | null
}

/**
 * Between two rounds: what is brought over closes its groups for a moment, so that has to be a small
 * part of the time.
 */
const LOOK_AGAIN = 1_000
/** Jobs that make a unit of small queues. */
const UNIT_JOBS = 5_000

export async function move(ask: MoveAsk): Promise<MoveReport> {
  let so: MoveState = { moved: 0, running: 0, left: 0 }
  const tell = (state: MoveState): void => {
    so = state
    ask.tell(state)
  }
  try {
    return await alone(ask, (from, to) => moveAlone({ ...ask, from, to, tell }))
  } catch (error) {
    if (!(error instanceof AnotherMover)) throw error
    return { ...so, refused: [], unmovable: {}, isDrained: false, stopped: error.message }
  }
}

async function moveAlone(ask: MoveAsk): Promise<MoveReport> {
  const { from, clock, signal } = ask
  const units = new Map<string, Unit>()
  const unmovable = new Map<string, string>()
  let moved = 0
  for (;;) {
    await settleDead(from.store, ask.self)
    await gather(ask, units, unmovable)
    let running = 0
    let left = 0
    let now = 0
    const refused: Refusal[] = []
    for (const unit of new Set(units.values())) {
      const round = await unit.round()
      now += round.moved
      running += round.running
      left += round.left
      refused.push(...round.refused)
      ask.tell({ moved: moved + now, running, left })
      if (signal.aborted) break
    }
    moved += now
    const isDrained = running === 0 && now === 0
    if (signal.aborted || (isDrained && !ask.follow)) {
      const rest = { moved, running, left, refused, unmovable: Object.fromEntries(unmovable) }
      const isDrained = running === 0 && left === 0 && unmovable.size === 0
      return { ...rest, isDrained, stopped: null }
    }
    if (now < DUMP_JOBS) await rest(clock, signal)
  }
}

/** Queues that are new since the last round join. */
async function gather(
  { from, to, producersStopped }: MoveAsk,
  units: Map<string, Unit>,
  unmovable: Map<string, string>,
): Promise<void> {
  const queues = await queuesOf(from.store)
  const fresh = [...queues.values()].filter(({ queue }) => !units.has(queue))
  const names = fresh.map(({ queue }) => queue)
  const over = await queuesOf(to.store, names)
  const wanted = fresh.filter((queue) => {
    const why =
      onAnotherWay(queue, over.get(queue.queue), from.name, to.name) ??
      sharesKeys(queue, producersStopped)
    if (why === null) unmovable.delete(queue.queue)
    else unmovable.set(queue.queue, why)
    return why === null
  })
  if (wanted.length === 0) return
  const sizes = await sizesOf(from.store)
  for (const names of bundles(wanted, sizes)) {
    const unit = new Unit(names, from, to)
    for (const name of names) units.set(name, unit)
  }
}

/** What is still on its way between other two; one that comes from there may go back at any point. */
function onAnotherWay(
  { transit: here }: PortableQueue,
  queueThere: PortableQueue | undefined,
  from: string,
  to: string,
): string | null {
  const there = queueThere?.transit ?? null
  if (here?.side === 'moving' && here.with !== to) return `it is moving to ${here.with}`
  if (here?.side === 'arriving' && here.with !== to) return `it is still arriving from ${here.with}`
  if (there === null || there.side === 'arrived' || there.with === from) return null
  const way = there.side === 'moving' ? 'is moving to' : 'is still arriving from'
  return `over there it ${way} ${there.with}`
}

/** A promise that two stores cannot keep together. */
function sharesKeys({ hasKeys }: PortableQueue, producersStopped: boolean): string | null {
  if (!hasKeys || producersStopped) return null
  return 'its jobs have unique keys, and a key cannot be unique in two stores while producers enqueue in both: stop those of the source, and say --producers-stopped'
}

/** Those that share the budget of a rate go together, whatever their size; small ones, too. */
function bundles(
  queues: readonly PortableQueue[],
  sizes: ReadonlyMap<string, number>,
): readonly (readonly string[])[] {
  const byKey = new Map<string, string[]>()
  const all: string[][] = []
  let small: string[] = []
  let jobs = 0
  for (const { queue, declared, overrides } of queues) {
    const key = effective({ revision: 1, declared, overrides }).rate?.key ?? null
    if (key !== null) {
      const sharing = byKey.get(key) ?? []
      if (sharing.length === 0) all.push(sharing)
      sharing.push(queue)
      byKey.set(key, sharing)
      continue
    }
    small.push(queue)
    jobs += sizes.get(queue) ?? 0
    if (jobs < UNIT_JOBS) continue
    all.push(small)
    small = []
    jobs = 0
  }
  return small.length === 0 ? all : [...all, small]
}

/** Until it is time to look again, or somebody says that it is enough. */
function rest(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(LOOK_AGAIN, done)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      timer.cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
