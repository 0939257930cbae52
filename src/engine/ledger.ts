/**
 * What this node holds: its claim calls and the jobs that they brought. The heart beats from it,
 * so that a store can tell a claim whose answer was lost from one that is still being worked on.
 * Promises: a claim is in `open` before `upTo` reaches it, and stays there until the last of its
 * jobs has its settlement answered. Tokens, verdicts and time are left to others.
 */
import type { TokenText } from '../job/claim.js'
import type { JobRef } from '../job/job.js'

/** One claim call that brought jobs; `held` counts those that are not settled yet. */
export interface OpenClaim {
  readonly claim: number
  held: number
}

/** A job in this node's hands, as the heart sees it. */
export interface Holding extends JobRef {
  readonly token: TokenText
  readonly group: string
  readonly claim: OpenClaim
  /** The store says that this token is dead. */
  lose(): void
  /** An operator asked the job to stop. */
  askCancel(): void
}

/** Where the ledger is mirrored for a heart that beats from another thread. */
export interface Mirror {
  opened(claim: number): void
  closed(claim: number): void
  upTo(claim: number): void
  /** Answers the place of this run, to be given back by `ended`. */
  started(token: TokenText, deadline: number): number
  ended(place: number): void
}

export const NO_MIRROR: Mirror = {
  opened: () => undefined,
  closed: () => undefined,
  upTo: () => undefined,
  started: () => -1,
  ended: () => undefined,
}

export class Ledger {
  readonly held = new Map<TokenText, Holding>()
  readonly #open = new Map<number, OpenClaim>()
  /** Calls that are on their way, in the order of their numbers. */
  readonly #asked = new Set<number>()
  readonly #onFewer: (() => void)[] = []
  #last = 0
  #mirror: Mirror = NO_MIRROR

  /** The last claim whose answer nobody will hear, until a beat told the store so; 0: none. */
  #owed = 0

  /** Called when there is something to beat for, after there was nothing; what is held, since then. */
  onBusy: (since: number | null) => void = () => undefined

  get mirror(): Mirror {
    return this.#mirror
  }

  /** From now on changes go there as well; it first hears of all that is. */
  set mirror(mirror: Mirror) {
    this.#mirror = mirror
    for (const claim of this.#open.keys()) mirror.opened(claim)
    mirror.upTo(this.upTo)
  }

  /** Nothing is held and nothing is asked for. */
  get idle(): boolean {
    return this.#open.size === 0 && this.#asked.size === 0
  }

  /** There is nothing to beat for. */
  get restful(): boolean {
    return this.#open.size === 0 && this.#owed === 0
  }

  get claiming(): number {
    return this.#asked.size
  }

  /** All claim calls up to this one were answered or given up. */
  get upTo(): number {
    for (const first of this.#asked) return first - 1
    return this.#last
  }

  get open(): readonly number[] {
    return [...this.#open.keys()]
  }

  /** The number of a claim call that leaves now. */
  ask(): number {
    this.#last++
    this.#asked.add(this.#last)
    return this.#last
  }

  /** `since`: when it was asked, by `mono`. */
  answered(claim: number, jobs: number, since: number): OpenClaim {
    const open = { claim, held: jobs }
    const before = this.restful
    if (jobs > 0) {
      this.#open.set(claim, open)
      this.#mirror.opened(claim)
    }
    this.#past(claim)
    if (before && jobs > 0) this.onBusy(since)
    return open
  }

  /** No answer will be listened to any more; what it may have brought goes back by the next beat. */
  gaveUp(claim: number): void {
    const before = this.restful
    this.#past(claim)
    this.#owed = Math.max(this.#owed, claim)
    if (before) this.onBusy(null)
  }

  /** A beat with this `upTo` reached the store. */
  beaten(upTo: number): void {
    if (upTo >= this.#owed) this.#owed = 0
  }

  hold(holding: Holding): void {
    this.held.set(holding.token, holding)
  }

  drop(holding: Holding): void {
    if (!this.held.delete(holding.token)) return
    const open = holding.claim
    open.held--
    if (open.held === 0 && this.#open.delete(open.claim)) this.#mirror.closed(open.claim)
    for (const tell of this.#onFewer) tell()
  }

  /** The node lost all it had; claim numbers go on, so that none is ever used twice. */
  clear(): readonly Holding[] {
    const lost = [...this.held.values()]
    this.held.clear()
    for (const claim of this.#open.keys()) this.#mirror.closed(claim)
    this.#open.clear()
    for (const tell of this.#onFewer) tell()
    return lost
  }

  /** Called when a job is no longer held, and when the last claim under way brought nothing. */
  onFewer(tell: () => void): void {
    this.#onFewer.push(tell)
  }

  #past(claim: number): void {
    this.#asked.delete(claim)
    this.#mirror.upTo(this.upTo)
    if (this.idle) for (const tell of this.#onFewer) tell()
  }
}
