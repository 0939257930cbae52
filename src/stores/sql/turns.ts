/**
 * Whose turn it is. A *line* is the jobs of one lane, group and priority; its turn is a row, and
 * stands at the pass of its group. Each look lays the next lines on a sheet, with as many jobs of
 * each as a fair share of the claim can take, and with all that their gates are asked about. After
 * the book has decided, the turns are kept true: a group that was served moves on, a line of which
 * nothing is left goes, a group whose gate is closed leaves until it may be open.
 *
 * The claim is alone with its queue meanwhile, so what it sees stays true until it commits.
 */
import type { ClaimAsk } from '../../job/claim.js'
import type { Millis } from '../../job/job.js'
import { gatesGroups as gatesGroupsOf } from '../../job/settings.js'
import type { Settings } from '../../job/settings.js'
import { AVAILABLE, HOLDS, RUNNING, SCHEDULED } from '../../job/book/columns.js'
import { outlook } from '../../job/book/decide-claim.js'
import { gatesGroups, groupOpens, isGated, queueOpens } from '../../job/book/gates.js'
import { groupLimit, groupName, queueRate } from '../../job/book/rates.js'
import type { RateView } from '../../job/book/rates.js'
import { OPEN } from '../../job/book/window.js'
import { Again } from './again.js'
import { firstTurns, linesFor } from './first-turns.js'
import type { FirstTurns, Turn } from './first-turns.js'
import { Gatherer } from './gather.js'
import type { Gates, Looked } from './looking.js'
import type { Tx, Value } from './port.js'
import type { Lane, Queues } from './queues.js'
import { settingsOf } from './queues.js'
import { storedExtra } from './row.js'
import type { JobRow } from './row.js'
import type { QueueFacts, Sheet } from './sheet.js'
import type { Asked } from './statements.js'

/** A statement that is asked once, with nothing but its shared parameters. */
const ONCE = [[]]
/** When a job that somebody keeps is looked at again. */
const KEPT_FOR: Millis = 500
const NOBODY: ReadonlySet<number> = new Set()
/** How far the first job of a line may stand from its floor, with dead rows in between. */
const RAISE_BEHIND: Millis = 2_000

interface Line {
  readonly turn: Turn
  readonly rows: readonly JobRow[]
  /** No other job stands in it. */
  readonly isWhole: boolean
}

interface Counted {
  /** Jobs that hold their groups and wait. */
  readonly holding: readonly JobRow[]
  readonly inGroups: readonly Asked['group.running'][]
  readonly inQueue: number
}

export interface Look {
  readonly sheet: Sheet
  readonly lines: readonly Line[]
  readonly groups: ReadonlySet<string>
  /** More lines stand behind these. */
  readonly hasMore: boolean
}

export interface Beside {
  /** Groups whose gates are asked, too. */
  readonly groups: Iterable<string>
  gather(gatherer: Gatherer): Promise<void>
}

/** What a look left behind. */
export interface Outlook {
  /** When the next of it can be taken; null: nothing of it can. */
  readonly nextIn: Millis | null
  readonly aloneDue: boolean
  /** When the queue's own gates open. */
  readonly opens: Millis
  /** Another look may find more. */
  readonly mayGoOn: boolean
}

export class Turns {
  readonly #tx: Tx
  readonly #queues: Queues
  readonly #facts: QueueFacts
  readonly #lanes: readonly Lane[]
  readonly #gates: Gates
  readonly #ask: ClaimAsk
  /** With payloads: who claims needs them, who explains may see thousands of jobs. */
  readonly #whole: 0 | 1
  readonly #settings: Settings
  /** Groups that this asker cannot take from now, though others may. */
  readonly #passedOver: Set<string>
  /** What was asked ahead. */
  #first: FirstTurns | null
  #most = 0
  #pass: number

  constructor(
    tx: Tx,
    queues: Queues,
    facts: QueueFacts,
    { lanes, gates, first }: Looked,
    ask: ClaimAsk,
    reads: 'whole' | 'bare' = 'whole',
  ) {
    this.#whole = reads === 'whole' ? 1 : 0
    this.#tx = tx
    this.#queues = queues
    this.#facts = facts
    this.#lanes = lanes
    this.#gates = gates
    this.#first = first
    this.#ask = ask
    this.#settings = settingsOf(facts)
    this.#passedOver = new Set(ask.without)
    this.#pass = facts.pass
  }

