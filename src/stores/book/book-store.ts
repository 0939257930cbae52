/**
 * A store made of a book: what memory, file and maildir have in common. The verbs of the seam
 * become frames, frames are committed to a medium, and what the book answers is answered. What a
 * medium is (nothing, a log, a folder of letters), when something is durable and who is alive, is
 * its own affair, behind the port `Medium`.
 */
import { closedStore } from '../../job/closed-store.js'
import { NEVER_SAID } from '../../job/effective.js'
import type { Explained, GroupRow, QueueExplained } from '../../job/gate.js'
import type { Found, JobRecord, JobRef, ParentRow } from '../../job/job.js'
import type { Inserted, Lot, NewJob } from '../../job/lot.js'
import type { Loaded, Portable } from '../../job/portable.js'
import type { Planned, ScheduleAsk, ScheduleChange, ScheduleRow } from '../../job/schedule.js'
import type { Tick, Ticked } from '../../job/schedule.js'
import type { PageAsk, Paged } from '../../job/selector.js'
import type { SettingsLayer, StoredSettings } from '../../job/settings.js'
import type { Note, Noted } from '../../job/verdict.js'
import type { SettledJobs } from '../../job/book/apply-settle.js'
import type { Answers, Book, FrameOf } from '../../job/book/book.js'
import { CANCEL_ASKED, RECEIPT } from '../../job/book/columns.js'
import { explain, explainQueue } from '../../job/book/explain.js'
import type { ExplainView } from '../../job/book/explain.js'
import type { Frame } from '../../job/book/frame.js'
import { linesOf } from '../../job/book/load-lines.js'
import { NEWS_CONTROL, NEWS_ENDS, NEWS_JOBS, NEWS_SCHEDULES } from '../../job/book/register.js'
import { NOTHING, count, list } from '../../job/book/select.js'
import { find, parents } from '../../job/book/views.js'
import { noTransactions } from '../../job/no-transactions.js'
import type { Beat, BeatAnswer, BeatRecipe, CheckAsk, Checked, Command } from '../../store.js'
import type { Committed } from '../../store.js'
import type { Controlled, CountAsk, ExchangeAsk, Exchanged, Hint, ListAsk } from '../../store.js'
import type { DumpAsk, NodeCard, NodeRow, OpenAsk, OverrideChange } from '../../store.js'
import type { PauseCommand, QueueRow, Store, SweepAsk, Swept, Traits } from '../../store.js'
import type { TransitCommand } from '../../store.js'
import { claim } from './claiming.js'
import { controlStep } from './controlling.js'
import { dump } from './dumping.js'
import { overridden, sameLayer } from './layers.js'
import { Lookout } from './lookout.js'
import type { Medium, News } from './medium.js'
import { groupRows, nodeRows, queueRows } from './rows.js'
import { plan, scheduleRows, tick } from './scheduling.js'
import { oversized } from './sizes.js'
import { sweep } from './sweeping.js'

/** In this process. */
let made = 0

export class BookStore<S extends string> implements Store<S> {
  readonly name: S
  readonly #medium: Medium
  readonly #lookout: Lookout
  readonly #watchers = new Set<(hint: Hint) => void>()
  readonly #number = ++made
  #state: 'new' | 'open' | 'closed' = 'new'
  #opening: Promise<void> | null = null

  constructor(name: S, medium: Medium) {
    this.name = name
    this.#medium = medium
    this.#lookout = new Lookout(medium)
  }

  get traits(): Traits {
    return this.#medium.traits
  }

