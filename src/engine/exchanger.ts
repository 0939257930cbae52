/**
 * Verdicts out, jobs in: gathers what all workers of this node have to say and to ask into
 * `store.exchange`. Promises: a verdict is repeated until the store answered it, since only the store
 * knows whether its token still counts, or until we close and its lease is gone; asks are put only
 * when the trip departs, so that they ask for what is free then; trouble is told once. When to claim
 * is left to the pollers, what a verdict says to the runs.
 *
 * A trip brings verdicts or claims, never both: verdicts are answered when they are durable, and a
 * claim that went with them would wait for that, too. The verdicts go first, the claims right
 * behind them, so that a claim finds the room that the verdicts made. One trip is in flight, a
 * second one beside it when it brings the only claims or is full.
 */
import type { ClaimAnswer, ClaimAsk } from '../job/claim.js'
import { BATCH_BYTES, IN_FLIGHT, ITEM_BYTES, SETTLE_ITEMS } from '../job/defaults.js'
import { TURN_SPAN, TURN_TRIPS } from '../job/defaults.js'
import { MillraceError, millraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Settled, Settlement } from '../job/verdict.js'
import type { Events } from '../observe/events.js'
import type { Exchanged, Store } from '../store.js'
import type { Chance, Clock } from '../time/clock.js'
import type { Lateness, Sent } from './allowance.js'
import type { Ledger, OpenClaim } from './ledger.js'
import { repeatAfter } from './outage.js'
import type { Outage } from './outage.js'
import { tellHappened } from './telling.js'

/** Whoever wants jobs: a worker or a `take()`. */
export interface Asker {
  /** What it wants now; null: nothing any more. Asked at the moment of departure. */
  ask(): Asking | null
  answered(answer: ClaimAnswer, claim: OpenClaim, sent: Sent): void
  /** The store did not answer; whether to ask again when it does. */
  failed(error: unknown): 'again' | 'enough'
  /** The Millrace was closed. */
  refused(): void
}

/** A claim as its asker puts it; number, solitude and margin are the exchanger's to add. */
export type Asking = Omit<ClaimAsk, 'claim' | 'alone' | 'margin'> & { readonly idle: boolean }

/** A verdict on its way. */
export interface Settling {
  readonly settlement: Settlement
  /** When its job was claimed, by `mono`. */
  readonly claimedAt: number
  settled(answer: Settled): void
  /** Nobody will know what became of it here. That is told for all of them together, or of the node that was lost. */
  unheard(): void
}

export interface ExchangerOptions {
  readonly store: Store
  readonly clock: Clock
  readonly chance: Chance
  readonly events: Events
  readonly outage: Outage
  readonly ledger: Ledger
  readonly lateness: Lateness
  /** Who we are; it may change while a trip is under way. */
  readonly node: () => string
  /** Whether what was claimed then need not be settled any more, if the store does not answer. */
  readonly givesUp: (claimedAt: number) => boolean
  /** Nobody may claim now: something runs alone, or the node must look first what it lost. */
  readonly shut: () => boolean
  /** Who must ask before the others, if anybody must: only the first of an idle node is alone. */
  readonly first: () => Asker | null
}

/** One trip. */
interface Trip {
  readonly node: string
  readonly settling: readonly Settling[]
  readonly askers: readonly Asker[]
  readonly claim: readonly ClaimAsk[]
  /** What each of the claims asked for. */
  readonly margin: Millis
}

export class Exchanger {
  readonly #options: ExchangerOptions
  readonly #askers = new Set<Asker>()
  readonly #idle: (() => void)[] = []
  #settling: Settling[] = []
  #inFlight = 0
  #planned = false
  #failures = 0
  #pausing = false
  /** Verdicts in one trip; halved while trips fail for no known reason, to part good from bad. */
  #most = SETTLE_ITEMS
  #turn = 0
  #closed = false

  constructor(options: ExchangerOptions) {
    this.#options = options
  }

