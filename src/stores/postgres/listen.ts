/**
 * Hints between processes: LISTEN on a connection of its own, NOTIFY at most once a call. A hint may
 * be lost, so a dead connection costs a poll; it is made anew after a breath that grows.
 */
import type { Hint } from '../../store.js'
import type { Clock, Timer } from '../../time/clock.js'

/** A connection that hears; `pg`'s has it. */
export interface Hearer {
  connect(): Promise<unknown>
  query(text: string): Promise<unknown>
  on(event: 'notification', hear: (message: { readonly payload?: string }) => void): unknown
  on(event: 'error' | 'end', hear: (error?: Error) => void): unknown
  end(): Promise<void>
}

/** The longest payload that PostgreSQL takes is 8,000 bytes. */
const PAYLOAD_BYTES = 7_900
const BREATH_MIN = 500
const BREATH_MAX = 30_000

const ANYTHING: readonly Hint[] = [
  { what: 'jobs', queue: null },
  { what: 'ends', queue: null },
  { what: 'control', queue: null },
  { what: 'schedules', queue: null },
]

export class Listener {
  readonly #make: () => Hearer
  readonly #channel: string
  readonly #clock: Clock
  readonly #hear: (hints: readonly Hint[]) => void
  #hearer: Hearer | null = null
  #timer: Timer | null = null
  #breath = BREATH_MIN
  #isClosed = false

  constructor(
    make: () => Hearer,
    channel: string,
    clock: Clock,
    hear: (hints: readonly Hint[]) => void,
  ) {
    this.#make = make
    this.#channel = channel
    this.#clock = clock
    this.#hear = hear
  }

  /** Answers when it hears, or when the first try has failed; it goes on trying. */
  async start(): Promise<void> {
    if (this.#isClosed) return
    const hearer = this.#make()
    this.#hearer = hearer
    hearer.on('error', () => this.#lost(hearer))
    hearer.on('end', () => this.#lost(hearer))
    hearer.on('notification', ({ payload }) => this.#hear(hintsIn(payload ?? '')))
    const [heard] = await Promise.allSettled([this.#listen(hearer)])
    if (heard.status === 'rejected') return this.#lost(hearer)
    this.#breath = BREATH_MIN
    // What was said while nobody listened.
    this.#hear(ANYTHING)
  }

  async #listen(hearer: Hearer): Promise<void> {
    await hearer.connect()
    await hearer.query(`LISTEN ${this.#channel}`)
  }

  #lost(hearer: Hearer): void {
    if (this.#hearer !== hearer || this.#isClosed) return
    this.#hearer = null
    void Promise.allSettled([hearer.end()])
    const delay = this.#breath
    this.#breath = Math.min(BREATH_MAX, this.#breath * 2)
    this.#timer = this.#clock.after(delay, () => void this.start(), { ref: false })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    const hearer = this.#hearer
    this.#hearer = null
    if (hearer !== null) await Promise.allSettled([hearer.end()])
  }
}

/** One text for all hints of a call; too many say that anything may have changed. */
export function payloadOf(hints: readonly Hint[]): string {
  const text = JSON.stringify(hints.map(({ what, queue }) => [what, queue]))
  return Buffer.byteLength(text) > PAYLOAD_BYTES ? '' : text
}

function hintsIn(payload: string): readonly Hint[] {
  if (payload === '') return ANYTHING
  try {
    const told = JSON.parse(payload) as [Hint['what'], string | null][] // as: what `payloadOf` wrote
    return told.map(([what, queue]) => ({ what, queue }))
  } catch {
    return ANYTHING // somebody else used our channel: a hint is harmless
  }
}
