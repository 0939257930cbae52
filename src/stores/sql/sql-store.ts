/**
 * A store made of tables: what SQLite and PostgreSQL have in common. Each verb of the seam is one
 * transaction. What a queue does is decided by the book, on a sheet of the rows that are concerned
 * (`sheet.ts`); where nothing can be in the way, one statement does it. How a statement is said, how
 * a transaction is made and how others hear of it is the database's affair, behind the port.
 */
import { closedStore } from '../../job/closed-store.js'
import { NEVER_SAID } from '../../job/effective.js'
import type { Explained, GroupRow, QueueExplained } from '../../job/gate.js'
import type { Found, JobRecord, JobRef, ParentRow } from '../../job/job.js'
import type { Inserted, Lot } from '../../job/lot.js'
import type { Loaded, Portable } from '../../job/portable.js'
import type { Planned, ScheduleAsk, ScheduleChange, ScheduleRow } from '../../job/schedule.js'
import type { Tick, Ticked } from '../../job/schedule.js'
import type { PageAsk, Paged } from '../../job/selector.js'
import type { SettingsLayer, StoredSettings } from '../../job/settings.js'
import type { Note, Noted, Settlement } from '../../job/verdict.js'
import type { Beat, BeatAnswer, BeatRecipe, CheckAsk, Checked, Command } from '../../store.js'
import type { CommitTerms, Committed, Write } from '../../store.js'
import type { Controlled, CountAsk, DumpAsk, ExchangeAsk, Exchanged } from '../../store.js'
import type { Hint, ListAsk } from '../../store.js'
import type { NodeCard, NodeRow, OpenAsk, OverrideChange, QueueRow } from '../../store.js'
import type { Store, SweepAsk, Swept, Traits } from '../../store.js'
import { nextTurn } from '../../time/clock.js'
import { Again, BEGINNINGS } from './again.js'
import { control, pause, transit } from './commanding.js'
import { commit, Lending, WriteFault } from './committing.js'
import { dump } from './dumping.js'
import { Exchanging } from './exchanging.js'
import type { ExchangingParts, Opened as Basis } from './exchanging.js'
import { explainJobs, explainOne } from './explaining.js'
import { load } from './loading.js'
import type { SqlMedium } from './medium.js'
import { Lookout } from './lookout.js'
import { Lots } from './lots.js'
import { News } from './news.js'
import { Nodes } from './nodes.js'
import { NOTHING, isSwept } from './peeking.js'
import type { Database, OwnTx, Purpose } from './port.js'
import { Queues } from './queues.js'
import type { Learned } from './queues.js'
import { declare, override } from './saying.js'
import { plan, scheduleRows, tick } from './scheduling.js'
import { note, tokenOf } from './settling.js'
import { count, get, groupRows, list, nodeRows, parentsOf, queueRows } from './showing.js'
import type { Look } from './showing.js'
import { sweep } from './sweeping.js'
import { Turnstile } from './turnstile.js'

interface Opened extends Basis {
  readonly nodes: Nodes
  readonly scope: string
}

export class SqlStore<S extends string> implements Store<S> {
  readonly name: S
  readonly #medium: SqlMedium
  readonly #watchers = new Set<(hint: Hint) => void>()
  readonly #lending = new Lending()
  readonly #turnstile: Turnstile
  #opening: Promise<Opened> | null = null
  #opened: Opened | null = null
  #isClosed = false
  readonly #running = new Set<Promise<unknown>>()
  readonly #exchanging: Exchanging
  readonly #lots: Lots
  /** Null: processes of other hosts are on it, too, and nobody can prove a death. */
  readonly #lookout: Lookout | null

  constructor(name: S, medium: SqlMedium) {
    this.name = name
    this.#medium = medium
    this.#turnstile = new Turnstile(medium.commits.atOnce)
    const parts: ExchangingParts = {
      opened: () => this.#check(),
      run: (purpose, work, how) => this.#run(purpose, work, how),
      keep: (running) => this.#keep(running),
    }
    this.#exchanging = new Exchanging(parts)
    const isAwaited = (queue: string): boolean => this.#exchanging.isAwaited(queue)
    this.#lots = new Lots({ ...parts, isAwaited, lending: this.#lending })
    const look = (self: string): Promise<boolean> =>
      this.#run('read', (tx, { nodes }) => nodes.seesDead(tx, self))
    const found = (): void => this.#hint([{ what: 'sweep', queue: null }])
    const { clock } = medium.commits
    this.#lookout = medium.traits.reach === 'network' ? null : new Lookout({ clock, look, found })
  }

  get traits(): Traits {
    return this.#medium.traits
  }

