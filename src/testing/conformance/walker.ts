/**
 * Who walks: three nodes on three handles, a producer, a scheduler and an operator, all moved by the
 * same dice.
 * After every step the whole store is looked at and must agree with the ledger of its own answers;
 * what was done and heard goes into the tale.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { JobRecord, Millis } from '../../job/job.js'
import type { Selector } from '../../job/selector.js'
import type { Settlement, Verdict } from '../../job/verdict.js'
import type { Store, Swept } from '../../store.js'
import { COMPLETE, json, refOf, settlement, upTo } from './build.js'
import { Dice, throwCommand, throwVerdict } from './dice.js'
import { Ledger } from './ledger.js'
import type { ClaimWords, PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'
import { Tale } from './tale.js'
import { WalkingProducer } from './walking-producer.js'
import { WalkingScheduler } from './walking-scheduler.js'

const QUEUES = ['a', 'b', 'dead'] as const
const HANDLES = 3
/** Beyond so many jobs the walk deletes, so that each look stays quick. */
const CROWDED = 120
/** How many dead tokens are tried again. */
const SPENT = 20
const FOR_EVER = { count: Infinity, for: Infinity }
const KEEP_ALL = { completed: FOR_EVER, cancelled: FOR_EVER, discarded: FOR_EVER }

/** One node of the walk, and what it knows that it holds. */
interface Hand {
  node: PlayedNode
  readonly store: Store
  held: Claimed[]
  /** When it last beat, or was given something. */
  sign: number
}

export class Walker {
  readonly tale = new Tale()
  readonly #rig: Rig
  readonly #dice: Dice
  readonly #ledger = new Ledger()
  readonly #producer: WalkingProducer
  readonly #scheduler: WalkingScheduler
  readonly #hands: Hand[] = []
  /** Nodes that nobody plays any more: their last sign of life. */
  readonly #fallen = new Map<string, number>()
  #spent: Settlement[] = []
  #letters = 0

  private constructor(rig: Rig, seed: number, groups: readonly string[]) {
    this.#rig = rig
    this.#dice = new Dice(seed)
    this.#producer = new WalkingProducer(rig, this.#dice, groups, this.tale)
    this.#scheduler = new WalkingScheduler(this.#dice, groups, this.#ledger, this.tale)
  }

