/**
 * Hints between processes: LISTEN on a connection of its own, NOTIFY at most once a call. A hint may
 * be lost, so a dead connection costs a poll; it is made anew after a breath that grows. One that only
 * seems to be there is found out by asking it now and then.
 */
import type { Millis } from '../../job/job.js'
import type { Hint } from '../../store.js'
import type { Chance, Clock, Timer } from '../../time/clock.js'
import { part } from './parting.js'
import type { Parting } from './parting.js'

/** A connection that hears; `pg`'s has it. */
export interface Hearer extends Parting {
  connect(): Promise<unknown>
  query(text: string): Promise<unknown>
  on(event: 'notification', hear: (message: { readonly payload?: string }) => void): unknown
  on(event: 'error' | 'end', hear: (error?: Error) => void): unknown
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

export interface ListenerParts {
  /** Its queries must fail when no answer comes. */
  readonly make: () => Hearer
  readonly channel: string
  /** Whose hints are not heard: ours. */
  readonly except: string
  readonly clock: Clock
  readonly chance: Chance
  readonly hear: (hints: readonly Hint[]) => void
  /** How often it is asked whether it is there. */
  readonly silence: Millis
}

export class Listener {
  readonly #parts: ListenerParts
  #hearer: Hearer | null = null
  #timer: Timer | null = null
  #breath = BREATH_MIN
  #isClosed = false

  constructor(parts: ListenerParts) {
    this.#parts = parts
  }

  /** Answers when it hears, or when the first try has failed; it goes on trying. */
  async start(): Promise<void> {
    if (this.#isClosed) return
    const { make, hear, except } = this.#parts
    const hearer = make()
    this.#hearer = hearer
    hearer.on('error', () => this.#lost(hearer))
    hearer.on('end', () => this.#lost(hearer))
    hearer.on('notification', ({ payload }) => {
      const { from, hints } = hintsIn(payload ?? '')
      if (from !== except) hear(hints)
    })
    const [heard] = await Promise.allSettled([this.#listen(hearer)])
    if (heard.status === 'rejected') return this.#lost(hearer)
    if (this.#hearer !== hearer) return
    this.#breath = BREATH_MIN
    this.#askLater(hearer)
    // What was said while nobody listened.
    hear(ANYTHING)
  }

  async #listen(hearer: Hearer): Promise<void> {
    await hearer.connect()
    await hearer.query(`LISTEN ${this.#parts.channel}`)
  }

  #askLater(hearer: Hearer): void {
    const { clock, silence } = this.#parts
    this.#timer = clock.after(silence, () => void this.#ask(hearer), { ref: false })
  }

  async #ask(hearer: Hearer): Promise<void> {
    const [answered] = await Promise.allSettled([hearer.query('SELECT 1')])
    if (answered.status === 'rejected') this.#lost(hearer)
    else if (this.#hearer === hearer) this.#askLater(hearer)
  }

  #lost(hearer: Hearer): void {
    if (this.#hearer !== hearer) return
    const { clock, chance } = this.#parts
    this.#hearer = null
    this.#timer?.cancel()
    void part(hearer, clock)
    // Not all at once, where many lost the same server.
    const delay = this.#breath * (0.5 + chance.next() / 2)
    this.#breath = Math.min(BREATH_MAX, this.#breath * 2)
    this.#timer = clock.after(delay, () => void this.start(), { ref: false })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    const hearer = this.#hearer
    this.#hearer = null
    if (hearer !== null) await part(hearer, this.#parts.clock)
  }
}

/** One text for all hints of a call; too many say that anything may have changed. */
export function payloadOf(hints: readonly Hint[], from = ''): string {
  const said = hints.map(({ what, queue }) => [what, queue])
  const text = JSON.stringify(from === '' ? said : [[FROM, from], ...said])
  return Buffer.byteLength(text) > PAYLOAD_BYTES ? '' : text
}

const FROM = 'from'

interface Told {
  /** Null: nobody said. */
  readonly from: string | null
  readonly hints: readonly Hint[]
}

export function hintsIn(payload: string): Told {
  if (payload === '') return { from: null, hints: ANYTHING }
  try {
    const told = JSON.parse(payload) as [string, string | null][] // as: what `payloadOf` wrote
    const [first] = told
    const from = first?.[0] === FROM ? first[1] : null
    const said = from === null ? told : told.slice(1)
    return { from, hints: said.map(([what, queue]) => ({ what: what as Hint['what'], queue })) } // as: see above
  } catch {
    return { from: null, hints: ANYTHING } // somebody else used our channel: a hint is harmless
  }
}
