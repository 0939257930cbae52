// An engine on virtual time over a memory store whose calls can be made to fail, hang or be counted.
import { Engine } from '../../src/engine/engine.js'
import type { Asked, EngineOptions, Live, WorkSpec } from '../../src/engine/engine.js'
import { millraceError } from '../../src/job/errors.js'
import type { ErrorCode, MillraceError } from '../../src/job/errors.js'
import type { NewJob } from '../../src/job/lot.js'
import type { EventName, MillraceEvent } from '../../src/observe/events.js'
import type { Store } from '../../src/store.js'
import { memoryStore, sharedMemory } from '../../src/stores/memory/memory-store.js'
import type { SharedMemory } from '../../src/stores/memory/memory-store.js'
import type { Clock } from '../../src/time/clock.js'
import { VirtualClock, seededChance } from '../../src/time/virtual.js'

export type Verb = 'insert' | 'exchange' | 'note' | 'enlist' | 'beat' | 'check' | 'sweep' | 'get'
type Fault = (call: () => Promise<unknown>) => Promise<unknown>

/** A store whose next calls of a verb go through the faults that were put in line for it. */
export class ScriptedStore {
  readonly calls: { readonly verb: Verb; readonly args: readonly unknown[] }[] = []
  readonly store: Store
  readonly #faults = new Map<Verb, Fault[]>()
  /** Hints are not passed on. */
  deaf = false

  constructor(inner: Store) {
    const verbs = new Set(['insert', 'exchange', 'note', 'enlist', 'beat', 'check', 'sweep', 'get'])
    this.store = new Proxy(inner, {
      get: (target, name) => {
        if (name === 'watch') {
          return (heard: (hint: never) => void) =>
            target.watch((hint) => (this.deaf ? undefined : heard(hint as never)))
        }
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        const method = value.bind(target) as (...args: unknown[]) => Promise<unknown>
        if (!verbs.has(String(name))) return method
        const verb = name as Verb
        return (...args: unknown[]) => {
          this.calls.push({ verb, args })
          const fault = this.#faults.get(verb)?.shift()
          return fault === undefined ? method(...args) : fault(() => method(...args))
        }
      },
    })
  }

  count(verb: Verb): number {
    return this.calls.filter((call) => call.verb === verb).length
  }

  /** The next call does what `fault` does. */
  next(verb: Verb, fault: Fault): void {
    this.#faults.set(verb, [...(this.#faults.get(verb) ?? []), fault])
  }

  /** The next calls fail before they do anything. */
  failBefore(verb: Verb, times = 1, code: ErrorCode = 'STORE_UNREACHABLE'): void {
    for (let at = 0; at < times; at++) this.next(verb, () => Promise.reject(storeError(code)))
  }

  /** The next calls take effect, and their answers are lost. */
  failAfter(verb: Verb, times = 1, code: ErrorCode = 'OUTCOME_UNKNOWN'): void {
    for (let at = 0; at < times; at++) {
      this.next(verb, async (call) => {
        await call()
        throw storeError(code)
      })
    }
  }

  /** The next call waits until it is let go. */
  hold(verb: Verb): () => void {
    let go = (): void => undefined
    const gate = new Promise<void>((resolve) => (go = resolve))
    this.next(verb, async (call) => {
      await gate
      return call()
    })
    return () => go()
  }
}

export function storeError(code: ErrorCode): MillraceError {
  return millraceError({ code, subject: 'store', expected: 'an answer', remedy: 'wait' })
}

export interface Rig {
  readonly clock: VirtualClock
  readonly scripted: ScriptedStore
  readonly engine: Engine
  readonly events: MillraceEvent[]
  told<K extends EventName>(type: K): readonly MillraceEvent<K>[]
}

export interface RigOptions extends Partial<Omit<EngineOptions, 'store' | 'clock'>> {
  readonly clock?: VirtualClock
  readonly memory?: SharedMemory
  readonly seed?: number
  /** Puts itself before the scripted store. */
  readonly wrap?: (store: Store) => Store
}

const HEARD: readonly EventName[] = [
  ...(['job.lost', 'job.started', 'job.completed', 'attempt.failed', 'job.retrying'] as const),
  ...(['job.snoozed', 'job.released', 'job.cancelled', 'job.discarded', 'job.expired'] as const),
  ...(['job.progress', 'worker.started', 'worker.stopped', 'worker.lost', 'sweep'] as const),
  ...(['store.error', 'store.recovered', 'batch.sent'] as const),
]

export function rig(options: RigOptions = {}): Rig {
  const { wrap = (store: Store) => store, ...rest } = options
  const clock = options.clock ?? new VirtualClock()
  const inner = memoryStore({ clock, shared: options.memory ?? sharedMemory(clock) })
  const scripted = new ScriptedStore(wrap(inner))
  const engine = new Engine({
    scope: 'test',
    chance: seededChance(options.seed ?? 1),
    lease: 30_000,
    beat: 5_000,
    poll: 2_000,
    upkeep: true,
    ...rest,
    store: scripted.store,
    clock,
  })
  const events: MillraceEvent[] = []
  for (const type of HEARD) engine.events.on(type, (event) => void events.push(event))
  const told = <K extends EventName>(type: K) =>
    events.filter((event) => event.type === type) as unknown as MillraceEvent<K>[]
  return { clock, scripted, engine, events, told }
}

export function newJob(id: string, change: Partial<NewJob> = {}): NewJob {
  return {
    ...{ queue: 'q', id, ownId: false, task: 'default', payload: { text: 'null', codec: 'json' } },
    ...{ priority: 0, group: '', delay: 0, at: null, unique: null, attempts: null, timeout: null },
    ...{ expiresIn: null, after: [], onParentFailed: 'wait', tags: [], meta: null, origin: null },
    ...change,
  }
}

/** A store of which one method is another: what `wrap` of a rig takes. */
export function overriding<K extends keyof Store>(
  name: K,
  method: (inner: Store) => Store[K],
): (store: Store) => Store {
  return (store) =>
    new Proxy(store, {
      get: (target, asked): unknown => {
        if (asked === name) return method(target)
        const value: unknown = Reflect.get(target, asked, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
}

export async function insert(engine: Engine, ...jobs: readonly NewJob[]): Promise<void> {
  await Promise.all(jobs.map((job) => engine.insert({ jobs: [job] })))
}

export const COMPLETE: Asked = { kind: 'complete', result: null }

/** A worker's spec with this handler. */
export function working(
  perform: (live: Live) => Promise<Asked> | Asked,
  change: Partial<Omit<WorkSpec, 'perform'>> = {},
): WorkSpec {
  const base = { queue: 'q', tasks: null, concurrency: 10, backoff: null }
  return { ...base, ...change, perform: async (live) => perform(live) }
}

/** A promise and its resolver: what a test waits for in place of sleeping. */
export function signal<T = void>(): {
  readonly done: Promise<T>
  readonly fire: (value: T) => void
} {
  let fire: (value: T) => void = () => undefined
  const done = new Promise<T>((resolve) => (fire = resolve))
  return { done, fire: (value) => fire(value) }
}

/** The state that the store shows, or 'gone'. */
export async function stateOf(engine: Engine, id: string, queue = 'q'): Promise<string> {
  await engine.open()
  const [found] = await engine.store.get([{ queue, id }])
  if (found === null) return 'gone'
  return found.kind === 'job' ? found.job.state : found.receipt.state
}

export type { Clock }
