/**
 * One law's own world: a fresh medium, a virtual clock, seeded dice, a first handle, and short
 * words for what every law does: put jobs in, look at them, command them. It closes what it opened.
 * Its ids sort against the order of insertion, so that a store that orders by id is found out.
 */
import assert from 'node:assert/strict'
import type { Counts, Found, Happening, JobRecord, JobRef, State } from '../../job/job.js'
import { STATES } from '../../job/job.js'
import type { Inserted, Lot, NewJob } from '../../job/lot.js'
import type { Selector } from '../../job/selector.js'
import type { SettingsLayer } from '../../job/settings.js'
import type { Chance } from '../../time/clock.js'
import { seededChance, VirtualClock } from '../../time/virtual.js'
import type { Command, NodeCard, Store } from '../../store.js'
import type { JobWords } from './build.js'
import { newJob, QUEUE, upTo } from './build.js'
import type { Medium, OpenMedium, UserTransaction } from './medium.js'
import { cardOf, PlayedNode } from './played-node.js'

/** More pages than any law here reads; beyond it a cursor goes in circles. */
const MOST_PAGES = 10_000
/** Where a law's dice begin; the walks print their own. */
const SEED = 20_260_101

export interface Done {
  readonly changed: number
  readonly happened: readonly Happening[]
}

export interface RigOptions {
  /** Where its dice begin [the same for every law]. */
  readonly seed?: number
  /** How much of what plays for long or comes in crowds [1]. */
  readonly part?: number
}

export class Rig {
  readonly clock: VirtualClock
  readonly chance: Chance
  /** The first handle. */
  readonly store: Store
  readonly #medium: Medium
  readonly #handles: Store[]
  readonly #part: number
  #ids = 0
  #nodes = 0

  private constructor(
    clock: VirtualClock,
    chance: Chance,
    medium: Medium,
    store: Store,
    part: number,
  ) {
    this.#part = part
    this.clock = clock
    this.chance = chance
    this.store = store
    this.#medium = medium
    this.#handles = [store]
  }

  static async open(
    openMedium: OpenMedium,
    { seed = SEED, part = 1 }: RigOptions = {},
  ): Promise<Rig> {
    const clock = new VirtualClock()
    const chance = seededChance(seed)
    const medium = await openMedium({ clock, chance })
    return new Rig(clock, chance, medium, await medium.connect(), part)
  }

  /** Runs with a rig of its own and closes it; what failed first is what is thrown. */
  static async within<T>(
    openMedium: OpenMedium,
    run: (rig: Rig) => Promise<T>,
    options?: RigOptions,
  ): Promise<T> {
    const rig = await Rig.open(openMedium, options)
    const [ran] = await Promise.allSettled([run(rig)])
    const [closed] = await Promise.allSettled([rig.close()])
    if (ran.status === 'rejected') throw ran.reason
    if (closed.status === 'rejected') throw closed.reason
    return ran.value
  }

