/**
 * One attempt, from claimed to settled:
 *
 *     held ── begin ──▶ running ── finish ──▶ settling ── settled ──▶ over
 *       └──── giveBack ─────────────────────────▲
 *
 * begin · perform · finish · judge · note · settle · tell: each step is a method below, in this
 * order. Promises: an attempt ends once, whatever comes first (its answer, its time, the loss of
 * its lease, its worker's stop), and what comes later changes nothing; its slot is free the moment
 * it ends; its verdict goes out after its notes. What the verdict is, `judge.ts` decides; where
 * slots and claims come from is left to the worker.
 */
import type { Claimed, TokenText } from '../job/claim.js'
import type { Encoded } from '../job/codec.js'
import type { MillraceError } from '../job/errors.js'
import type { Millis, ParentRow, Step } from '../job/job.js'
import type { Settings } from '../job/settings.js'
import type { Noted, Settled, Settlement, Throttle } from '../job/verdict.js'
import type { Write } from '../store.js'
import { LATE_GRACE } from '../job/defaults.js'
import { grantOf } from './allowance.js'
import type { Grant } from './allowance.js'
import { askedToStop, committedTwice, leaseLost, timeUp } from './attempt-over.js'
import { Commit } from './commits.js'
import type { Timed } from './deadlines.js'
import type { Settling } from './exchanger.js'
import { judge } from './judge.js'
import type { Asked, BackoffFunction, End, Judgement } from './judge.js'
import type { Holding, OpenClaim } from './ledger.js'
import type { Noting } from './notes.js'
import type { Doing } from './steps.js'
import { tellSettled } from './telling.js'
import type { Claim, Workshop } from './workshop.js'

/** A job while its attempt is held, as `perform` sees it. */
export interface Live {
  readonly claimed: Claimed
  readonly settings: Settings
  readonly worker: string
  /** Aborts at the timeout, when cancelled, when the lease is lost, when a stop runs out. */
  readonly signal: AbortSignal
  progress(fraction: number): void
  log(line: string): void
  /** The other side wants a rest; lands before the verdict. */
  throttle(throttle: Throttle): void
  /** The attempt goes on; after its end nothing of it can be kept. */
  readonly isHeld: boolean
  /** Its `commit` is under way, or done. */
  readonly isCommitting: boolean
  /** Keeps a step with the job; durable when it answers. 'lost': the attempt is over. */
  keep(step: Step): Promise<Noted>
  /**
   * Completes it in one transaction with what `write` does. 'lost': the attempt is over, and nothing
   * was done. Rejects with what `write` threw; the attempt is then held as before.
   */
  commit(result: Encoded | null, write: Write): Promise<Settled>
  /** What the job comes after, as the store knows it now; null: the job is gone. */
  parents(): Promise<readonly ParentRow[] | null>
}

/** Decodes, validates, runs middleware and handler. A rejection counts as `fail`. */
export type Perform = (live: Live) => Promise<Asked>

/** Whom a run works for: a worker, or a `take()`. */
export interface Employer {
  readonly worker: string
  readonly backoff: BackoffFunction | null
  /** It runs no more: its slot is free. */
  freed(attempt: Attempt): void
  /** The store knows; the job is no longer this node's. */
  settled(attempt: Attempt, answer: Settled): void
}

export type AttemptState = 'held' | 'running' | 'settling' | 'over'

export class Attempt implements Live, Holding, Settling, Timed, Noting, Doing {
  readonly claimed: Claimed
  readonly settings: Settings
  readonly claim: OpenClaim
  readonly claimedAt: number
  /** What a rate gave it; null: it has none. */
  readonly grant: Grant | null
  readonly #shop: Workshop
  readonly #employer: Employer
  #state: AttemptState = 'held'
  #startedAt = 0
  #place = -1
  #controller: AbortController | null = null
  /** Why the signal is aborted, once it is. */
  #aborted: MillraceError | null = null
  #cancelling = false
  #stopping = false
  #judgement: Judgement | null = null
  /** Under way, or done. */
  #commit: Commit | null = null
  /** Whether the store has said what became of its verdict. */
  wasHeard = true

  constructor(shop: Workshop, employer: Employer, job: Claim) {
    this.#shop = shop
    this.#employer = employer
    this.claimed = job.claimed
    this.settings = job.settings
    this.claim = job.claim
    this.claimedAt = job.at
    this.grant = grantOf(job.settings, job.sent, shop.lateness)
    shop.ledger.hold(this)
  }

  // ── What the handler sees ─────────────────────────────────────────────────────────────────────

