// Two stores side by side on one virtual clock, and words for what the tests of copies do with them.
import { seededChance, VirtualClock } from '../../src/time/virtual.js'
import { memoryStore, sharedMemory } from '../../src/stores/memory/memory-store.js'
import { newJob } from '../../src/testing/conformance/build.js'
import type { JobWords } from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { faultyStore } from '../../src/testing/faulty-store.js'
import type { FaultyStore } from '../../src/testing/faulty-store.js'
import type { End } from '../../src/copy/ends.js'
import { move } from '../../src/copy/live.js'
import type { MoveReport } from '../../src/copy/live.js'
import type { Store } from '../../src/store.js'

/** An end of which tests want more than a copy does. */
export interface WholeEnd extends End {
  readonly store: Store
}

export interface Sides {
  readonly clock: VirtualClock
  readonly from: WholeEnd
  readonly to: WholeEnd
  /** Other handles, to make fail. */
  faulty(): Promise<{ readonly from: FaultyStore; readonly to: FaultyStore }>
}

export async function sides(): Promise<Sides> {
  const clock = new VirtualClock()
  const [here, there] = [sharedMemory(clock), sharedMemory(clock)]
  const opened = async (shared: typeof here): Promise<Store> => {
    const store = memoryStore({ shared })
    await store.open({ scope: 'default' })
    return store
  }
  const made = async (shared: typeof here): Promise<FaultyStore> =>
    faultyStore(await opened(shared), { clock, chance: seededChance(1) })
  return {
    clock,
    from: { store: await opened(here), name: 'here' },
    to: { store: await opened(there), name: 'there' },
    faulty: async () => ({ from: await made(here), to: await made(there) }),
  }
}

let ids = 0

/** So many jobs; answers their ids. */
export async function put(
  { store }: WholeEnd,
  count: number,
  words: (index: number) => JobWords = () => ({}),
): Promise<string[]> {
  const jobs = Array.from({ length: count }, (_, at) => newJob(`job-${++ids}`, words(at)))
  if (count > 0) await store.insert([{ jobs }])
  return jobs.map(({ id }) => id)
}

export const nodeOn = ({ store }: WholeEnd, name = 'n'): Promise<PlayedNode> =>
  PlayedNode.enlist(store, cardOf(name))

export interface MoveWords {
  readonly producersStopped?: boolean
  readonly self?: string
  readonly signal?: AbortSignal
  readonly tell?: () => void
}

/** A live move to its end; time passes while it waits. */
export async function run(
  clock: VirtualClock,
  from: End,
  to: End,
  {
    producersStopped = false,
    self = 'copy',
    signal = new AbortController().signal,
    tell,
  }: MoveWords = {},
): Promise<MoveReport> {
  let isOver = false
  const moving = move({
    ...{ from, to, self, producersStopped, follow: false, signal, clock },
    tell: tell ?? (() => undefined),
  }).finally(() => (isOver = true))
  moving.catch(() => undefined)
  for (let turns = 0; !isOver && turns < 100; turns++) await clock.advance(1_000)
  return moving
}
