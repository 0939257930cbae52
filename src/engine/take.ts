/**
 * Jobs that are pulled by hand. Who takes is a worker like any other, without handlers: it is
 * enlisted before its first claim, its jobs are kept by the node's heart, and past its timeout an
 * attempt fails. Promises: a take answers within its `wait`; what arrives for a take that was given
 * up goes back; `settle` answers when the verdict is durable, and a dead token throws LEASE_LOST.
 */
import type { ClaimAnswer } from '../job/claim.js'
import { CRASHES_UNTIL_ALONE } from '../job/defaults.js'
import { millraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Settled } from '../job/verdict.js'
import type { WorkerCard } from '../store.js'
import type { Timer } from '../time/clock.js'
import type { Sent } from './allowance.js'
import type { Asker, Asking } from './exchanger.js'
import type { Asked, BackoffFunction } from './judge.js'
import type { OpenClaim } from './ledger.js'
import { asStoreError, storeClosed } from './outage.js'
import type { Member } from './roster.js'
import type { Rest } from './rest.js'
import { Attempt } from './runner.js'
import type { Employer, Live } from './runner.js'
import type { Solitude } from './solitude.js'
import type { Claim, Workshop } from './workshop.js'

export interface TakeSpec {
  readonly queue: string
  readonly limit: number
  /** How long to wait for a first job; 0: only look. */
  readonly wait: Millis
  readonly signal?: AbortSignal
  readonly backoff: BackoffFunction | null
}

/** A job in the taker's hands. */
export interface Held {
  readonly live: Live
  /** Durable when it answers; a dead token throws LEASE_LOST. */
  settle(asked: Asked): Promise<void>
}

export interface TakerOptions {
  readonly shop: Workshop
  readonly solitude: Solitude
  /** What is paused here. */
  readonly rest: Rest
  readonly poll: Millis
}

/** All takes of one queue in this node. */
export class Taker implements Member {
  readonly id: string
  readonly queue: string
  readonly #options: TakerOptions
  readonly #takes = new Set<Take>()
  readonly #held = new Set<HeldAttempt>()
  #known = false
  /** Why the store has not heard of it; null: nothing kept it from that. */
  #trouble: { readonly error: unknown } | null = null
  #closed = false

  constructor(id: string, queue: string, options: TakerOptions) {
    this.id = id
    this.queue = queue
    this.#options = options
  }

