/**
 * The port to a database: transactions, and statements by their names. The text of each statement
 * is the dialect's own (`statements.ts` of each store), written by hand; what it is asked and
 * answers is said in `statements.ts` here. Nothing above this port knows SQL, and nothing below it
 * knows jobs.
 */
import type { Millis } from '../../job/job.js'
import type { Hint } from '../../store.js'
import type { Asked, Statement } from './statements.js'

/** Lists are passed as the dialect passes them: arrays, or JSON. */
export type Value = string | number | null | readonly string[] | readonly number[]

export interface Tx {
  /** The store's time: it stands still within a transaction. */
  readonly now: Millis
  /** Its end is the user's, and may be long in coming: nothing is locked that claims need. */
  readonly isUsers: boolean
  /** One statement; its rows. */
  all<S extends Statement>(statement: S, params: readonly Value[]): Promise<Asked[S][]>
  /** The statement for each of these rows; `shared` are its first parameters. All rows it answered. */
  each<S extends Statement>(
    statement: S,
    shared: readonly Value[],
    rows: readonly (readonly Value[])[],
  ): Promise<Asked[S][]>
  /**
   * As `each`, for what is only written: the transaction does not end before it is done, and comes
   * to nothing when it fails; nobody need wait for it. `check` is told how many rows it answered.
   */
  write(
    statement: Statement,
    shared: readonly Value[],
    rows: readonly (readonly Value[])[],
    check?: (answered: number) => void,
  ): void
  /**
   * Until the end of the transaction: 'shared' by those who put jobs where claims look, 'alone' by
   * those who take from there in turns or behind gates.
   */
  lock(queues: readonly number[], how: 'shared' | 'alone'): Promise<void>
  /** Until the end of the transaction nobody else holds this name: the key of a rate. */
  hold(name: string): Promise<void>
}

/** A transaction of our own. */
export interface OwnTx extends Tx {
  /** Something for the user's own statements in it. */
  lend(): Lent
}

export interface Lent {
  /** What the user is handed. */
  readonly client: object
  /**
   * It answers nobody any more. Throws what a statement of the user's failed with when that has
   * spoilt the transaction, and OPTION_INVALID when he has ended it.
   */
  takeBack(): Promise<void>
  /** It answers nobody any more, since the transaction is given up. */
  revoke(): void
}

/** A transaction of the user's, with our statements in it. */
export interface Joined {
  readonly tx: Tx
  /** Whether queues and lanes are made known in a transaction of ours, so that nobody waits for his. */
  readonly isApart: boolean
  /** Answers when all that was written is; throws what it failed with. */
  done(): Promise<void>
  /** Says it in his transaction, for those who hear of its commit by themselves: nothing. */
  tell(hints: readonly Hint[]): Promise<void>
}

/** What a transaction does, for the database to do no more than that. */
export type Purpose =
  /** Sees one state of the database, changes nothing. */
  | 'read'
  /** Its answer waits until it is as durable as the database makes things. */
  | 'durable'
  /** May be lost with the power: a claim, a beat, progress. */
  | 'loose'

export interface Database {
  /**
   * Runs it in one transaction, again when others were in the way, and throws STORE_UNREACHABLE
   * when nothing came of it, OUTCOME_UNKNOWN when the answer to its commit was lost.
   */
  transact<T>(purpose: Purpose, work: (tx: OwnTx) => Promise<T>): Promise<T>
  /** The user's own transaction. Throws OPTION_INVALID, TX_UNSUPPORTED for what is none of this database. */
  join(tx: unknown): Promise<Joined>
  /** Tells everyone, this process included, after what it is about was committed. */
  tell(hints: readonly Hint[]): void
}
