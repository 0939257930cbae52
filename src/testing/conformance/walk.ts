/**
 * A random walk: a long sequence of everything that nodes, producers and operators may do, thrown
 * by seeded dice, on three handles at once. After every step the whole store is looked at and must
 * agree with the ledger of its own answers. The walk writes down what it did and what it heard, in
 * words that two stores share, so that `compare.ts` can lay two walks side by side. A failure names
 * its seed and step, and the same seed walks the same way again.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { JobRecord, JobRef } from '../../job/job.js'
import type { Inserted } from '../../job/lot.js'
import type { Selector } from '../../job/selector.js'
import type { Settled, Settlement, Verdict } from '../../job/verdict.js'
import type { Store, Swept } from '../../store.js'
import { settlement, upTo } from './build.js'
import { Dice, throwCommand, throwJob, throwVerdict } from './dice.js'
import { Ledger } from './ledger.js'
import type { OpenMedium } from './medium.js'
import type { PlayedNode } from './played-node.js'
import { Rig } from './rig.js'

export const WALKED_QUEUES = ['a', 'b', 'dead'] as const
const HANDLES = 3
/** Beyond so many jobs the walk deletes, so that each look stays quick. */
const CROWDED = 120
const FOR_EVER = { count: Infinity, for: Infinity }
const KEEP_ALL = { completed: FOR_EVER, cancelled: FOR_EVER, discarded: FOR_EVER }

export interface WalkAsk {
  readonly open: OpenMedium
  readonly seed: number
  readonly steps: number
}

/** Walks, and answers what was done and heard, a line for each. */
export async function walk({ open, seed, steps }: WalkAsk): Promise<readonly string[]> {
  const walked = async (rig: Rig) => {
    const walker = await Walker.start(rig, seed)
    for (const step of upTo(steps)) {
      try {
        await walker.step()
      } catch (cause) {
        const told = walker.lines.slice(-12).join('\n')
        const what = cause instanceof Error ? cause.message : String(cause)
        throw new Error(`seed ${seed}, step ${step}: ${what}\n${told}`, { cause })
      }
    }
    await walker.finish()
    return walker.lines
  }
  return Rig.within(open, walked, seed)
}

/** One node of the walk, and what it knows that it holds. */
interface Hand {
  node: PlayedNode
  readonly store: Store
  held: Claimed[]
  /** When it last claimed or beat. */
  sign: number
}

class Walker {
  readonly lines: string[] = []
  readonly #rig: Rig
  readonly #dice: Dice
  readonly #ledger = new Ledger()
  readonly #hands: Hand[] = []
  /** Nodes that died with jobs in hand: their last sign of life. */
  readonly #fallen = new Map<string, number>()
  readonly #names = new Map<string, string>()
  readonly #own: string[] = []
  #spent: Settlement[] = []
  #letters = 0

  private constructor(rig: Rig, seed: number) {
    this.#rig = rig
    this.#dice = new Dice(seed)
  }

  static async start(rig: Rig, seed: number): Promise<Walker> {
    const walker = new Walker(rig, seed)
    const settings = { keep: KEEP_ALL, receipts: Infinity, backoff: { type: 'none' } } as const
    await rig.declare({ ...settings, deadLetter: 'dead', attempts: 3 }, 'a')
    await rig.declare({ ...settings, attempts: 2 }, 'b')
    await rig.declare({ ...settings, attempts: 2 }, 'dead')
    for (const index of upTo(HANDLES)) {
      const store = index === 0 ? rig.store : await rig.connect()
      const node = await rig.node(store)
      walker.#hands.push({ node, store, held: [], sign: rig.clock.mono() })
    }
    return walker
  }

