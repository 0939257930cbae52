/**
 * Verdicts and claims, as a store of tables does them: first what nearly all of them are, in one trip
 * (`plainly.ts`), and in full where that does not do. A queue that gave nothing and of which nothing
 * was heard since is only looked at.
 */
import type { ClaimAnswer, ClaimAsk } from '../../job/claim.js'
import type { Settlement } from '../../job/verdict.js'
import type { ExchangeAsk, Exchanged, Hint } from '../../store.js'
import { claim, raiseFloors } from './claiming.js'
import type { News } from './news.js'
import { peek } from './peeking.js'
import { claimPlainly, completePlainly } from './plainly.js'
import type { Database, OwnTx, Purpose } from './port.js'
import type { Queues } from './queues.js'
import { PLAINLY, settle } from './settling.js'
import type { SettledJobs } from './settling.js'

export interface Opened {
  readonly database: Database
  readonly queues: Queues
}

/** What it needs of its store. */
export interface ExchangingParts {
  opened(): Opened
  /** One transaction; what it changed is told when it is over. */
  readonly run: <T>(
    purpose: Purpose | (() => Purpose),
    work: (tx: OwnTx, opened: Opened, news: News) => Promise<T>,
    how?: 'brisk',
  ) => Promise<T>
  /** The store is not closed before it is done. */
  keep<T>(running: Promise<T>): Promise<T>
}

export class Exchanging {
  readonly #with: ExchangingParts
  /** Queues whose last claim found nothing, and of which nothing was heard since. */
  readonly #quiet = new Set<string>()
  /** Queues whose last claim found less than it asked for. */
  readonly #dry = new Set<string>()

  constructor(parts: ExchangingParts) {
    this.#with = parts
  }

  heard({ queue }: Hint): void {
    if (queue === null) this.#quiet.clear()
    else this.#quiet.delete(queue)
  }

  /** Somebody asked for more of its jobs than there were. */
  isAwaited(queue: string): boolean {
    return this.#dry.has(queue)
  }

  async exchange(ask: ExchangeAsk): Promise<Exchanged> {
    const { settled, happened } = await this.#settle(ask.settle)
    const claimed: ClaimAnswer[] = []
    for (const one of ask.claim) claimed.push(await this.#claim(ask.node, one))
    if (ask.settle.length > 0) await this.#with.keep(this.#with.opened().database.durable())
    const answer = { settled, claimed }
    return happened.length === 0 ? answer : { ...answer, happened }
  }

  async #settle(asks: readonly Settlement[]): Promise<SettledJobs> {
    if (asks.length === 0) return { settled: [], happened: [] }
    const { database, queues } = this.#with.opened()
    const { asks: plain, opened } = await this.#with.keep(completePlainly(database, queues, asks))
    for (const queue of new Set([...plain].map((ask) => ask.queue))) {
      const hints: Hint[] = [{ what: 'ends', queue }]
      if (opened.has(queue)) hints.push({ what: 'jobs', queue })
      database.tell(hints)
    }
    const rest = asks.filter((ask) => !plain.has(ask))
    if (rest.length === 0) return { settled: asks.map(() => PLAINLY), happened: [] }
    const { settled, happened } = await this.#with.run('durable', (tx, opened, news) =>
      settle(tx, opened.queues, rest, news),
    )
    if (plain.size === 0) return { settled, happened }
    const answers = new Map(rest.map((ask, at) => [ask, settled[at]]))
    return { settled: asks.map((ask) => answers.get(ask) ?? PLAINLY), happened }
  }

  /** What may be run again may be forgotten with the power; what may not must last before it runs. */
  async #claim(node: string, ask: ClaimAsk): Promise<ClaimAnswer> {
    const { queue } = ask
    if (this.#quiet.has(queue)) {
      const seen = await this.#with.run('read', (tx, { queues }) => peek(tx, queues, node, ask))
      if (seen !== null) return seen
    }
    // A hint that comes meanwhile may be of what the claim does not see yet.
    this.#quiet.add(queue)
    if (this.#with.opened().queues.isTrampled(queue)) {
      await this.#with.run('loose', (tx, { queues }) => raiseFloors(tx, queues, queue))
    }
    const answer = (await this.#claimPlainly(node, ask)) ?? (await this.#claimInFull(node, ask))
    if (answer.jobs.length > 0) this.#quiet.delete(queue)
    if (answer.jobs.length < ask.limit) this.#dry.add(queue)
    else this.#dry.delete(queue)
    return answer
  }

  #claimPlainly(node: string, ask: ClaimAsk): Promise<ClaimAnswer | null> {
    const { database, queues } = this.#with.opened()
    if (queues.isOnce(ask.queue)) return Promise.resolve(null)
    return this.#with.keep(claimPlainly(database, queues, node, ask))
  }

  async #claimInFull(node: string, ask: ClaimAsk): Promise<ClaimAnswer> {
    const { queue } = ask
    let isDurable = false
    const purpose = (): Purpose => {
      isDurable = this.#with.opened().queues.isOnce(queue)
      return isDurable ? 'durable' : 'loose'
    }
    const answer = await this.#with.run(purpose, (tx, { queues }, news) => {
      return claim(tx, queues, node, ask, news, isDurable)
    })
    return answer()
  }
}