  async open({ scope }: OpenAsk): Promise<void> {
    if (this.#isClosed) throw closedStore(this.name)
    this.#opening ??= this.#open(scope)
    try {
      this.#opened = await this.#opening
    } catch (error) {
      this.#opening = null
      throw error
    }
  }

  async #open(scope: string): Promise<Opened> {
    const database = await this.#medium.open(scope, (hints) => this.#hint(hints))
    const id = await this.#scope(database, scope)
    const queues = new Queues(id, database.raiseAfter)
    const nodes = new Nodes(queues, this.#medium.liveness, this.#medium.proof)
    return { database, queues, nodes, scope }
  }

  async #scope(database: Database, name: string): Promise<number> {
    try {
      const id = await database.transact('durable', async (tx) => {
        const [known] = await tx.all('scope.find', [name])
        if (known !== undefined) return known.id
        const [added] = await tx.all('scope.add', [name])
        return added.id
      })
      await database.durable()
      return id
    } catch (error) {
      // Whoever tries again opens it anew.
      await this.#medium.close()
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watchers.clear()
    this.#medium.hurry()
    const [opened] = await Promise.allSettled([this.#opening])
    if (opened.status !== 'fulfilled' || opened.value === null) return
    // What was under way is answered, and true.
    await Promise.allSettled(this.#running)
    await this.#medium.close()
  }

  async insert(lots: readonly Lot[]): Promise<readonly (readonly Inserted[] | null)[]> {
    this.#check()
    return this.#lots.insert(lots)
  }

  async commit(settlement: Settlement, write: Write, terms: CommitTerms): Promise<Committed> {
    const { database } = this.#check()
    const { clock, isApart } = this.#medium.commits
    const of = { settlement, write, terms, lending: this.#lending, isApart, clock }
    await this.#turnstile.enter()
    try {
      // Its row is locked while the user writes, its handful is not.
      const tokens = [tokenOf(settlement.token)]
      await this.#keep(database.spread({ of: 'tokens', tokens }))
      return await this.#run('durable', (tx, { queues }, news) => commit(tx, queues, of, news))
    } catch (error) {
      throw error instanceof WriteFault ? error.cause : error
    } finally {
      this.#turnstile.leave()
    }
  }

  async exchange(ask: ExchangeAsk): Promise<Exchanged> {
    this.#check()
    if (ask.claim.length > 0) this.#lookout?.glance(ask.node)
    return this.#exchanging.exchange(ask)
  }

  async note(notes: readonly Note[]): Promise<readonly Noted[]> {
    if (notes.length === 0) return (this.#check(), [])
    // Progress and log lines are not worth a sync; a step must not be done twice.
    const hasStep = notes.some(({ step }) => step !== undefined)
    const purpose = hasStep ? 'durable' : 'loose'
    return this.#run(purpose, (tx, { queues }, news) => note(tx, queues, notes, news))
  }

  async enlist(card: NodeCard): Promise<void> {
    await this.#run('loose', (tx, { nodes }, news) => nodes.enlist(tx, card, news))
  }

  async leave(node: string): Promise<void> {
    await this.#run('durable', (tx, { nodes }, news) => nodes.leave(tx, node, news))
  }

  async beat(beat: Beat): Promise<BeatAnswer> {
    return this.#run('loose', (tx, { nodes }, news) => nodes.beat(tx, beat, news))
  }

  async check(ask: CheckAsk): Promise<Checked> {
    const { database, queues } = this.#check()
    await this.#keep(database.spread({ of: 'nodes', scope: queues.scope, nodes: [ask.node] }))
    return this.#run('read', (tx, { nodes }) => nodes.check(tx, ask))
  }

  beatRecipe(): BeatRecipe | null {
    return this.#medium.beatRecipe(this.#opened?.scope ?? '')
  }

  async sweep(ask: SweepAsk): Promise<Swept> {
    const swept = await this.#run('read', (tx, { queues, nodes }) =>
      isSwept(tx, queues, nodes, ask),
    )
    if (swept) return NOTHING
    return this.#run('durable', (tx, { queues, nodes }, news) =>
      sweep(tx, queues, nodes, ask, news),
    )
  }

  async get(refs: readonly JobRef[]): Promise<readonly (Found | null)[]> {
    return this.#run('read', (tx, { queues }) => get(tx, queues, refs))
  }

  async parents(ref: JobRef): Promise<readonly ParentRow[] | null> {
    return this.#show((tx, { queues }) => parentsOf(tx, queues, ref))
  }

  async list(ask: ListAsk): Promise<Paged<JobRecord>> {
    return this.#show((tx, { queues }) => list(tx, queues, ask))
  }

  async count(ask: CountAsk): ReturnType<Store['count']> {
    const { countsAtOnce } = this.#check().database
    if (ask.cursor !== null) await this.#turn()
    return this.#show((tx, { queues }) => count(tx, queues, ask, countsAtOnce))
  }

  async explain(refs: readonly JobRef[]): Promise<readonly (Explained | null)[]> {
    return explainJobs(this.#loosely, refs)
  }

  async explainQueue(name: string): Promise<QueueExplained | null> {
    const { countsAtOnce } = this.#check().database
    return explainOne(this.#loosely, this.#piece, countsAtOnce, name)
  }

  async groups(queue: string, page: PageAsk): Promise<Paged<GroupRow>> {
    return this.#show((tx, { queues }) => groupRows(tx, queues, queue, page))
  }

  async queues(page: PageAsk): Promise<Paged<QueueRow>> {
    return queueRows(this.#piece, page, this.#check().database.countsAtOnce)
  }

  readonly #loosely: Look = (work) =>
    this.#run('loose', (tx, { queues, nodes }) => work(tx, queues, nodes))

  /** One look of many, between which others come where they would have to wait. */
  readonly #piece: Look = async (work) => {
    if (this.#check().database.countsAtOnce < Infinity) await this.#turn()
    return this.#show((tx, { queues, nodes }) => work(tx, queues, nodes))
  }

  async nodes(page: PageAsk): Promise<Paged<NodeRow>> {
    return this.#show((tx, { queues, nodes }) => nodeRows(tx, queues, nodes, page))
  }

  async control(command: Command, cursor: string | null): Promise<Controlled> {
    return this.#run('durable', (tx, { queues }, news) =>
      'by' in command
        ? pause(tx, queues, command, news)
        : command.kind === 'transit'
          ? transit(tx, queues, command, news)
          : control(tx, queues, command, cursor, news),
    )
  }

  async settings(queue: string): Promise<StoredSettings> {
    return this.#run('read', async (tx, { queues }) => {
      return (await queues.look(tx, [queue])).get(queue)?.stored ?? NEVER_SAID
    })
  }

  async declare(queue: string, declared: SettingsLayer): Promise<StoredSettings> {
    return this.#run('durable', (tx, { queues }, news) =>
      declare(tx, queues, queue, declared, news),
    )
  }

  async override(queue: string, change: OverrideChange): Promise<StoredSettings> {
    return this.#run('durable', (tx, { queues }, news) => override(tx, queues, queue, change, news))
  }

  async tick(ticks: readonly Tick[]): Promise<readonly Ticked[]> {
    return this.#run('durable', (tx, { queues }, news) => tick(tx, queues, ticks, news))
  }

  async schedules(ask: ScheduleAsk): Promise<Paged<ScheduleRow>> {
    return this.#run('read', (tx, { queues }) => scheduleRows(tx, queues, ask))
  }

  async plan(change: ScheduleChange): Promise<Planned> {
    return this.#run('durable', (tx, { queues }, news) => plan(tx, queues, change, news))
  }

  async dump(ask: DumpAsk): Promise<Paged<Portable>> {
    return this.#show((tx, { queues }) => dump(tx, queues, ask))
  }

  async load(items: readonly Portable[]): Promise<readonly Loaded[]> {
    return this.#run('durable', (tx, { queues }, news) => load(tx, queues, items, news))
  }

  watch(onHint: (hint: Hint) => void): () => void {
    this.#watchers.add(onHint)
    return () => this.#watchers.delete(onHint)
  }

  /** Between two pieces of one call: timers and whoever else waits for the event loop have it. */
  #turn(): Promise<void> {
    return nextTurn(this.#medium.commits.clock)
  }

  /** What rows say, and so of what is held, too. */
  async #show<T>(work: (tx: OwnTx, opened: Opened) => Promise<T>): Promise<T> {
    const { database, queues } = this.#check()
    await this.#keep(database.spread({ of: 'scope', scope: queues.scope }))
    return this.#run('read', work)
  }

  /** One transaction; what it changed is told when it is over, and answered when that lasts. */
  async #run<T>(
    purpose: Purpose | (() => Purpose),
    work: (tx: OwnTx, opened: Opened, news: News) => Promise<T>,
    how?: 'brisk',
  ): Promise<T> {
    const opened = this.#check()
    for (let beginnings = 1; ; beginnings++) {
      let news = new News()
      let learned: Learned | null = null
      const what = typeof purpose === 'string' ? purpose : purpose()
      try {
        const answer = await this.#keep(
          opened.database.transact(
            what,
            async (tx) => {
              news = new News()
              if (learned !== null) opened.queues.forget()
              const begun = (learned = opened.queues.begin(tx))
              return { done: await work(tx, opened, news), begun }
            },
            how,
          ),
        )
        opened.queues.keep(answer.begun)
        opened.database.tell(news.hints())
        if (what === 'durable') await this.#keep(opened.database.durable())
        return answer.done
      } catch (error) {
        opened.queues.forget()
        if (!(error instanceof Again) || beginnings === BEGINNINGS) throw error
      }
    }
  }

  async #keep<T>(running: Promise<T>): Promise<T> {
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  #check(): Opened {
    if (this.#opened === null || this.#isClosed) throw closedStore(this.name)
    return this.#opened
  }

  #hint(hints: readonly Hint[]): void {
    for (const hint of hints) {
      this.#exchanging.heard(hint)
      for (const watcher of this.#watchers) watcher(hint)
    }
  }
}