  // ── Looking ──────────────────────────────────────────────────────────────────────────────────

  /** The next lines, on a sheet of their own, and what someone wants to see beside them. */
  async look(limit: number, beside?: Beside): Promise<Look> {
    const gatherer = new Gatherer(this.#tx, this.#queues)
    const { sheet } = gatherer
    gatherer.add({ ...this.#facts, pass: this.#pass })
    gatherer.gates(this.#gates)
    const { turns, lone, hasMore } = await this.#next(limit)
    const groups = new Set([...turns, ...lone].map(({ grp }) => grp))
    for (const group of beside?.groups ?? []) groups.add(group)
    // All at once, since none of it follows from the other.
    const [lines, counted] = await Promise.all([
      this.#linesOf([...turns, ...lone], groups, Math.max(1, limit)),
      this.#counted(groups),
      this.#rates(gatherer, groups, limit),
      beside?.gather(gatherer),
    ])
    const kept = await this.#keptOf(lines)
    for (const { rows } of lines) {
      sheet.addJobs(kept.size === 0 ? rows : rows.map((row) => this.#asSeen(row, kept)))
    }
    sheet.addJobs(counted.holding)
    await gatherer.ownKeys()
    sheet.open()
    this.#count(sheet, lines, counted)
    return { sheet, lines: kept.size === 0 ? lines : lines.map(withMore), groups, hasMore }
  }

  /**
   * Unique jobs that somebody keeps: who replaces one in a transaction of the user's does not ask for the
   * queue. One that he has replaced meanwhile is another one than was read: then we begin again.
   */
  async #keptOf(lines: readonly Line[]): Promise<ReadonlySet<number>> {
    const unique = lines.flatMap(({ rows }) => rows.filter(isUnique))
    if (this.#whole === 0 || unique.length === 0) return NOBODY
    const asked = unique.map(({ seq }) => [seq])
    const free = new Map((await this.#tx.each('job.free', [], asked)).map((row) => [row.seq, row]))
    for (const { seq, state, place, due, priority, payload } of unique) {
      const now = free.get(seq)
      if (now === undefined) continue
      const isSame = now.state === state && now.place === place && now.due === due
      if (!isSame || now.priority !== priority || now.payload !== payload)
        throw new Again(`job ${seq} was changed while it was looked at`)
    }
    return new Set(asked.flat().filter((seq) => !free.has(seq)))
  }

  /** One that somebody keeps is not there yet. */
  #asSeen(row: JobRow, kept: ReadonlySet<number>): JobRow {
    return kept.has(row.seq) ? { ...row, state: SCHEDULED, due: this.#tx.now + KEPT_FOR } : row
  }

  /** Whose turn it is, as it was asked ahead, or by now. */
  async #next(limit: number): Promise<FirstTurns> {
    const first = this.#first
    this.#first = null
    this.#most = linesFor(limit, this.#most)
    if (first !== null) return first
    return firstTurns(this.#tx, this.#lanes, this.#ask, [...this.#passedOver], this.#most)
  }

  get #isBlocking(): boolean {
    return this.#settings.order === 'blocking'
  }

  async #linesOf(
    turns: readonly Turn[],
    groups: ReadonlySet<string>,
    limit: number,
  ): Promise<Line[]> {
    if (turns.length === 0) return []
    const rows = this.#isBlocking ? await this.#heads(groups) : await this.#firsts(turns, limit)
    const byLine = new Map<string, JobRow[]>()
    for (const row of rows) {
      const name = this.#isBlocking ? row.grp : nameOf(row)
      const known = byLine.get(name)
      if (known === undefined) byLine.set(name, [row])
      else known.push(row)
    }
    const shares = this.#shares(turns, limit)
    return turns.map((turn, at) => {
      const own = byLine.get(this.#isBlocking ? turn.grp : nameOf(turn)) ?? []
      const isWhole = this.#isBlocking ? own.length === 0 : own.length <= shares[at]
      return { turn, rows: own, isWhole }
    })
  }

  /** The first jobs of each line, as many as it can be given. */
  async #firsts(turns: readonly Turn[], limit: number): Promise<JobRow[]> {
    const shares = this.#shares(turns, limit)
    // One more than its share tells whether the line ends there.
    const asked = turns.map(({ lane, grp, priority, floor }, at) => {
      return [lane, grp, priority, shares[at] + 1, floor]
    })
    return this.#tx.each('line.first', [this.#tx.now, this.#whole], asked)
  }

  /** Blocking order: the first job of each group in each lane of the queue, known to the asker or not. */
  async #heads(groups: ReadonlySet<string>): Promise<JobRow[]> {
    const asked: Value[][] = []
    for (const group of groups) for (const { id } of this.#lanes) asked.push([id, group])
    return this.#tx.each('lane.first', [this.#tx.now, this.#whole], asked)
  }

  /**
   * How many of each line the claim can take at most: all, where it is the only one of its priority;
   * else its share by weight, twice over while few lines stand there, since others may run out.
   */
  #shares(turns: readonly Turn[], limit: number): number[] {
    const sums = new Map<number, { weight: number; lines: number }>()
    for (const { priority, grp } of turns) {
      const sum = sums.get(priority) ?? { weight: 0, lines: 0 }
      sum.weight += this.#weight(grp)
      sum.lines++
      sums.set(priority, sum)
    }
    return turns.map(({ priority, grp }) => {
      const { weight, lines } = sums.get(priority) ?? { weight: 1, lines: 1 }
      if (lines === 1) return limit
      const generous = lines * 2 > limit ? 1 : 2
      return Math.min(limit, Math.ceil((generous * limit * this.#weight(grp)) / weight) + 1)
    })
  }

  #weight(group: string): number {
    const { weights } = this.#settings.groups
    return (Object.hasOwn(weights, group) ? weights[group] : weights.default) ?? 1
  }

  async #rates(gatherer: Gatherer, groups: ReadonlySet<string>, limit: number): Promise<void> {
    const { rate, groups: of } = this.#settings
    const { name } = this.#facts
    const rates: RateView[] = []
    const first: Promise<void>[] = []
    if (rate !== null) rates.push(queueRate(name, rate))
    if (rate?.key != null) {
      first.push(this.#tx.hold(`${this.#queues.scope}/${rate.key}`), gatherer.sharers(rate.key))
    }
    if (of.rate !== null) {
      const limited = groupLimit(of.rate)
      for (const group of groups) rates.push({ name: groupName(name, group), ...limited })
    }
    await Promise.all([...first, gatherer.windows(rates, limit)])
  }

  /** What the gates ask that is on no sheet. */
  async #counted(groups: ReadonlySet<string>): Promise<Counted> {
    const { id } = this.#facts
    const asked = [...groups].map((group) => [id, group])
    const [holding, inGroups, inQueue] = await Promise.all([
      this.#isBlocking ? this.#tx.each('group.holding', [], asked) : [],
      gatesGroupsOf(this.#settings) ? this.#tx.each('group.running', [], asked) : [],
      this.#settings.concurrency === Infinity ? [] : this.#tx.all('queue.running', [id]),
    ])
    return { holding, inGroups, inQueue: inQueue[0]?.running ?? 0 }
  }

  /** What runs and is not on the sheet counts in caps and orders, too. */
  #count(sheet: Sheet, lines: readonly Line[], { inGroups, inQueue }: Counted): void {
    const queue = sheet.queueBook(this.#facts.id)
    const groupOf = (name: string) => queue.groups.get(sheet.ledger.groupNames.find(name) ?? -1)
    if (this.#settings.concurrency !== Infinity) queue.counts[RUNNING] = inQueue
    for (const { turn } of lines) {
      const known = groupOf(turn.grp)
      if (known !== undefined) known.pass = turn.pass
    }
    for (const { grp, running } of inGroups) {
      const known = groupOf(grp)
      if (known === undefined) continue
      // Whatever runs holds its group; those that are on the sheet were counted.
      known.held += running - known.running
      known.running = running
      if (this.#isBlocking && running > 0) known.head = -1
    }
  }

  // ── After the decision ───────────────────────────────────────────────────────────────────────

  /** Keeps the turns true to what was taken and to what was found closed. */
  keepTrue({ sheet, lines, groups, hasMore }: Look, limit: number): Outlook {
    const { ledger } = sheet
    const { id } = this.#facts
    const queue = sheet.queueBook(id)
    const { now } = this.#tx
    const opens = isGated(ledger, queue) ? queueOpens(ledger, queue, now, null) : OPEN
    const view = outlook(ledger, { ...this.#ask, limit: 1 }, now)
    const closed = this.#closed(sheet, lines, groups)
    const remove: Value[][] = []
    const move = new Map<string, Value[]>()
    const raise: Value[][] = []
    let isPartial = false
    let passedOver = 0
    for (const { turn, rows, isWhole } of lines) {
      const left = rows.filter((row) => waits(sheet, row)).length
      const known = queue.groups.get(ledger.groupNames.find(turn.grp) ?? -1)
      const wasServed = known !== undefined && left < rows.length
      if (wasServed && known.pass !== turn.pass) move.set(turn.grp, [id, turn.grp, known.pass])
      const isTrampled = rows.length > 0 && rows[0].place - turn.floor > RAISE_BEHIND
      if (isTrampled && !this.#isBlocking) raise.push([turn.lane, turn.grp, turn.priority])
      if (isWhole && left === 0) remove.push([turn.lane, turn.grp, turn.priority])
      else if (closed.has(turn.grp)) continue
      else if (left === 0) isPartial = true
      else if (limit > 0 && opens === OPEN && !this.#passedOver.has(turn.grp)) {
        // It could be given, and this asker did not take it.
        this.#passedOver.add(turn.grp)
        passedOver++
      }
    }
    this.#tx.write('turn.remove', [], remove)
    this.#tx.write('turn.move', [], [...move.values()])
    this.#tx.write('turn.raise', [], raise)
    this.#tx.write(
      'turn.close',
      [],
      [...closed].map(([grp, at]) => [id, grp, at]),
    )
    if (queue.groups.pass !== this.#pass) {
      this.#pass = queue.groups.pass
      this.#tx.write('queue.turned', [id, this.#pass], ONCE)
    }
    const hasMoved = move.size + remove.length + closed.size + passedOver > 0
    const mayGoOn = limit > 0 && opens === OPEN && hasMoved && (hasMore || isPartial)
    const isDue = view.nextIn !== null || hasMore || isPartial
    return { nextIn: isDue ? (view.nextIn ?? 0) : null, aloneDue: view.aloneDue, opens, mayGoOn }
  }

  /** Groups whose gates are closed, and when they open by themselves; null: when something happens. */
  #closed(
    sheet: Sheet,
    lines: readonly Line[],
    groups: ReadonlySet<string>,
  ): Map<string, Millis | null> {
    const { ledger } = sheet
    const queue = sheet.queueBook(this.#facts.id)
    const closed = new Map<string, Millis | null>()
    if (!gatesGroups(ledger, queue)) return closed
    for (const group of groups) {
      const number = ledger.groupNames.find(group)
      if (number === undefined) continue
      const opens = groupOpens(ledger, queue, number, this.#tx.now, null)
      if (opens !== OPEN) closed.set(group, opens === Infinity ? null : opens)
      else if (this.#isBlocking) this.#holdsOn(sheet, group, number, closed)
    }
    return closed
  }

  /** Blocking order: nobody runs, but one that failed holds the group and waits for its time. */
  #holdsOn(sheet: Sheet, group: string, number: number, closed: Map<string, Millis | null>): void {
    const { ledger } = sheet
    const known = sheet.queueBook(this.#facts.id).groups.get(number)
    if (known === undefined || known.held === 0 || known.head >= 0) return
    let next: Millis = Infinity
    for (const row of sheet.rows.values()) {
      const slot = sheet.slotNow(row)
      if (row.grp !== group || slot < 0 || ledger.columns.group.get(slot) !== number) continue
      if (ledger.columns.has(slot, HOLDS)) next = Math.min(next, ledger.dueOf(slot))
    }
    closed.set(group, next === Infinity || next <= this.#tx.now ? null : next)
  }
}

function isUnique({ extra }: JobRow): boolean {
  return extra !== null && storedExtra(extra).key !== undefined
}

/** Not all of it can be taken now. */
function withMore(line: Line): Line {
  return { ...line, isWhole: false }
}

function nameOf({ lane, grp, priority }: Pick<JobRow, 'lane' | 'grp' | 'priority'>): string {
  return `${lane}/${priority}/${grp}`
}

/** It was laid there to be taken, and was not. */
function waits(sheet: Sheet, row: JobRow): boolean {
  const slot = sheet.slotNow(row)
  return slot >= 0 && sheet.ledger.columns.state.get(slot) === AVAILABLE
}
