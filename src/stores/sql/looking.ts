/**
 * The first look of who claims, or says why something is not claimed: by one statement, where nothing
 * has become due, nothing is paused and nothing rests, as it nearly always is. To a database that is
 * far away whose turn it is is asked with it, by the lanes that were seen before.
 */
import type { ClaimAsk } from '../../job/claim.js'
import type { Millis } from '../../job/job.js'
import type { Pause } from '../../job/book/queue.js'
import { groupName, rateNames } from '../../job/book/rates.js'
import { bringDue } from './due.js'
import { firstTurns, linesFor } from './first-turns.js'
import type { FirstTurns } from './first-turns.js'
import type { Tx } from './port.js'
import { settingsOf } from './queues.js'
import type { Lane, Queues } from './queues.js'
import type { QueueFacts, Sheet } from './sheet.js'
import type { Asked } from './statements.js'

/** What may keep all of a queue, or some of it, from running, beside what its settings say. */
export type Gates = Readonly<Pick<Sheet, 'paused' | 'pausedGroups'>> & {
  /** Rests that handlers asked for. */
  readonly throttles: ReadonlyMap<string, Millis>
}

export interface Looked {
  readonly lanes: readonly Lane[]
  /** Until the end of the transaction nobody takes the node for dead. */
  readonly isNodeKnown: boolean
  /** Any of it is in a group with a name, so that groups take turns. */
  readonly isGrouped: boolean
  readonly gates: Gates
  /** Whose turn it is, where that was asked and is true. */
  readonly first: FirstTurns | null
}

/** What was asked before the queue's row was read. */
export interface Ahead {
  readonly rows: readonly Asked['claim.look'][]
  readonly lanes: readonly Lane[]
  readonly first: FirstTurns
}

/** By what was seen of the queue when it was last looked at. */
export async function lookAhead(
  tx: Tx,
  { scope }: Queues,
  { id, lanes }: Seen,
  node: string,
  ask: ClaimAsk,
): Promise<Ahead> {
  const [rows, first] = await Promise.all([
    tx.all('claim.look', [id, scope, node, tx.now]),
    firstTurns(tx, lanes, ask, ask.without ?? [], linesFor(ask.limit, 0)),
  ])
  return { rows, lanes, first }
}

export interface Seen {
  readonly id: number
  readonly lanes: readonly Lane[]
}

/** What has become due is noticed on the way. For who shares the queue's lock, or is alone with it. */
export async function look(
  tx: Tx,
  { scope }: Queues,
  facts: QueueFacts,
  node: string,
  ahead: Ahead | null = null,
): Promise<Looked> {
  const rows = ahead?.rows ?? (await tx.all('claim.look', [facts.id, scope, node, tx.now]))
  const lanes = rows.flatMap(({ lane, task, kind }): Lane[] => {
    return lane === null ? [] : [{ id: lane, queue: facts.id, task, kind }]
  })
  const [{ paused_since: since, paused_by: by, ...seen }] = rows
  const [bringsGroups, throttles, pausedGroups] = await Promise.all([
    seen.is_due === 1 && bringDue(tx, facts, lanes),
    seen.is_resting === 1 ? restsAt(tx, scope, facts) : new Map<string, Millis>(),
    seen.is_group_paused === 1 ? pausedGroupsOf(tx, facts.id) : [],
  ])
  // Lanes only ever come.
  const isTrue = seen.is_due === 0 && ahead?.lanes.length === lanes.length
  return {
    lanes,
    isNodeKnown: seen.is_known === 1,
    isGrouped: seen.is_grouped === 1 || bringsGroups,
    gates: { paused: since === null ? null : { since, by: by ?? '' }, throttles, pausedGroups },
    first: isTrue ? ahead.first : null,
  }
}

/** What may hold up a job of this queue: its own rests, its key's, and its groups'. */
async function restsAt(tx: Tx, scope: number, facts: QueueFacts): Promise<Map<string, Millis>> {
  const names = rateNames(facts.name, settingsOf(facts))
  const front = groupName(facts.name, '')
  const [own, groups] = await Promise.all([
    tx.each(
      'throttle.named',
      [scope, tx.now],
      names.map((name) => [name]),
    ),
    tx.all('throttle.from', [scope, tx.now, front, behind(front)]),
  ])
  return new Map([...own, ...groups].map(({ name, until }) => [name, until]))
}

/** The first that sorts behind all that begins so, where texts sort by their code points. */
function behind(front: string): string {
  const points = Array.from(front)
  const last = points.pop()?.codePointAt(0) ?? 0
  if (last === LAST_POINT) return behind(points.join(''))
  // Between the two there are only halves of pairs, which are no text.
  const next = last === BEFORE_HALVES ? BEHIND_HALVES : last + 1
  return points.join('') + String.fromCodePoint(next)
}

const LAST_POINT = 0x10ffff
const BEFORE_HALVES = 0xd7ff
const BEHIND_HALVES = 0xe000

export async function restsOf(tx: Tx, scope: number): Promise<Map<string, Millis>> {
  const rows = await tx.all('throttle.all', [scope, tx.now])
  return new Map(rows.map(({ name, until }) => [name, until]))
}

async function pausedGroupsOf(tx: Tx, queue: number): Promise<[number, string, Pause][]> {
  const rows = await tx.each('group.paused', [], [[queue]])
  return rows.map(({ grp, since, by }) => [queue, grp, { since, by }])
}
