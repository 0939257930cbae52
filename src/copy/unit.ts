/**
 * One unit of a live move: queues that go together, because they are few jobs each, or because their
 * rates share a budget. Its life on both sides:
 *
 *     close here (moving) and there (arriving) ──▶ load, compare, depart, until nothing is left that
 *     can go ──▶ open there, but for what something still runs of here
 *          ▲                                          │
 *          └── what came behind ◀─────────────────────┘
 *
 * The target is open only where every job that was loaded has departed here: so a job is on one
 * side or the other, and never runs on both, wherever this is broken off.
 */
import type { Encoded } from '../job/codec.js'
import { effective } from '../job/effective.js'
import type { Found, JobRecord } from '../job/job.js'
import type { Portable, PortableJob, PortableQueue } from '../job/portable.js'
import { isJob, pagesOf, pauseOfAll, queuesOf } from './ends.js'
import type { End } from './ends.js'
import { say } from './copy.js'
import { stateOf } from './reckoning.js'
import { Taking } from './taking.js'
import type { Refusal } from './taking.js'

export interface UnitState {
  /** Jobs that went over in this round. */
  readonly moved: number
  readonly running: number
  /** What could not go: it comes after jobs that are not there, or was refused. */
  readonly left: number
  readonly refused: readonly Refusal[]
}

export class Unit {
  readonly queues: readonly string[]
  readonly #from: End
  readonly #to: End
  /** By queue, as the source said them when this began. */
  #facts = new Map<string, PortableQueue>()
  #isOpen = false

  constructor(queues: readonly string[], from: End, to: End) {
    this.queues = queues
    this.#from = from
    this.#to = to
  }

