/**
 * How lots reach the store: gathered into batches, repeated when the store does not answer. Since
 * ids are made above the seam, repeating is safe: the same id twice is one job. Promises: each lot
 * is answered by itself; a lot whose fate stays unknown says OUTCOME_UNKNOWN and names its job, so
 * that the caller may repeat it with the same id. Payloads, limits and refusals are left to the
 * faces and the store.
 */
import {
  BATCH_BYTES,
  HELD_MOST,
  INSERT_ITEMS,
  INSERT_REPEATS,
  IN_FLIGHT,
  ITEM_BYTES,
  NETWORK_LANES,
  WAITING_BYTES,
  WAITING_ITEMS,
} from '../job/defaults.js'
import { MillraceError, millraceError } from '../job/errors.js'
import { wantsOf } from '../job/lot.js'
import type { Inserted, Lot } from '../job/lot.js'
import type { Events } from '../observe/events.js'
import type { Store } from '../store.js'
import { sleep } from '../time/clock.js'
import type { Chance, Clock } from '../time/clock.js'
import { Batcher } from './batcher.js'
import { HeldLots } from './held-lots.js'
import { asStoreError, repeatAfter, storeClosed } from './outage.js'
import type { Outage } from './outage.js'

/** Null: it is held, see `Store.insert`. */
type Answer = readonly Inserted[] | null
/** An answer that comes later. */
type Told = Promise<readonly Inserted[]>

export interface InsertsOptions {
  readonly store: Store
  readonly clock: Clock
  readonly chance: Chance
  readonly events: Events
  readonly outage: Outage
}

export class Inserts {
  readonly #options: InsertsOptions
  readonly #batcher: Batcher<Lot, readonly Inserted[]>
  readonly #held: HeldLots
  /** What those want that are on their way. */
  readonly #flying = new Set<string>()
  /** The how many-th call a lot was, if it wants anything. */
  readonly #numbers = new WeakMap<Lot, number>()
  #calls = 0
  readonly #closing = new AbortController()

  constructor(options: InsertsOptions) {
    this.#options = options
    const { clock, chance } = options
    const send = (lots: readonly Lot[]): Promise<readonly Answer[]> => this.#sendHeld(lots)
    const told = { failure: named, tooLong, overfull: tooMuchWaits }
    this.#held = new HeldLots({ clock, chance, send, bytes: lotBytes, ...told })
    this.#batcher = new Batcher({
      clock,
      send: (lots) => this.#depart(lots),
      count: (lot) => lot.jobs.length,
      bytes: lotBytes,
      most: { count: INSERT_ITEMS, bytes: BATCH_BYTES },
      waiting: { count: WAITING_ITEMS, bytes: WAITING_BYTES },
      overfull: tooMuchWaits,
      failure: named,
      inFlight: IN_FLIGHT,
      lanes: options.store.traits.reach === 'network' ? NETWORK_LANES : 1,
      laneOf: (lot) => lot.jobs[0]?.queue ?? '',
    })
  }

  /** One answer per job, in order. A lot in the caller's transaction goes alone, and only once. */
  insert(lot: Lot): Promise<readonly Inserted[]> {
    if (lot.jobs.length === 0) return Promise.resolve([])
    if (lot.tx !== undefined) return this.#insertAlone(lot)
    if (wantsOf(lot).length > 0) this.#numbers.set(lot, ++this.#calls)
    return this.#batcher.add(lot)
  }

  async #insertAlone(lot: Lot): Promise<readonly Inserted[]> {
    const [answers] = await this.#options.store.insert([lot])
    if (answers === null) throw new Error('a lot in a transaction of the user is not held apart')
    return answers
  }

  /** What was added is sent. */
  async idle(): Promise<void> {
    await this.#batcher.idle()
    await this.#held.idle()
  }

  /** Nothing more is taken, and nothing is repeated any more. */
  close(): void {
    const error = storeClosed('insert')
    this.#closing.abort(error)
    this.#batcher.close(error)
    this.#held.close(error)
  }

  /** Whoever wants what another waits for, or is on his way for, stands behind him. */
  async #depart(lots: readonly Lot[]): Promise<(readonly Inserted[] | Told)[]> {
    const wants = lots.map(wantsOf)
    if (wants.every((some) => some.length === 0)) {
      return (await this.#send(lots)).map((answer, at) => answer ?? this.#wait(lots[at]))
    }
    const isFlying = (want: string): boolean => this.#flying.has(want)
    const isBehind = wants.map((some) => this.#held.meets(some) || some.some(isFlying))
    const answers = new Map<Lot, readonly Inserted[] | Told>()
    lots.forEach((lot, at) => {
      if (isBehind[at]) answers.set(lot, this.#wait(lot))
    })
    const going = lots.filter((_, at) => !isBehind[at])
    const taken = wants.flatMap((some, at) => (isBehind[at] ? [] : some))
    for (const want of taken) this.#flying.add(want)
    try {
      const told = going.length === 0 ? [] : await this.#send(going)
      told.forEach((answer, at) => answers.set(going[at], answer ?? this.#wait(going[at])))
    } catch (error) {
      for (const lot of going) answers.set(lot, Promise.reject<never>(named(lot, error)))
    } finally {
      for (const want of taken) this.#flying.delete(want)
    }
    return lots.map((lot) => answers.get(lot) as readonly Inserted[] | Told) // as: each has one
  }

  #wait(lot: Lot): Told {
    return this.#held.wait(lot, this.#numbers.get(lot) ?? 0)
  }

  /** Of one that was held nobody knows for certain that it has not landed since. */
  async #sendHeld(lots: readonly Lot[]): Promise<readonly Answer[]> {
    const answers = await this.#send(lots)
    return answers.map((answer, at) => answer && own(lots[at], answer))
  }

  async #send(lots: readonly Lot[]): Promise<readonly Answer[]> {
    const { store, clock, chance, outage } = this.#options
    let unknown = false
    for (let failures = 1; ; failures++) {
      const begun = clock.mono()
      try {
        const answers = await store.insert(lots)
        outage.answered()
        this.#tell(lots, clock.mono() - begun)
        return unknown ? answers.map((answer, at) => answer && own(lots[at], answer)) : answers
      } catch (error) {
        unknown ||= MillraceError.is(error, 'OUTCOME_UNKNOWN')
        const again = repeatable(error) && failures <= INSERT_REPEATS
        const pause = again ? repeatAfter(failures, chance) : null
        if (!MillraceError.is(error, 'STORE_CLOSED')) outage.failed(error, pause)
        if (pause === null || this.#closing.signal.aborted) throw unknown ? lastWord(error) : error
        await sleep(clock, pause, this.#closing.signal).catch((stopped: unknown) => {
          throw unknown ? lastWord(error) : stopped
        })
      }
    }
  }

  #tell(lots: readonly Lot[], duration: number): void {
    this.#options.events.emit('batch.sent', () => ({
      inserts: lots.reduce((sum, lot) => sum + lot.jobs.length, 0),
      settles: 0,
      claimed: 0,
      bytes: lots.reduce((sum, lot) => sum + lotBytes(lot), 0),
      duration,
    }))
  }
}

