// A Millrace on a memory store and a virtual clock, and more of them on the same memory, as if in
// other processes. Unlike `testMillrace` it refuses transactions, as the memory store does.
import type { Handler } from '../../src/index.js'
import { Mill } from '../../src/millrace.js'
import type { Millrace } from '../../src/millrace.js'
import { millraceTerms } from '../../src/millrace-options.js'
import type { Store } from '../../src/store.js'
import { memoryStore, sharedMemory } from '../../src/stores/memory/memory-store.js'
import { VirtualClock, seededChance } from '../../src/time/virtual.js'

export interface Bench {
  readonly mill: Millrace
  readonly clock: VirtualClock
  /** Another Millrace on the same memory. */
  another(options?: unknown): Millrace
}

/** `own`: a store and its clock, for the first one, in place of a memory store. */
export function bench(
  options: unknown = {},
  own: { readonly store?: Store; readonly clock?: VirtualClock } = {},
): Bench {
  const clock = own.clock ?? new VirtualClock()
  const shared = sharedMemory(clock)
  let seed = 0
  const another = (more: unknown = {}, store: Store = memoryStore({ shared })): Millrace =>
    new Mill({
      store,
      terms: millraceTerms(more),
      clock,
      chance: seededChance(++seed),
      transactions: { kind: 'store' },
      onInserted: null,
      workers: 'run',
    })
  return { mill: another(options, own.store), clock, another }
}

/** One job through one handler; what is left of it, and how often it ran. */
export async function runs(handler: Handler, options = {}, payload: unknown = 1) {
  const { mill, clock } = bench()
  const queue = mill.queue('q', { keep: { completed: '1d' }, attempts: 1, ...options })
  const { id } = await queue.enqueue(payload)
  let ran = 0
  queue.work((given, job) => {
    ran++
    return handler(given, job)
  })
  await mill.runUntilIdle()
  const job = await queue.get(id)
  if (job === null) throw new Error('it left nothing')
  return { mill, clock, queue, id, job, ran: () => ran }
}

/** The message of what a call throws, now or later; 'fine' when it does not. */
export async function fault(run: () => unknown): Promise<string> {
  try {
    await run()
  } catch (error) {
    return String(error)
  }
  return 'fine'
}

/** A Standard Schema from a function that answers the value, or throws a message. */
export function schema<In, Out = In>(read: (value: unknown) => Out | Promise<Out>) {
  const issue = (error: unknown) => ({
    issues: [{ message: error instanceof Error ? error.message : String(error) }],
  })
  const validate = (value: unknown) => {
    try {
      const out = read(value)
      if (out instanceof Promise) return out.then((value: Out) => ({ value }), issue)
      return { value: out }
    } catch (error) {
      return issue(error)
    }
  }
  return {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      types: undefined as unknown as { input: In; output: Out },
      validate,
    },
  }
}
