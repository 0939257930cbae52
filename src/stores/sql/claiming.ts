/**
 * Claiming. A queue of which nothing can be closed, and whose jobs are all in one group, gives its
 * first jobs by one statement that passes over what others are taking. Where groups take turns or a
 * gate may be closed, the claim is alone with its queue: it lays those whose turn it is on a sheet,
 * and lets the book decide (`decide-claim.ts`), as in every other store.
 *
 * What is blocked costs nothing: a group whose gate was found closed leaves the turns until a job of
 * it ends, its time comes, or an operator speaks.
 */
import type { ClaimAnswer, ClaimAsk, Claimed } from '../../job/claim.js'
import { CRASHES_UNTIL_ALONE } from '../../job/defaults.js'
import { NEVER_SAID, effective } from '../../job/effective.js'
import type { Millis } from '../../job/job.js'
import type { Settings } from '../../job/settings.js'
import { decideClaim } from '../../job/book/decide-claim.js'
import { claimed, isFrugal } from '../../job/book/views.js'
import { OPEN } from '../../job/book/window.js'
import { tellMoves } from './backlog.js'
import { flush } from './flush.js'
import { look, lookAhead } from './looking.js'
import type { Looked } from './looking.js'
import type { News } from './news.js'
import type { OwnTx, Tx } from './port.js'
import type { Lane, Queues } from './queues.js'
import { lanesFor, settingsOf } from './queues.js'
import type { QueueFacts, Sheet } from './sheet.js'
import { inOrder, taken } from './taking.js'
import type { Taken } from './row.js'
import { takeTokens } from './tokens.js'
import { Turns } from './turns.js'
import type { Outlook } from './turns.js'

/** Looks of one claim at those whose turn it is. */
const LOOKS = 16

const UNSAID = effective(NEVER_SAID)
/** A statement that is asked once, with nothing but its shared parameters. */
const ONCE = [[]]

/** What it answers can be asked for when the transaction is over. */
export async function claim(
  tx: OwnTx,
  queues: Queues,
  node: string,
  ask: ClaimAsk,
  news: News,
  isDurable: boolean,
): Promise<() => ClaimAnswer> {
  const isAlone = queues.isTurned(ask.queue)
  const seen = tx.isFar && isAlone ? queues.seen(ask.queue) : null
  const [found, ahead] = await Promise.all([
    queues.enter(tx, [ask.queue], 'find', isAlone ? 'alone' : 'shared'),
    seen && lookAhead(tx, queues, seen, node, ask),
  ])
  const facts = found.get(ask.queue)
  if (facts === undefined) return () => nothing(UNSAID)
  const looked = await look(tx, queues, facts, node, ahead)
  queues.saw(facts.id, looked.lanes)
  return new Claim(tx, queues, node, ask, facts, news).run(looked, { isAlone, isDurable })
}

/** Alone with the queue, and so with a view of every job that there is: claims need not look before the first. */
export async function raiseFloors(tx: Tx, queues: Queues, queue: string): Promise<void> {
  const facts = (await queues.enter(tx, [queue], 'find', 'apart')).get(queue)
  if (facts === undefined) return
  const lanes = await tx.each('lane.of', [], [[facts.id]])
  for (const { id } of lanes) tx.write('turn.raiseAll', [id], ONCE)
  queues.took(queue, null)
  foldIfTold(tx, queues, facts)
}

/** For who is alone with the queue. */
function foldIfTold(tx: Tx, queues: Queues, { id }: QueueFacts): void {
  if (!queues.hasTold(id)) return
  tx.write('backlog.fold', [id], ONCE)
  queues.folded(id)
}

function nothing(settings: Settings): ClaimAnswer {
  return { jobs: [], nextIn: null, frugal: isFrugal(settings), aloneDue: false, settings }
}

/** How it was begun: as it was thought that it must be. */
interface Beginning {
  readonly isAlone: boolean
  readonly isDurable: boolean
}

class Claim {
  readonly #tx: OwnTx
  readonly #queues: Queues
  readonly #node: string
  readonly #ask: ClaimAsk
  readonly #facts: QueueFacts
  readonly #news: News
  readonly #settings: Settings

  constructor(
    tx: OwnTx,
    queues: Queues,
    node: string,
    ask: ClaimAsk,
    facts: QueueFacts,
    news: News,
  ) {
    this.#tx = tx
    this.#queues = queues
    this.#node = node
    this.#ask = ask
    this.#facts = facts
    this.#news = news
    this.#settings = settingsOf(facts)
  }

  async run(looked: Looked, { isAlone, isDurable }: Beginning): Promise<() => ClaimAnswer> {
    const { name } = this.#facts
    const isTurned = looked.isGrouped || this.#isTurned(looked)
    this.#queues.turned(name, isTurned, isAlone)
    this.#queues.once(name, this.#settings.delivery === 'at-most-once', isDurable)
    const canTake = looked.isNodeKnown && this.#ask.limit > 0
    if (isTurned || !canTake) return this.#takeInTurns(looked, canTake ? this.#ask.limit : 0)
    const answer = await this.#takePlainly(looked)
    return () => answer
  }

