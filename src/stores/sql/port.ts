/**
 * The port to a database: transactions, and statements by their names. The text of each statement
 * is the dialect's own (`statements.ts` of each store), written by hand; what it is asked and
 * answers is said in `statements.ts` here. Nothing above this port knows SQL, and nothing below it
 * knows jobs.
 */
import type { Millis } from '../../job/job.js'
import type { Hint } from '../../store.js'
import type { Taken } from './row.js'
import type { Asked, Statement } from './statements.js'

/** Lists are passed as the dialect passes them: arrays, or JSON. */
export type Value = string | number | null | readonly string[] | readonly number[]

export interface Tx {
  /** The store's time: it stands still within a transaction. */
  readonly now: Millis
  /** Its end is the user's, or behind a function of his: nothing is locked that claims need. */
  readonly isUsers: boolean
  /**
   * And may be long in coming, while others go on: nothing of theirs is locked. Not that of `job.commit`,
   * which is short; nor where nobody else can write meanwhile.
   */
  readonly isOpen: boolean
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
  /** Until the end of the transaction. */
  lock(queues: readonly number[], how: Lock): Promise<void>
  /** Writes these handfuls on the rows of their jobs, which say from now on who holds them. */
  spread(handfuls: Handfuls): void
  /** Until the end of the transaction nobody else holds this name: the key of a rate. */
  hold(name: string): Promise<void>
}

/** How a transaction shares a queue with others. */
export type Lock =
  /** By those who put jobs where claims look, or end what runs: they exclude only who is alone. */
  | 'beside'
  /** By those who look at what waits there: nobody takes a handful of it, and all are spread. */
  | 'shared'
  /** By those who take from there in turns or behind gates, or say how it is to be done. */
  | 'alone'
  /** As 'alone', by those whom it does not concern what stands in handfuls. */
  | 'apart'

/**
 * A *handful* is what a plain claim took, where a database keeps it in one row of its own instead of
 * changing the row of each job; those still look as if they waited. Whoever looks at rows otherwise
 * than plain claims and completions do has the handfuls that may concern him spread before. Which:
 */
export type Handfuls =
  | { readonly of: 'scope'; readonly scope: number }
  /** In which these tokens were given. */
  | { readonly of: 'tokens'; readonly tokens: readonly number[] }
  | { readonly of: 'nodes'; readonly scope: number; readonly nodes: readonly string[] }
  /** Of nodes that nobody knows. */
  | { readonly of: 'strangers'; readonly scope: number }
  /** Of claims that the node does not know of. */
  | {
      readonly of: 'claims'
      readonly scope: number
      readonly node: string
      readonly upTo: number
      readonly open: readonly number[]
    }

/** A transaction of our own. */
export interface OwnTx extends Tx {
  /** Each answer is a trip to another process: what will be asked next nearly always is asked ahead. */
  readonly isFar: boolean
  /**
   * As `all`, for what is not needed before the transaction is over: it goes out with the end. Answers
   * what gives the rows then.
   */
  last<S extends Statement>(statement: S, params: readonly Value[]): () => readonly Asked[S][]
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
  /** Before it is answered, it is as durable as the database makes things: see `durable`. */
  | 'durable'
  /** May be lost with the power: a claim, a beat, progress. */
  | 'loose'

/** Jobs for now that differ in id, group and payload alone; see `alike.ts`. */
export interface Alike {
  readonly queue: number
  /** Of the settings that this was decided by. */
  readonly revision: number
  readonly lane: number
  readonly task: string
  readonly priority: number
  readonly flags: number
  readonly codec: number
  /** How long it may wait; null: for ever. */
  readonly lifespan: Millis | null
  readonly ids: readonly string[]
  readonly groups: readonly string[]
  readonly payloads: readonly string[]
}

/** A claim of a queue of which nothing was closed when it was last claimed; see `plainly.ts`. */
export interface PlainTake {
  readonly scope: number
  readonly queue: number
  /** Of the settings that this was decided by. */
  readonly revision: number
  /** Where it looks, of all the lanes that the queue had. */
  readonly lane: number
  readonly lanes: readonly number[]
  readonly node: string
  readonly worker: string
  readonly claim: number
  readonly limit: number
  /** When it is completed, a job of the queue leaves nothing: it may be taken in a handful. */
  readonly inHand: boolean
  /** The backlog of the queue is limited: it is told what leaves it. */
  readonly isLimited: boolean
}

export interface PlainTaken {
  readonly now: Millis
  readonly rows: readonly Taken[]
  /** When the next can be taken: now, when the first that waits is due; null: none is there. */
  readonly next: Millis | null
}

/** Completions of jobs that are plain; the lists go together, job by job. */
export interface PlainEnds {
  readonly scope: number
  /** The queues, and the revisions of the settings that this was decided by. */
  readonly queues: readonly number[]
  readonly revisions: readonly number[]
  readonly of: readonly number[]
  readonly ids: readonly string[]
  readonly tokens: readonly number[]
  /** What the receipt of each says besides its row, as `receiptOf` has it; null: they leave nothing. */
  readonly receipts: readonly string[] | null
  /** Some of the queues have gates: the turns of their groups are open again. */
  readonly opens: boolean
}

/** What is to be done when others see what was added, which may be before that is durable. */
export interface Seen {
  /** What they are to be told. */
  readonly hints: readonly Hint[]
  /** Somebody of this process waits for that, so it may cost something. */
  readonly isAwaited: boolean
  /** Called where any was added. `areOthersTold`: other processes have had the hints with it. */
  readonly onSeen: (areOthersTold: boolean) => void
}

/**
 * What is asked nearly always, each in one trip to a database that is far away. What it was decided by
 * stands among its conditions; null: it is not so any more, and nothing was done.
 */
export interface OneTrip {
  /** Answers which were added, when that is durable. It is brisk: see `transact`. */
  insert(lot: Alike, seen: Seen): Promise<ReadonlySet<string> | null>
  take(ask: PlainTake): Promise<PlainTaken | null>
  /** Answers the tokens of those that are completed; all others are as they were. See `durable`. */
  complete(ends: PlainEnds): Promise<ReadonlySet<number> | null>
}

export interface Database {
  /**
   * Runs it in one transaction, again when others were in the way, and throws STORE_UNREACHABLE
   * when nothing came of it, OUTCOME_UNKNOWN when the answer to its commit was lost. 'brisk': where it
   * would wait for what somebody keeps, it throws `Held` after a moment.
   */
  transact<T>(purpose: Purpose, work: (tx: OwnTx) => Promise<T>, how?: 'brisk'): Promise<T>
  /**
   * Answers when all that was committed to be durable is; others may have seen it before. Throws
   * OUTCOME_UNKNOWN. Where a commit itself waits for the disk, there is nothing left to wait for.
   */
  durable(): Promise<void>
  /** In a transaction of its own, before one that is to see rows as they are. */
  spread(handfuls: Handfuls): Promise<void>
  readonly oneTrip: OneTrip
  /**
   * After so many jobs that were taken plainly the floors of their turns are raised, so that no claim
   * passes by more dead rows; Infinity: there are none.
   */
  readonly raiseAfter: number
  /** So many rows are counted in one piece, where that holds up the event loop; Infinity: it does not. */
  readonly countsAtOnce: number
  /** The user's own transaction. Throws OPTION_INVALID, TX_UNSUPPORTED for what is none of this database. */
  join(tx: unknown): Promise<Joined>
  /**
   * Tells everyone, this process included, after what it is about was committed. `areOthersTold`: other
   * processes know already.
   */
  readonly tell: (hints: readonly Hint[], areOthersTold?: boolean) => void
}
