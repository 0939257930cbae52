/**
 * Queues and lanes as their rows say them. A *lane* is where claims look: the jobs of one task of
 * one queue, with those that must run alone, and dead letters, apart. Names and numbers of queues
 * and lanes never change, so each handle remembers them; settings are read anew in every
 * transaction, and parsed when their revision is another one.
 */
import { DEFAULT_TASK } from '../../job/defaults.js'
import { effective } from '../../job/effective.js'
import type { Settings, SettingsLayer, StoredSettings } from '../../job/settings.js'
import { ALONE, DEAD } from '../../job/book/queue.js'
import type { BookTransit } from '../../job/book/queue.js'
import { Again } from './again.js'
import type { Lock, Tx } from './port.js'
import type { QueueFacts } from './sheet.js'
import type { Asked, QueueRow } from './statements.js'
import { fromText } from './text.js'

export type Lane = Asked['lane.of']

/** A queue of which nothing was closed when it was last claimed. */
export interface PlainQueue {
  readonly facts: QueueFacts
  readonly lanes: readonly Lane[]
}

/** What a transaction has learned, and others may rely on when it has been committed. */
export interface Learned {
  readonly ids: Map<string, number>
  readonly lanes: Map<string, number>
}

/** Of moves of a backlog: a handle that claims and lets nobody in must not leave more for those who do. */
const TOLD_BY_ONE = 500

/** Those of jobs that ended elsewhere stay among the others; beyond so many all are forgotten. */
const APART_MOST = 10_000

/** A queue as it was last seen. */
export interface KnownQueue {
  readonly id: number
  readonly stored: StoredSettings
}

export class Queues {
  readonly scope: number
  /** By transaction: rows that it has made itself may yet come to nothing. */
  readonly #learning = new WeakMap<Tx, Learned>()
  readonly #ids = new Map<string, number>()
  readonly #settings = new Map<number, StoredSettings>()
  readonly #lanes = new Map<string, number>()
  readonly #turned = new Set<string>()
  readonly #once = new Set<string>()
  readonly #plain = new Map<string, PlainQueue>()
  /** By queue: its lanes, when they were last looked at. */
  readonly #lanesSeen = new Map<number, readonly Lane[]>()
  /** By queue: jobs that were taken plainly since the floors of its turns were raised here. */
  readonly #taken = new Map<string, number>()
  /** By queue: moves of its backlog that this handle told since it saw them added up. */
  readonly #told = new Map<number, number>()

  /** Tokens of jobs of which more is to be told than their rows tell, while they run here. */
  readonly #apart = new Set<number>()
  readonly #raiseAfter: number

  /** `raiseAfter`: see `Database` [never]. */
  constructor(scope: number, raiseAfter = Infinity) {
    this.scope = scope
    this.#raiseAfter = raiseAfter
  }

