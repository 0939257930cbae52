/**
 * Why a job is not running: the same questions as a claim asks, of a sheet that has the job, all
 * that stands before it, and what its gates are asked about. What has become due is noticed on the
 * way, as by any claim; nothing else changes.
 */
import { AHEAD_LIMIT, CRASHES_UNTIL_ALONE } from '../../job/defaults.js'
import type { Explained, QueueExplained } from '../../job/gate.js'
import type { JobRef } from '../../job/job.js'
import { COMPLETED, RUNNING } from '../../job/book/columns.js'
import { isGated } from '../../job/settings.js'
import type { Settings } from '../../job/settings.js'
import { explain, explainAlone, explainQueue } from '../../job/book/explain.js'
import { Gatherer } from './gather.js'
import { look } from './looking.js'
import type { Looked } from './looking.js'
import type { Nodes } from './nodes.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import { lanesFor, settingsOf } from './queues.js'
import type { JobRow } from './row.js'
import { countWhole } from './showing.js'
import type { Look } from './showing.js'
import type { QueueFacts, Sheet } from './sheet.js'
import { Turns } from './turns.js'

/** Without payloads. */
const BARE = 0
/** Of those that run, as many as gates name. */
const NAMED = 10

/** Each by itself. */
export async function explainJobs(
  once: Look,
  refs: readonly JobRef[],
): Promise<readonly (Explained | null)[]> {
  const explained: (Explained | null)[] = []
  for (const ref of refs) {
    explained.push(await once((tx, queues, nodes) => explainJob(tx, queues, nodes, ref)))
  }
  return explained
}

async function explainJob(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  ref: JobRef,
): Promise<Explained | null> {
  const facts = (await queues.enter(tx, [ref.queue], 'find', 'alone')).get(ref.queue)
  if (facts === undefined) return null
  const [row] = await tx.each('job.find', [], [[facts.id, ref.id]])
  if (row === undefined) return null
  const view = { now: tx.now, liveness: nodes.liveness }
  const told = (sheet: Sheet, by: typeof explainAlone): Explained | null => {
    const explained = by(sheet.ledger, sheet.slotOf(row.seq), view)
    sheet.close()
    return explained
  }
  if (row.state === RUNNING || row.state >= COMPLETED) {
    return told(await plainSheet(tx, queues, nodes, facts, row), explain)
  }
  const looked = await look(tx, queues, facts, '')
  const seenTo = (limit: number): Promise<Sheet> => {
    const alone = row.crashes >= CRASHES_UNTIL_ALONE
    const asker = { tasks: [row.task], limit, alone, rows: [row] }
    return gateSheet(tx, queues, nodes, facts, looked, asker)
  }
  // Thousands may stand before it: they are read only where their gates decide how many go first.
  const alone = told(await seenTo(1), explainAlone)
  if (alone !== null) return alone
  const ahead = await aheadInLine(tx, facts, looked, row)
  if (ahead !== null) return { state: 'available', gates: [], ahead }
  return told(await seenTo(mostTaken(settingsOf(facts))), explain)
}

/** How many a claim can take, of those that `explain` counts. */
function mostTaken({ concurrency, rate }: Settings): number {
  return Math.min(AHEAD_LIMIT + 1, concurrency, rate?.count ?? Infinity)
}

/** How many a claim takes before it; null: others than those before it in its line have a say. */
async function aheadInLine(
  tx: Tx,
  facts: QueueFacts,
  { lanes, isGrouped }: Looked,
  { lane, task, priority, place, seq }: JobRow,
): Promise<number | null> {
  const { shared, alone } = lanesFor(lanes, [task])
  const isOnly = shared.length === 1 && shared[0] === lane && alone.length === 0
  if (!isOnly || isGrouped || isGated(settingsOf(facts))) return null
  const asked = [lane, priority, place, seq, tx.now, AHEAD_LIMIT]
  const [{ ahead }] = await tx.all('line.ahead', asked)
  return ahead
}

