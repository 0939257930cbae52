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
import { bringDue } from './due.js'
import { flush } from './flush.js'
import { Gatherer } from './gather.js'
import type { News } from './news.js'
import type { Tx } from './port.js'
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

export async function claim(
  tx: Tx,
  queues: Queues,
  node: string,
  ask: ClaimAsk,
  news: News,
  isDurable: boolean,
): Promise<ClaimAnswer> {
  const isAlone = queues.isTurned(ask.queue)
  const how = isAlone ? 'alone' : 'shared'
  const facts = (await queues.enter(tx, [ask.queue], 'find', how)).get(ask.queue)
  if (facts === undefined) return nothing(UNSAID)
  return new Claim(tx, queues, node, ask, facts, news, { isAlone, isDurable }).run()
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
  readonly #tx: Tx
  readonly #queues: Queues
  readonly #node: string
  readonly #ask: ClaimAsk
  readonly #facts: QueueFacts
  readonly #news: News
  readonly #settings: Settings
  readonly #isAlone: boolean
  readonly #isDurable: boolean
  #lanes: readonly Lane[] = []

  constructor(
    tx: Tx,
    queues: Queues,
    node: string,
    ask: ClaimAsk,
    facts: QueueFacts,
    news: News,
    { isAlone, isDurable }: Beginning,
  ) {
    this.#isAlone = isAlone
    this.#isDurable = isDurable
    this.#tx = tx
    this.#queues = queues
    this.#node = node
    this.#ask = ask
    this.#facts = facts
    this.#news = news
    this.#settings = settingsOf(facts)
  }

  async run(): Promise<ClaimAnswer> {
    const tx = this.#tx
    const { id, name } = this.#facts
    const gatherer = new Gatherer(tx, this.#queues)
    const [lanes, known, grouped] = await Promise.all([
      tx.each('lane.of', [], [[id]]),
      tx.all('node.known', [this.#queues.scope, this.#node]),
      tx.all('turn.grouped', [id]),
      gatherer.gates(id),
    ])
    this.#lanes = lanes
    const isGated = this.#isTurned(gatherer.sheet)
    gatherer.sheet.close()
    const bringsGroups = await bringDue(tx, this.#facts, lanes)
    const isTurned = grouped.length > 0 || bringsGroups || isGated
    this.#queues.turned(name, isTurned, this.#isAlone)
    this.#queues.once(name, this.#settings.delivery === 'at-most-once', this.#isDurable)
    const canTake = known.length > 0 && this.#ask.limit > 0
    if (!isTurned && canTake) return this.#told(await this.#takePlainly())
    return this.#told(await this.#takeInTurns(canTake ? this.#ask.limit : 0))
  }

  /** A gate may be closed, groups take turns, or several lanes are asked: then it must be alone. */
  #isTurned({ paused, throttles, pausedGroups }: Sheet): boolean {
    const { shared, alone } = lanesFor(this.#lanes, this.#ask.tasks)
    if (shared.length !== 1 || alone.length > 0 || (this.#ask.without ?? []).length > 0) return true
    if (isFrugal(this.#settings) || paused !== null || this.#facts.paused !== null) return true
    const { transit } = this.#facts
    if (transit !== null && transit.side !== 'arrived') return true
    return throttles.size > 0 || pausedGroups.length > 0
  }

  /** Who is given something lives. Who asks in vain, and holds nothing, is at least not forgotten. */
  async #told(answer: ClaimAnswer): Promise<ClaimAnswer> {
    const of = [this.#queues.scope, this.#node, this.#tx.now]
    this.#tx.write(answer.jobs.length > 0 ? 'node.touch' : 'node.remember', [...of], ONCE)
    return answer
  }

  // ── Plainly ──────────────────────────────────────────────────────────────────────────────────

  async #takePlainly(): Promise<ClaimAnswer> {
    const tx = this.#tx
    const ask = this.#ask
    const { shared } = lanesFor(this.#lanes, ask.tasks)
    const first = (await takeTokens(tx, ask.limit)) - ask.limit
    const holder = [this.#node, ask.worker, ask.claim]
    const rows = await tx.all('job.take', [shared[0], tx.now, ask.limit, first, ...holder])
    rows.sort(inOrder)
    this.#freeKeys(rows)
    this.#queues.plainly(this.#facts.name, { facts: this.#facts, lanes: this.#lanes })
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
    const nextIn = more.length > 0 ? 0 : await this.#nextDue(shared)
    return { ...nothing(this.#settings), jobs, nextIn }
  }

  /** Keys that are held only until the first start. */
  #freeKeys(rows: readonly Taken[]): void {
    const tx = this.#tx
    const started = rows.filter(({ extra }) => extra !== null).map(({ seq }) => [seq])
    tx.write('key.started', [tx.now], started)
  }

  async #nextDue(lanes: readonly number[]): Promise<Millis | null> {
    const rows = await this.#tx.each(
      'lane.next',
      [],
      lanes.map((lane) => [lane]),
    )
    if (rows.length === 0) return null
    return Math.max(0, Math.min(...rows.map(({ due }) => due)) - this.#tx.now)
  }

  // ── In turns, behind gates ───────────────────────────────────────────────────────────────────

  async #takeInTurns(limit: number): Promise<ClaimAnswer> {
    foldIfTold(this.#tx, this.#queues, this.#facts)
    const turns = new Turns(this.#tx, this.#queues, this.#facts, this.#lanes, this.#ask)
    const jobs: Claimed[] = []
    for (let looks = 1; ; looks++) {
      const alone = this.#ask.alone && jobs.length === 0
      const look = await turns.look(limit - jobs.length)
      const taken = await this.#take(look.sheet, limit - jobs.length, alone)
      jobs.push(...taken)
      const isLone = taken.some(({ crashes }) => crashes >= CRASHES_UNTIL_ALONE)
      const view = await turns.keepTrue(look, isLone ? 0 : limit - jobs.length)
      await flush(this.#tx, this.#queues, look.sheet, this.#news)
      look.sheet.close()
      if (view.mayGoOn && looks < LOOKS) continue
      const nextIn = await this.#nextIn(view)
      const aloneDue = !this.#ask.alone && view.aloneDue && view.opens === OPEN
      return { ...nothing(this.#settings), jobs, nextIn, aloneDue }
    }
  }

  /** The book decides, and what it gives runs from now on. */
  async #take(sheet: Sheet, limit: number, alone: boolean): Promise<Claimed[]> {
    const tx = this.#tx
    const { ledger } = sheet
    const ask = { ...this.#ask, limit, alone }
    const proposal = decideClaim(ledger, this.#node, [ask], tx.now)
    const { frame, slots } = proposal
    if (frame === null) return []
    sheet.shelf.grant(await takeTokens(tx, slots.length), slots.length)
    sheet.lend(this.#node)
    const tokens = sheet.book.apply<'claim'>(frame, tx.now, frame.items) ?? new Float64Array()
    proposal.undo()
    const taken = slots.filter((_, at) => tokens[at] > 0)
    const given = [...tokens].filter((token) => token > 0)
    return claimed(ledger, taken, given, tx.now)
  }

  /** When the next one can be taken: what waits for its time or for a gate, but no gate of the queue. */
  async #nextIn({ nextIn, opens }: Outlook): Promise<Millis | null> {
    if (opens === Infinity) return null
    const { now } = this.#tx
    const { shared, alone } = lanesFor(this.#lanes, this.#ask.tasks)
    const due = await this.#nextDue([...shared, ...alone])
    const [closed] = await this.#tx.all('turn.next', [this.#facts.id])
    const opensAt = closed?.opens_at ?? null
    const next = earlier(earlier(nextIn, due), opensAt === null ? null : opensAt - now)
    return next === null ? null : Math.max(0, next, opens - now)
  }
}

function earlier(a: Millis | null, b: Millis | null): Millis | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}
