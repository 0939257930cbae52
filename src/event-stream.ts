/**
 * Events as an async iterator. Promises that a slow reader never slows the one who tells: what waits
 * for it is bounded, and beyond that the oldest are dropped. Listens from the moment it is made.
 */
import { invalid, onlyKnown, record, word } from './job/check.js'
import { EVENTS_WAITING } from './job/defaults.js'
import { EVENT_NAMES } from './observe/events.js'
import type { EventName, Events, MillraceEvent } from './observe/events.js'

export class EventStream implements AsyncIterableIterator<MillraceEvent> {
  readonly #stops: readonly (() => void)[]
  readonly #onEnd: (stream: EventStream) => void
  readonly #signal: AbortSignal | undefined
  #waiting: MillraceEvent[] = []
  /** Readers that came before their event, oldest first. */
  #readers: ((result: IteratorResult<MillraceEvent, undefined>) => void)[] = []
  #ended = false

  constructor(events: Events, options: unknown, onEnd: (stream: EventStream) => void) {
    const { signal, types } = optionsOf(options)
    this.#onEnd = onEnd
    this.#signal = signal
    this.#stops = types.map((type) => events.on(type, (event) => this.#hear(event)))
    if (signal?.aborted === true) this.end()
    else signal?.addEventListener('abort', this.end, { once: true })
  }

  get ended(): boolean {
    return this.#ended
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<MillraceEvent, undefined>> {
    const event = this.#waiting.shift()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#readers.push(resolve))
  }

  return(): Promise<IteratorResult<MillraceEvent, undefined>> {
    this.#waiting = []
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** No more is heard; what waits may still be read. */
  readonly end = (): void => {
    if (this.#ended) return
    this.#ended = true
    for (const stop of this.#stops) stop()
    this.#signal?.removeEventListener('abort', this.end)
    for (const reader of this.#readers) reader({ done: true, value: undefined })
    this.#readers = []
    this.#onEnd(this)
  }

  #hear(event: MillraceEvent): void {
    const reader = this.#readers.shift()
    if (reader !== undefined) reader({ done: false, value: event })
    else if (this.#waiting.push(event) > EVENTS_WAITING) this.#waiting.shift()
  }
}

function optionsOf(options: unknown): {
  readonly signal: AbortSignal | undefined
  readonly types: readonly EventName[]
} {
  const given = record(options ?? {}, 'events')
  onlyKnown(given, ['signal', 'types'], 'events')
  const { signal } = given
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid('events.signal', 'an AbortSignal', signal)
  }
  if (given.types === undefined) return { signal, types: EVENT_NAMES }
  if (!Array.isArray(given.types)) {
    throw invalid('events.types', 'an array of event names', given.types)
  }
  const asked: readonly unknown[] = given.types
  const types = asked.map((type, at) => word(type, EVENT_NAMES, `events.types[${at}]`))
  return { signal, types: [...new Set(types)] }
}
