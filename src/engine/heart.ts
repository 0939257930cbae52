/**
 * "I live": keeps what this node holds. It beats from a thread where the store can be reached from
 * one, so that a handler which blocks the event loop keeps its jobs; else, and while the thread is
 * not there, from the loop. On each tick it also asks the store which jobs were lost or asked to
 * cancel. Promises: one beat per node, however many workers; whoever was stopped, or had no answer of the
 * store, for longer than a lease looks first what it lost before it starts anything; a node that was
 * swept goes on under a new id. Sweeping others is left to `sweeper.ts`.
 */
import { millraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Events } from '../observe/events.js'
import type { Checked, Store } from '../store.js'
import { systemClock } from '../time/system.js'
import type { Clock, Timer } from '../time/clock.js'
import { HeartThread } from './heart-port.js'
import type { Ledger } from './ledger.js'
import type { Outage } from './outage.js'
import type { Roster } from './roster.js'

/** How often a node that holds nothing shows itself: this part of its lease. */
const IDLE_SHARE = 1 / 3

export interface HeartOptions {
  readonly store: Store
  readonly clock: Clock
  readonly events: Events
  readonly outage: Outage
  readonly ledger: Ledger
  readonly roster: Roster
  readonly lease: Millis
  readonly beat: Millis
  /** The node may claim and start again. */
  readonly onWell: () => void
  /** Something else holds of queues than when it last asked. */
  readonly onRules: () => void
}

export class Heart {
  readonly #options: HeartOptions
  #thread: HeartThread | null = null
  #timer: Timer | null = null
  /** The timer runs for a beat, and not for the longer while of those who hold nothing. */
  #hurries = false
  /** By `mono`; they only mean something while the timer runs. */
  #tickedAt = 0
  #beatAt = -Infinity
  /** What it holds was its own then. */
  #ownAt = -Infinity
  #upToAtTick = 0
  #beating: Promise<void> | null = null
  #checking: Promise<void> | null = null
  #again = false
  /** What held of queues when it last asked; null: it has not. */
  #rules: string | null = null
  #suspect = false
  #closed = false

  constructor(options: HeartOptions) {
    this.#options = options
    options.ledger.onBusy = (since) => this.#start(since)
  }

  /** Whether the next check tells of what has changed by then. */
  get knowsRules(): boolean {
    return this.#rules !== null
  }

  /** Others may have what it holds: it must look first. */
  get suspect(): boolean {
    if (!this.#suspect && this.#timer !== null && this.#mustLook()) void this.#lookFirst()
    return this.#suspect
  }

  /** Whether what was claimed then is certainly not ours any more. */
  leaseGone(claimedAt: number): boolean {
    const { clock, lease, beat } = this.#options
    return clock.mono() - Math.max(this.#beatAt, claimedAt) > lease + beat
  }

  /** Beats from the loop, if it is the loop that beats and has not done so within a beat. */
  async beatSoon(): Promise<void> {
    const { clock, beat, ledger } = this.#options
    if (ledger.restful && !this.#visible()) return
    if (clock.mono() - this.#beatAt >= beat) await this.#beatNow()
  }

  async #beatNow(): Promise<void> {
    if (this.#closed || !this.#options.roster.known || this.#thread?.alive) return
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = null
    })
    await this.#beating
  }

  /** Asks which jobs were lost or asked to cancel; a call during another means one more after it. */
  check(): Promise<void> {
    this.#again = this.#checking !== null
    this.#checking ??= this.#checkAll().finally(() => {
      this.#checking = null
    })
    return this.#checking
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = null
    await this.#beating
    await this.#checking
    await this.#thread?.close()
  }

  // ── The tick ──────────────────────────────────────────────────────────────────────────────────

  /** Something is held again. Where beats go on from before, they go on: claiming is a sign of life. */
  #start(since: number | null): void {
    if (this.#closed || (this.#timer !== null && this.#hurries)) return
    this.#timer?.cancel()
    this.#tickedAt = this.#options.clock.mono()
    this.#ownAt = since ?? this.#tickedAt
    this.#upToAtTick = this.#options.ledger.upTo
    this.#beginThread()
    this.#thread?.work()
    this.#plan()
  }