  async open(ask: OpenAsk): Promise<void> {
    if (this.#state === 'closed') throw closedStore(this.name)
    this.#opening ??= this.#medium.open(ask.scope, (news) => this.#tell(news))
    try {
      await this.#opening
    } catch (error) {
      this.#opening = null
      throw error
    }
    if (this.#state === 'new') this.#state = 'open'
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#watchers.clear()
    if (this.#opening === null) return
    const [opened] = await Promise.allSettled([this.#opening])
    if (opened.status === 'fulfilled') await this.#medium.close()
  }

  async insert(lots: readonly Lot[]): Promise<readonly (readonly Inserted[])[]> {
    this.#check()
    const { ledger } = this.#medium.book
    const tooLarge = lots.map((lot) => oversized(ledger, lot.jobs))
    const items: NewJob[] = []
    const sizes: number[] = []
    lots.forEach((lot, at) => {
      if (tooLarge[at] !== null) return
      for (const job of lot.jobs) items.push(job)
      sizes.push(lot.jobs.length)
    })
    if (items.length === 0) return lots.map((_, at) => tooLarge[at] ?? [])
    const answers = this.#commit({ kind: 'insert', lots: sizes, items })
    await this.#medium.durable()
    if (lots.length === 1) return [answers]
    let from = 0
    return lots.map(({ jobs }, at) => tooLarge[at] ?? answers.slice(from, (from += jobs.length)))
  }

  /** A book has no transactions of others. */
  async commit(): Promise<Committed> {
    this.#check()
    throw noTransactions('commit')
  }

  async exchange(ask: ExchangeAsk): Promise<Exchanged> {
    this.#check()
    const { settled, happened } = this.#settle(ask)
    const claims = claim(this.#medium, ask.node, ask.claim)
    if (ask.claim.length > 0) this.#lookOut(ask.node)
    if (ask.settle.length > 0 || claims.mustLast) await this.#medium.durable()
    const answer = { settled, claimed: claims.answers }
    return happened.length === 0 ? answer : { ...answer, happened }
  }

  #settle(ask: ExchangeAsk): SettledJobs {
    if (ask.settle.length === 0) return { settled: [], happened: [] }
    const items = ask.settle.map(({ queue, id, token, verdict, ran }) => {
      return { queue, id, token: Number(token), verdict, ran }
    })
    return this.#commit({ kind: 'settle', items })
  }

  async note(notes: readonly Note[]): Promise<readonly Noted[]> {
    this.#check()
    if (notes.length === 0) return []
    const items = notes.map((note) => ({ ...note, token: Number(note.token) }))
    const noted = this.#commit({ kind: 'note', items })
    // Progress and log lines are not worth a sync; a step must not be done twice.
    if (notes.some(({ step }) => step !== undefined)) await this.#medium.durable()
    return noted
  }

  async enlist(card: NodeCard): Promise<void> {
    this.#check()
    this.#commit({ kind: 'hello', card: { ...card, proof: this.#medium.proof() } })
  }

  async leave(node: string): Promise<void> {
    this.#check()
    this.#commit({ kind: 'leave', node })
    await this.#medium.durable()
  }

  async beat(beat: Beat): Promise<BeatAnswer> {
    this.#check()
    const { node, upTo, open } = beat
    const overdue = beat.overdue.map(Number)
    return { gone: !this.#commit({ kind: 'beat', node, upTo, open, overdue }) }
  }

  async check(ask: CheckAsk): Promise<Checked> {
    this.#check()
    this.#medium.refresh()
    const { ledger } = this.#medium.book
    this.#lookOut(ask.node)
    const node = ledger.nodes.get(ask.node)
    const lost: string[] = []
    const cancelling: string[] = []
    for (const held of ask.held) {
      const slot = ledger.find(held)
      const isHeld = slot >= 0 && ledger.holds.get(slot)?.token === Number(held.token)
      if (!isHeld) lost.push(held.token)
      else if (ledger.columns.has(slot, CANCEL_ASKED)) cancelling.push(held.token)
    }
    const rules = `${process.pid}/${this.#number}/${ledger.controls}`
    return { gone: node === undefined || node.gone, lost, cancelling, rules }
  }

  beatRecipe(): BeatRecipe | null {
    return this.#medium.beatRecipe()
  }

  async sweep(ask: SweepAsk): Promise<Swept> {
    this.#check()
    await this.#medium.tend()
    this.#check()
    this.#medium.refresh()
    return sweep(this.#medium, ask)
  }

  async get(refs: readonly JobRef[]): Promise<readonly (Found | null)[]> {
    const { ledger } = this.#look()
    const now = this.#medium.now()
    return refs.map((ref) => {
      const queue = ledger.findQueue(ref.queue)
      if (queue !== undefined) ledger.advance(queue, now)
      return find(ledger, ledger.find(ref))
    })
  }

  async parents(ref: JobRef): Promise<readonly ParentRow[] | null> {
    const { ledger } = this.#look()
    const slot = ledger.find(ref)
    if (slot < 0 || ledger.columns.state.get(slot) === RECEIPT) return null
    return parents(ledger, slot)
  }

  async list(ask: ListAsk): Promise<Paged<JobRecord>> {
    const { ledger } = this.#look()
    const queue = ledger.findQueue(ask.queue)
    if (queue === undefined) return { items: [], cursor: null }
    return list(ledger, queue, ask.which, ask.page, this.#medium.now())
  }

  async count(ask: CountAsk): ReturnType<Store['count']> {
    const { ledger } = this.#look()
    const queue = ledger.findQueue(ask.queue)
    if (queue === undefined) return { counts: NOTHING, cursor: null }
    return count(ledger, queue, ask.which, ask.cursor, this.#medium.now())
  }

  async explain(refs: readonly JobRef[]): Promise<readonly (Explained | null)[]> {
    const { ledger } = this.#look()
    const view = this.#explainView()
    return refs.map((ref) => {
      const slot = ledger.find(ref)
      return slot < 0 ? null : explain(ledger, slot, view)
    })
  }

  async explainQueue(name: string): Promise<QueueExplained | null> {
    const { ledger } = this.#look()
    const queue = ledger.findQueue(name)
    return queue === undefined ? null : explainQueue(ledger, queue, this.#explainView())
  }

  #explainView(): ExplainView {
    const medium = this.#medium
    return { now: medium.now(), liveness: (card) => medium.liveness(card) }
  }

  async groups(name: string, page: PageAsk): Promise<Paged<GroupRow>> {
    const { ledger } = this.#look()
    const queue = ledger.findQueue(name)
    if (queue === undefined) return { items: [], cursor: null }
    return groupRows(ledger, queue, this.#medium.now(), page)
  }

  async queues(page: PageAsk): Promise<Paged<QueueRow>> {
    return queueRows(this.#look().ledger, this.#medium.now(), page)
  }

  async nodes(page: PageAsk): Promise<Paged<NodeRow>> {
    const { ledger } = this.#look()
    return nodeRows(ledger, this.#medium.now(), page, (card) => this.#medium.liveness(card))
  }

  async control(command: Command, cursor: string | null): Promise<Controlled> {
    this.#look()
    if ('by' in command) return this.#pause(command)
    if (command.kind === 'transit') return this.#transit(command)
    const step = controlStep(this.#medium.book.ledger, command, cursor, this.#medium.now())
    if (step.items.length === 0) return { changed: 0, cursor: step.cursor, happened: [] }
    const { changed, happened } = this.#commit({ kind: 'control', items: step.items })
    await this.#medium.durable()
    return { changed, happened, cursor: step.cursor }
  }

  /** Durable also when it was so before: whoever said it may not have heard so yet. */
  async #pause({ kind, queue, group, by }: PauseCommand): Promise<Controlled> {
    const changed = this.#commit({ kind: 'pause', action: kind, queue, group, by })
    await this.#medium.durable()
    return { changed: changed ? 1 : 0, cursor: null, happened: [] }
  }

  async #transit({ queue, transit }: TransitCommand): Promise<Controlled> {
    const changed = this.#commit({ kind: 'transit', queue, transit })
    await this.#medium.durable()
    return { changed: changed ? 1 : 0, cursor: null, happened: [] }
  }

  async dump(ask: DumpAsk): Promise<Paged<Portable>> {
    return dump(this.#look().ledger, ask, this.#medium.now())
  }

  async load(items: readonly Portable[]): Promise<readonly Loaded[]> {
    this.#check()
    const loaded = this.#commit({ kind: 'load', items: linesOf(items) })
    await this.#medium.durable()
    return loaded
  }

  async settings(queue: string): Promise<StoredSettings> {
    return this.#look().ledger.findQueue(queue)?.stored ?? NEVER_SAID
  }

  async declare(queue: string, declared: SettingsLayer): Promise<StoredSettings> {
    return this.#say(queue, 'declared', () => declared)
  }

  async override(queue: string, change: OverrideChange): Promise<StoredSettings> {
    return this.#say(queue, 'overrides', ({ overrides }) => overridden(overrides, change))
  }

  async #say(
    queue: string,
    layer: 'declared' | 'overrides',
    settings: (stored: StoredSettings) => SettingsLayer,
  ): Promise<StoredSettings> {
    for (;;) {
      const stored = this.#look().ledger.findQueue(queue)?.stored ?? NEVER_SAID
      const wanted = settings(stored)
      if (sameLayer(stored[layer], wanted)) {
        await this.#medium.durable()
        return stored
      }
      const revision = stored.revision + 1
      const said = this.#commit({ kind: 'settings', queue, revision, layer, settings: wanted })
      if (said === null) continue
      await this.#medium.durable()
      return said
    }
  }

  async tick(ticks: readonly Tick[]): Promise<readonly Ticked[]> {
    this.#look()
    const ticked = tick(this.#medium, ticks)
    await this.#medium.durable()
    return ticked
  }

  async schedules(ask: ScheduleAsk): Promise<Paged<ScheduleRow>> {
    return scheduleRows(this.#look().ledger, this.#medium.now(), ask)
  }

  async plan(change: ScheduleChange): Promise<Planned> {
    this.#look()
    const planned = plan(this.#medium, change)
    await this.#medium.durable()
    return planned
  }

  watch(onHint: (hint: Hint) => void): () => void {
    this.#watchers.add(onHint)
    return () => this.#watchers.delete(onHint)
  }

  #look(): Book {
    this.#check()
    this.#medium.refresh()
    return this.#medium.book
  }

  #check(): void {
    if (this.#state !== 'open') throw closedStore(this.name)
  }

  #commit<K extends Frame['kind']>(frame: FrameOf[K] & { readonly kind: K }): Answers[K] {
    return this.#medium.commit<K>(frame)
  }

  /** Told after the call, as all hints are. */
  #lookOut(node: string): void {
    if (this.#watchers.size === 0 || !this.#lookout.seesDead(node)) return
    queueMicrotask(() => {
      for (const watcher of this.#watchers) watcher({ what: 'sweep', queue: null })
    })
  }

  #tell(news: News): void {
    for (const [queue, bits] of news) {
      for (const watcher of this.#watchers) {
        if (bits & NEWS_JOBS) watcher({ what: 'jobs', queue })
        if (bits & NEWS_ENDS) watcher({ what: 'ends', queue })
        if (bits & NEWS_CONTROL) watcher({ what: 'control', queue })
        if (bits & NEWS_SCHEDULES) watcher({ what: 'schedules', queue })
      }
    }
  }
}
