/**
 * When a worker claims, and how much. A claim's answer says when the next job is due, so the sleep
 * is exact; a hint ends it at once; `poll` is its longest. Promises: one claim of a worker at a
 * time; however many hints come, one look follows; whoever was told a moment ago that nothing more is
 * there looks for no slot that is free; who lost a race looks again at once, and takes a breath when
 * that goes on; beyond the free slots no more is fetched than measured work for `PREFETCH_SPAN`, of
 * about `PREFETCH_BYTES`, at most twice what the last claim brought, and nothing where a claim counts
 * as a grant (`frugal`), the worker does not want it, or what runs takes longer than that. Running the
 * jobs, and giving back those that wait too long for a slot, is left to the worker.
 *
 *     asleep ── hint, free slot, due, poll ──▶ asking ── answered ──▶ asleep, or asking again
 */
import type { ClaimAnswer } from '../job/claim.js'
import {
  BREATH_MIN,
  DRAINED_SPAN,
  PACE_ENDS,
  PACE_ROUNDS,
  PREFETCH_BYTES,
  PREFETCH_JOBS,
  PREFETCH_SPAN,
  RACES_LOST,
} from '../job/defaults.js'
import type { Millis } from '../job/job.js'
import { isGated } from '../job/settings.js'
import type { Chance, Clock, Timer } from '../time/clock.js'
import type { Sent } from './allowance.js'
import type { Asker, Asking, Exchanger } from './exchanger.js'
import type { OpenClaim } from './ledger.js'

/** What is left of a weight after a claim of lighter jobs. */
const WEIGHT_KEPT = 0.9

/** The worker, as its poller sees it. */
export interface Host {
  readonly queue: string
  readonly worker: string
  readonly tasks: readonly string[] | null
  /** Groups of which it wants nothing. */
  readonly without: readonly string[]
  /** How many jobs it has room for when nothing runs. */
  readonly capacity: number
  /** Whether it wants jobs at all. */
  readonly open: boolean
  /** The room that what runs takes up. */
  readonly occupied: number
  /** Claimed and not started. */
  readonly buffered: number
  /** Whether it may fetch more than it has room for. */
  readonly prefetches: boolean
  received(answer: ClaimAnswer, claim: OpenClaim, sent: Sent): void
  /** The last claim said that there is nothing to run now. */
  foundNothing(): void
  /** It asks no more, after it was told to rest or found that it wants nothing. */
  rested(): void
}

export interface PollerOptions {
  readonly clock: Clock
  readonly chance: Chance
  readonly exchanger: Exchanger
  readonly poll: Millis
  /** Claims are promised jobs and get none: something may need a sweep. */
  readonly onNeed: () => void
  /** A job that must run alone waits, and this worker is not alone. */
  readonly onAloneDue: (asker: Asker) => void
}

export class Poller implements Asker {
  readonly #options: PollerOptions
  readonly #host: Host
  #timer: Timer | null = null
  #asking = false
  /** What the claim under way asked for. */
  #limit = 0
  /** A hint came after the claim under way had left. */
  #hinted = false
  #races = 0
  #frugal = true
  /** When a claim had brought all there was, and no job that ends could open another, by `mono`. */
  #drainedAt = -Infinity
  /** What the next claim may fetch beyond the slots: doubles while claims come back full. */
  #reach = 0
  /** What a job weighs, in characters: as the last claim says, and soon forgotten when it was more. */
  #weight = 0
  /** The running mean of busy time per job that ended; null: not measured yet. */
  #pace: Millis | null = null
  /** Of how many it is. */
  #ends = 0
  #busySince = 0

  constructor(options: PollerOptions, host: Host) {
    this.#options = options
    this.#host = host
  }