  get worker(): string {
    return this.#employer.worker
  }

  /** Made when somebody asks for it: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#aborted !== null) this.#controller.abort(this.#aborted)
    }
    return this.#controller.signal
  }

  progress(fraction: number): void {
    if (this.#state === 'running') this.#shop.notes.progress(this, fraction)
  }

  log(line: string): void {
    if (this.#state === 'running') this.#shop.notes.log(this, line)
  }

  throttle(throttle: Throttle): void {
    if (this.#state === 'running') this.#shop.notes.throttle(this, throttle)
  }

  get isHeld(): boolean {
    return this.#state === 'running'
  }

  get isCommitting(): boolean {
    return this.#commit !== null
  }

  keep(step: Step): Promise<Noted> {
    if (this.#state !== 'running') return Promise.resolve('lost')
    return this.#shop.steps.keep(this, step)
  }

  async commit(result: Encoded | null, write: Write): Promise<Settled> {
    if (this.#commit !== null) throw committedTwice(this.claimed)
    if (this.#state !== 'running') return { status: 'lost' }
    const commit = (this.#commit = new Commit())
    const { commits, clock } = this.#shop
    try {
      await this.#said()
      if (!this.isHeld) return { status: 'lost' }
      const end: End = { by: 'handler', asked: { kind: 'complete', result } }
      const judgement = this.#judged(end, clock.mono() - this.#startedAt)
      const settlement = this.#settlementOf(judgement)
      const answer = await commits.put({ of: this, settlement, write, commit })
      if (answer.status === 'done' && this.#judgement === null) {
        this.#judgement = judgement
        commit.answer = answer
      }
      return answer
    } finally {
      if (commit.answer === null) this.#commit = null
      commit.over()
    }
  }

  parents(): Promise<readonly ParentRow[] | null> {
    return this.#shop.parents({ queue: this.queue, id: this.id })
  }

  // ── What the others see ───────────────────────────────────────────────────────────────────────

  get state(): AttemptState {
    return this.#state
  }

  get queue(): string {
    return this.claimed.queue
  }

  get id(): string {
    return this.claimed.id
  }

  get group(): string {
    return this.claimed.group
  }

  get token(): TokenText {
    return this.claimed.token
  }

  get timeout(): Millis {
    return this.claimed.timeout
  }

  get deadline(): number {
    return this.#startedAt + this.claimed.timeout
  }

  get settlement(): Settlement {
    if (this.#judgement === null) throw new Error(`job ${this.id} has no verdict yet`)
    return this.#settlementOf(this.#judgement)
  }

  #settlementOf({ verdict, ran }: Judgement): Settlement {
    const { queue, id, token } = this.claimed
    return { queue, id, token, verdict, ran }
  }

  // ── The steps ─────────────────────────────────────────────────────────────────────────────────

  /** Runs it to its end; answers when the handler is through, however late that is. */
  async run(perform: Perform): Promise<void> {
    this.begin()
    let asked: Asked
    try {
      asked = await perform(this)
    } catch (error) {
      asked = { kind: 'fail', error }
    }
    this.finish({ by: 'handler', asked })
  }

