/**
 * The catalogue of what can be observed, and the hub that tells it. Promises: nobody waits for an
 * observer, an observer's throw never reaches a job, and an event that nobody listens to is never
 * built. Each event also goes out on node's diagnostics_channel as `millrace:<type>`. Metrics,
 * exporters and logs are subscribers like any other and live in files of their own.
 */
import { channel } from 'node:diagnostics_channel'
import type { Channel } from 'node:diagnostics_channel'
import { millraceError } from '../job/errors.js'
import type { ErrorCode, MillraceError } from '../job/errors.js'
import type { AttemptError, DiscardReason, JobRef, Millis, State } from '../job/job.js'
import type { Settings } from '../job/settings.js'
import type { Clock } from '../time/clock.js'

interface OfJob extends JobRef {
  readonly task: string
  readonly group: string
}
interface OfRun extends OfJob {
  readonly attempt: number
  readonly worker: string
}
interface OfWorker {
  readonly worker: string
  readonly queue: string
}
interface OfPause {
  /** `null`: all queues. */
  readonly queue: string | null
  readonly group: string | null
  readonly where: 'everywhere' | 'here'
}

/** One event for every transition; an expired or lost job that ends tells `job.discarded` too. */
export interface EventMap {
  'job.enqueued': OfJob & { readonly state: State; readonly dueIn: Millis }
  'job.refused': { readonly queue: string; readonly task: string; readonly code: ErrorCode }
  'job.replaced': OfJob
  'job.released': OfRun
  'job.lost': OfRun
  /** `waited`: since it was due. */
  'job.started': OfRun & { readonly waited: Millis }
  'job.progress': OfRun & { readonly progress: number }
  'job.completed': OfRun & { readonly duration: Millis }
  'attempt.failed': OfRun & {
    readonly duration: Millis
    readonly error: AttemptError | null
    readonly outcome: 'failed' | 'timeout' | 'lost'
  }
  'job.retrying': OfRun & { readonly delay: Millis }
  'job.snoozed': OfRun & { readonly delay: Millis }
  'job.cancelled': OfJob & { readonly reason: string | null }
  'job.discarded': OfJob & {
    readonly attempt: number
    readonly reason: DiscardReason
    readonly message: string | null
    readonly deadLetter: JobRef | null
  }
  'job.expired': OfJob & { readonly late: Millis }
  'queue.paused': OfPause
  'queue.resumed': OfPause
  'queue.declared': {
    readonly queue: string
    readonly revision: number
    readonly changed: readonly (keyof Settings)[]
  }
  'worker.started': OfWorker & { readonly concurrency: number }
  'worker.stopped': OfWorker & { readonly released: number }
  'worker.lost': OfWorker & { readonly running: number }
  'store.error': { readonly error: MillraceError; readonly retryIn: Millis | null }
  'store.recovered': { readonly after: Millis }
  'batch.sent': {
    readonly inserts: number
    readonly settles: number
    readonly claimed: number
    readonly bytes: number
    readonly duration: Millis
  }
  sweep: {
    readonly freed: number
    readonly expired: number
    readonly discarded: number
    readonly pruned: number
    readonly more: boolean
    readonly duration: Millis
  }
}

export type EventName = keyof EventMap

/** Told apart by `type`. */
export type MillraceEvent<K extends EventName = EventName> = {
  [N in K]: EventMap[N] & { readonly type: N; readonly at: Date; readonly node: string }
}[K]

export type Listener<K extends EventName = EventName> = (event: MillraceEvent<K>) => void