  async step(): Promise<void> {
    const hand = this.#dice.pick(this.#hands)
    await this.#dice.choose<() => Promise<void>>([
      [20, () => this.#insert(hand)],
      [24, () => this.#claim(hand)],
      [3, () => this.#loseClaim(hand)],
      [28, () => this.#settle(hand)],
      [4, () => this.#settleDead(hand)],
      [8, () => this.#beat(hand)],
      [10, () => this.#sweep(hand)],
      [12, () => this.#advance()],
      [6, () => this.#command()],
      [3, () => this.#note(hand)],
      [1, () => this.#die(hand)],
      [1, () => this.#leave(hand)],
    ])()
    await this.#look()
    if (this.#ledger.size > CROWDED) await this.#clear()
  }

  /** Everybody leaves, what is left is worked off, and every job has come to an end. */
  async finish(): Promise<void> {
    for (const hand of this.#hands) await this.#leave(hand)
    await this.#rig.clock.advance(3_600_000)
    const [hand] = this.#hands
    while ((await this.#sweepOnce(hand, 500)).more);
    for (const queue of WALKED_QUEUES) {
      for (let jobs: readonly Claimed[] = [{} as Claimed]; jobs.length > 0;) {
        // as: only its being there counts
        jobs = await this.#claimOf(hand, { queue, limit: 50, alone: true })
        await this.#settleOf(
          hand,
          jobs.map((job) => settlement(job, { kind: 'complete', result: null })),
        )
      }
    }
    const live = (await this.#look()).filter((job) => job.finishedAt === null)
    assert.deepEqual(live, [], 'in the end every job has ended')
  }

  // ── What may happen ───────────────────────────────────────────────────────────────────────────

  async #insert({ store }: Hand): Promise<void> {
    const jobs = upTo(1 + this.#dice.below(4)).map(() => {
      const own = this.#dice.maybe(0.2)
      const again = own && this.#own.length > 0 && this.#dice.maybe(0.5)
      const id = again ? this.#dice.pick(this.#own) : this.#rig.newId()
      if (own && !again) this.#own.push(id)
      return throwJob(this.#dice, this.#rig.clock.wall(), { id, ownId: own })
    })
    const answers = await this.#rig.insert(jobs, store)
    const refused = answers.some((one) => one.status === 'refused' || one.status === 'withdrawn')
    const taken = answers.filter((one) => one.status === 'inserted' || one.status === 'replaced')
    if (refused) assert.deepEqual(taken, [], 'a lot is all or none')
    jobs.forEach((job, index) => {
      if (answers[index].status === 'inserted') this.#ledger.inserted(job)
      else this.#answered(job, answers[index])
    })
    this.#tell(
      'insert',
      jobs.map((job) => job.id),
      answers,
    )
  }

  async #claim(hand: Hand): Promise<void> {
    const tasks = this.#dice.maybe(0.3) ? [this.#dice.pick(['t', 'u'])] : null
    const alone = hand.held.length === 0 && this.#dice.maybe(0.5)
    const queue = this.#dice.pick(WALKED_QUEUES)
    await this.#claimOf(hand, { queue, limit: this.#dice.below(6), tasks, alone })
  }

  async #loseClaim(hand: Hand): Promise<void> {
    const jobs = await hand.node.claimAndLose({ queue: this.#dice.pick(WALKED_QUEUES), limit: 2 })
    hand.sign = this.#rig.clock.mono()
    this.#ledger.claimed(hand.node.id, hand.node.claims, jobs)
    this.#tell('lose claim', this.#told(jobs))
  }

  async #settle(hand: Hand): Promise<void> {
    const count = Math.min(hand.held.length, 1 + this.#dice.below(3))
    const some = upTo(count).map((index) => hand.held[index])
    await this.#settleOf(
      hand,
      some.map((job) => settlement(job, this.#verdict())),
    )
  }

  /** Verdicts by tokens that died: nothing may come of them. */
  async #settleDead(hand: Hand): Promise<void> {
    if (this.#spent.length === 0) return
    const old = this.#dice.pick(this.#spent)
    const other: Verdict =
      old.verdict.kind === 'snooze' ? { kind: 'release' } : { kind: 'snooze', delay: 12_345 }
    const [answer] = await hand.node.settleAll([{ ...old, verdict: other, ran: null }])
    assert.equal(answer.status, 'lost', 'a dead token changes nothing')
    this.#tell('settle dead', old.id, answer)
  }

  async #beat(hand: Hand): Promise<void> {
    const answer = await hand.node.beat()
    this.#tell('beat', hand.node.id, answer)
    if (answer.gone) return this.#replace(hand)
    hand.sign = this.#rig.clock.mono()
    this.#ledger.beaten(hand.node.id, hand.node.claims, hand.node.open)
  }

  async #sweep(hand: Hand): Promise<void> {
    await this.#sweepOnce(hand, 1 + this.#dice.below(10))
  }

  async #advance(): Promise<void> {
    const span = this.#dice.pick([0, 1, 40, 900, 3_000, 9_000, 31_000])
    await this.#rig.clock.advance(span)
    this.#tell('advance', span)
  }

  async #command(): Promise<void> {
    const queue = this.#dice.pick(WALKED_QUEUES)
    const { kind, which } = throwCommand(this.#dice, await this.#rig.list(queue))
    await this.#control(kind, queue, which)
  }

  async #note(hand: Hand): Promise<void> {
    if (hand.held.length === 0) return
    const { queue, id, token } = this.#dice.pick(hand.held)
    const progress = this.#dice.below(100) / 100
    const answer = await hand.store.note([{ queue, id, token, progress, log: [`at ${progress}`] }])
    this.#tell('note', this.#name({ queue, id }), progress, answer)
  }

  /** The process is killed: nobody speaks for this node any more. */
  async #die(hand: Hand): Promise<void> {
    this.#tell('die', hand.node.id)
    await this.#replace(hand)
  }

  async #leave(hand: Hand): Promise<void> {
    await hand.node.leave()
    this.#ledger.left(hand.node.id)
    this.#tell('leave', hand.node.id)
    await this.#replace(hand)
  }

  // ── How it is done and written down ───────────────────────────────────────────────────────────

  async #claimOf(hand: Hand, ask: Parameters<PlayedNode['claim']>[0]): Promise<readonly Claimed[]> {
    const { jobs, nextIn } = await hand.node.claim(ask)
    hand.sign = this.#rig.clock.mono()
    this.#ledger.claimed(hand.node.id, hand.node.claims, jobs)
    hand.held.push(...jobs)
    this.#tell('claim', ask, this.#told(jobs), nextIn)
    return jobs
  }

  async #settleOf(hand: Hand, settle: readonly Settlement[]): Promise<void> {
    const answers = await hand.node.settleAll(settle)
    settle.forEach((one, index) => this.#ledger.settled(one, answers[index]))
    hand.held = hand.held.filter((job) => !settle.some((one) => one.token === job.token))
    this.#spent = [...this.#spent, ...settle].slice(-20)
    const verdicts = settle.map((one) => [this.#name(one), one.verdict.kind])
    this.#tell(
      'settle',
      verdicts,
      answers.map((answer) => this.#toldSettled(answer)),
    )
  }

  async #sweepOnce(hand: Hand, limit: number): Promise<Swept> {
    const swept = await hand.node.sweep(limit)
    const now = this.#rig.clock.mono()
    const { id, card } = hand.node
    this.#ledger.swept(swept, (node) => node !== id && now - this.#signOf(node) >= card.lease)
    for (const lost of swept.lostNodes) {
      const other = this.#hands.find((one) => one.node.id === lost.node)
      if (other !== undefined) await this.#replace(other)
    }
    const happened = swept.happened.map((one) => [
      this.#name(one),
      one.kind,
      one.state,
      one.attempt,
    ])
    const { freed, expired, discarded, pruned } = swept
    this.#tell('sweep', limit, { freed, expired, discarded, pruned }, happened.sort())
    return swept
  }

  async #control(
    kind: 'cancel' | 'retry' | 'delete',
    queue: string,
    which: Selector,
  ): Promise<void> {
    const chosen = await this.#rig.list(queue, which)
    const [least, most] = this.#ledger.controlled(kind, chosen)
    const command =
      kind === 'cancel' ? { kind, queue, which, reason: 'asked' } : { kind, queue, which }
    const { changed } = await this.#rig.control(command)
    assert.ok(changed >= least && changed <= most, `${kind}: ${changed} of ${least} to ${most}`)
    this.#tell(
      kind,
      queue,
      chosen.map((job) => this.#name(job)),
    )
  }

  async #clear(): Promise<void> {
    for (const queue of WALKED_QUEUES) {
      await this.#control('delete', queue, { states: ['completed', 'cancelled', 'discarded'] })
    }
    await this.#look()
  }

  /** Looks at everything; the ledger must agree. */
  async #look(): Promise<readonly JobRecord[]> {
    const jobs: JobRecord[] = []
    for (const queue of WALKED_QUEUES) jobs.push(...(await this.#rig.list(queue)))
    this.#ledger.audit(jobs)
    const now = this.#rig.clock.wall()
    const lines = jobs.map((job) => {
      const { state, attempt, priority, group, progress, reason } = job
      const told = [state, attempt, priority, group, job.dueAt - now, progress, reason]
      return [this.#name(job), ...told, job.history.length, job.payload.text].join(' ')
    })
    this.#tell('look', lines)
    return jobs
  }

  async #replace(hand: Hand): Promise<void> {
    this.#fallen.set(hand.node.id, hand.sign)
    hand.held = []
    hand.node = await this.#rig.node(hand.store)
    hand.sign = this.#rig.clock.mono()
  }

  #signOf(node: string): number {
    const hand = this.#hands.find((one) => one.node.id === node)
    return hand?.sign ?? this.#fallen.get(node) ?? -Infinity
  }

  #verdict(): Verdict {
    this.#letters++
    return throwVerdict(this.#dice, `letter-${this.#letters}`)
  }

  #answered(job: JobRef, answer: Inserted): void {
    if (answer.status !== 'duplicate' && answer.status !== 'replaced') return
    const holder = { queue: job.queue, id: answer.id }
    const isThere = this.#ledger.known(holder)
    if (answer.status === 'replaced') assert.ok(isThere, `${answer.id} was there to be replaced`)
  }

  #told(jobs: readonly Claimed[]): unknown[] {
    return jobs.map((job) => [this.#name(job), job.attempt, job.round, job.crashes, job.waited])
  }

  #toldSettled(answer: Settled): unknown {
    if (answer.status === 'lost') return 'lost'
    return [answer.state, answer.deadLetter === null ? null : this.#name(answer.deadLetter)]
  }

  /** An id that the store made gets a name by when it was first seen. */
  #name({ queue, id }: JobRef): string {
    if (id.startsWith('job-') || id.startsWith('01000') || id.startsWith('letter-'))
      return `${queue}/${id}`
    const known = this.#names.get(id) ?? `made-${this.#names.size + 1}`
    this.#names.set(id, known)
    return `${queue}/${known}`
  }

  #tell(what: string, ...words: readonly unknown[]): void {
    this.lines.push(`${what} ${words.map((word) => JSON.stringify(word)).join(' ')}`)
  }
}
