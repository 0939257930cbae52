/**
 * Transactions on connections of a pool. Whatever does not wait for another answer goes out behind
 * it, so that a transaction costs as many round trips as it has questions that follow from answers.
 *
 * Within a transaction no sequential scan is planned where an index can serve: statistics that are
 * old or missing, as behind a burst of inserts, must not turn a look at ten rows into one at all.
 * What may be lost with the server's power commits asynchronously; everything else as the server is
 * set.
 *
 * A server that does not answer is given up (patience.ts): the connection is thrown away, and with it
 * whatever it had locked, which the server lets go of by itself when it no longer hears of us.
 */
import { MillraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import { sleep } from '../../time/clock.js'
import type { Chance, Clock } from '../../time/clock.js'
import { Again, Held } from '../sql/again.js'
import type { Handfuls, Lock, OwnTx, Purpose, Tx, Value } from '../sql/port.js'
import type { Asked, Statement } from '../sql/statements.js'
import { Asking, discard, Pending } from './asking.js'
import { BEGIN, FLUSH, NOW, patiently, settingsOf } from './beginning.js'
import type { Client, Pool, Query } from './client.js'
import {
  isForbidden,
  isForgotten,
  isHung,
  isInTheWay,
  isLocked,
  isReadOnly,
  isTheirs,
  unknown,
  unreachable,
} from './errors.js'
import { spreading } from './handful-statements.js'
import { lend } from './lending.js'
import { sent } from './names.js'
import { PATIENCE, Trust } from './patience.js'
import type { Patience } from './patience.js'
import { TYPES } from './reading.js'
import { statements } from './statements.js'

export interface ConnectionsParts {
  readonly pool: Pool
  /** What stands before every name: `"millrace".`. */
  readonly schema: string
  /** Apart from those of other schemas: the first half of what is locked. */
  readonly lockClass: number
  readonly clock: Clock
  readonly chance: Chance
  /** The store's time, where it is not the server's. */
  readonly now?: () => Millis
  /** How long the server may take [`PATIENCE`]. */
  readonly patience?: Patience
  /** Whether it runs in this process, and dies with it; and has one session. */
  readonly isEmbedded?: boolean
}

/** How often a transaction is tried when others are in the way. */
const TRIES = 12
const BREATH = 4

export class Connections {
  readonly #parts: ConnectionsParts
  readonly #writing: Readonly<Record<Statement, string>>
  readonly #reading: Readonly<Record<Statement, string>>
  readonly #patience: Patience
  readonly #trust: Trust
  /** A pooler between us and the server may give each transaction another connection. */
  #prepares = true
  /** Whether this role may do what waits for the disk apart. */
  #mayFlush = true
  /** Connections on which something is under way. */
  readonly #asked = new Set<Asking>()

  constructor(parts: ConnectionsParts) {
    this.#parts = parts
    this.#writing = statements(parts.schema, 'FOR UPDATE OF j')
    this.#reading = statements(parts.schema, '')
    this.#patience = parts.patience ?? PATIENCE
    this.#trust = new Trust(parts.clock)
  }

  /** The store closes: what has no answer in a moment gets none. */
  hurry(): void {
    const giveUp = (): void => this.#asked.forEach((client) => client.giveUp())
    this.#parts.clock.after(this.#patience.atEnd, giveUp, { ref: false })
  }

  /** Within a transaction of ours there is nobody else. */
  get #isAlone(): boolean {
    return this.#parts.isEmbedded === true
  }

  /** In our own process a claim is durable like everything else, and rows cost less than they save. */
  get keepHandfuls(): boolean {
    return !this.#isAlone
  }

  /**
   * Before a transaction that is to see rows as they are. It changes nothing that they mean, so
   * nobody need know whether it was done.
   */
  async spread(handfuls: Handfuls): Promise<void> {
    if (!this.keepHandfuls) return
    try {
      await this.volley('loose', [], spreading(this.#parts.schema, handfuls))
    } catch (error) {
      throw MillraceError.is(error, 'OUTCOME_UNKNOWN') ? unreachable(error.cause) : error
    }
  }

  /** Whether what others see may wait for the disk apart; in our own process everyone waits for it. */
  get mayWaitApart(): boolean {
    return this.#mayFlush && !this.#isAlone
  }

  /** The statements of what locks nothing but what it writes. */
  get texts(): Readonly<Record<Statement, string>> {
    return this.#reading
  }

  transact<T>(purpose: Purpose, work: (tx: OwnTx) => Promise<T>, how?: 'brisk'): Promise<T> {
    return this.#again({ purpose, how }, async (client, pending, commit) => {
      const now = await this.#begin(client, purpose, how)
      const answer = await work(this.#tx(client, { purpose, how }, now, pending))
      await Promise.all(pending.checked)
      await commit()
      return answer
    })
  }

  /**
   * One statement that follows from no other answer, in a transaction that shares these queues: all of
   * it goes out at once, so that it costs one trip to the server and back. `onSeen` is told what it
   * answered as soon as others see it, which may be before the server's disk has it.
   */
  volley(
    purpose: Purpose,
    queues: readonly number[],
    { name, how, isTaking = false, ...asked }: Volley,
    onSeen: ((rows: readonly unknown[]) => void) | null = null,
  ): Promise<unknown[]> {
    const waitsApart = purpose === 'durable' && onSeen !== null && this.mayWaitApart
    const ends = waitsApart ? 'loose' : purpose
    return this.#again({ purpose: ends, how }, async (client, pending, commit) => {
      pending.add(client.query({ text: BEGIN[ends] }))
      const locking = isTaking ? 'taking' : 'beside'
      pending.add(client.query(this.#enter({ purpose: ends, how }, queues, locking)))
      const answer = client.query({ ...this.#prepared(`w/${name}`), ...asked, types: TYPES })
      pending.add(answer)
      const committed = commit()
      if (waitsApart) pending.add(client.query({ ...this.#prepared('flush'), text: FLUSH }))
      await committed
      const { rows } = await answer
      pending.isSeen = waitsApart
      onSeen?.(rows)
      if (waitsApart) await this.#flushed(client, pending)
      return rows
    })
  }

  /** Whoever must not flush is not known to have lasted; next time his commit waits itself. */
  async #flushed(client: Asking, { writes }: Pending): Promise<void> {
    const [flushed] = await Promise.allSettled(writes.slice(-1))
    if (flushed.status === 'fulfilled') return
    if (isForbidden(flushed.reason)) this.#mayFlush = false
    if (!isForgotten(flushed.reason)) throw flushed.reason
    this.#prepares = false
    await client.query({ text: FLUSH })
  }

  /** Again when others were in the way, but for no longer than one answer may take. */
  async #again<T>({ purpose, how }: Manner, run: Run<T>): Promise<T> {
    const { clock, chance } = this.#parts
    const enough = clock.mono() + this.#patience.answers / 2
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(purpose, run)
      } catch (error) {
        // Several may find out at once.
        if (isForgotten(error)) this.#prepares = false
        if (how === 'brisk' && isLocked(error)) throw new Held(error)
        if (!(isForgotten(error) || isInTheWay(error))) throw told(error)
        if (tries === TRIES || clock.mono() > enough) throw told(error)
      }
      await sleep(clock, BREATH * tries * (0.5 + chance.next()))
    }
  }

  async #once<T>(purpose: Purpose, run: Run<T>): Promise<T> {
    const { shows, answers } = this.#patience
    const client = new Asking(await this.#connect(), purpose === 'read' ? shows : answers)
    this.#asked.add(client)
    const pending = new Pending()
    let isSpoilt = false
    let commits = false
    const commit = async (): Promise<void> => {
      commits = purpose !== 'read'
      const ended = client.query({ text: 'COMMIT' })
      // Where one of these failed, the server has made a rollback of the commit; and what came behind
      // it failed by it alone.
      const done = await Promise.allSettled([...pending.writes, ended])
      for (const one of done) if (one.status === 'rejected') throw one.reason
    }
    try {
      const answer = await run(client, pending, commit)
      this.#trust.answered(client.connection)
      return answer
    } catch (heard) {
      const error = client.causeOf(heard)
      if (isHung(error)) this.#trust.doubt()
      const isBroken = !(await client.rollBack(error))
      await Promise.allSettled(pending.writes)
      // The same address may lead to a server that writes, now or soon.
      isSpoilt = isBroken || isReadOnly(error)
      if (pending.isSeen || (commits && isBroken)) throw unknown(error)
      throw error
    } finally {
      this.#asked.delete(client)
      client.release(isSpoilt)
    }
  }

  async #connect(): Promise<Client> {
    try {
      for (;;) {
        const client = await this.#parts.pool.connect()
        if (!this.#trust.isDoubtful(client)) return client
        discard(client)
      }
    } catch (error) {
      throw MillraceError.is(error) ? error : unreachable(error)
    }
  }

  async #begin(client: Asking, purpose: Purpose, how?: 'brisk'): Promise<Millis> {
    const settings = this.#settingsOf({ purpose, how })
    const [, answer] = await Promise.all([
      client.query({ text: BEGIN[purpose] }),
      client.query({
        ...this.#prepared(`begin/${nameOf({ purpose, how })}`),
        text: `${settings}, ${NOW} AS now`,
        types: TYPES,
      }),
    ])
    const [row] = answer.rows as [{ readonly now: Millis }] // as: what was just asked
    return this.#parts.now?.() ?? row.now
  }

  /** What a server knows already it need not read again, unless it forgets. */
  #prepared(name: string): { readonly name?: string } {
    return this.#prepares ? { name: `millrace/${name}` } : {}
  }

  #lock(manner: Manner, queues: readonly number[], how: Locking): Query {
    return {
      ...this.#prepared(`lock/${nameOf(manner)}/${how}`),
      text: `SELECT ${locking(how, manner)}`,
      values: [this.#parts.lockClass, queues],
    }
  }

  /** The settings and the locks of a transaction at once. */
  #enter(manner: Manner, queues: readonly number[], how: Locking): Query {
    const settings = this.#settingsOf(manner)
    if (this.#isAlone || queues.length === 0) {
      return { ...this.#prepared(`enter/${nameOf(manner)}`), text: settings }
    }
    return {
      ...this.#prepared(`enter/${nameOf(manner)}/${how}`),
      text: `${settings}, ${locking(how, manner)}`,
      values: [this.#parts.lockClass, queues.toSorted((a, b) => a - b)],
    }
  }

  #settingsOf({ purpose, how }: Manner): string {
    return settingsOf(purpose, { isOurOwn: this.#isAlone, isBrisk: how === 'brisk' })
  }

  #tx(client: Asking, manner: Manner, now: Millis, pending: Pending): OwnTx {
    const { purpose, how: pace } = manner
    const texts = purpose === 'read' ? this.#reading : this.#writing
    const kind = purpose === 'read' ? 'r' : 'w'
    const ask = async <S extends Statement>(name: S, values: unknown[]): Promise<Asked[S][]> => {
      const prepared = this.#prepared(`${kind}/${name}`)
      const answer = await client.query({ ...prepared, text: texts[name], values, types: TYPES })
      return answer.rows as Asked[S][] // as: what the statement is said to answer
    }
    const held = new Set<number>()
    const spread = (handfuls: Parameters<typeof spreading>[1]): void => {
      if (!this.keepHandfuls) return
      const { name, ...asked } = spreading(this.#parts.schema, handfuls)
      pending.add(client.query({ ...this.#prepared(`w/${name}`), ...asked }))
    }
    const each: Tx['each'] = async (statement, shared, rows) => {
      if (rows.length === 0) return []
      const columns = rows[0].map((_, at) => sent(rows.map((row) => row[at]) as Value)) // as: lists have no lists in them
      return ask(statement, [...shared.map(sent), ...columns])
    }
    return {
      now,
      isUsers: false,
      isOpen: false,
      isFar: !this.#isAlone,
      last: <S extends Statement>(statement: S, params: readonly Value[]) => {
        let rows: Asked[S][] = []
        const answer = ask(statement, params.map(sent)).then((answered) => void (rows = answered))
        pending.add(answer)
        return () => rows
      },
      lend: () => lend(client),
      all: (statement, params) => ask(statement, params.map(sent)),
      each,
      write: (statement, shared, rows, check) => {
        if (rows.length === 0) return
        const written = each(statement, shared, rows)
        const isChecked = check !== undefined
        pending.add(isChecked ? written.then(({ length }) => check(length)) : written, isChecked)
      },
      lock: async (queues, how) => {
        const wanted = queues.filter((queue) => !held.has(queue)).sort((a, b) => a - b)
        if (this.#isAlone || purpose === 'read' || wanted.length === 0) return
        for (const queue of wanted) held.add(queue)
        const locked = client.query(this.#lock(manner, wanted, how))
        if (how === 'shared' || how === 'alone') spread({ of: 'queues', queues: wanted })
        await locked
      },
      spread,
      hold: async (name) => {
        if (this.#isAlone) return
        const lock = 'pg_advisory_xact_lock(hashtextextended($1, $2))'
        await client.query({
          text: `SELECT ${pace === 'brisk' ? patiently(lock) : lock}`,
          values: [name, this.#parts.lockClass],
        })
      },
    }
  }
}

/** Of a transaction. */
interface Manner {
  readonly purpose: Purpose
  readonly how?: 'brisk' | undefined
}

function nameOf({ purpose, how }: Manner): string {
  return how === undefined ? purpose : `${purpose}/${how}`
}

type Locking = Lock | 'taking'

/** Of the queues $2, in their order. */
function locking(how: Locking, { how: pace }: Manner): string {
  const locks = LOCKS[how].map((lock) => `pg_advisory_xact_lock${lock}`).join(', ')
  return `${pace === 'brisk' ? patiently(locks) : locks} FROM unnest($2::int[]) AS q`
}

/** The locks of a queue: of its number, and of the same below zero, which who takes handfuls has alone. */
const LOCKS: Readonly<Record<Locking, readonly string[]>> = {
  beside: ['_shared($1, q)'],
  shared: ['_shared($1, q)', '_shared($1, -q)'],
  taking: ['_shared($1, q)', '($1, -q)'],
  alone: ['($1, q)'],
  apart: ['($1, q)'],
}

export interface Volley {
  readonly name: string
  readonly text: string
  readonly values: unknown[]
  /** See `transact`. */
  readonly how?: 'brisk'
  /** It takes a handful. */
  readonly isTaking?: boolean
  /** Rows as arrays of their columns: where there are many. */
  readonly rowMode?: 'array'
}

/** What is done in a transaction, up to its commit. */
type Run<T> = (client: Asking, pending: Pending, commit: () => Promise<void>) => Promise<T>

/** Our own errors, and bugs, as they are; the server's and the network's in our words. */
function told(error: unknown): unknown {
  if (!(error instanceof Error) || MillraceError.is(error) || error instanceof Again) return error
  return isTheirs(error) ? unreachable(error) : error
}
