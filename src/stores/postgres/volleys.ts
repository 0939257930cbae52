/**
 * What a store asks nearly always, in one trip each: a statement that follows from no other answer,
 * sent with the beginning and the end of its transaction (`*-statements.ts`).
 */
import type { Millis } from '../../job/job.js'
import { systemClock } from '../../time/system.js'
import type { Alike, OneTrip, PlainEnds, PlainTake, PlainTaken, Seen } from '../sql/port.js'
import type { Connections, Volley } from './connection.js'
import type { Taken } from '../sql/row.js'
import { settledRow } from '../sql/settled.js'
import { sent } from './names.js'
import { completePlainly } from './handful-statements.js'
import type { Notice, Teller } from './telling.js'
import { takeHandful, takenOf, takePlainly, toldIn } from './take-statements.js'
import type { TakeTold } from './take-statements.js'
import { insertAlike } from './volley-statements.js'

type Ending = `${'nothing' | 'receipts'}${'' | 'Gated'}`
type Taking = `${'takePlainly' | 'takeHandful'}${'' | 'Limited'}`

/** Inserts that follow one another within so long are in a hurry. */
const HURRY: Millis = 5

const NO_NOTICE = { channel: null, payload: null } as const

export interface VolleysParts {
  readonly connections: Connections
  readonly teller: Teller
  readonly schema: string
  /** The store's time [the server's]. */
  readonly now?: () => Millis
}

export class Volleys implements OneTrip {
  readonly #connections: Connections
  readonly #teller: Teller
  readonly #now: (() => Millis) | undefined
  readonly #inserts: string
  readonly #ends: Readonly<Record<Ending, string>>
  readonly #takes: Readonly<Record<Taking, string>>
  /** By queue: the first of its handfuls, when one was last taken. */
  readonly #floors = new Map<number, number>()
  #inserting = 0
  /** When the last insert was over, by `mono`. */
  #insertedAt = -Infinity

  constructor({ connections, teller, schema, now }: VolleysParts) {
    this.#connections = connections
    this.#teller = teller
    this.#now = now
    this.#inserts = insertAlike(schema)
    this.#ends = {
      nothing: completePlainly(schema, 'nothing', false),
      nothingGated: completePlainly(schema, 'nothing', true),
      receipts: completePlainly(schema, 'receipts', false),
      receiptsGated: completePlainly(schema, 'receipts', true),
    }
    this.#takes = {
      takePlainly: takePlainly(schema, false),
      takePlainlyLimited: takePlainly(schema, true),
      takeHandful: takeHandful(schema, false),
      takeHandfulLimited: takeHandful(schema, true),
    }
  }

  /**
   * Who enqueues now and then has others see it before the disk does, and hear of it with the commit.
   * In a hurry one thing less is to be waited for: each commit is durable by itself, and hints are
   * gathered, since who tells within a commit has others that tell wait until it is over.
   */
  async insert(
    lot: Alike,
    { hints, isAwaited, onSeen }: Seen,
  ): Promise<ReadonlySet<string> | null> {
    const { mayWaitApart } = this.#connections
    const isEarly = mayWaitApart && (isAwaited || this.#isAtEase())
    const notice = isEarly ? this.#teller.notice(hints) : NO_NOTICE
    const seen = ([row]: readonly unknown[]): void => {
      if (addedOf(row, lot.ids)?.size) onSeen(isEarly)
    }
    this.#inserting++
    try {
      const rows = await this.#insert(lot, notice, isEarly ? seen : null)
      if (!isEarly) seen(rows)
      return addedOf(rows[0], lot.ids)
    } finally {
      this.#inserting--
      this.#insertedAt = systemClock.mono()
    }
  }

  /** It inserts nothing, and has not for a moment. */
  #isAtEase(): boolean {
    return this.#inserting === 0 && systemClock.mono() - this.#insertedAt > HURRY
  }

  #insert(
    lot: Alike,
    { channel, payload }: Notice | typeof NO_NOTICE,
    early: ((rows: readonly unknown[]) => void) | null,
  ): Promise<unknown[]> {
    const { queue, revision, lane, task, priority, flags, codec, lifespan } = lot
    const { ids, groups, payloads } = lot
    const values = [
      ...[queue, revision, lane, task, priority, flags, codec, lifespan, this.#time()],
      ...[ids, groups, payloads, channel, payload],
    ].map(sent)
    const volley = { name: 'job.addAlike', text: this.#inserts, values, how: 'brisk' } as const
    return this.#connections.volley('durable', [queue], volley, early)
  }

  async take(ask: PlainTake): Promise<PlainTaken | null> {
    const { scope, queue, revision, lane, lanes, node, worker, claim, limit } = ask
    const values = [
      ...[queue, revision, scope, lane, lanes, node, worker, claim, limit],
      this.#time(),
    ].map(sent)
    const inHand = ask.inHand && this.#connections.keepHandfuls
    const floor = this.#floors.get(queue) ?? 0
    const how: Taking = `${inHand ? 'takeHandful' : 'takePlainly'}${ask.isLimited ? 'Limited' : ''}`
    const volley: Volley = {
      ...{ name: `job.${how}`, text: this.#takes[how] },
      values: inHand ? [...values, floor] : values,
    }
    // What may be run again may be forgotten with the power.
    const answer = await this.#connections.volley('loose', [queue], {
      ...volley,
      rowMode: 'array',
      isTaking: inHand,
    })
    let told: TakeTold | null = null
    const taken: Taken[] = []
    for (const row of answer as unknown[][]) {
      // as: rows of columns
      const claim = toldIn(row)
      if (claim === null) taken.push(takenOf(row))
      else told = claim
    }
    if (told === null) return null
    const { now, more, next, floor: first } = told
    if (inHand && first !== null) this.#floors.set(queue, first)
    return { now, next: more > 0 ? now : next, rows: taken }
  }

  async complete(ends: PlainEnds): Promise<ReadonlySet<number> | null> {
    const { scope, queues, revisions, of, ids, tokens, receipts, opens } = ends
    const [, , body] = settledRow(tokens, [])
    const how: Ending = `${receipts === null ? 'nothing' : 'receipts'}${opens ? 'Gated' : ''}`
    const said = [scope, queues, revisions, of, ids, tokens, this.#time(), body]
    const values = (receipts === null ? said : [...said, receipts]).map(sent)
    const volley = { name: `job.complete/${how}`, text: this.#ends[how], values }
    const [row] = await this.#connections.volley('durable', queues, volley)
    const { fits, done } = row as { fits: number; done: string | null } // as: what it answers
    if (fits === 0) return null
    return new Set(done === null ? tokens : numbers(done))
  }

  #time(): Millis | null {
    return this.#now?.() ?? null
  }
}

/** Of the answer of `insertAlike`; null: nothing was done. */
function addedOf(row: unknown, ids: readonly string[]): ReadonlySet<string> | null {
  const { fits, added } = row as { fits: number; added: string | null } // as: what it answers
  if (fits === 0) return null
  return new Set(added === null ? ids : numbers(added).map((at) => ids[at]))
}

function numbers(text: string): number[] {
  return JSON.parse(text) as number[] // as: an array of numbers of our own statement
}
