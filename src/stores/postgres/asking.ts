/**
 * A connection of the pool while it is ours: what is asked of it, what was written and is not waited
 * for yet, and how it is given back or thrown away.
 */
import type { Millis } from '../../job/job.js'
import type { Client, Pool, Query } from './client.js'
import { isBehindFailure, isHung } from './errors.js'
import { tear } from './parting.js'

/** A connection of the pool while it is ours. */
export class Asking {
  readonly connection: Client
  readonly #within: Millis
  /** Of a connection that is asked one thing after the other: the last. */
  #last: Promise<unknown> = Promise.resolve()
  /** What failed first: all behind it in the transaction fails by that. */
  #failure: unknown = null
  #isReleased = false
  #isGathering = false

  constructor(connection: Client, within: Millis) {
    this.connection = connection
    this.#within = within
    connection.on('error', heardByItsQueries)
  }

  /** Leaves at once, behind what was asked before, if the connection takes it so; else when that is answered. */
  query(query: Query): ReturnType<Client['query']> {
    if (this.connection.pipeline === true) return this.#send(query)
    const answer = this.#last.then(() => this.#send(query))
    this.#last = answer.catch(() => undefined) // told to who asked
    return answer
  }

  #send(query: Query): ReturnType<Client['query']> {
    if (this.#isReleased) throw new Error('the connection was given back before this was asked')
    this.#gather()
    const answer = this.connection.query({ ...query, query_timeout: this.#within })
    answer.catch((error: unknown) => (this.#failure ??= error))
    return answer
  }

  /** Why it failed, where somebody heard first of what failed by that. */
  causeOf(error: unknown): unknown {
    return isBehindFailure(error) ? (this.#failure ?? error) : error
  }

  /** What is asked at once leaves in one packet: each by itself would be a call of the system, and a wake-up of the server. */
  #gather(): void {
    const stream = this.connection.connection?.stream
    if (this.#isGathering || stream?.cork === undefined || stream.uncork === undefined) return
    this.#isGathering = true
    stream.cork()
    process.nextTick(() => {
      this.#isGathering = false
      stream.uncork?.()
    })
  }

  /** Whether the connection is of use any more. One that hangs is asked nothing. */
  async rollBack(why: unknown): Promise<boolean> {
    if (isHung(why)) return false
    const [rolledBack] = await Promise.allSettled([this.query({ text: 'ROLLBACK' })])
    return rolledBack.status === 'fulfilled'
  }

  /** What it has not answered fails now. */
  giveUp(): void {
    tear(this.connection)
  }

  release(isSpoilt: boolean): void {
    this.#isReleased = true
    if (isSpoilt) return discard(this.connection)
    this.connection.off('error', heardByItsQueries)
    this.connection.release()
  }
}

/** A connection of the pool, for something that needs no transaction; gone when that fails. */
export async function asking<T>(pool: Pool, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  client.on('error', heardByItsQueries)
  let isWell = false
  try {
    const answer = await use(client)
    isWell = true
    return answer
  } finally {
    client.off('error', heardByItsQueries)
    if (isWell) client.release()
    else discard(client)
  }
}

/** Gone at once: one that hangs would answer to no goodbye, and keep its socket for minutes. */
export function discard(client: Client): void {
  client.on('error', heardByItsQueries)
  client.release(true)
  tear(client)
}

/** While nobody listens to it, a connection that breaks would end the process; its queries fail, too. */
const heardByItsQueries = (): void => undefined

/** What a transaction has written and not waited for. */
export class Pending {
  readonly writes: Promise<unknown>[] = []
  /** Those whose answers decide whether it may end. */
  readonly checked: Promise<unknown>[] = []
  /** It is committed, and others see it. */
  isSeen = false

  add(written: Promise<unknown>, isChecked = false): void {
    written.catch(() => undefined) // it is waited for at the end, and told then
    this.writes.push(written)
    if (isChecked) this.checked.push(written)
  }
}
