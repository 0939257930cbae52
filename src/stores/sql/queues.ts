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
import { Again } from './again.js'
import type { Tx } from './port.js'
import type { QueueFacts } from './sheet.js'
import type { Asked, QueueRow } from './statements.js'
import { fromText } from './text.js'

export type Lane = Asked['lane.of']

/** What a transaction has learned, and others may rely on when it has been committed. */
export interface Learned {
  readonly ids: Map<string, number>
  readonly lanes: Map<string, number>
}

export class Queues {
  readonly scope: number
  /** By transaction: rows that it has made itself may yet come to nothing. */
  readonly #learning = new WeakMap<Tx, Learned>()
  readonly #ids = new Map<string, number>()
  readonly #settings = new Map<number, StoredSettings>()
  readonly #lanes = new Map<string, number>()
  readonly #limited = new Set<number>()
  readonly #turned = new Set<string>()

  constructor(scope: number) {
    this.scope = scope
  }

  /**
   * The queues of these names as they are behind a lock: nobody changes what they say until the end
   * of the transaction. With `make`, those that nobody knew are known from now on.
   */
  async enter(
    tx: Tx,
    names: Iterable<string>,
    mode: 'make' | 'find',
    how: 'shared' | 'alone' | 'known' = 'known',
  ): Promise<Map<string, QueueFacts>> {
    const wanted = [...new Set(names)]
    const unknown = wanted.filter((name) => this.#id(tx, name) === undefined)
    if (unknown.length > 0) {
      const sorted = unknown.sort().map((name) => [name])
      if (mode === 'make') await tx.each('queue.add', [this.scope], sorted)
      await this.look(tx, unknown)
    }
    const ids = wanted.flatMap((name) => this.#id(tx, name) ?? [])
    const isAlone = (id: number): boolean =>
      how === 'alone' || (how === 'known' && this.isAlone(id))
    const alone = ids.filter(isAlone)
    const [found] = await Promise.all([
      tx.lock(alone, 'alone').then(() => undefined),
      tx.lock(
        ids.filter((id) => !isAlone(id)),
        'shared',
      ),
      this.look(tx, wanted),
    ]).then(([, , looked]) => [looked])
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

  /** Whether whoever inserts must be alone with it, because its backlog is limited. */
  isAlone(id: number): boolean {
    return this.#limited.has(id)
  }

  /** From now on whoever inserts is alone with it; begin again. */
  limited(id: number): Again {
    this.#limited.add(id)
    return new Again(`queue ${id} has a limit`)
  }

  /** Whether the last claim of it had to be alone: gates, or groups that take turns. */
  isTurned(name: string): boolean {
    return this.#turned.has(name)
  }

  /** Another answer than was thought: begin again, unless it was only too careful. */
  turned(name: string, isTurned: boolean): void {
    const was = this.#turned.has(name)
    if (isTurned === was) return
    if (!isTurned) return void this.#turned.delete(name)
    this.#turned.add(name)
    throw new Again(`queue ${name} takes turns`)
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
    return { id, name, stored: this.#stored(row), paused, pass }
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
    const name = `${queue}/${kind}/${task}`
    const { lanes } = this.#learned(tx)
    const known = this.#lanes.get(name) ?? lanes.get(name)
    if (known !== undefined) return known
    const [{ id }] = await tx.all('lane.add', [queue, task, kind])
    lanes.set(name, id)
    return id
  }
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
