/**
 * Gathering a sheet: from the jobs that a frame names to all rows that it may read or change. An end
 * reaches children, and through those that it dooms theirs; a dead letter reaches its queue, its
 * origin and the key that it may take back; who comes after others reaches these, wherever they went.
 */
import type { JobRef, Millis } from '../../job/job.js'
import type { NewJob } from '../../job/lot.js'
import type { PortableJob } from '../../job/portable.js'
import { RECEIPT } from '../../job/book/columns.js'
import type { RateView } from '../../job/book/rates.js'
import { isLimited, waitingIn } from './backlog.js'
import { restsOf } from './looking.js'
import type { Gates } from './looking.js'
import type { Lock, Tx } from './port.js'
import type { Queues } from './queues.js'
import { settingsOf } from './queues.js'
import type { KeyRow, QueueFacts } from './sheet.js'
import type { Asked } from './statements.js'
import type { JobRow } from './row.js'
import { findOpenly, openKeysOf } from './open-keys.js'
import { readSettled } from './settled.js'
import { Sheet } from './sheet.js'

export class Gatherer {
  readonly tx: Tx
  readonly sheet: Sheet
  readonly #queues: Queues
  readonly #how: Lock
  readonly #names = new Set<string>()
  readonly #keys = new Set<string>()
  /** Whose children were asked for. */
  readonly #followed = new Set<number>()

  /** `how`: its queues are locked, where nothing else is said ['shared']. */
  constructor(tx: Tx, queues: Queues, how: Lock = 'shared') {
    this.tx = tx
    this.sheet = new Sheet(tx.now)
    this.#queues = queues
    this.#how = how
  }

  /** Queues by name. With `make` they are there from now on. */
  async queues(
    names: Iterable<string>,
    make: 'make' | 'find',
    how: Lock = this.#how,
  ): Promise<void> {
    const unread = [...new Set(names)].filter((name) => !this.#names.has(name))
    if (unread.length === 0) return
    const found = await this.#queues.enter(this.tx, unread, make, how)
    for (const name of unread) this.#names.add(name)
    for (const facts of found.values()) this.sheet.addQueue(facts)
  }

  /**
   * The jobs of these names, as far as they are there; their queues must have been gathered.
   * 'job.see': who asks only looks at them, and has spread nothing ['job.find'].
   */
  async jobs(refs: readonly JobRef[], how: 'job.find' | 'job.see' = 'job.find'): Promise<JobRow[]> {
    const ids = this.#numbers()
    const asked = new Map<string, readonly [number, string]>()
    for (const { queue, id } of refs) {
      const number = ids.get(queue)
      if (number !== undefined) asked.set(`${number}/${id}`, [number, id])
    }
    const rows = await this.tx.each(how, [], [...asked.values()])
    this.sheet.addJobs(rows)
    return rows
  }

  /** With their queues. */
  async jobsAnywhere(refs: readonly JobRef[], how?: 'job.find' | 'job.see'): Promise<JobRow[]> {
    await this.queues(
      refs.map(({ queue }) => queue),
      'find',
    )
    return this.jobs(refs, how)
  }

  /** All that may come of an end of these; of those that `complete`, no child falls. */
  async ends(rows: readonly JobRow[], complete: readonly JobRow[] = []): Promise<void> {
    if (complete.length > 0) await this.#families(complete, 'children')
    await this.#families(rows, 'descendants')
    await this.#graves()
    await this.ownKeys()
  }

  /** Jobs that are held, with all that may come of their end. */
  async held(rows: readonly JobRow[]): Promise<void> {
    this.sheet.addJobs(rows)
    await this.queuesOf(rows)
    await this.ends(rows)
  }

  /** What these come after, for a child that may wait for it again. */
  async parentsOf(rows: readonly JobRow[]): Promise<void> {
    const seqs = rows.flatMap(({ seq }) => this.sheet.extras.get(seq)?.kin?.parents ?? [])
    const asked = new Set(seqs.map(({ seq }) => seq).filter((seq) => seq > 0))
    const unread = [...asked].filter((seq) => !this.sheet.rows.has(seq))
    const parents = await this.tx.each(
      'job.read',
      [],
      unread.map((seq) => [seq]),
    )
    this.sheet.addJobs(parents)
    await this.queuesOf(parents)
  }

  /** The children that look at these, and what falls when they are doomed. */
  async #families(rows: readonly JobRow[], whom: 'children' | 'descendants'): Promise<void> {
    let parents = rows.map(({ seq }) => seq)
    for (;;) {
      const asked = parents.filter((seq) => !this.#followed.has(seq))
      if (asked.length === 0) return
      for (const seq of asked) this.#followed.add(seq)
      const found = await this.tx.each(
        'kin.children',
        [],
        asked.map((seq) => [seq]),
      )
      const seqs = [...new Set(found.map(({ child }) => child))]
      const unread = seqs.filter((seq) => !this.sheet.rows.has(seq))
      const children = await this.tx.each(
        'job.read',
        [],
        unread.map((seq) => [seq]),
      )
      this.sheet.addJobs(children)
      await this.queuesOf(children)
      if (whom === 'children') return
      // Also one that was on the sheet before: what comes after it may not be.
      parents = seqs.filter((seq) => this.sheet.extras.get(seq)?.kin?.policy === 'discard')
    }
  }

  /** The queues in which these stand. */
  async queuesOf(rows: readonly JobRow[]): Promise<void> {
    const unread = new Set(
      rows.map(({ queue }) => queue).filter((id) => !this.sheet.queues.has(id)),
    )
    if (unread.size === 0) return
    const names = await this.tx.each(
      'queue.name',
      [],
      [...unread].map((id) => [id]),
    )
    await this.queues(
      names.map(({ name }) => name),
      'find',
    )
  }

  /** Where discarded jobs go, and where dead letters come from. */
  async #graves(): Promise<void> {
    const names: string[] = []
    for (const facts of this.sheet.queues.values()) {
      const { deadLetter } = settingsOf(facts)
      if (deadLetter !== null) names.push(deadLetter)
    }
    for (const { origin } of this.sheet.extras.values()) {
      if (origin !== undefined) names.push(origin.queue)
    }
    await this.queues(names, 'make')
  }