async function plainSheet(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  facts: QueueFacts,
  row: JobRow,
): Promise<Sheet> {
  const gatherer = new Gatherer(tx, queues)
  const { sheet } = gatherer
  gatherer.add(facts)
  sheet.addJobs([row])
  sheet.nodes.push(...(await nodes.all(tx)))
  sheet.open()
  return sheet
}

interface Asker {
  readonly tasks: readonly string[] | null
  readonly limit: number
  readonly alone: boolean
  readonly rows: readonly JobRow[]
}

/** What a claim of such an asker would see, and beside it who runs and who could. */
async function gateSheet(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  facts: QueueFacts,
  looked: Looked,
  { tasks, limit, alone, rows }: Asker,
): Promise<Sheet> {
  const ask = { queue: facts.name, worker: '', claim: 0, tasks, limit, alone }
  const turns = new Turns(tx, queues, facts, looked, ask, 'bare')
  const groups = new Set(rows.map(({ grp }) => grp))
  const { sheet } = await turns.look(limit, {
    groups,
    async gather(gatherer) {
      const again = await tx.each(
        'job.read',
        [],
        rows.map(({ seq }) => [seq]),
      )
      gatherer.sheet.addJobs(again)
      gatherer.sheet.nodes.push(...(await nodes.all(tx)))
      // Who stands first in a group keeps the others of it, whether or not a claim would look at him.
      if (settingsOf(facts).order === 'blocking') {
        const heads = [...groups].flatMap((group) => looked.lanes.map(({ id }) => [id, group]))
        gatherer.sheet.addJobs(await tx.each('lane.first', [tx.now, BARE], heads))
      }
      // Gates name some of those that run.
      gatherer.sheet.addJobs(await tx.all('queue.someRunning', [facts.id, NAMED]))
      const inGroups = [...groups].map((group) => [facts.id, group, NAMED])
      gatherer.sheet.addJobs(await tx.each('group.someRunning', [], inGroups))
    },
  })
  for (const { node, held } of await tx.all('node.holding', [queues.scope])) {
    const known = sheet.ledger.nodes.get(node)
    if (known !== undefined) known.holds = Math.max(known.holds, held)
  }
  return sheet
}

/** `piece`: how its jobs are counted, `atOnce` at a time, when all else is told and nobody is kept out. */
export async function explainOne(
  once: Look,
  piece: Look,
  atOnce: number,
  name: string,
): Promise<QueueExplained | null> {
  const explained = await once((tx, queues, nodes) => gatesOf(tx, queues, nodes, name))
  if (explained === null) return null
  const { counts } = await countWhole(piece, explained.facts, atOnce)
  return { ...explained.told, counts }
}

/** All that there is to say of a queue, but for its counts, which are those of the sheet. */
async function gatesOf(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  name: string,
): Promise<{ readonly facts: QueueFacts; readonly told: QueueExplained } | null> {
  const facts = (await queues.enter(tx, [name], 'find', 'alone')).get(name)
  if (facts === undefined) return null
  if ((await tx.all('queue.known', [facts.id])).length === 0) return null
  const looked = await look(tx, queues, facts, '')
  const rows = await firstOf(tx, facts, looked)
  const asker = { tasks: null, limit: 1, alone: true, rows }
  const sheet = await gateSheet(tx, queues, nodes, facts, looked, asker)
  const view = { now: tx.now, liveness: nodes.liveness }
  const told = explainQueue(sheet.ledger, sheet.queueBook(facts.id), view)
  sheet.close()
  return { facts, told }
}

/** What comes next of all that waits, though no claim would take it. */
async function firstOf(tx: Tx, { id }: QueueFacts, { lanes }: Looked): Promise<readonly JobRow[]> {
  const due = await tx.all('queue.firstDue', [id, tx.now])
  if (due.length > 0) return due
  const asked = lanes.map((lane) => [lane.id])
  const timers = await tx.each('lane.firstTimer', [], asked)
  timers.sort((a, b) => a.due - b.due || a.seq - b.seq)
  return timers.length > 0 ? timers.slice(0, 1) : tx.all('queue.next', [id])
}