/** Every event's name; the compiler proves the list complete. */
const NAMES: Readonly<Record<EventName, true>> = {
  'job.enqueued': true,
  'job.refused': true,
  'job.replaced': true,
  'job.released': true,
  'job.lost': true,
  'job.started': true,
  'job.progress': true,
  'job.completed': true,
  'attempt.failed': true,
  'job.retrying': true,
  'job.snoozed': true,
  'job.cancelled': true,
  'job.discarded': true,
  'job.expired': true,
  'queue.paused': true,
  'queue.resumed': true,
  'queue.declared': true,
  'worker.started': true,
  'worker.stopped': true,
  'worker.lost': true,
  'store.error': true,
  'store.recovered': true,
  'batch.sent': true,
  sweep: true,
}
export const EVENT_NAMES = Object.keys(NAMES) as readonly EventName[] // as: the keys of NAMES are just these

/** One type's listeners; the array is replaced and never changed, so telling needs no copy. */
interface Place {
  listeners: readonly Listener[]
  readonly channel: Channel
}

export interface EventsOptions {
  readonly clock: Clock
  /** Asked for each event, since a node may go on under a new name. */
  readonly node: () => string
}

export class Events {
  readonly #clock: Clock
  readonly #node: () => string
  readonly #places = new Map<EventName, Place>()

  constructor(options: EventsOptions) {
    this.#clock = options.clock
    this.#node = options.node
    for (const name of EVENT_NAMES) {
      this.#places.set(name, { listeners: [], channel: channel(`millrace:${name}`) })
    }
  }

  /** Whether anybody would hear it: lets hot paths skip the building of its fields. */
  wants(type: EventName): boolean {
    const place = this.#places.get(type)
    return place !== undefined && (place.listeners.length > 0 || place.channel.hasSubscribers)
  }

  /** Tells it to the listeners of this process; fields given as a function are built if wanted. */
  emit<K extends EventName>(type: K, fields: EventMap[K] | (() => EventMap[K])): void {
    const place = this.#places.get(type)
    if (place === undefined || !this.wants(type)) return
    const told = typeof fields === 'function' ? fields() : fields
    const at = new Date(this.#clock.wall())
    const event = { ...told, type, at, node: this.#node() } as unknown as MillraceEvent // as: built from EventMap[K] and its own name
    for (const listener of place.listeners) this.#tell(listener, event)
    if (place.channel.hasSubscribers) place.channel.publish(event)
  }

  /** Something broke that no caller waits for. Without a listener it becomes a process warning. */
  fault(error: MillraceError, retryIn: Millis | null = null): void {
    if (this.wants('store.error')) this.emit('store.error', { error, retryIn })
    else process.emitWarning(error.message, { type: 'MillraceWarning', code: error.code })
  }

  /** Listens; answers how to stop. */
  on<K extends EventName>(type: K, listener: Listener<K>): () => void {
    const place = this.#places.get(type)
    if (place === undefined) throw unknownType(type)
    // A wrapper of its own, so that the same function may listen twice and each stop stops one.
    const heard: Listener = (event) => listener(event as unknown as MillraceEvent<K>) // as: a place only tells events of its type
    place.listeners = [...place.listeners, heard]
    return () => {
      place.listeners = place.listeners.filter((other) => other !== heard)
    }
  }

  #tell(listener: Listener, event: MillraceEvent): void {
    try {
      const answer: unknown = listener(event)
      if (answer instanceof Promise) answer.catch((error: unknown) => this.#failed(event, error))
    } catch (error) {
      this.#failed(event, error)
    }
  }

  /** A listener that fails on `store.error` itself is not told of it again: that would not end. */
  #failed(event: MillraceEvent, cause: unknown): void {
    const error = millraceError({
      code: 'OPTION_INVALID',
      subject: `listener of ${event.type}`,
      expected: 'a function that does not throw',
      received: cause,
      remedy: 'catch inside the listener; the event reached everybody else',
      cause,
    })
    if (event.type === 'store.error') process.emitWarning(error)
    else this.fault(error)
  }
}

function unknownType(type: string): MillraceError {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: 'event type',
    expected: `one of ${EVENT_NAMES.join(', ')}`,
    received: type,
    remedy: 'correct the name',
  })
}