  begin(): void {
    const { clock, deadlines, ledger, events } = this.#shop
    this.#state = 'running'
    this.#startedAt = clock.mono()
    this.grant?.usedAt(this.#startedAt)
    deadlines.add(this)
    this.#place = ledger.mirror.started(this.token, this.deadline)
    if (events.wants('job.started')) {
      const { queue, id, task, group, attempt, waited } = this.claimed
      events.emit('job.started', { queue, id, task, group, attempt, waited, worker: this.worker })
    }
  }

  /** The first end counts. */
  finish(end: End): void {
    if (this.#state !== 'running') return
    const now = this.#shop.clock.mono()
    const [seen, commit] = [this.#seen(end, now), this.#commit]
    this.#leave()
    commit?.giveUp(end.by === 'timeout' ? end.error : leaseLost(this.claimed, 'its run is over'))
    const judge = (): void => {
      if (this.#state !== 'settling') return
      this.#shop.notes.release(this.token)
      // However the handler ended: what was committed is done.
      if (commit?.answer != null) this.settled(commit.answer)
      else this.#judge(seen, now - this.#startedAt)
    }
    // It may have come too far to be taken back: then its answer is the end.
    if (commit?.hasRow) commit.whenOver(judge)
    else judge()
    this.#employer.freed(this)
  }

  /** An answer is what it says, unless it comes too late, or fails because we made it stop. */
  #seen(end: End, now: number): End {
    if (end.by !== 'handler') return end
    if (now - this.deadline > LATE_GRACE) return { by: 'timeout', error: timeUp(this.claimed) }
    return this.#stopping && end.asked.kind === 'fail' ? { by: 'stopped' } : end
  }

  /** Whether it may not start any more. */
  get isLate(): boolean {
    return this.grant !== null && this.grant.isOver(this.#shop.clock.mono())
  }

  /** By a verdict, or since it was never started. */
  get wasGivenBack(): boolean {
    return this.#judgement?.verdict.kind === 'release'
  }

  /** Never started, it goes back to where it was, and its attempt with it. */
  giveBack(): void {
    if (this.#state !== 'held') return
    if (this.isLate) this.grant?.usedAt(this.#shop.clock.mono())
    this.#state = 'settling'
    this.#judge({ by: 'unstarted' }, 0)
  }

  #judge(end: End, duration: Millis): void {
    this.#judgement = this.#judged(end, duration)
    const { notes, steps } = this.#shop
    if (!notes.has(this.token) && !steps.has(this.token)) return this.#settle()
    void this.#said().then(() => this.#settle())
  }

  /** What it told on its way has arrived. */
  async #said(): Promise<void> {
    await Promise.all([this.#shop.notes.flush(this.token), this.#shop.steps.flush(this.token)])
  }

  #judged(end: End, duration: Millis): Judgement {
    const { chance, newId, events } = this.#shop
    const { claimed, settings } = this
    return judge({
      claimed,
      settings,
      end,
      duration,
      cancelling: this.#cancelling,
      backoff: this.#employer.backoff,
      chance,
      newId,
      onFault: (fault) => events.fault(fault),
    })
  }

  #settle(): void {
    if (this.#state === 'settling') this.#shop.exchanger.settle(this)
  }

  /** The store's answer to the verdict. */
  settled(answer: Settled): void {
    if (this.#state === 'over') return
    this.#end(answer)
    this.#shop.onSettled(this.queue)
    if (this.#judgement !== null) tellSettled(this.#shop.events, this, this.#judgement, answer)
  }

  unheard(): void {
    if (this.#state === 'over') return
    this.wasHeard = false
    this.#end({ status: 'lost' })
    this.#shop.onSettled(this.queue)
  }

  // ── What may come between ─────────────────────────────────────────────────────────────────────

  /** Its time is up. What is ready in this same turn still counts, so one more timer goes by. */
  expire(): void {
    const over = (): void => {
      if (this.#state !== 'running') return
      const error = timeUp(this.claimed)
      this.finish({ by: 'timeout', error })
      this.#abort(error)
    }
    this.#shop.clock.after(0, over, { ref: false })
  }

  /** An operator asks: the handler hears it, and decides. */
  askCancel(): void {
    if (this.#cancelling || this.#state === 'over') return
    this.#cancelling = true
    this.#abort(askedToStop(this.claimed))
  }

  /**
   * The token is dead: the run goes on without us, and its end changes nothing. When a verdict is
   * on its way, its answer says more: it may be what the token died of.
   */
  lose(): void {
    if (this.#state === 'over' || this.#state === 'settling') return
    const commit = this.#commit
    if (commit?.answer != null) return // its own commit is what the token died of
    commit?.giveUp(leaseLost(this.claimed, 'the lease was lost'))
    if (commit?.hasRow) return commit.whenOver(() => this.lose()) // or may be
    const ran = this.#state === 'running'
    if (ran) this.#leave()
    this.#end({ status: 'lost' })
    this.#abort(leaseLost(this.claimed, 'the lease was lost'))
    if (ran) this.#employer.freed(this)
  }

  /** Its worker's stop ran out: the signal aborts, and what is not complete in this turn goes back. */
  cutShort(): void {
    if (this.#state !== 'running' || this.#stopping) return
    this.#stopping = true
    this.#abort(leaseLost(this.claimed, 'its worker stops'))
    this.#shop.clock.soon(() => this.finish({ by: 'stopped' }))
  }

  #abort(reason: MillraceError): void {
    if (this.#aborted !== null) return
    this.#aborted = reason
    this.#controller?.abort(reason)
  }

  #leave(): void {
    this.#state = 'settling'
    this.#shop.deadlines.remove(this)
    this.#shop.ledger.mirror.ended(this.#place)
  }

  #end(answer: Settled): void {
    this.#state = 'over'
    this.#shop.notes.forget(this.token)
    this.#shop.steps.forget(this.token)
    this.#shop.ledger.drop(this)
    this.#employer.settled(this, answer)
  }
}