  /**
   * The queues of these names as they are behind a lock: nobody changes what they say until the end
   * of the transaction. With `make`, those that nobody knew are known from now on.
   */
  async enter(
    tx: Tx,
    names: Iterable<string>,
    mode: 'make' | 'find',
    how: Lock = 'beside',
  ): Promise<Map<string, QueueFacts>> {
    const wanted = [...new Set(names)]
    const unknown = wanted.filter((name) => this.#id(tx, name) === undefined)
    if (unknown.length > 0) {
      const sorted = unknown.sort().map((name) => [name])
      if (mode === 'make') await tx.each('queue.add', [this.scope], sorted)
      await this.look(tx, unknown)
    }
    const ids = wanted.flatMap((name) => this.#id(tx, name) ?? [])
    const locked = tx.lock(ids, how)
    const [found] = await Promise.all([this.look(tx, wanted), locked])
    return found
  }

  /** Those of these names that are known, by name; no lock keeps them as they are. */
  async look(tx: Tx, names: Iterable<string>): Promise<Map<string, QueueFacts>> {
    const rows = await tx.each(
      'queue.find',
      [this.scope],
      [...new Set(names)].map((name) => [name]),
    )
    for (const { name, id } of rows) this.#learned(tx).ids.set(name, id)
    return new Map(rows.map((row) => [row.name, this.factsOf(row)]))
  }

  /** The queue as it was last seen; null: it was not. */
  known(name: string): KnownQueue | null {
    const id = this.#ids.get(name)
    const stored = id === undefined ? undefined : this.#settings.get(id)
    return id === undefined || stored === undefined ? null : { id, stored }
  }

  /** Its lanes as they were last seen: since then more may have come; null: it was not looked at. */
  seen(name: string): { readonly id: number; readonly lanes: readonly Lane[] } | null {
    const id = this.#ids.get(name)
    const lanes = id === undefined ? undefined : this.#lanesSeen.get(id)
    return id === undefined || lanes === undefined ? null : { id, lanes }
  }

  saw(queue: number, lanes: readonly Lane[]): void {
    this.#lanesSeen.set(queue, lanes)
  }

  /** What ends under this token cannot be settled in one trip. */
  setApart(token: number): void {
    if (this.#apart.size >= APART_MOST) this.#apart.clear()
    this.#apart.add(token)
  }

  /** Asked once: it ends. */
  wasSetApart(token: number): boolean {
    return this.#apart.delete(token)
  }

  /** The lane of those of this task that run beside others; null: it is not known. */
  laneKnown(queue: number, task: string): number | null {
    return this.#lanes.get(laneName(queue, task, 0)) ?? null
  }

  /** For how many jobs room was reserved apart; null: it is to be looked for. */
  reserved(_queue: number): number | null {
    return null
  }

  /** A move of its backlog was told. */
  told(queue: number): void {
    this.#told.set(queue, (this.#told.get(queue) ?? 0) + 1)
  }

  /** Whether so much was told by this handle that it should be added up by who is alone with the queue. */
  hasTold(queue: number): boolean {
    return (this.#told.get(queue) ?? 0) >= TOLD_BY_ONE
  }

  /** It was added up. */
  folded(queue: number): void {
    this.#told.delete(queue)
  }

  /** Whether the last claim of it had to be alone: gates, or groups that take turns. */
  isTurned(name: string): boolean {
    return this.#turned.has(name)
  }

  /** Another answer than was thought: begin again, unless it was only too careful. */
  turned(name: string, isTurned: boolean, wasAlone: boolean): void {
    learn(this.#turned, name, isTurned, wasAlone)
  }

  /** Whether what is claimed of it runs at most once, so that a claim must last. */
  isOnce(name: string): boolean {
    return this.#once.has(name)
  }

  once(name: string, isOnce: boolean, wasDurable: boolean): void {
    learn(this.#once, name, isOnce, wasDurable)
  }

  /** Null: a claim of it has to look first. */
  plain(name: string): PlainQueue | null {
    return this.#plain.get(name) ?? null
  }

  /** Null: it is not any more, as far as anybody knows. */
  plainly(name: string, plain: PlainQueue | null): void {
    if (plain === null) this.#plain.delete(name)
    else this.#plain.set(name, plain)
  }

  /** Whether so many were taken that the floors of its turns should be raised by who is alone. */
  isTrampled(name: string): boolean {
    return (this.#taken.get(name) ?? 0) >= this.#raiseAfter
  }

  /** So many were taken plainly; null: the floors were raised. */
  took(name: string, jobs: number | null): void {
    this.#taken.set(name, jobs === null ? 0 : (this.#taken.get(name) ?? 0) + jobs)
  }

  /** A transaction begins, or begins again: what it learned before may be wrong. */
  begin(tx: Tx): Learned {
    const learned = { ids: new Map<string, number>(), lanes: new Map<string, number>() }
    this.#learning.set(tx, learned)
    return learned
  }

  /** It was committed: from now on all know. */
  keep({ ids, lanes }: Learned): void {
    for (const [name, id] of ids) this.#ids.set(name, id)
    for (const [name, id] of lanes) this.#lanes.set(name, id)
  }

  /** Revisions that a transaction has made and that came to nothing are made again otherwise. */
  forget(): void {
    this.#settings.clear()
  }

  #learned(tx: Tx): Learned {
    return this.#learning.get(tx) ?? this.begin(tx)
  }

  #id(tx: Tx, name: string): number | undefined {
    return this.#ids.get(name) ?? this.#learned(tx).ids.get(name)
  }

  factsOf(row: QueueRow): QueueFacts {
    const { id, name, paused_since: since, paused_by: by, pass } = row
    const paused = since === null ? null : { since, by: by ?? '' }
    const transit = row.transit === null ? null : transitOf(row.transit)
    return { id, name, stored: this.#stored(row), paused, pass, transit }
  }

  #stored({ id, revision, declared, overrides }: QueueRow): StoredSettings {
    const known = this.#settings.get(id)
    if (known?.revision === revision) return known
    const stored: StoredSettings = {
      revision,
      declared: fromText<SettingsLayer>(declared),
      overrides: fromText<SettingsLayer>(overrides),
    }
    this.#settings.set(id, stored)
    return stored
  }

  async lane(tx: Tx, queue: number, task: string, kind: number): Promise<number> {
    const name = laneName(queue, task, kind)
    const { lanes } = this.#learned(tx)
    const known = this.#lanes.get(name) ?? lanes.get(name)
    if (known !== undefined) return known
    const [{ id }] = await tx.all('lane.add', [queue, task, kind])
    lanes.set(name, id)
    return id
  }
}

function laneName(queue: number, task: string, kind: number): string {
  return `${queue}/${kind}/${task}`
}

/** What is true of a queue, for the next time; who was not careful enough itself begins again. */
function learn(known: Set<string>, name: string, is: boolean, wasCareful: boolean): void {
  if (!is) return void known.delete(name)
  known.add(name)
  if (!wasCareful) throw new Again(`queue ${name} is not as it was thought`)
}

type StoredTransit = Omit<BookTransit, 'groups'> & { readonly groups: readonly string[] | null }

function transitOf(text: string): BookTransit {
  const { groups, ...transit } = fromText<StoredTransit>(text)
  return { ...transit, groups: groups && new Set(groups) }
}

export function settingsOf({ stored }: QueueFacts): Settings {
  return effective(stored)
}

/** The lanes that an asker of these tasks may take from; as `poolsOf` in `decide-claim.ts` has it. */
export function lanesFor(
  lanes: readonly Lane[],
  tasks: readonly string[] | null,
): { readonly shared: number[]; readonly alone: number[] } {
  const takesDead = tasks === null || tasks.includes(DEFAULT_TASK)
  const mine = lanes.filter(({ task, kind }) => {
    return tasks === null || tasks.includes(task) || (takesDead && (kind & DEAD) !== 0)
  })
  const ids = (alone: number): number[] =>
    mine.filter(({ kind }) => (kind & ALONE) === alone).map(({ id }) => id)
  return { shared: ids(0), alone: ids(ALONE) }
}