  /** A gate may be closed, groups take turns, or several lanes are asked: then it must be alone. */
  #isTurned({ lanes, gates: { paused, throttles, pausedGroups } }: Looked): boolean {
    const { shared, alone } = lanesFor(lanes, this.#ask.tasks)
    if (shared.length !== 1 || alone.length > 0 || (this.#ask.without ?? []).length > 0) return true
    if (isFrugal(this.#settings) || paused !== null || this.#facts.paused !== null) return true
    const { transit } = this.#facts
    if (transit !== null && transit.side !== 'arrived') return true
    return throttles.size > 0 || pausedGroups.length > 0
  }

  /** Who is given something lives. Who asks in vain, and holds nothing, is at least not forgotten. */
  #sign({ length }: readonly Claimed[]): void {
    const of = [this.#queues.scope, this.#node, this.#tx.now]
    this.#tx.write(length > 0 ? 'node.touch' : 'node.remember', of, ONCE)
  }

  // ── Plainly ──────────────────────────────────────────────────────────────────────────────────

  async #takePlainly({ lanes }: Looked): Promise<ClaimAnswer> {
    const tx = this.#tx
    const ask = this.#ask
    const { shared } = lanesFor(lanes, ask.tasks)
    const first = (await takeTokens(tx, ask.limit)) - ask.limit
    const holder = [this.#node, ask.worker, ask.claim]
    const rows = await tx.all('job.take', [shared[0], tx.now, ask.limit, first, ...holder])
    rows.sort(inOrder)
    this.#freeKeys(rows)
    this.#queues.plainly(this.#facts.name, { facts: this.#facts, lanes })
    const jobs = taken(this.#facts, rows, tx.now)
    this.#queues.took(this.#facts.name, rows.length)
    tellMoves(
      tx,
      this.#queues,
      new Map([[this.#facts.id, this.#facts]]),
      new Map([[this.#facts.id, -rows.length]]),
    )
    const isFull = rows.length === ask.limit
    const more = isFull ? await tx.each('lane.ready', [], [[shared[0], tx.now]]) : []
    const nextIn = more.length > 0 ? 0 : await this.#nextDue(shared[0])
    this.#sign(jobs)
    return { ...nothing(this.#settings), jobs, nextIn }
  }

  /** Keys that are held only until the first start. */
  #freeKeys(rows: readonly Taken[]): void {
    const tx = this.#tx
    const started = rows.filter(({ extra }) => extra !== null).map(({ seq }) => [seq])
    tx.write('key.started', [tx.now], started)
  }

  async #nextDue(lane: number): Promise<Millis | null> {
    const [next] = await this.#tx.each('lane.next', [], [[lane]])
    return next === undefined ? null : Math.max(0, next.due - this.#tx.now)
  }

  // ── In turns, behind gates ───────────────────────────────────────────────────────────────────

  async #takeInTurns(looked: Looked, limit: number): Promise<() => ClaimAnswer> {
    foldIfTold(this.#tx, this.#queues, this.#facts)
    const turns = new Turns(this.#tx, this.#queues, this.#facts, looked, this.#ask)
    const jobs: Claimed[] = []
    for (let looks = 1; ; looks++) {
      const left = limit - jobs.length
      const alone = this.#ask.alone && jobs.length === 0
      let ahead: number | null = null
      const gather = async (): Promise<void> => {
        if (this.#tx.isFar && left > 0) ahead = await takeTokens(this.#tx, left)
      }
      const seen = await turns.look(left, { groups: [], gather })
      const taken = await this.#take(seen.sheet, left, alone, ahead)
      jobs.push(...taken)
      const isLone = taken.some(({ crashes }) => crashes >= CRASHES_UNTIL_ALONE)
      const view = turns.keepTrue(seen, isLone ? 0 : limit - jobs.length)
      await flush(this.#tx, this.#queues, seen.sheet, this.#news)
      seen.sheet.close()
      if (view.mayGoOn && looks < LOOKS) continue
      this.#sign(jobs)
      const nextIn = this.#nextIn(view, looked.lanes)
      const aloneDue = !this.#ask.alone && view.aloneDue && view.opens === OPEN
      return () => ({ ...nothing(this.#settings), jobs, nextIn: nextIn(), aloneDue })
    }
  }

  /** The book decides, and what it gives runs from now on. `ahead`: the last of `limit` tokens. */
  async #take(
    sheet: Sheet,
    limit: number,
    alone: boolean,
    ahead: number | null,
  ): Promise<Claimed[]> {
    const tx = this.#tx
    const { ledger } = sheet
    const ask = { ...this.#ask, limit, alone }
    const proposal = decideClaim(ledger, this.#node, [ask], tx.now)
    const { frame, slots } = proposal
    if (frame === null) return []
    if (ahead === null) sheet.shelf.grant(await takeTokens(tx, slots.length), slots.length)
    else sheet.shelf.grant(ahead, limit)
    sheet.lend(this.#node)
    const tokens = sheet.book.apply<'claim'>(frame, tx.now, frame.items) ?? new Float64Array()
    proposal.undo()
    const taken = slots.filter((_, at) => tokens[at] > 0)
    const given = [...tokens].filter((token) => token > 0)
    taken.forEach((slot, at) => {
      const extra = sheet.rows.get(sheet.seqOf(slot))?.extra ?? null
      if (extra !== null) this.#queues.setApart(given[at])
    })
    return claimed(ledger, taken, given, tx.now)
  }

  /** When the next one can be taken: what waits for its time or for a gate, but no gate of the queue. */
  #nextIn({ nextIn, opens }: Outlook, lanes: readonly Lane[]): () => Millis | null {
    if (opens === Infinity) return () => null
    const { now } = this.#tx
    const { shared, alone } = lanesFor(lanes, this.#ask.tasks)
    const asked = this.#tx.last('claim.next', [this.#facts.id, [...shared, ...alone]])
    return () => {
      const [{ due, opens_at: opensAt }] = asked()
      const at = earlier(due, opensAt)
      const next = earlier(nextIn, at === null ? null : at - now)
      return next === null ? null : Math.max(0, next, opens - now)
    }
  }
}

function earlier(a: Millis | null, b: Millis | null): Millis | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}