function lotBytes(lot: Lot): number {
  let bytes = 0
  for (const job of lot.jobs) bytes += job.payload.text.length + ITEM_BYTES
  return bytes
}

/** Anything else is a fault that a repeat would only repeat. */
function repeatable(error: unknown): boolean {
  return MillraceError.is(error, 'STORE_UNREACHABLE') || MillraceError.is(error, 'OUTCOME_UNKNOWN')
}

/**
 * After an unknown outcome, "I have this id already" means that the first try landed: for ids made
 * here that is certain. A user's own id may have been there before, so there the answer stands.
 */
function own(lot: Lot, answers: readonly Inserted[]): readonly Inserted[] {
  return answers.map((answer, at) => {
    const job = lot.jobs[at]
    const ours = answer.status === 'duplicate' && answer.id === job.id && !job.ownId
    return ours ? { status: 'inserted', id: job.id } : answer
  })
}

/** Once a try may have landed, no later failure makes that certain again. */
function lastWord(error: unknown): MillraceError {
  if (MillraceError.is(error, 'OUTCOME_UNKNOWN')) return error
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject: 'insert',
    expected: 'to hear whether an earlier try took effect',
    received: error,
    remedy: 'repeat it with the same id: it will be one job',
    cause: error,
  })
}

/** The same news for each caller of a batch, about its own job. */
function named(lot: Lot, error: unknown): MillraceError {
  const known = asStoreError(error)
  const more = lot.jobs.length > 1 ? ` (and ${lot.jobs.length - 1} more of its lot)` : ''
  return millraceError({
    code: known.code,
    subject: `job ${lot.jobs[0].id} for queue ${lot.jobs[0].queue}${more}`,
    expected: known.expected,
    received: known.received,
    remedy: known.remedy,
    cause: known.cause ?? known,
  })
}

function tooMuchWaits(lot: Lot): MillraceError {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: `queue ${lot.jobs[0].queue}`,
    expected: `at most ${WAITING_ITEMS} jobs or ${WAITING_BYTES} bytes to wait for the store`,
    received: 'more',
    remedy: 'the store does not keep up or does not answer; await your calls, or try again later',
  })
}

function tooLong(lot: Lot): MillraceError {
  return named(
    lot,
    millraceError({
      code: 'STORE_UNREACHABLE',
      subject: 'insert',
      expected: 'an end of the transaction that has the same id or unique key, or locks the tables',
      received: `none within ${HELD_MOST} ms`,
      remedy: 'nothing of it is there: end that transaction, or enqueue it again later',
    }),
  )
}