  static async start(rig: Rig, seed: number, groups: readonly string[]): Promise<Walker> {
    const walker = new Walker(rig, seed, groups)
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
      [24, () => this.#claimSome(hand)],
      [3, () => this.#loseClaim(hand)],
      [28, () => this.#settleSome(hand)],
      [4, () => this.#settleDead(hand)],
      [8, () => this.#beat(hand)],
      [10, () => this.#sweep(hand, 1 + this.#dice.below(10)).then(() => undefined)],
      [12, () => this.#advance()],
      [6, () => this.#command()],
      [3, () => this.#update()],
      [3, () => this.#note(hand)],
      [3, () => this.#scheduler.change(hand.store, this.#rig.clock.wall())],
      [4, () => this.#scheduler.fire(hand.store)],
      [1, () => this.#die(hand)],
      [1, () => this.#leave(hand)],
    ])()
    await this.#look()
    if (this.#ledger.size > CROWDED) await this.#clear()
  }

  /** Everybody leaves, and nothing runs any more. */
  async rest(): Promise<void> {
    await this.#retire(60_000)
  }

  /** Everybody leaves, what is left is worked off, and every job has come to an end. */
  async finish(): Promise<void> {
    const hand = await this.#retire(3_600_000)
    for (;;) {
      let went = 0
      for (const queue of QUEUES) went += await this.#workOff(hand, queue)
      const left = (await this.#look()).filter((job) => job.finishedAt === null)
      if (left.length === 0) return
      // Nobody but an operator says how those go on that wait for somebody who failed.
      for (const queue of QUEUES) {
        went += await this.#control('retry', queue, { states: ['waiting'] })
      }
      assert.ok(went > 0, `what is left can go on: ${left.map(({ id }) => id).join()}`)
    }
  }

  async #retire(span: Millis): Promise<Hand> {
    for (const hand of this.#hands) await this.#leave(hand)
    await this.#rig.clock.advance(span)
    await this.#look()
    const [hand] = this.#hands
    while ((await this.#sweep(hand, 500)).more) await this.#look()
    await this.#look()
    return hand
  }

  /** Answers how many it was. */
  async #workOff(hand: Hand, queue: string): Promise<number> {
    for (let sum = 0; ;) {
      const jobs = await this.#claim(hand, { queue, limit: 50, alone: true })
      if (jobs.length === 0) return sum
      sum += jobs.length
      const done = jobs.map((job) => settlement(job, COMPLETE))
      await this.#settle(hand, done)
    }
  }

  // ── What may happen ───────────────────────────────────────────────────────────────────────────

  async #insert({ store }: Hand): Promise<void> {
    const jobs = this.#producer.lot(this.#rig.clock.wall())
    const answers = await this.#rig.insert(jobs, store)
    const lot = jobs.map(({ id, after }) => [id, ...after.map((ref) => this.tale.name(ref))])
    this.tale.tell('insert', lot, this.tale.inserted(answers))
    this.#ledger.answered(jobs, answers)
  }

  async #claimSome(hand: Hand): Promise<void> {
    const tasks = this.#dice.maybe(0.3) ? [this.#dice.pick(['t', 'u'])] : null
    const alone = hand.held.length === 0 && this.#dice.maybe(0.5)
    const queue = this.#dice.pick(QUEUES)
    await this.#claim(hand, { queue, limit: this.#dice.below(6), tasks, alone })
  }

  async #loseClaim(hand: Hand): Promise<void> {
    const jobs = await hand.node.claimAndLose({ queue: this.#dice.pick(QUEUES), limit: 2 })
    this.#given(hand, jobs)
    this.tale.tell('lose', this.tale.claimed(jobs))
  }

  async #settleSome(hand: Hand): Promise<void> {
    const some = hand.held.slice(0, 1 + this.#dice.below(3))
    await this.#settle(
      hand,
      some.map((job) => settlement(job, this.#verdict())),
    )
  }

  /** Another verdict by a token that died: nothing may come of it. */
  async #settleDead(hand: Hand): Promise<void> {
    if (this.#spent.length === 0) return
    const old = this.#dice.pick(this.#spent)
    const other: Verdict =
      old.verdict.kind === 'snooze' ? { kind: 'release' } : { kind: 'snooze', delay: 12_345 }
    const [answer] = await hand.node.settleAll([{ ...old, verdict: other, ran: null }])
    assert.equal(answer.status, 'lost', 'a dead token changes nothing')
    this.tale.tell('spent', this.tale.name(old), answer)
  }

  /** Now and then with a run that is overdue. */
  async #beat(hand: Hand): Promise<void> {
    const late = this.#dice.maybe(0.2) ? hand.held.slice(0, 1) : []
    const overdue = late.map((job) => job.token)
    const answer = await hand.node.beat({ overdue })
    this.tale.tell('beat', hand.node.id, this.tale.claimed(late), answer)
    if (answer.gone) return this.#replace(hand)
    hand.sign = this.#rig.clock.mono()
    this.#ledger.beaten({
      node: hand.node.id,
      upTo: hand.node.claims,
      open: hand.node.open,
      overdue,
    })
  }

  async #sweep(hand: Hand, limit: number): Promise<Swept> {
    const swept = await hand.node.sweep(limit)
    const now = this.#rig.clock.mono()
    const { id, card } = hand.node
    this.#ledger.swept(swept, (node) => node !== id && now - this.#signOf(node) >= card.lease)
    for (const lost of swept.lostNodes) {
      const other = this.#hands.find((one) => one.node.id === lost.node)
      if (other !== undefined) await this.#replace(other)
    }
    const { freed, expired, discarded, pruned, happened } = swept
    const sums = { freed, expired, discarded, pruned }
    this.tale.tell('sweep', limit, sums, this.tale.happened(happened))
    return swept
  }

  async #advance(): Promise<void> {
    const span = this.#dice.pick([0, 1, 40, 900, 3_000, 9_000, 31_000])
    await this.#rig.clock.advance(span)
    this.tale.tell('advance', span)
  }

  async #command(): Promise<void> {
    const queue = this.#dice.pick(QUEUES)
    const { kind, which } = throwCommand(this.#dice, await this.#rig.list(queue))
    await this.#control(kind, queue, which)
  }

  async #update(): Promise<void> {
    const queue = this.#dice.pick(QUEUES)
    const jobs = await this.#rig.list(queue)
    if (jobs.length === 0) return
    const job = this.#dice.pick(jobs)
    const change = this.#dice.pick([
      { priority: this.#dice.below(20) - 10 },
      { payload: json(`changed ${this.#dice.below(1_000)}`) },
      { delay: this.#dice.below(5_000) },
    ])
    const { changed } = await this.#rig.control({ kind: 'update', queue, id: job.id, change })
    const isWaiting = job.worker === null && job.finishedAt === null
    assert.equal(changed, isWaiting ? 1 : 0, 'update changes what waits, and nothing else')
    this.tale.tell('update', this.tale.name(job), change, changed)
  }

  async #note(hand: Hand): Promise<void> {
    if (hand.held.length === 0) return
    const { queue, id, token } = this.#dice.pick(hand.held)
    const progress = this.#dice.below(100) / 100
    const answer = await hand.store.note([{ queue, id, token, progress, log: [`at ${progress}`] }])
    this.tale.tell('note', this.tale.name({ queue, id }), progress, answer)
  }

  /** The process is killed: nobody speaks for this node any more. */
  async #die(hand: Hand): Promise<void> {
    this.tale.tell('die', hand.node.id)
    await this.#replace(hand)
  }

  async #leave(hand: Hand): Promise<void> {
    await hand.node.leave()
    this.#ledger.left(hand.node.id)
    this.tale.tell('leave', hand.node.id)
    await this.#replace(hand)
  }

  // ── How it is done ────────────────────────────────────────────────────────────────────────────

  async #claim(hand: Hand, ask: ClaimWords): Promise<readonly Claimed[]> {
    const { jobs, nextIn } = await hand.node.claim(ask)
    this.#given(hand, jobs)
    hand.held.push(...jobs)
    this.tale.tell('claim', ask, this.tale.claimed(jobs), nextIn)
    return jobs
  }

  #given(hand: Hand, jobs: readonly Claimed[]): void {
    if (jobs.length > 0) hand.sign = this.#rig.clock.mono()
    this.#ledger.claimed(hand.node.id, hand.node.claims, jobs)
  }

  async #settle(hand: Hand, settle: readonly Settlement[]): Promise<void> {
    const { settled: answers, happened } = await hand.node.settleAndHear(settle)
    this.#ledger.settled(settle, answers, happened)
    hand.held = hand.held.filter((job) => !settle.some((one) => one.token === job.token))
    this.#spent = [...this.#spent, ...settle].slice(-SPENT)
    const verdicts = settle.map((one) => [this.tale.name(one), one.verdict.kind])
    this.tale.tell(
      'settle',
      verdicts,
      answers.map((answer) => this.tale.settled(answer)),
      this.tale.happened(happened),
    )
  }

  async #control(
    kind: 'cancel' | 'retry' | 'delete',
    queue: string,
    which: Selector,
  ): Promise<number> {
    const chosen = await this.#rig.list(queue, which)
    const cancel = { kind: 'cancel', queue, which, reason: 'asked' } as const
    const command = kind === 'cancel' ? cancel : { kind, queue, which }
    const { changed, happened } = await this.#rig.control(command)
    const found = await this.#rig.store.get(chosen.map(refOf))
    const expected = this.#ledger.controlled(kind, chosen, found, happened)
    assert.equal(changed, expected, `${kind} of ${queue} changes as many as it may`)
    this.tale.tell(
      kind,
      queue,
      chosen.map((job) => this.tale.name(job)),
      changed,
      this.tale.happened(happened),
    )
    return changed
  }

  async #clear(): Promise<void> {
    const which: Selector = { states: ['completed', 'cancelled', 'discarded'] }
    for (const queue of QUEUES) await this.#control('delete', queue, which)
    await this.#look()
  }

  /** Looks at everything; the ledger must agree. */
  async #look(): Promise<readonly JobRecord[]> {
    const jobs: JobRecord[] = []
    for (const queue of QUEUES) jobs.push(...(await this.#rig.list(queue)))
    this.#ledger.audit(jobs)
    this.#producer.saw(jobs)
    await this.#lookAtParents()
    const now = this.#rig.clock.wall()
    this.tale.tell(
      'look',
      jobs.map((job) => this.tale.record(job, now)),
    )
    return jobs
  }

  /** What one child is told of those that it comes after. */
  async #lookAtParents(): Promise<void> {
    const children = this.#ledger.children()
    if (children.length === 0) return
    const child = this.#dice.pick(children)
    const rows = await this.#rig.store.parents(child)
    this.#ledger.auditParents(child, rows)
    const told = rows?.map((row) => [this.tale.name(row), row.state, row.result?.text])
    this.tale.tell('parents', this.tale.name(child), told)
  }

  /** The next node plays this hand. */
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
    return throwVerdict(this.#dice, this.tale.own(`letter-${this.#letters}`))
  }
}