  #plan(): void {
    const { clock, beat, lease, ledger } = this.#options
    this.#hurries = !ledger.restful
    const next = this.#hurries ? beat : lease * IDLE_SHARE
    this.#timer = clock.after(next, () => void this.#tick(), { ref: false })
  }

  /**
   * With nothing to hold, a node of workers still beats from the loop now and then, to be seen; but
   * not where a thread could and all are on one host: such a store sees by itself who lives.
   */
  #visible(): boolean {
    const { roster, store } = this.#options
    const isSeen = store.traits.reach === 'host' && store.beatRecipe() !== null
    return roster.members.size > 0 && roster.known && !isSeen
  }

  /** Never rejects: what fails is told, and the next tick tries again. */
  async #tick(): Promise<void> {
    const { clock, ledger } = this.#options
    const wasStill = this.#silentFor() > this.#tooLong()
    const before = this.#tickedAt
    this.#tickedAt = clock.mono()
    if (this.#thread?.sawBeat(this.#tickedAt)) {
      this.#beaten(before)
      ledger.beaten(this.#upToAtTick)
    }
    this.#upToAtTick = ledger.upTo
    if (ledger.restful && !this.#visible()) {
      this.#timer = null
      this.#thread?.rest()
      if (this.#suspect) this.#well()
      return
    }
    this.#plan()
    const mustLook = wasStill || this.#suspect || this.#mustLook()
    await Promise.all([this.#beatNow(), mustLook ? this.#lookFirst() : this.check()])
  }

  #mustLook(): boolean {
    const { clock, lease } = this.#options
    return this.#silentFor() > this.#tooLong() || clock.mono() - this.#ownAt > lease
  }

  #silentFor(): Millis {
    return this.#options.clock.mono() - this.#tickedAt
  }

  /** Others may sweep us a lease after our last beat, which was up to a beat before our last tick. */
  #tooLong(): Millis {
    const { lease, beat } = this.#options
    return Math.max(lease - 2 * beat, 1.5 * beat)
  }

  /** Where the store does not answer, the next tick asks again. */
  async #lookFirst(): Promise<void> {
    this.#suspect = true
    const asked = this.#options.clock.mono()
    await this.check()
    if (this.#suspect && this.#ownAt >= asked) this.#well()
  }

  #well(): void {
    this.#suspect = false
    this.#tickedAt = this.#options.clock.mono()
    this.#options.onWell()
  }

  #beaten(at: number): void {
    this.#beatAt = at
    this.#owned(at)
  }

  #owned(at: number): void {
    this.#ownAt = Math.max(this.#ownAt, at)
  }

  async #beat(): Promise<void> {
    const { store, clock, ledger, roster, outage } = this.#options
    const sentAt = clock.mono()
    const { node } = roster
    try {
      const { upTo, open } = ledger
      const { gone } = await store.beat({ node, upTo, open, overdue: [] })
      outage.answered()
      if (gone) return this.#gone(node)
      this.#beaten(sentAt)
      ledger.beaten(upTo)
    } catch (error) {
      outage.failed(error, this.#options.beat)
    }
  }

  // ── What was lost ─────────────────────────────────────────────────────────────────────────────

  async #checkAll(): Promise<void> {
    do {
      this.#again = false
      await this.#checkOnce()
    } while (this.#again && !this.#closed)
  }

  async #checkOnce(): Promise<void> {
    const { store, clock, ledger, roster, outage } = this.#options
    const { node } = roster
    const sentAt = clock.mono()
    const held = [...ledger.held.values()].map(({ queue, id, token }) => ({ queue, id, token }))
    if (held.length === 0) return this.#owned(sentAt)
    try {
      const checked = await store.check({ node, held })
      outage.answered()
      if (node !== roster.node) return
      this.#owned(sentAt)
      this.#apply(node, checked)
    } catch (error) {
      outage.failed(error, this.#options.beat)
    }
  }

  #apply(node: string, { gone, lost, cancelling, rules }: Checked): void {
    const { ledger, onRules } = this.#options
    if (gone) return this.#gone(node)
    if (this.#rules !== null && rules !== this.#rules) onRules()
    this.#rules = rules
    // What was settled while the answer was on its way is no longer held, and so not lost.
    for (const token of lost) ledger.held.get(token)?.lose()
    for (const token of cancelling) ledger.held.get(token)?.askCancel()
  }

  #gone(node: string): void {
    const { ledger, roster, store, events, outage } = this.#options
    if (node !== roster.node) return
    roster.renew()
    this.#thread?.rename(roster.node)
    const lost = ledger.clear()
    events.fault(
      millraceError({
        code: 'LEASE_LOST',
        subject: `node ${node}`,
        expected: `a beat within its lease of ${this.#options.lease} ms`,
        received: 'silence',
        remedy: `${lost.length} jobs were lost and run elsewhere; it goes on as ${roster.node}`,
      }),
    )
    for (const holding of lost) holding.lose()
    // What a claim under the old id may still have brought goes back.
    store.leave(node).catch((error: unknown) => outage.failed(error, null))
  }

  // ── The thread ────────────────────────────────────────────────────────────────────────────────

  /** Virtual time stands in one thread alone, so there it is the loop that beats. */
  #beginThread(): void {
    const { store, clock, ledger, roster, beat, outage } = this.#options
    if (this.#thread !== null || clock !== systemClock) return
    const recipe = store.beatRecipe()
    if (recipe === null) return
    this.#thread = HeartThread.begin({
      recipe,
      clock,
      beat,
      node: roster.node,
      onError: (error) => outage.failed(error, beat),
    })
    if (this.#thread !== null) ledger.mirror = this.#thread.table
  }
}