  get card(): WorkerCard {
    const { id: worker, queue } = this
    const concurrency = Math.max(1, this.#held.size)
    return { worker, queue, tasks: null, concurrency, state: this.#closed ? 'stopped' : 'working' }
  }

  get active(): boolean {
    return this.#takes.size > 0 || this.#held.size > 0
  }

  /** Whether the store knows it: nothing is claimed before that. */
  get known(): boolean {
    return this.#known
  }

  get trouble(): { readonly error: unknown } | null {
    return this.#trouble
  }

  enlisted(): void {
    this.#known = true
    this.#trouble = null
    this.look()
  }

  unreached(error: unknown): void {
    if (this.#known) return
    this.#trouble = { error }
    for (const take of [...this.#takes]) take.failed(error)
  }

  /** Something may be runnable. */
  look(): void {
    for (const take of this.#takes) take.wake()
  }

  async take(spec: TakeSpec): Promise<readonly Held[]> {
    spec.signal?.throwIfAborted()
    if (this.#closed) throw storeClosed(`take from queue ${this.queue}`)
    const take = new Take(this, spec, this.#options)
    this.#takes.add(take)
    try {
      return await take.result
    } finally {
      this.#takes.delete(take)
    }
  }

  held(attempt: HeldAttempt): void {
    this.#held.add(attempt)
  }

  dropped(attempt: HeldAttempt): void {
    this.#held.delete(attempt)
  }

  /** Ends what waits, and gives back what is held; answers when all of it is on its way. */
  async close(): Promise<void> {
    this.#closed = true
    for (const take of [...this.#takes]) take.refused()
    if (this.#held.size === 0) return
    for (const attempt of [...this.#held]) attempt.release()
    // What was cut short has the rest of this turn to complete; only then is its verdict there.
    await new Promise<void>((resolve) => this.#options.shop.clock.soon(resolve))
  }
}

/** One call of `take`: asks until it got something, or its wait is over. */
class Take implements Asker {
  readonly result: Promise<readonly Held[]>
  readonly #taker: Taker
  readonly #spec: TakeSpec
  readonly #options: TakerOptions
  #resolve: (held: readonly Held[]) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined
  #over = false
  #asking = false
  #hinted = false
  /** Its time to wait is up: the claim under way is the last. */
  #last: boolean
  #waiting: Timer | null = null
  #timer: Timer | null = null
  readonly #abort = (): void => this.#fail(this.#spec.signal?.reason)

  constructor(taker: Taker, spec: TakeSpec, options: TakerOptions) {
    this.#taker = taker
    this.#spec = spec
    this.#options = options
    this.#last = spec.wait === 0
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    spec.signal?.addEventListener('abort', this.#abort, { once: true })
    if (!this.#last) this.#waiting = options.shop.clock.after(spec.wait, () => this.#timeUp())
    this.wake()
  }

  wake(): void {
    if (this.#asking) this.#hinted = true
    if (this.#asking || this.#over) return
    this.#timer?.cancel()
    if (this.#options.rest.isPaused(this.#spec.queue)) {
      if (this.#last) this.#done([]) // who waits is woken by the resume
      return
    }
    if (!this.#taker.known) {
      const { trouble } = this.#taker
      if (trouble !== null) this.failed(trouble.error)
      return // it is woken when the store was told
    }
    this.#asking = true
    this.#options.shop.exchanger.want(this)
  }

  ask(): Asking | null {
    this.#asking = !this.#over
    if (this.#over) return null
    this.#hinted = false
    const { queue, limit } = this.#spec
    const asking = { queue, worker: this.#taker.id, tasks: null, limit, idle: true }
    const without = this.#options.rest.without(queue)
    return without.length === 0 ? asking : { ...asking, without }
  }

  answered(answer: ClaimAnswer, claim: OpenClaim, sent: Sent): void {
    this.#asking = false
    const { shop, solitude, poll } = this.#options
    const { jobs, settings, nextIn } = answer
    const at = shop.clock.mono()
    const all = jobs.map((claimed) => {
      return new HeldAttempt(shop, this.#taker, this.#spec, {
        claimed,
        settings,
        claim,
        sent,
        at,
      })
    })
    for (const one of all) if (this.#over || one.live.isLate || this.#rests(one)) one.giveBack()
    if (this.#over) return
    const got = all.filter(({ live }) => live.state === 'held')
    if (got.length > 0) {
      const lonely = got.find(({ live }) => live.claimed.crashes >= CRASHES_UNTIL_ALONE)
      if (lonely !== undefined) return solitude.enter(lonely.live, () => this.#done([lonely]))
      return this.#done(got)
    }
    if (this.#last) return this.#done([])
    const isMore = this.#hinted || all.length > 0
    if (isMore || nextIn === 0) return this.#again(isMore ? 0 : 1)
    this.#again(Math.min(nextIn ?? poll, poll))
  }

  /** It was paused here while the claim was under way. */
  #rests({ live }: HeldAttempt): boolean {
    const { rest } = this.#options
    return rest.isPaused(live.queue) || rest.without(live.queue).includes(live.group)
  }

  /** Who only looks hears of it; who waits, waits on. */
  failed(error: unknown): 'again' | 'enough' {
    if (!this.#last && !this.#over) return 'again'
    this.#asking = false
    this.#fail(asStoreError(error))
    return 'enough'
  }

  refused(): void {
    this.#fail(storeClosed(`take from queue ${this.#spec.queue}`))
  }

  #again(delay: Millis): void {
    if (delay === 0) return this.wake()
    this.#timer = this.#options.shop.clock.after(delay, () => this.wake())
  }

  #timeUp(): void {
    this.#last = true
    if (!this.#asking || this.#options.shop.exchanger.unwant(this)) this.#done([])
  }

  #done(held: readonly HeldAttempt[]): void {
    if (this.#over) return held.forEach((attempt) => attempt.giveBack())
    this.#close()
    for (const attempt of held) attempt.begin()
    this.#resolve(held)
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.#close()
    if (this.#options.shop.exchanger.unwant(this)) this.#asking = false
    this.#reject(error)
  }

  #close(): void {
    this.#over = true
    this.#waiting?.cancel()
    this.#timer?.cancel()
    this.#spec.signal?.removeEventListener('abort', this.#abort)
  }
}

/** One taken job: an attempt whose end comes from the taker. */
class HeldAttempt implements Held, Employer {
  readonly live: Attempt
  readonly backoff: BackoffFunction | null
  readonly #taker: Taker
  /** The taker's own verdict: who waits for its answer. */
  #answer: ((settled: Settled) => void) | null = null

  constructor(shop: Workshop, taker: Taker, spec: TakeSpec, job: Claim) {
    this.#taker = taker
    this.backoff = spec.backoff
    this.live = new Attempt(shop, this, job)
    taker.held(this)
  }

  get worker(): string {
    return this.#taker.id
  }

  begin(): void {
    if (this.live.state === 'held') this.live.begin()
  }

  giveBack(): void {
    this.live.giveBack()
  }

  /** The Millrace closes: it goes back, whether it began or not. */
  release(): void {
    this.live.giveBack()
    this.live.cutShort()
  }

  async settle(asked: Asked): Promise<void> {
    if (this.live.state !== 'running') throw this.#dead()
    const answer = await new Promise<Settled>((resolve) => {
      this.#answer = resolve
      this.live.finish({ by: 'handler', asked })
    })
    if (answer.status === 'lost') throw this.#dead()
  }

  freed(): void {
    // A taken job stands in no slot.
  }

  settled(_: Attempt, answer: Settled): void {
    this.#taker.dropped(this)
    this.#answer?.(answer)
  }

  #dead(): unknown {
    const { claimed, wasHeard } = this.live
    if (!wasHeard) return unheard(claimed)
    return millraceError({
      code: 'LEASE_LOST',
      subject: `job ${claimed.id} of queue ${claimed.queue}, attempt ${claimed.attempt}`,
      expected: 'to hold this attempt',
      received: 'a token that is dead',
      remedy: 'it was settled before, its time was up, or its lease was lost: nothing was changed',
    })
  }
}

function unheard({ queue, id, attempt }: Attempt['claimed']): unknown {
  return millraceError({
    code: 'OUTCOME_UNKNOWN',
    subject: `job ${id} of queue ${queue}, attempt ${attempt}`,
    expected: 'an answer of the store to its verdict',
    received: 'none',
    remedy: 'if the store did not hear it, the job runs again when the lease is over',
  })
}
