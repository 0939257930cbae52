/**
 * Lots, as a store of tables takes them: alike ones in one statement (`alike.ts`), others in a transaction,
 * those that belong to a transaction of the user's in that. A lot may meet an id or a unique key that somebody
 * has taken in a transaction which is still open: only its end decides, so that lot is answered by null, to be
 * asked again, and those that came with it are taken one by one. So is what a lock on a table holds up.
 */
import { HELD_TRIED } from '../../job/defaults.js'
import { wantsOf } from '../../job/lot.js'
import type { Inserted, Lot } from '../../job/lot.js'
import { Held } from './again.js'
import { insertAlike } from './alike.js'
import type { Lending } from './committing.js'
import type { ExchangingParts } from './exchanging.js'
import { insert } from './inserting.js'
import { insertJoined } from './joining.js'
import type { Tx } from './port.js'

/** What it needs of its store. */
export interface LotsParts extends ExchangingParts {
  /** Somebody asked for more of its jobs than there were. */
  isAwaited(queue: string): boolean
  readonly lending: Lending
}

type Answers = readonly Inserted[]

export class Lots {
  readonly #with: LotsParts

  constructor(parts: LotsParts) {
    this.#with = parts
  }

  async insert(lots: readonly Lot[]): Promise<readonly (Answers | null)[]> {
    const joining = lots.filter(({ tx }) => tx !== undefined)
    if (joining.length === 0) return (await this.#together(lots)) ?? this.#apart(lots)
    if (lots.length > 1) throw new Error('a lot with a transaction of the user comes alone')
    return [await this.#insertJoined(lots[0])]
  }

  /** Null: any of them is held. */
  async #together(lots: readonly Lot[]): Promise<readonly Answers[] | null> {
    try {
      return (await this.#insertAlike(lots)) ?? (await this.#insert(lots))
    } catch (error) {
      if (error instanceof Held) return null
      throw error
    }
  }

  async #apart(lots: readonly Lot[]): Promise<readonly (Answers | null)[]> {
    const answers = lots.map((): Answers | null => null)
    if (lots.length === 1) return answers
    const taken = new Set<string>()
    let [held, isAnyIn] = [0, false]
    for (let at = 0; at < lots.length && held < HELD_TRIED; at++) {
      const wants = wantsOf(lots[at])
      if (wants.some((want) => taken.has(want))) continue
      try {
        const answered = await this.#together([lots[at]])
        if (answered !== null) [answers[at], isAnyIn] = [answered[0], true]
        else {
          held++
          for (const want of wants) taken.add(want)
        }
      } catch (error) {
        // What is in is told; the rest are asked again, and hear of the error then.
        if (!isAnyIn) throw error
        break
      }
    }
    return answers
  }

  #insert(lots: readonly Lot[]): Promise<Answers[]> {
    const { run } = this.#with
    return run('durable', (tx, { queues }, news) => insert(tx, queues, lots, news), 'brisk')
  }

  /** Null: they are to be inserted the longer way. */
  async #insertAlike(lots: readonly Lot[]): Promise<Answers[] | null> {
    const { database, queues } = this.#with.opened()
    const jobs = lots.flatMap((lot) => lot.jobs)
    if (jobs.length === 0) return null
    const isAwaited = this.#with.isAwaited(jobs[0].queue)
    const inserted = await this.#with.keep(insertAlike(database, queues, jobs, isAwaited))
    if (inserted === null) return null
    let from = 0
    return lots.map((lot) => inserted.slice(from, (from += lot.jobs.length)))
  }

  /** In the user's transaction: once, since only he can begin it again. */
  async #insertJoined(lot: Lot): Promise<Answers> {
    const { database, queues } = this.#with.opened()
    const joined = this.#with.lending.find(lot.tx) ?? (await database.join(lot.tx))
    const apart = (work: (tx: Tx) => Promise<void>): Promise<void> => {
      return this.#with.keep(database.transact('loose', work))
    }
    return insertJoined(joined, queues.scope, lot, apart)
  }
}