  /** The keys that these jobs, or what they were before, may free or take. */
  async ownKeys(): Promise<void> {
    const keys: (readonly [string, string])[] = []
    for (const { queue, seq } of this.sheet.rows.values()) {
      const extra = this.sheet.extras.get(seq)
      const name = this.sheet.queues.get(queue)?.name ?? ''
      if (extra?.key !== undefined) keys.push([name, extra.key.name])
      if (extra?.origin?.key != null) keys.push([extra.origin.queue, extra.origin.key.name])
    }
    await this.keys(keys)
  }

  /** Who has these keys, by queue and key. */
  async keys(keys: readonly (readonly [queue: string, key: string])[]): Promise<void> {
    const ids = this.#numbers()
    const asked: [number, string][] = []
    for (const [queue, key] of keys) {
      const id = ids.get(queue)
      const name = `${id}/${key}`
      if (id === undefined || this.#keys.has(name)) continue
      this.#keys.add(name)
      asked.push([id, key])
    }
    for (const row of await this.tx.each('key.find', [], asked)) this.sheet.keys.push(keyOf(row))
  }

  /** All that the insertion of these may meet. */
  async arrivals(jobs: readonly NewJob[]): Promise<void> {
    const names = jobs.map(({ queue }) => queue)
    await this.queues(names, 'make', 'beside')
    await this.jobs(jobs)
    if (this.tx.isOpen) await this.#keysOpenly(jobs)
    else await this.#keysOf(jobs)
    const parents = jobs.flatMap(({ after }) => after)
    if (parents.length > 0) await this.heirs(parents)
    await this.#backlogs()
    // A child may be discarded at once.
    if (parents.length > 0) await this.#graves()
  }

  /** All that jobs of another store may meet here; their queues must have been gathered. */
  async loads(jobs: readonly PortableJob[]): Promise<void> {
    await this.jobs(jobs)
    await this.keys(
      jobs.flatMap(({ queue, key }) => (key === null ? [] : [[queue, key.name] as const])),
    )
    const parents = jobs.flatMap((job) => job.parents)
    if (parents.length === 0) return
    await this.heirs(parents.map(({ looksAt, queue, id }) => looksAt ?? { queue, id }))
    // What comes after one that has failed here may fall at once.
    await this.#graves()
  }

  /** Who has the keys of these, and the jobs that hold them. */
  async #keysOf(jobs: readonly NewJob[]): Promise<void> {
    await this.keys(
      jobs.flatMap(({ queue, unique }) => (unique === null ? [] : [[queue, unique.key] as const])),
    )
    const seqs = this.sheet.keys.flatMap(({ seq }) =>
      seq === null || this.sheet.rows.has(seq) ? [] : [[seq]],
    )
    this.sheet.addJobs(await this.tx.each('job.read', [], seqs))
  }

