/**
 * Progress, log lines and throttles on their way to the store. The first two are gathered for a
 * moment: of progress the last word counts, of log lines the last ones stay. Promises: what a job
 * said is tried before its verdict goes out (`flush`), and nothing waits longer than `NOTES_WAIT`
 * else. A note is no verdict: after a few tries it is dropped, and that is told. While a throttle is
 * on its way (`throttling`) nobody should claim: what it holds back would be among the jobs. What is said
 * within a `job.commit` is held back (`hold`), since its row is locked and the notes of all others would wait
 * behind it: it goes with the completion (`said`, `kept`), or out when that came to nothing (`release`).
 */
import type { Claimed, TokenText } from '../job/claim.js'
import { LOG_LINES, LOG_LINE_BYTES, NOTES_WAIT, NOTE_ITEMS, NOTE_TRIES } from '../job/defaults.js'
import { MillraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Note, Noted, Throttle } from '../job/verdict.js'
import type { Events } from '../observe/events.js'
import type { Store } from '../store.js'
import { sleep } from '../time/clock.js'
import type { Chance, Clock, Timer } from '../time/clock.js'
import { cutBytes } from './attempt-error.js'
import { asStoreError, repeatAfter } from './outage.js'

export interface NotesOptions {
  readonly store: Store
  readonly clock: Clock
  readonly chance: Chance
  readonly events: Events
  /** No throttle is on its way any more. */
  readonly onThrottled: () => void
}

/** Whose note it is. */
export interface Noting {
  readonly claimed: Claimed
  readonly worker: string
}

interface Pending {
  readonly of: Noting
  progress: number | null
  /** What of it was given to a completion, that is kept with it. */
  given: number | null
  readonly log: string[]
  /** The longest of each kind; null: none. */
  throttles: Map<Throttle['what'], Millis> | null
}

export class Notes {
  readonly #options: NotesOptions
  readonly #pending = new Map<TokenText, Pending>()
  readonly #inFlight = new Set<TokenText>()
  readonly #held = new Set<TokenText>()
  /** Whose throttles have not landed. */
  readonly #throttling = new Set<TokenText>()
  #timer: Timer | null = null
  #sending: Promise<void> | null = null

  constructor(options: NotesOptions) {
    this.#options = options
  }

  /** A fraction outside 0 to 1 counts as the nearer end; one that is no number counts as none. */
  progress(of: Noting, fraction: number): void {
    if (Number.isNaN(fraction)) return
    this.#of(of).progress = Math.min(1, Math.max(0, fraction))
  }

  log(of: Noting, line: string): void {
    const { log } = this.#of(of)
    log.push(cutBytes(line, LOG_LINE_BYTES))
    if (log.length > LOG_LINES) log.shift()
  }

