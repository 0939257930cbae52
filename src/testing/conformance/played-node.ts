/**
 * A node as the laws play it: it enlists, claims with growing numbers, remembers which claims are
 * open, settles, beats and sweeps, as an engine would, but only when the test says so. It adds no
 * retries and no timers: what the store answers is what the test sees.
 */
import assert from 'node:assert/strict'
import type { ClaimAnswer, ClaimAsk, Claimed, TokenText } from '../../job/claim.js'
import type { Happening, Millis } from '../../job/job.js'
import type { Ran, Settled, Settlement, Verdict } from '../../job/verdict.js'
import type { Beat, BeatAnswer, Checked, NodeCard, Store, Swept, WorkerCard } from '../../store.js'
import { QUEUE, ranFor, settlement } from './build.js'

/** What an engine asks for by default. */
export const LEASE: Millis = 30_000
export const BEAT: Millis = 5_000
/** More rounds of sweep than any law here needs; beyond it a store sweeps in circles. */
const MOST_ROUNDS = 1_000

export type ClaimWords = Partial<Omit<ClaimAsk, 'claim'>>
export type SweptTotal = Omit<Swept, 'more'>

export interface Heard {
  readonly settled: readonly Settled[]
  readonly happened: readonly Happening[]
}

export class PlayedNode {
  readonly store: Store
  readonly card: NodeCard
  #calls = 0
  /** The tokens that are unsettled, by the number of the call that gave them. */
  readonly #open = new Map<number, Set<TokenText>>()

  private constructor(store: Store, card: NodeCard) {
    this.store = store
    this.card = card
  }

  /** Makes itself known, as every node must before its first claim. */
  static async enlist(store: Store, card: NodeCard): Promise<PlayedNode> {
    await store.enlist(card)
    return new PlayedNode(store, card)
  }

  get id(): string {
    return this.card.node
  }

  get worker(): string {
    return this.card.workers[0].worker
  }

  /** The number of the last claim that was asked. */
  get claims(): number {
    return this.#calls
  }

  /** The claims that still hold something. */
  get open(): number[] {
    return [...this.#open.keys()]
  }

  /** What `claim` would send. Counts as a call. */
  ask(words: ClaimWords = {}): ClaimAsk {
    this.#calls++
    return {
      queue: QUEUE,
      worker: this.worker,
      claim: this.#calls,
      tasks: null,
      limit: 100,
      alone: false,
      ...words,
    }
  }

  async claim(words: ClaimWords = {}): Promise<ClaimAnswer> {
    const ask = this.ask(words)
    const { claimed } = await this.store.exchange({ node: this.id, settle: [], claim: [ask] })
    assert.equal(claimed.length, 1, 'one answer for one claim')
    const answer = claimed[0]
    assert.ok(answer.jobs.length <= ask.limit, 'a claim gives at most its limit')
    this.#remember(ask.claim, answer.jobs)
    return answer
  }

  /** The one job that the next claim gives. */
  async take(words: ClaimWords = {}): Promise<Claimed> {
    const { jobs } = await this.claim({ limit: 1, ...words })
    assert.equal(jobs.length, 1, 'there is a job to take')
    return jobs[0]
  }

  /** A claim whose answer never arrives: the store did it, this node knows nothing of it. */
  async claimAndLose(words: ClaimWords = {}): Promise<readonly Claimed[]> {
    const ask = this.ask(words)
    const { claimed } = await this.store.exchange({ node: this.id, settle: [], claim: [ask] })
    return claimed[0].jobs
  }

  async settle(held: Claimed, verdict: Verdict, ran: Ran | null = ranFor(verdict)) {
    const [settled] = await this.settleAll([settlement(held, verdict, ran)])
    return settled
  }

  async settleAll(settle: readonly Settlement[]): Promise<readonly Settled[]> {
    return (await this.settleAndHear(settle)).settled
  }

  /** And what the verdicts brought about beside. */
  async settleAndHear(settle: readonly Settlement[]): Promise<Heard> {
    const ask = { node: this.id, settle, claim: [] }
    const { settled, happened = [] } = await this.store.exchange(ask)
    assert.equal(settled.length, settle.length, 'as many answers as verdicts')
    for (const { token } of settle) this.#forget(token)
    return { settled, happened }
  }

  /** Claims until nothing more comes and completes it all; answers the ids in the order given. */
  async drain(words: ClaimWords = {}): Promise<string[]> {
    const order: string[] = []
    for (;;) {
      const { jobs } = await this.claim({ limit: 500, ...words })
      if (jobs.length === 0) return order
      for (const job of jobs) order.push(job.id)
      await this.settleAll(jobs.map((job) => settlement(job, { kind: 'complete', result: null })))
    }
  }

  beat(words: Partial<Beat> = {}): Promise<BeatAnswer> {
    const usual = { node: this.id, upTo: this.#calls, open: this.open, overdue: [] }
    return this.store.beat({ ...usual, ...words })
  }

  async check(held: readonly Claimed[]): Promise<Omit<Checked, 'rules'>> {
    const asked = held.map(({ queue, id, token }) => ({ queue, id, token }))
    const { gone, lost, cancelling } = await this.store.check({ node: this.id, held: asked })
    return { gone, lost, cancelling }
  }

  /** What it is told of what holds of queues. */
  async rules(): Promise<string> {
    return (await this.store.check({ node: this.id, held: [] })).rules
  }

  sweep(limit = 1_000): Promise<Swept> {
    return this.store.sweep({ node: this.id, limit })
  }

  /** Sweeps until there is nothing more to do now. */
  async sweepAll(limit = 1_000): Promise<SweptTotal> {
    const rounds: Swept[] = []
    do {
      assert.ok(rounds.length < MOST_ROUNDS, 'sweeping comes to an end')
      rounds.push(await this.sweep(limit))
    } while (rounds[rounds.length - 1].more)
    const sum = (of: (swept: Swept) => number) =>
      rounds.reduce((total, swept) => total + of(swept), 0)
    return {
      freed: sum((swept) => swept.freed),
      expired: sum((swept) => swept.expired),
      discarded: sum((swept) => swept.discarded),
      pruned: sum((swept) => swept.pruned),
      happened: rounds.flatMap((swept) => swept.happened),
      lostNodes: rounds.flatMap((swept) => swept.lostNodes),
    }
  }

  leave(): Promise<void> {
    this.#open.clear()
    return this.store.leave(this.id)
  }

  #remember(claim: number, jobs: readonly Claimed[]): void {
    if (jobs.length > 0) this.#open.set(claim, new Set(jobs.map((job) => job.token)))
  }

  #forget(token: TokenText): void {
    for (const [claim, tokens] of this.#open) {
      if (tokens.delete(token) && tokens.size === 0) this.#open.delete(claim)
    }
  }
}

/** The card of a node with one worker, in this very process. */
export function cardOf(node: string, words: Partial<NodeCard> = {}): NodeCard {
  return {
    node,
    host: 'conformance',
    pid: process.pid,
    lease: LEASE,
    workers: [workerOf(`${node}/w`)],
    ...words,
  }
}

export function workerOf(worker: string, words: Partial<WorkerCard> = {}): WorkerCard {
  return { worker, queue: QUEUE, tasks: null, concurrency: 10, state: 'working', ...words }
}
