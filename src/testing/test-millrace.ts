/**
 * A Millrace for the tests of users: the memory store on a virtual clock, and a record of all that
 * was enqueued, to be asked and asserted. Nothing in it sleeps, and the same test falls out the same
 * way each time. With mode 'record' enqueue only records: workers start, but run nothing.
 */
import { AssertionError } from 'node:assert'
import { inspect, isDeepStrictEqual } from 'node:util'
import { invalid, onlyKnown, record, word } from '../job/check.js'
import type { JobRef } from '../job/job.js'
import { instant } from '../job/options.js'
import { viewOf } from '../job/view.js'
import type { JobView } from '../job/view.js'
import { millraceTerms } from '../millrace-options.js'
import { Mill } from '../millrace.js'
import type { Millrace } from '../millrace.js'
import type { StoreName } from '../store-url.js'
import type { Store } from '../store.js'
import { memoryStore } from '../stores/memory/memory-store.js'
import type { TaskRef } from '../task.js'
import { millis } from '../time/duration.js'
import type { Duration } from '../time/duration.js'
import { VirtualClock, seededChance } from '../time/virtual.js'

export interface TestMillrace<S extends string = 'memory'> extends Millrace<S> {
  now(): Date
  /** Moves the clock, stopping at each moment something is due, and lets workers run. */
  advance(by: Duration): Promise<void>
  /** All that was enqueued and fits, oldest first, as it was when it was enqueued. */
  enqueued<In = unknown>(which?: Expected<In>): readonly JobView<In>[]
  /** Throws with what was there instead. `times` [at least 1]. */
  assertEnqueued<In>(which: Expected<In>, times?: number): void
  refuteEnqueued<In>(which: Expected<In>): void
  /** Forgets what was recorded. */
  clear(): void
}

/** A queue's name, a task, or fields; `payload` may be a part. */
export type Expected<In = unknown> =
  | string
  | TaskRef<In>
  | {
      queue?: string
      task?: string | TaskRef<In>
      group?: string
      tag?: string
      payload?: unknown
    }

export interface TestOptions {
  /** 'record': enqueue only records, nothing runs ['run']. */
  mode?: 'run' | 'record'
  /** The virtual clock's first instant [2000-01-01T00:00Z]. */
  now?: Date
  /** What `job.commit` hands to its function. */
  tx?: unknown
}

/** The same dice in every test, so that jitter and ids fall alike. */
const SEED = 1

/**
 * Memory store, virtual clock. `S` other than 'memory' is for types: `tx` is passed over, `commit`
 * gets `tx` of the options.
 */
export function testMillrace<S extends StoreName = 'memory'>(
  options: TestOptions = {},
): TestMillrace<S> {
  const given = record(options, 'testMillrace')
  onlyKnown(given, ['mode', 'now', 'tx'], 'testMillrace')
  const mode = word(given.mode ?? 'run', ['run', 'record'], 'testMillrace.mode')
  const wall = given.now === undefined ? undefined : instant(given.now, 'testMillrace.now')
  const clock = new VirtualClock(wall === undefined ? {} : { wall })
  const store = memoryStore({ clock })
  const ledger = new Ledger(store)
  const mill = new Mill({
    store,
    terms: millraceTerms({}),
    clock,
    chance: seededChance(SEED),
    transactions: { kind: 'pretended', committer: async (write) => void (await write(given.tx)) },
    onInserted: (refs) => ledger.add(refs),
    workers: mode === 'record' ? 'idle' : 'run',
  })
  const face: TestMillrace<string> = Object.assign(mill, {
    now: () => new Date(clock.wall()),
    advance: (by: Duration) => clock.advance(millis(by, 'advance')),
    enqueued: <In>(which?: Expected<In>) => ledger.fitting<In>(which),
    assertEnqueued: (which: Expected, times?: number) => ledger.assert(which, times),
    refuteEnqueued: (which: Expected) => ledger.assert(which, 0),
    clear: () => ledger.clear(),
  })
  return face as TestMillrace<S> // as: `S` is what the user wants his types to say
}

/** What was enqueued, oldest first. */
class Ledger {
  readonly #store: Store
  #jobs: JobView[] = []

  constructor(store: Store) {
    this.#store = store
  }

  /** Looks the jobs up, so that what is recorded is what the store made of them. */
  async add(refs: readonly JobRef[]): Promise<void> {
    for (const found of await this.#store.get(refs)) {
      if (found?.kind !== 'job') continue
      const view = viewOf(found.job)
      const before = this.#jobs.findIndex((job) => job.queue === view.queue && job.id === view.id)
      if (before >= 0) this.#jobs[before] = view
      else this.#jobs.push(view)
    }
  }

  fitting<In>(which: Expected<In> | undefined): readonly JobView<In>[] {
    const fits = which === undefined ? () => true : expectation(which)
    return this.#jobs.filter(fits) as JobView<In>[] // as: the caller names the payload's type
  }

  assert(which: Expected, times: number | undefined): void {
    const found = this.fitting(which).length
    if (times === undefined ? found > 0 : found === times) return
    const wanted =
      times === undefined ? 'at least one job' : `${times} ${times === 1 ? 'job' : 'jobs'}`
    const there = this.#jobs.map(({ queue, task, payload }) => inspect({ queue, task, payload }))
    const all = there.length === 0 ? 'nothing was enqueued' : `there was:\n${there.join('\n')}`
    throw new AssertionError({
      message: `expected ${wanted} like ${inspect(which)}, found ${found}; ${all}`,
      actual: found,
      expected: times ?? 'at least 1',
      operator: 'assertEnqueued',
    })
  }

  clear(): void {
    this.#jobs = []
  }
}

const FIELDS = ['queue', 'task', 'group', 'tag', 'payload']

function expectation(which: unknown): (job: JobView) => boolean {
  if (typeof which === 'string') return (job) => job.queue === which
  const given = record(which, 'expected')
  if (typeof given.name === 'string') {
    return (job) => job.task === given.name && job.queue === given.queue
  }
  onlyKnown(given, FIELDS, 'expected')
  const { queue, task, group, tag } = given
  const taskName = typeof task === 'object' && task !== null ? record(task, 'task').name : task
  if (tag !== undefined && typeof tag !== 'string') throw invalid('expected.tag', 'a string', tag)
  return (job) =>
    (queue === undefined || job.queue === queue) &&
    (taskName === undefined || job.task === taskName) &&
    (group === undefined || job.group === group) &&
    (tag === undefined || job.tags.includes(tag)) &&
    (!('payload' in given) || isPart(given.payload, job.payload))
}

/** Whether all that `part` says is so in `whole`; arrays and anything but plain objects entirely. */
function isPart(part: unknown, whole: unknown): boolean {
  if (!isPlain(part) || !isPlain(whole)) return isDeepStrictEqual(part, whole)
  return Object.entries(part).every(([key, value]) => key in whole && isPart(value, whole[key]))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === PLAIN
}
const PLAIN: unknown = Object.prototype