  /** Goes out at once: others are about to start. */
  throttle(of: Noting, { what, delay }: Throttle): void {
    const pending = this.#of(of)
    pending.throttles ??= new Map()
    pending.throttles.set(what, Math.max(delay, pending.throttles.get(what) ?? 0))
    if (this.#held.has(of.claimed.token)) return
    this.#throttling.add(of.claimed.token)
    void this.#send()
  }

  /** A throttle is on its way. */
  get throttling(): boolean {
    return this.#throttling.size > 0
  }

  /** Whether this job said something that the store has not heard. */
  has(token: TokenText): boolean {
    return this.#pending.has(token) || this.#inFlight.has(token)
  }

  /** What it says from now on waits. */
  hold(token: TokenText): void {
    this.#held.add(token)
  }

  /** What has waited, to be kept with the completion. */
  said(token: TokenText): Note | null {
    const pending = this.#pending.get(token)
    if (pending === undefined) return null
    pending.given = pending.progress
    return asNote(pending)
  }

  /** The completion is kept, and what was `said` with it: whatever else was said came too late. */
  kept(token: TokenText): void {
    const pending = this.#pending.get(token)
    if (pending !== undefined) this.#tell(pending.of, pending.given)
    this.forget(token)
  }

  /** It goes out; a throttle at once. */
  release(token: TokenText): void {
    const pending = this.#held.delete(token) ? this.#pending.get(token) : undefined
    if (pending === undefined) return
    if (pending.throttles !== null) {
      this.#throttling.add(token)
      void this.#send()
    } else this.#timer ??= this.#options.clock.after(0, () => void this.#send(), { ref: false })
  }

  /** Answers when what this job said was tried. */
  async flush(token: TokenText): Promise<void> {
    while (this.has(token) && !this.#held.has(token)) await this.#send()
  }

  /** The token is dead: what it had to say is of no use. */
  forget(token: TokenText): void {
    this.#pending.delete(token)
    this.#held.delete(token)
    if (!this.#inFlight.has(token)) this.#throttled(token)
  }

  async flushAll(): Promise<void> {
    while (this.#next().length > 0 || this.#inFlight.size > 0) await this.#send()
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#pending.clear()
    this.#held.clear()
    this.#throttling.clear()
  }

  #throttled(token: TokenText): void {
    if (this.#throttling.delete(token) && !this.throttling) this.#options.onThrottled()
  }

  #of(of: Noting): Pending {
    const { token } = of.claimed
    const known = this.#pending.get(token)
    if (known !== undefined) return known
    const fresh: Pending = { of, progress: null, given: null, log: [], throttles: null }
    this.#pending.set(token, fresh)
    this.#timer ??= this.#options.clock.after(NOTES_WAIT, () => void this.#send(), {
      ref: false,
    })
    return fresh
  }

  /** One call at a time, so that what a job says arrives in order. Never rejects. */
  #send(): Promise<void> {
    this.#sending ??= this.#sendOnce().finally(() => {
      this.#sending = null
    })
    return this.#sending
  }

  async #sendOnce(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    const { clock } = this.#options
    // What is said together goes together; a throttle does not wait for those who read or write.
    await new Promise<void>((resolve) =>
      this.throttling ? clock.within(resolve) : clock.soon(resolve),
    )
    const batch = this.#next()
    if (batch.length === 0) return
    for (const { of } of batch) {
      this.#pending.delete(of.claimed.token)
      this.#inFlight.add(of.claimed.token)
    }
    const noted = await this.#put(batch.map(asNote))
    for (const { of } of batch) this.#landed(of.claimed.token)
    for (let at = 0; at < noted.length; at++)
      if (noted[at] === 'done') this.#tell(batch[at].of, batch[at].progress)
    if (this.#next().length > 0 && this.#timer === null) {
      this.#timer = this.#options.clock.after(0, () => void this.#send(), { ref: false })
    }
  }

  #next(): readonly Pending[] {
    const ready = [...this.#pending.values()].filter(({ of }) => !this.#held.has(of.claimed.token))
    return ready.slice(0, NOTE_ITEMS)
  }

  #landed(token: TokenText): void {
    this.#inFlight.delete(token)
    if ((this.#pending.get(token)?.throttles ?? null) === null) this.#throttled(token)
  }

  /** A try whose outcome is unknown is repeated: a log line twice is better than none. */
  async #put(notes: readonly Note[]): Promise<readonly Noted[]> {
    const { store, clock, chance, events } = this.#options
    for (let failures = 1; ; failures++) {
      try {
        return await store.note(notes)
      } catch (error) {
        const closed = MillraceError.is(error, 'STORE_CLOSED')
        if (closed || failures >= NOTE_TRIES) {
          events.fault(asStoreError(error))
          return []
        }
        await sleep(clock, repeatAfter(failures, chance))
      }
    }
  }

  #tell(of: Noting, progress: number | null): void {
    if (progress === null) return
    this.#options.events.emit('job.progress', () => {
      const { queue, id, task, group, attempt } = of.claimed
      return { queue, id, task, group, attempt, worker: of.worker, progress }
    })
  }
}

function asNote({ of, progress, log, throttles }: Pending): Note {
  const { queue, id, token } = of.claimed
  const note = { queue, id, token, progress, log }
  if (throttles === null) return note
  return { ...note, throttles: Array.from(throttles, ([what, delay]) => ({ what, delay })) }
}
