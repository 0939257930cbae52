/**
 * Lots in a transaction of the user's. It may stay open for long, so it locks nothing that claims
 * need: its jobs are scheduled for the time that has come, without a turn, and the first claim behind
 * the commit makes them available (`due.ts`). Queues and lanes are made known apart, where the
 * database has room for a second writer, so that nobody waits for the rows of these; so is room in a
 * limited backlog reserved. What a lot meets (a parent, whoever has its key) goes on (`arriving.ts`,
 * `open-keys.ts`), where others can.
 */
import { millraceError } from '../../job/errors.js'
import type { Inserted, Lot, NewJob } from '../../job/lot.js'
import { Again } from './again.js'
import { isLimited, reserve } from './backlog.js'
import { insert } from './inserting.js'
import { News } from './news.js'
import type { Joined, Tx } from './port.js'
import { Queues, settingsOf } from './queues.js'
import type { Learned } from './queues.js'
import type { QueueFacts } from './sheet.js'

/** Queues for one lot: nothing of it is remembered, since it may all be rolled back. */
export class JoinedQueues extends Queues {
  #facts: ReadonlyMap<string, QueueFacts> = new Map()
  readonly #reserved = new Map<number, number>()

  /** The queues of these jobs, where their dead letters would go, and their lanes are there. */
  async prepare(tx: Tx, jobs: readonly NewJob[]): Promise<void> {
    const facts = await this.#made(tx, new Set(jobs.map(({ queue }) => queue)))
    const parents = jobs.flatMap(({ after }) => after.map(({ queue }) => queue))
    for (const [name, one] of await super.look(tx, parents)) facts.set(name, one)
    const graves = [...facts.values()].flatMap((one) => settingsOf(one).deadLetter ?? [])
    for (const [name, grave] of await this.#made(tx, new Set(graves))) facts.set(name, grave)
    for (const { queue, task } of jobs) {
      const one = facts.get(queue)
      if (one !== undefined) await this.lane(tx, one.id, task, 0)
    }
    this.#facts = facts
  }

  async #made(tx: Tx, names: ReadonlySet<string>): Promise<Map<string, QueueFacts>> {
    const found = await super.look(tx, names)
    const unknown = [...names].filter((name) => !found.has(name)).sort()
    if (unknown.length === 0) return found
    await tx.each(
      'queue.add',
      [this.scope],
      unknown.map((name) => [name]),
    )
    return super.look(tx, names)
  }

  /** As they were prepared: the user's transaction may see an older state of the database. */
  override async look(tx: Tx, names: Iterable<string>): Promise<Map<string, QueueFacts>> {
    const found = new Map<string, QueueFacts>()
    const others: string[] = []
    for (const name of names) {
      const facts = this.#facts.get(name)
      if (facts === undefined) others.push(name)
      else found.set(name, facts)
    }
    if (others.length === 0) return found
    return new Map([...found, ...(await super.look(tx, others))])
  }

  /** The numbers of its limited queues, with how many of these jobs would go there. */
  #wanted(jobs: readonly NewJob[]): Map<QueueFacts, number> {
    const wanted = new Map<QueueFacts, number>()
    for (const { queue } of jobs) {
      const facts = this.#facts.get(queue)
      if (facts !== undefined && isLimited(facts)) wanted.set(facts, (wanted.get(facts) ?? 0) + 1)
    }
    return wanted
  }

  hasLimits(jobs: readonly NewJob[]): boolean {
    return this.#wanted(jobs).size > 0
  }

  /** Apart, for the transaction of that number: nobody who comes meanwhile is given the same room. */
  async reserve(tx: Tx, jobs: readonly NewJob[], xid: number): Promise<void> {
    this.#reserved.clear()
    const wanted = [...this.#wanted(jobs)].sort(([a], [b]) => a.id - b.id)
    await tx.lock(
      wanted.map(([{ id }]) => id),
      'beside',
    )
    // As they are behind the lock: what was prepared may have become another limit since.
    const now = await super.look(
      tx,
      wanted.map(([{ name }]) => name),
    )
    for (const [before, jobs] of wanted) {
      const facts = now.get(before.name) ?? before
      const room = isLimited(facts) ? await reserve(tx, facts, jobs, xid) : jobs
      this.#reserved.set(facts.id, room)
    }
  }

  /** Of what was reserved by now for the same transaction: what these did not need after all. */
  async giveBack(tx: Tx, xid: number): Promise<void> {
    for (const [queue, room] of this.#reserved) {
      if (room > 0) await tx.all('backlog.reserve', [queue, -room, xid])
    }
  }

  /** So many of these are in; answers whether more was reserved. */
  used(jobs: readonly NewJob[], answers: readonly Inserted[]): boolean {
    answers.forEach(({ status }, at) => {
      const id = this.#facts.get(jobs[at].queue)?.id
      const room = id === undefined ? undefined : this.#reserved.get(id)
      if (id === undefined || room === undefined || status !== 'inserted') return
      this.#reserved.set(id, room - 1)
    })
    return [...this.#reserved.values()].some((room) => room > 0)
  }

  override reserved(queue: number): number | null {
    return this.#reserved.get(queue) ?? null
  }
}

/** One lot, within that transaction. `apart`: runs something in a transaction of our own. */
export async function insertJoined(
  joined: Joined,
  scope: number,
  lot: Lot,
  apart: (work: (tx: Tx) => Promise<void>) => Promise<void>,
): Promise<Inserted[]> {
  const { tx } = joined
  const queues = new JoinedQueues(scope)
  let xid = 0
  if (joined.isApart) {
    let learned: Learned | null = null
    await apart((own) => {
      learned = queues.begin(own)
      return queues.prepare(own, lot.jobs)
    })
    if (learned !== null) queues.keep(learned)
    if (queues.hasLimits(lot.jobs)) {
      xid = (await tx.all('tx.number', []))[0].xid
      await apart((own) => queues.reserve(own, lot.jobs, xid))
    }
  } else {
    await queues.prepare(tx, lot.jobs)
  }
  const news = new News()
  try {
    const [answers] = await insert(tx, queues, [lot], news)
    await joined.done()
    await joined.tell(news.hints())
    if (queues.used(lot.jobs, answers)) await apart((own) => queues.giveBack(own, xid))
    return answers
  } catch (error) {
    throw error instanceof Again ? inTheWay(error) : error
  }
}

function inTheWay(cause: Again): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: 'tx',
    expected: 'nobody else to insert the same ids at the same time',
    received: cause.message,
    remedy: 'roll your transaction back and do it again',
    cause,
  })
}
