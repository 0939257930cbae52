/**
 * What a store asks nearly always, in one trip each: a statement that follows from no other answer,
 * sent with the beginning and the end of its transaction (`*-statements.ts`).
 */
import type { Millis } from '../../job/job.js'
import type { Alike, OneTrip, PlainEnds, PlainTake, PlainTaken } from '../sql/port.js'
import type { Connections, Volley } from './connection.js'
import { sent } from './names.js'
import { completePlainly } from './handful-statements.js'
import { takeHandful, takenOf, takePlainly } from './take-statements.js'
import { insertAlike } from './volley-statements.js'

type Taking = `${'takePlainly' | 'takeHandful'}${'' | 'Limited'}`

export class Volleys implements OneTrip {
  readonly #connections: Connections
  readonly #now: (() => Millis) | undefined
  readonly #texts: Readonly<Record<'insert' | 'complete', string>>
  readonly #takes: Readonly<Record<Taking, string>>
  /** By queue: the first of its handfuls, when one was last taken. */
  readonly #floors = new Map<number, number>()

  /** `now`: the store's time, where it is not the server's. */
  constructor(connections: Connections, schema: string, now?: () => Millis) {
    this.#connections = connections
    this.#now = now
    this.#texts = {
      insert: insertAlike(schema),
      complete: completePlainly(schema),
    }
    this.#takes = {
      takePlainly: takePlainly(schema, false),
      takePlainlyLimited: takePlainly(schema, true),
      takeHandful: takeHandful(schema, false),
      takeHandfulLimited: takeHandful(schema, true),
    }
  }

  /** What is not awaited is durable by its own commit: that is one thing less to be waited for. */
  async insert(
    lot: Alike,
    onSeen: () => void,
    isAwaited: boolean,
  ): Promise<ReadonlySet<string> | null> {
    const { queue, revision, lane, task, priority, flags, codec, lifespan } = lot
    const { ids, groups, payloads } = lot
    const values = [
      ...[queue, revision, lane, task, priority, flags, codec, lifespan, this.#time()],
      ...[ids, groups, payloads],
    ].map(sent)
    const volley = { name: 'job.addAlike', text: this.#texts.insert, values }
    const seen = ([row]: readonly unknown[]): void => {
      if (addedOf(row, ids)?.size) onSeen()
    }
    const early = isAwaited ? seen : null
    const rows = await this.#connections.volley('durable', [queue], volley, early)
    if (!isAwaited) seen(rows)
    return addedOf(rows[0], ids)
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
    const rows = answer as TakenRow[] // as: what it answers
    if (rows.length === 0) return null
    const [[now, more, next, first]] = rows
    if (inHand && first !== null) this.#floors.set(queue, first)
    const taken = rows.map(takenOf).filter((job) => job !== null)
    return { now, next: more > 0 ? now : next, rows: taken }
  }

  async complete(ends: PlainEnds): Promise<ReadonlySet<number> | null> {
    const { scope, queues, revisions, of, ids, tokens } = ends
    const values = [scope, queues, revisions, of, ids, tokens, this.#time()].map(sent)
    const volley = { name: 'job.completePlainly', text: this.#texts.complete, values }
    const [row] = await this.#connections.volley('durable', queues, volley)
    const { fits, done } = row as { fits: number; done: string | null } // as: what it answers
    if (fits === 0) return null
    return new Set(done === null ? tokens : numbers(done))
  }

  #time(): Millis | null {
    return this.#now?.() ?? null
  }
}

/** The first of the rows of a claim: these, and those of a job, which are null where none was taken. */
type TakenRow = readonly [
  now: Millis,
  more: number,
  next: Millis | null,
  floor: number | null,
  ...job: unknown[],
]

/** Of the answer of `insertAlike`; null: nothing was done. */
function addedOf(row: unknown, ids: readonly string[]): ReadonlySet<string> | null {
  const { fits, added } = row as { fits: number; added: string | null } // as: what it answers
  if (fits === 0) return null
  return new Set(added === null ? ids : numbers(added).map((at) => ids[at]))
}

function numbers(text: string): number[] {
  return JSON.parse(text) as number[] // as: an array of numbers of our own statement
}