  /** A slot is free. */
  free(): void {
    if (this.#options.clock.mono() - this.#drainedAt > DRAINED_SPAN) this.wake()
  }

  /** Something may be runnable: a hint, a worker that opens. */
  wake(): void {
    this.#drainedAt = -Infinity
    if (this.#asking) {
      this.#hinted = true
      return
    }
    if (this.#room() === 0) return
    this.#asking = true
    this.#sleepNo()
    this.#options.exchanger.want(this)
  }

  /** A first job runs after none did. */
  busy(): void {
    this.#busySince = this.#options.clock.mono()
  }

  /** A job ended: one more measurement of the pace. */
  ended(): void {
    const now = this.#options.clock.mono()
    const took = now - this.#busySince
    this.#busySince = now
    // Jobs that began together end together: one of them took all the time, and the others none.
    const remembered = Math.max(PACE_ENDS, PACE_ROUNDS * this.#host.capacity)
    this.#ends = Math.min(this.#ends + 1, remembered)
    const before = this.#pace ?? took
    this.#pace = before + (took - before) / this.#ends
  }

  /** A claim is on its way, and may bring jobs. */
  get asking(): boolean {
    return this.#asking
  }

  /** Asks no more and sleeps no more, until it is woken; a claim under way is still answered. */
  rest(): void {
    this.#sleepNo()
    if (this.#asking && this.#options.exchanger.unwant(this)) this.#asking = false
  }

  // ── The claim ─────────────────────────────────────────────────────────────────────────────────

  ask(): Asking | null {
    const { queue, worker, tasks, without, occupied, buffered } = this.#host
    this.#limit = this.#room()
    if (this.#limit === 0) {
      this.#asking = false
      this.#host.rested()
      return null
    }
    this.#hinted = false
    const asking = { queue, worker, tasks, limit: this.#limit, idle: occupied + buffered === 0 }
    return without.length === 0 ? asking : { ...asking, without }
  }

  answered(answer: ClaimAnswer, claim: OpenClaim, sent: Sent): void {
    this.#asking = false
    const got = answer.jobs.length
    const full = got > 0 && got >= this.#limit
    this.#frugal = answer.frugal
    this.#reach = full ? Math.min(PREFETCH_JOBS, 2 * got) : got
    if (got > 0) {
      this.#races = 0
      this.#weight = Math.max(weightOf(answer) / got, this.#weight * WEIGHT_KEPT)
    }
    this.#host.received(answer, claim, sent)
    if (answer.aloneDue === true && this.#host.open) this.#options.onAloneDue(this)
    if (!this.#host.open) return this.#host.rested()
    if (this.#asking) return
    if (full || this.#hinted) return this.wake()
    const isDrained = answer.nextIn !== 0 && answer.aloneDue !== true && !isGated(answer.settings)
    if (isDrained) this.#drainedAt = this.#options.clock.mono()
    this.#sleep(answer.nextIn, got)
  }

  failed(): 'again' {
    return 'again'
  }

  refused(): void {
    this.#asking = false
    this.#sleepNo()
    this.#host.rested()
  }

  /** How many it would take now; what is fetched ahead is refilled when half of it is used. */
  #room(): number {
    const { open, capacity, occupied, buffered } = this.#host
    if (!open || capacity === 0) return 0
    const free = capacity - occupied - buffered
    const ahead = this.worth
    if (free <= 0 && buffered > ahead / 2) return 0
    return Math.max(0, free + ahead)
  }

  /** How many jobs beyond the slots are worth holding, as fast as they end now. */
  get worth(): number {
    if (this.#frugal || this.#pace === null || !this.#host.prefetches) return 0
    // Whatever was measured: none has ended since, and the next is not faster than that.
    const since = this.#host.occupied > 0 ? this.#options.clock.mono() - this.#busySince : 0
    const pace = Math.max(this.#pace, since)
    const work = pace > 0 ? PREFETCH_SPAN / pace : PREFETCH_JOBS
    const carried = this.#weight > 0 ? PREFETCH_BYTES / this.#weight : PREFETCH_JOBS
    return Math.floor(Math.min(work, carried, this.#reach, PREFETCH_JOBS))
  }

  // ── The sleep ─────────────────────────────────────────────────────────────────────────────────

  /** `got`: what the claim brought before it ran dry. */
  #sleep(nextIn: Millis | null, got: number): void {
    const { poll, onNeed } = this.#options
    if (nextIn !== 0) {
      this.#host.foundNothing()
      return this.#wakeIn(Math.min(nextIn ?? poll, poll))
    }
    if (got > 0) return this.wake()
    this.#races++
    if (this.#races < RACES_LOST) return this.wake()
    onNeed()
    const breath = BREATH_MIN * 2 ** Math.min(this.#races - RACES_LOST, 20)
    this.#wakeIn(Math.min(poll, breath * (0.5 + this.#options.chance.next() / 2)))
  }

  #wakeIn(delay: Millis): void {
    this.#sleepNo()
    this.#timer = this.#options.clock.after(delay, () => this.wake(), { ref: false })
  }

  #sleepNo(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}

function weightOf({ jobs }: ClaimAnswer): number {
  let weight = 0
  for (const { payload } of jobs) weight += payload.text.length
  return weight
}