  async #keysOpenly(jobs: readonly NewJob[]): Promise<void> {
    const { keys, holders } = await findOpenly(this.tx, openKeysOf(jobs, this.#numbers()))
    for (const row of keys) this.sheet.keys.push(keyOf(row))
    this.sheet.addJobs(holders)
  }

  /** Of its queues, by name. */
  #numbers(): Map<string, number> {
    return new Map([...this.sheet.queues.values()].map(({ name, id }) => [name, id]))
  }

  /** These jobs, and wherever they went since. */
  async heirs(refs: readonly JobRef[]): Promise<void> {
    const followed = new Set<number>()
    let asked = refs
    while (asked.length > 0) {
      const rows = await this.jobsAnywhere(asked)
      asked = rows.flatMap(({ seq, state }) => {
        const to = this.sheet.extras.get(seq)?.movedTo
        if (state !== RECEIPT || to === undefined || followed.has(seq)) return []
        followed.add(seq)
        return [to]
      })
    }
  }

  async #backlogs(): Promise<void> {
    const limited = [...this.sheet.queues.values()].filter(isLimited)
    // In one order, as all hold them.
    for (const facts of limited.sort((a, b) => a.id - b.id)) {
      const reserved = this.#queues.reserved(facts.id)
      const waiting =
        reserved === null
          ? await waitingIn(this.tx, facts.id)
          : settingsOf(facts).limits.backlog - reserved
      this.sheet.backlogs.set(facts.id, waiting)
    }
  }

  /** Who of these tokens was settled, and how, for those whose answer was lost. */
  async settled(tokens: readonly number[]): Promise<void> {
    for (const token of tokens) {
      const rows = await this.tx.all('settled.find', [this.#queues.scope, token])
      for (const { body } of rows) {
        const answers = readSettled(body)
        const remembered = answers.get(token)
        if (remembered !== undefined) this.sheet.settled.push([token, remembered])
      }
    }
  }

  /** A queue that is known already. */
  add(facts: QueueFacts): void {
    this.#names.add(facts.name)
    this.sheet.addQueue(facts)
  }

  /** What was found of the gates that no setting says. */
  gates({ paused, throttles, pausedGroups }: Gates): void {
    this.sheet.paused = paused
    for (const [name, until] of throttles) this.sheet.throttles.set(name, until)
    this.sheet.pausedGroups.push(...pausedGroups)
  }

  /** The queues that share the key of their rate. */
  async sharers(key: string): Promise<void> {
    for (const row of await this.tx.all('queue.sharing', [this.#queues.scope, key])) {
      if (!this.sheet.queues.has(row.id)) this.add(this.#queues.factsOf(row))
    }
  }

  /** All that a rest which a handler asks for concerns: it is told to every queue that shares a key. */
  async resting(): Promise<void> {
    await this.throttles()
    for (const facts of [...this.sheet.queues.values()]) {
      const key = settingsOf(facts).rate?.key ?? null
      if (key !== null) await this.sharers(key)
    }
  }

  /** Of these rates the oldest grants that count, as many as a claim of `limit` may wait for; the others in one. */
  async windows(rates: readonly RateView[], limit: number): Promise<void> {
    const since = rates.map(({ name, span }) => [name, this.tx.now - span] as const)
    const [oldest, totals] = await Promise.all([
      this.tx.each(
        'grant.oldest',
        [this.#queues.scope],
        since.map((of) => [...of, limit + 1]),
      ),
      this.tx.each('grant.total', [this.#queues.scope], since),
    ])
    const granted = new Map<string, { readonly at: Millis[]; readonly sums: number[] }>()
    for (const { name, at, n } of oldest) {
      const window = granted.get(name) ?? { at: [], sums: [] }
      granted.set(name, window)
      window.at.push(at)
      window.sums.push((window.sums.at(-1) ?? 0) + n)
    }
    for (const { name, total, last } of totals) {
      const { at, sums } = granted.get(name) ?? { at: [], sums: [] }
      if ((sums.at(-1) ?? 0) < total) {
        at.push(last)
        sums.push(total)
      }
      this.sheet.windows.set(name, { at, sums, keep: Infinity, gatherAt: Infinity })
    }
  }

  async throttles(): Promise<void> {
    const rests = await restsOf(this.tx, this.#queues.scope)
    for (const [name, until] of rests) this.sheet.throttles.set(name, until)
  }
}

function keyOf({ waiting, ...row }: Asked['key.find']): KeyRow {
  return { ...row, while: waiting === 1 ? 'waiting' : 'unfinished' }
}