  settle(settling: Settling): void {
    if (this.#closed) return this.#unheard([settling], 'none, since it was closed')
    this.#settling.push(settling)
    this.#plan()
  }

  /** It will be asked when the next trip departs. */
  want(asker: Asker): void {
    if (this.#closed) return asker.refused()
    this.#askers.add(asker)
    this.#plan()
  }

  /** False: its claim is under way already, and will be answered. */
  unwant(asker: Asker): boolean {
    return this.#askers.delete(asker)
  }

  /** Looks again: somebody may claim now who could not before. */
  look(): void {
    this.#plan()
  }

  /** Answers when every verdict has its answer and no trip is under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isIdle()) resolve()
      else this.#idle.push(resolve)
    })
  }

  /** Nothing goes out any more; of what waits nobody hears. */
  close(): void {
    this.#closed = true
    this.#unheard(this.#settling.splice(0), 'none before it was closed')
    for (const asker of this.#askers) asker.refused()
    this.#askers.clear()
    this.#tellIdle()
  }

  #plan(): void {
    if (this.#planned || !this.#mayDepart()) return
    this.#planned = true
    const { clock } = this.#options
    clock.soon(() => this.#depart({ until: clock.mono() + TURN_SPAN, trips: TURN_TRIPS }))
  }

  /**
   * Sends what there is to send; and what comes of it within this turn, too. A store that answers at
   * once, and jobs that end at once, would else cost a turn of the loop for each claim.
   */
  #depart({ until, trips }: { readonly until: number; readonly trips: number }): void {
    let left = trips
    for (; this.#mayDepart(); left--) {
      const trip = this.#pack()
      if (trip.settling.length === 0 && trip.claim.length === 0) break
      void this.#go(trip)
    }
    if (left === trips) return this.#rest()
    const { clock } = this.#options
    clock.within(() => {
      if (left > 0 && this.#mayDepart() && clock.mono() < until)
        return this.#depart({ until, trips: left })
      this.#rest()
      this.#plan()
    })
  }

  /** The turn is over for us. */
  #rest(): void {
    this.#planned = false
    this.#tellIdle()
  }

  #mayDepart(): boolean {
    if (this.#pausing || this.#closed) return false
    const asks = this.#askers.size > 0 && !this.#options.shut()
    if (this.#inFlight === 0) return asks || this.#settling.length > 0
    if (this.#inFlight >= IN_FLIGHT) return false
    return this.#settling.length >= this.#most || (asks && this.#options.ledger.claiming === 0)
  }

  #pack(): Trip {
    const { node, shut, ledger, lateness } = this.#options
    const { margin } = lateness
    const askers: Asker[] = []
    const claim: ClaimAsk[] = []
    const asks = this.#askers.size > 0 && ledger.claiming === 0 && !shut()
    const goesBeside = this.#inFlight > 0 && this.#settling.length < this.#most
    const settling = asks && goesBeside ? [] : this.#cut()
    if (settling.length === 0 && !shut()) {
      for (const asker of this.#inTurn()) this.#pose(asker, margin, askers, claim)
    }
    return { node: node(), settling, askers, claim, margin }
  }

  /** Another one first each time, since only the first of an idle node claims as one alone. */
  #inTurn(): readonly Asker[] {
    const waiting = [...this.#askers]
    this.#askers.clear()
    const wanted = waiting.length > 1 ? this.#options.first() : null
    const named = wanted === null ? -1 : waiting.indexOf(wanted)
    const from = named >= 0 ? named : this.#turn++ % Math.max(1, waiting.length)
    return [...waiting.slice(from), ...waiting.slice(0, from)]
  }

  /** At most one in the whole node may claim as one who runs nothing else. */
  #pose(asker: Asker, margin: Millis, askers: Asker[], claim: ClaimAsk[]): void {
    const asking = asker.ask()
    if (asking === null) return
    const { ledger } = this.#options
    const { queue, worker, tasks, limit, without, idle } = asking
    const alone = idle && ledger.idle
    askers.push(asker)
    claim.push({
      ...{ queue, worker, tasks, limit, claim: ledger.ask(), alone },
      ...(without !== undefined && { without }),
      ...(margin > 0 && { margin }),
    })
  }

  #cut(): readonly Settling[] {
    let [upTo, bytes] = [0, 0]
    for (; upTo < this.#settling.length && upTo < this.#most; upTo++) {
      bytes += weight(this.#settling[upTo])
      if (bytes > BATCH_BYTES && upTo > 0) break
    }
    return this.#settling.splice(0, upTo)
  }

  /** No fault of the store gets out: verdicts are kept, askers are asked again. */
  async #go(trip: Trip): Promise<void> {
    const { clock, outage, node } = this.#options
    const begun = clock.mono()
    this.#inFlight++
    const answer = await this.#put(trip).catch((error: unknown) => ({ error }))
    this.#inFlight--
    if ('error' in answer) {
      this.#failed(trip, answer.error)
    } else {
      this.#failures = 0
      this.#most = Math.min(SETTLE_ITEMS, this.#most * 2)
      outage.answered()
      if (trip.node === node()) this.#deliver(trip, answer, begun)
      else this.#forget(trip)
      this.#tell(trip, answer, clock.mono() - begun)
    }
    this.#plan()
    this.#tellIdle()
  }

  async #put(trip: Trip): Promise<Exchanged> {
    const settle = trip.settling.map((one) => one.settlement)
    const ask = { node: trip.node, settle, claim: trip.claim }
    const answer = await this.#options.store.exchange(ask)
    checkAnswers(trip, answer)
    return answer
  }

  #deliver(trip: Trip, answer: Exchanged, begun: number): void {
    const { ledger } = this.#options
    const sent = { at: begun, margin: trip.margin }
    for (let at = 0; at < trip.settling.length; at++) trip.settling[at].settled(answer.settled[at])
    tellHappened(this.#options.events, answer.happened ?? [])
    const open = answer.claimed.map(({ jobs }, at) =>
      ledger.answered(trip.claim[at].claim, jobs.length, begun),
    )
    for (let at = 0; at < open.length; at++) {
      trip.askers[at].answered(answer.claimed[at], open[at], sent)
    }
  }

  /** The node went on under a new id meanwhile: what the old one held or got is lost. */
  #forget(trip: Trip): void {
    for (const one of trip.settling) one.unheard()
    for (const ask of trip.claim) this.#options.ledger.gaveUp(ask.claim)
    for (const asker of trip.askers) this.#askers.add(asker)
  }

  #giveUp(trip: Trip, error: unknown): void {
    for (const ask of trip.claim) this.#options.ledger.gaveUp(ask.claim)
    for (const asker of trip.askers) {
      if (this.#closed) asker.refused()
      else if (asker.failed(error) === 'again') this.#askers.add(asker)
    }
  }

  #failed(trip: Trip, error: unknown): void {
    const { clock, chance, outage, node, givesUp } = this.#options
    if (MillraceError.is(error, 'STORE_CLOSED')) this.#closed = true
    this.#giveUp(trip, error)
    const isOver = this.#closed || trip.node !== node()
    const isUp = (one: Settling): boolean => isOver || givesUp(one.claimedAt)
    this.#unheard(trip.settling.filter(isUp), error)
    const kept = trip.settling.filter((one) => !isUp(one))
    if (this.#closed) return this.close()
    this.#requeue(kept, error)
    // Two that were under way fail together: they rest together.
    if (this.#pausing) return
    this.#failures++
    const pause: Millis = repeatAfter(this.#failures, chance)
    outage.failed(error, pause)
    this.#pausing = true
    clock.after(pause, () => this.#resume())
  }

  #unheard(lost: readonly Settling[], received: unknown): void {
    for (const one of lost) one.unheard()
    if (lost.length > 0) this.#options.events.fault(unheard(lost, received))
  }

  /** A fault that no store should have may be one verdict's: smaller trips find out which. */
  #requeue(kept: readonly Settling[], error: unknown): void {
    const strange = !MillraceError.is(error)
    if (strange && kept.length <= 1) this.#settling = [...this.#settling, ...kept]
    else this.#settling = [...kept, ...this.#settling]
    if (strange) this.#most = Math.max(1, Math.floor(Math.min(this.#most, kept.length) / 2))
  }

  #resume(): void {
    this.#pausing = false
    this.#plan()
  }

  #tell(trip: Trip, answer: Exchanged, duration: number): void {
    const claimed = (): number => answer.claimed.reduce((sum, one) => sum + one.jobs.length, 0)
    this.#options.events.emit('batch.sent', () => ({
      inserts: 0,
      settles: trip.settling.length,
      claimed: claimed(),
      bytes: trip.settling.reduce((sum, one) => sum + weight(one), 0),
      duration,
    }))
  }

  #isIdle(): boolean {
    return this.#settling.length === 0 && this.#inFlight === 0 && !this.#planned
  }

  #tellIdle(): void {
    if (this.#idle.length === 0 || !this.#isIdle()) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}

function weight({ settlement }: Settling): number {
  const { verdict } = settlement
  const result = verdict.kind === 'complete' ? (verdict.result?.text.length ?? 0) : 0
  return result + ITEM_BYTES
}

/** A store that answers too little would strand jobs silently; as an error it is repeated and told. */
function checkAnswers(trip: Trip, { settled, claimed }: Exchanged): void {
  if (settled.length === trip.settling.length && claimed.length === trip.claim.length) return
  throw new Error(
    `the store gave ${settled.length} and ${claimed.length} answers ` +
      `to ${trip.settling.length} verdicts and ${trip.claim.length} claims`,
  )
}

function unheard(
  [{ settlement }, ...others]: readonly Settling[],
  received: unknown,
): MillraceError {
  const more = others.length > 0 ? ` (and ${others.length} more)` : ''
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject: `the verdict of job ${settlement.id} of queue ${settlement.queue}${more}`,
    expected: 'an answer of the store',
    received: MillraceError.is(received) ? received.received : received,
    remedy: 'what it did not hear runs again when the lease is over',
    cause: received,
  })
}