  /** Brings over what can go now. */
  async round(): Promise<UnitState> {
    if (!this.#isOpen) await this.#begin()
    const taking = new Taking(this.#to.store)
    let moved = 0
    // As long as it grows less: whoever enqueues here all the time must not keep it closed over there.
    // What comes behind an open queue waits for the next round, so that work goes on between.
    for (let before = Infinity, again = true; again;) {
      const passed = await this.#pass(taking)
      moved += passed
      again = passed > 0 && passed <= before / 2 && !this.#isOpen
      before = passed
    }
    const rest = await this.#rest()
    await this.#open(rest)
    const running = rest.filter(({ state }) => state === 'running').length
    return { moved, running, left: rest.length - running, refused: taking.refused }
  }

  /** Both sides close; what stands beside jobs is carried when these are over. */
  async #begin(): Promise<void> {
    this.#facts = await queuesOf(this.#from.store, this.queues)
    await this.#sayFacts()
    for (const queue of this.queues) {
      await say(this.#to, queue, 'arriving', this.#from.name)
      await say(this.#from, queue, 'moving', this.#to.name)
    }
  }

  /**
   * Settings and pauses, before anything can start there. A pause of everything is said of each queue
   * by itself, since other queues over there may not be meant. Once only: what operators said there
   * since stays said.
   */
  async #sayFacts(): Promise<void> {
    const there = await queuesOf(this.#to.store, this.queues)
    const everything = await pauseOfAll(this.#from.store)
    const facts = [...this.#facts.values()].filter(({ queue }) => {
      const transit = there.get(queue)?.transit ?? null
      return transit === null || transit.side === 'moving' || transit.with !== this.#from.name
    })
    const said = facts.map((fact) => ({ ...fact, paused: fact.paused ?? everything }))
    await this.#to.store.load(said)
  }

  /** All that does not run, once; answers how many went. */
  async #pass(taking: Taking): Promise<number> {
    let moved = 0
    for await (const page of pagesOf(this.#from.store, 'jobs', this.queues)) {
      const items = page.filter((item) => isJob(item) && this.#mayGo(item))
      if (items.length === 0) continue
      if (this.#isOpen) await this.#close(items)
      moved += await this.#depart(await taking.take(items), taking)
    }
    return moved + (await this.#depart(await taking.settle(), taking))
  }

  /** Receipts come along once; then they are here for those who ask here. */
  #mayGo({ state }: PortableJob): boolean {
    return state !== 'running' && (state !== 'receipt' || !this.#isOpen)
  }

  /** Their groups close again over there, for as long as they stand on both sides. */
  async #close(items: readonly Portable[]): Promise<void> {
    for (const queue of this.queues) {
      const groups = new Set<string>()
      for (const item of items) if (isJob(item) && item.queue === queue) groups.add(item.group)
      if (groups.size === 0) continue
      const closed = this.#closed.get(queue)
      if (closed === null) continue
      const all = [...new Set([...(closed ?? []), ...groups])]
      this.#closed.set(queue, all)
      await say(this.#to, queue, 'arriving', this.#from.name, all)
    }
  }

  /** What is closed over there; null: all of a queue. */
  readonly #closed = new Map<string, readonly string[] | null>()

  async #depart(jobs: readonly PortableJob[], taking: Taking): Promise<number> {
    let departed = 0
    for (const queue of this.queues) {
      const own = jobs.filter((job) => job.queue === queue)
      for (let at = 0; at < own.length; at += DEPARTING) {
        const some = await this.#same(own.slice(at, at + DEPARTING), taking)
        const which = { ids: some.map(({ id }) => id) }
        const command = { kind: 'depart', queue, which, to: this.#to.name } as const
        departed += (await this.#from.store.control(command, null)).changed
      }
    }
    return departed
  }

  /** Those that both sides show alike; only they may go. */
  async #same(jobs: readonly PortableJob[], taking: Taking): Promise<readonly PortableJob[]> {
    if (this.#isOpen || jobs.length === 0) return jobs
    const refs = jobs.map(({ queue, id }) => ({ queue, id }))
    const here = await this.#from.store.get(refs)
    const there = await this.#to.store.get(refs)
    return jobs.filter((job, at) => {
      const same = isSame(here[at], there[at])
      if (!same) taking.refused.push({ job, why: 'another job has its id there' })
      return same
    })
  }

  /** What is left here. */
  async #rest(): Promise<PortableJob[]> {
    const rest: PortableJob[] = []
    for await (const page of pagesOf(this.#from.store, 'jobs', this.queues)) {
      for (const item of page) if (isJob(item) && item.state !== 'receipt') rest.push(item)
    }
    return rest
  }

  async #open(rest: readonly PortableJob[]): Promise<void> {
    if (!this.#isOpen && !(await this.#carryBeside(rest))) return
    for (const queue of this.queues) {
      const own = rest.filter((job) => job.queue === queue)
      const groups = this.#mustStayClosed(queue, own)
      this.#closed.set(queue, groups)
      if (groups?.length === 0) await say(this.#to, queue, 'arrived', this.#from.name)
      else await say(this.#to, queue, 'arriving', this.#from.name, groups)
    }
    this.#isOpen = true
  }

  /** Keys, grants, rests and schedules, when nothing here is in their way any more; false: wait. */
  async #carryBeside(rest: readonly PortableJob[]): Promise<boolean> {
    const running = rest.filter(({ state }) => state === 'running')
    if (running.some(({ queue }) => this.#isCounted(queue))) return false
    if (running.length > 0 && (await this.#wouldOverlap(running))) return false
    for (const part of ['keys', 'rates', 'schedules'] as const) {
      for await (const page of pagesOf(this.#from.store, part, this.queues)) {
        await this.#to.store.load(page)
        for (const item of page) {
          if (item.kind !== 'schedule') continue
          const { queue, schedule } = item
          await this.#from.store.plan({ kind: 'depart', queue, name: schedule.name })
        }
      }
    }
    return true
  }

  /** The job of a schedule's last slot runs here, and the next must wait for its end. */
  async #wouldOverlap(running: readonly PortableJob[]): Promise<boolean> {
    const ids = new Set(running.map(({ queue, id }) => `${queue}/${id}`))
    for await (const page of pagesOf(this.#from.store, 'schedules', this.queues)) {
      for (const item of page) {
        if (item.kind !== 'schedule' || item.schedule.spec.overlap !== 'skip') continue
        const last = item.schedule.last?.job
        if (last !== undefined && ids.has(`${last.queue}/${last.id}`)) return true
      }
    }
    return false
  }

  /** A cap of the whole queue counts what runs here, too: it opens when nothing does. */
  #isCounted(queue: string): boolean {
    return this.#settings(queue).concurrency !== Infinity
  }

  /** Groups of which something is left here that the others must not overtake, or count with. */
  #mustStayClosed(queue: string, rest: readonly PortableJob[]): readonly string[] | null {
    const running = rest.filter(({ state }) => state === 'running')
    if (running.length > 0 && this.#isCounted(queue)) return null
    const { order, groups } = this.#settings(queue)
    const isStrict = order === 'blocking' || groups.concurrency !== Infinity
    if (!isStrict) return []
    return [...new Set(rest.filter((job) => holdsUp(job)).map(({ group }) => group))]
  }

  #settings(queue: string) {
    const { declared = {}, overrides = {} } = this.#facts.get(queue) ?? {}
    return effective({ revision: 1, declared, overrides })
  }
}

/** Ids in one command. */
const DEPARTING = 500

function holdsUp(job: PortableJob): boolean {
  return job.state === 'running' || stateOf(job) === 'pending'
}

function isSame(here: Found | null, there: Found | null): boolean {
  if (here === null || there === null) return here === there
  // What waits for its parents goes on, or falls, as soon as it is there.
  const waits = here.kind === 'job' && here.job.state === 'waiting'
  if (here.kind === 'job' && there.kind === 'job') {
    return wordsOf(here.job, waits) === wordsOf(there.job, waits)
  }
  return waits || here.kind === there.kind
}

/** What both must show alike; how often it may be tried is for each side's settings to say. */
function wordsOf(job: JobRecord, waits: boolean): string {
  const text = (one: Encoded | null): string => (one === null ? '' : `${one.codec} ${one.text}`)
  const { payload, meta, result, task, group, priority, tags, attempt, enqueuedAt } = job
  const { history, origin, state, dueAt, finishedAt, progress, log, reason } = job
  const said = [text(payload), text(meta), task, group, priority, tags, attempt, enqueuedAt]
  const lived = [history, origin, progress, log]
  const stands = [stateOf({ state }), dueAt, finishedAt, reason, text(result)]
  return JSON.stringify([...said, ...lived, ...(waits ? [] : stands)])
}
