/**
 * A completion together with what the user writes: in one transaction the job's row is locked by its
 * token, the user's function runs, the job is settled as ever, and all of it commits or none.
 *
 * The function holds a connection and the job's row, so it is bounded: by the end of the attempt, and
 * by `WRITE_MOST`, since a function that waits for something which waits for this transaction would
 * never end. What it was lent answers nothing afterwards. It may be called again when the transaction
 * came to nothing because others were in the way; its own failures are never repeated.
 */
import { invalid } from '../../job/check.js'
import { millraceError } from '../../job/errors.js'
import type { Millis } from '../../job/job.js'
import type { Settlement } from '../../job/verdict.js'
import type { CommitTerms, Committed, Write } from '../../store.js'
import type { Clock } from '../../time/clock.js'
import { guarded } from './guarded.js'
import type { News } from './news.js'
import type { Joined, OwnTx, Tx } from './port.js'
import type { Queues } from './queues.js'
import { committedRow, isCommittedRow } from './settled.js'
import { note, settle, tokenOf } from './settling.js'

/** How long the user's function may take. */
export const WRITE_MOST: Millis = 15_000

/** What the user's function threw, on its way out: nobody on that way takes it for the database's. */
export class WriteFault extends Error {
  constructor(cause: unknown) {
    super('the function of job.commit threw', { cause })
    this.name = 'WriteFault'
  }
}

/** Those that are lent now, so that a lot may name one of them as its `tx`. */
export class Lending {
  readonly #lent = new WeakMap<object, Joined>()

  find(client: unknown): Joined | undefined {
    return typeof client === 'object' && client !== null ? this.#lent.get(client) : undefined
  }

  add(client: object, joined: Joined): void {
    this.#lent.set(client, joined)
  }

  remove(client: object): void {
    this.#lent.delete(client)
  }
}

export interface Commit {
  readonly settlement: Settlement
  readonly write: Write
  readonly terms: CommitTerms
  readonly lending: Lending
  /** Whether lots in it are prepared apart. */
  readonly isApart: boolean
  readonly clock: Clock
}

export async function commit(
  tx: OwnTx,
  queues: Queues,
  of: Commit,
  news: News,
): Promise<Committed> {
  const { settlement } = of
  const token = tokenOf(settlement.token)
  if (await isHeld(tx, queues, settlement)) {
    await write(tx, of, news)
    const said = of.terms.said?.() ?? null
    if (said !== null) await note(tx, queues, [said], news)
    tx.write('settled.add', [queues.scope, tx.now, ...committedRow(token)], [[]])
  } else if (!(await wasCommitted(tx, queues, token))) {
    // Its run may have ended otherwise: what the function would have written is not there.
    return { settled: { status: 'lost' }, happened: [] }
  }
  const { settled, happened } = await settle(tx, queues, [settlement], news)
  return { settled: settled[0], happened }
}

async function wasCommitted(tx: Tx, { scope }: Queues, token: number): Promise<boolean> {
  const rows = await tx.all('settled.find', [scope, token])
  return rows.some(({ body }) => isCommittedRow(body, token))
}

/** From now on nobody else ends it. The queue is locked only by the settlement, after the user's part. */
async function isHeld(tx: Tx, queues: Queues, { queue, id, token }: Settlement): Promise<boolean> {
  const facts = (await queues.look(tx, [queue])).get(queue)
  if (facts === undefined) return false
  const [row] = await tx.each('job.find', [], [[facts.id, id]])
  return row?.token === tokenOf(token)
}

async function write(tx: OwnTx, of: Commit, news: News): Promise<void> {
  const lent = tx.lend()
  const { lending } = of
  let isOver = false
  lending.add(lent.client, {
    tx: guarded({ ...tx, isUsers: true, lock: async () => undefined }, () => {
      // A lot that was not awaited comes when the transaction is over.
      if (isOver) throw late()
    }),
    isApart: of.isApart,
    done: async () => undefined, // this transaction waits for its writes by itself
    tell: async (hints) => void news.add(hints),
  })
  try {
    await bounded(of, async () => of.write(lent.client)).finally(() => (isOver = true))
    await lent.takeBack()
    of.terms.signal.throwIfAborted()
  } catch (error) {
    lent.revoke()
    throw new WriteFault(error)
  } finally {
    lending.remove(lent.client)
  }
}

function late(): Error {
  const expected = 'to be enqueued before the function of job.commit answers'
  return invalid('tx', expected, 'one that came after that', 'await everything within the function')
}

/** Rejects when the attempt is over or its time is up; the function then goes on for nothing. */
function bounded({ clock, terms }: Commit, run: () => Promise<void>): Promise<void> {
  const { signal } = terms
  return new Promise<void>((resolve, reject) => {
    const over = (): void => reject(signal.reason as Error) // as: the engine gives an error
    if (signal.aborted) return over()
    const timer = clock.after(WRITE_MOST, () => reject(tooLong()), { ref: false })
    signal.addEventListener('abort', over, { once: true })
    const ended = run().finally(() => {
      timer.cancel()
      signal.removeEventListener('abort', over)
    })
    ended.then(resolve, reject)
  })
}

function tooLong(): Error {
  return millraceError({
    code: 'ATTEMPT_TIMEOUT',
    subject: 'job.commit',
    expected: `its function to end within ${WRITE_MOST} ms`,
    remedy:
      'do what is slow before; enqueue within it only with { tx }, or it waits for this transaction',
  })
}