  async close(): Promise<void> {
    for (const handle of this.#handles) await handle.close()
    await this.#medium.destroy()
  }

  /** So much of what a law does for long, or puts in crowds, or the part that is wanted, at least 1. */
  long(steps: number): number {
    return Math.ceil(steps * this.#part)
  }

  async connect(scope?: string): Promise<Store> {
    const store = await this.#medium.connect(scope === undefined ? {} : { scope })
    this.#handles.push(store)
    return store
  }

  /** A transaction of a user's; null where the store has none. */
  async begin(): Promise<UserTransaction | null> {
    if (!this.store.traits.transactions) return null
    assert.ok(this.#medium.begin !== undefined, 'a medium with transactions begins them')
    return this.#medium.begin()
  }

  /** Lets hints come, on a medium that must be told to. */
  hint(): void {
    this.#medium.hint?.()
  }

  /** A node that is enlisted; by default on the first handle. */
  node(store: Store = this.store, words: Partial<NodeCard> = {}): Promise<PlayedNode> {
    this.#nodes++
    return PlayedNode.enlist(store, cardOf(`node-${this.#nodes}`, words))
  }

  /** An id that was never used; later ones sort before earlier ones. Every other one has the form of ours. */
  newId(): string {
    this.#ids++
    const number = String(1_000_000 - this.#ids)
    return this.#ids % 2 === 0 ? `01${number.padStart(24, '0')}` : `job-${number.padStart(7, '0')}`
  }

  job(words: JobWords & { readonly id?: string } = {}): NewJob {
    return newJob(words.id ?? this.newId(), words)
  }

  /** One lot. */
  async insert(jobs: readonly NewJob[], store: Store = this.store): Promise<readonly Inserted[]> {
    const [answers] = await this.insertLots([{ jobs }], store)
    return answers
  }

  /** Where no transaction is open none is held. */
  async insertLots(
    lots: readonly Lot[],
    store: Store = this.store,
  ): Promise<readonly (readonly Inserted[])[]> {
    const answers = await store.insert(lots)
    assert.equal(answers.length, lots.length, 'as many answers as lots')
    return answers.map((answer, at) => {
      assert.ok(answer !== null, 'nobody else has its ids and keys')
      assert.equal(answer.length, lots[at].jobs.length, 'as many answers as jobs')
      return answer
    })
  }

  /** Puts one job in and sees to it that it was taken. */
  async put(words: JobWords & { readonly id?: string } = {}): Promise<JobRef> {
    const job = this.job(words)
    assert.deepEqual(await this.insert([job]), [{ status: 'inserted', id: job.id }])
    return { queue: job.queue, id: job.id }
  }

  /** Puts so many in as one lot; answers their ids in order. */
  async putMany(count: number, words: (index: number) => JobWords = () => ({})): Promise<string[]> {
    const jobs = upTo(count).map((index) => this.job(words(index)))
    const answers = await this.insert(jobs)
    const expected = jobs.map(({ id }) => ({ status: 'inserted', id }))
    assert.deepEqual(answers, expected)
    return jobs.map((job) => job.id)
  }

  async found(ref: JobRef, store: Store = this.store): Promise<Found | null> {
    const [found] = await store.get([{ queue: ref.queue, id: ref.id }])
    return found
  }

  /** The job, which must be there. */
  async view(ref: JobRef, store: Store = this.store): Promise<JobRecord> {
    const found = await this.found(ref, store)
    assert.ok(found !== null && found.kind === 'job', `${ref.queue}/${ref.id} is there as a job`)
    return found.job
  }

  async stateOf(ref: JobRef): Promise<State | 'receipt' | 'gone'> {
    const found = await this.found(ref)
    if (found === null) return 'gone'
    return found.kind === 'job' ? found.job.state : 'receipt'
  }

  /** Every job that fits, newest first, page by page. */
  async list(queue = QUEUE, which: Selector = {}, limit = 100): Promise<JobRecord[]> {
    const jobs: JobRecord[] = []
    let cursor: string | null = null
    for (let page = 0; page === 0 || cursor !== null; page++) {
      assert.ok(page < MOST_PAGES, 'a list comes to an end')
      const answer = await this.store.list({ queue, which, page: { limit, cursor } })
      assert.ok(answer.items.length <= limit, 'a page holds at most its limit')
      jobs.push(...answer.items)
      cursor = answer.cursor
    }
    return jobs
  }

  async counts(queue = QUEUE, which: Selector = {}): Promise<Counts> {
    const total = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number> // as: every state is in STATES
    let cursor: string | null = null
    for (let page = 0; page === 0 || cursor !== null; page++) {
      assert.ok(page < MOST_PAGES, 'a count comes to an end')
      const answer = await this.store.count({ queue, which, cursor })
      for (const state of STATES) total[state] += answer.counts[state]
      cursor = answer.cursor
    }
    return total
  }

  /** A command to its end, step by step. */
  async control(command: Command): Promise<Done> {
    let changed = 0
    const happened: Happening[] = []
    let cursor: string | null = null
    for (let step = 0; step === 0 || cursor !== null; step++) {
      assert.ok(step < MOST_PAGES, 'a command comes to an end')
      const answer = await this.store.control(command, cursor)
      changed += answer.changed
      happened.push(...answer.happened)
      cursor = answer.cursor
    }
    return { changed, happened }
  }

  async declare(layer: SettingsLayer, queue = QUEUE): Promise<void> {
    await this.store.declare(queue, layer)
  }
}

/** The counts with everything zero but what is given. */
export function countsOf(some: Partial<Counts>): Counts {
  const none = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number> // as: every state is in STATES
  return { ...none, ...some }
}
