/**
 * Why a job is not running: the same questions as a claim asks, of a sheet that has the job, all
 * that stands before it, and what its gates are asked about. What has become due is noticed on the
 * way, as by any claim; nothing else changes.
 */
import { AHEAD_LIMIT, CRASHES_UNTIL_ALONE } from '../../job/defaults.js'
import type { Explained, QueueExplained } from '../../job/gate.js'
import { STATES } from '../../job/job.js'
import type { JobRef } from '../../job/job.js'
import { COMPLETED, RUNNING } from '../../job/book/columns.js'
import { explain, explainQueue } from '../../job/book/explain.js'
import { Gatherer } from './gather.js'
import { look } from './looking.js'
import type { Nodes } from './nodes.js'
import type { Tx } from './port.js'
import type { Queues } from './queues.js'
import type { JobRow } from './row.js'
import { countsOf } from './showing.js'
import type { QueueFacts, Sheet } from './sheet.js'
import { Turns } from './turns.js'

/** Of those that run, as many as gates name. */
const NAMED = 10

export async function explainJob(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  ref: JobRef,
): Promise<Explained | null> {
  const facts = (await queues.enter(tx, [ref.queue], 'find', 'alone')).get(ref.queue)
  if (facts === undefined) return null
  const [row] = await tx.each('job.find', [], [[facts.id, ref.id]])
  if (row === undefined) return null
  const isOver = row.state === RUNNING || row.state >= COMPLETED
  const sheet = isOver
    ? await plainSheet(tx, queues, nodes, facts, row)
    : await gateSheet(tx, queues, nodes, facts, {
        tasks: [row.task],
        limit: AHEAD_LIMIT + 1,
        alone: row.crashes >= CRASHES_UNTIL_ALONE,
        rows: [row],
      })
  const view = { now: tx.now, liveness: nodes.liveness }
  const explained = explain(sheet.ledger, sheet.slotOf(row.seq), view)
  sheet.close()
  return explained
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
  { tasks, limit, alone, rows }: Asker,
): Promise<Sheet> {
  const looked = await look(tx, queues, facts, '')
  const ask = { queue: facts.name, worker: '', claim: 0, tasks, limit, alone }
  const turns = new Turns(tx, queues, facts, looked, ask)
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

export async function explainOne(
  tx: Tx,
  queues: Queues,
  nodes: Nodes,
  name: string,
): Promise<QueueExplained | null> {
  const facts = (await queues.enter(tx, [name], 'find', 'alone')).get(name)
  if (facts === undefined) return null
  if ((await tx.all('queue.known', [facts.id])).length === 0) return null
  const rows = await tx.all('queue.next', [facts.id, tx.now])
  const sheet = await gateSheet(tx, queues, nodes, facts, {
    tasks: null,
    limit: 1,
    alone: true,
    rows,
  })
  const counts = await countsOf(tx, facts)
  const queue = sheet.queueBook(facts.id)
  STATES.forEach((state, at) => {
    queue.counts[at] = counts[state]
  })
  const view = { now: tx.now, liveness: nodes.liveness }
  const explained = explainQueue(sheet.ledger, queue, view)
  sheet.close()
  return explained
}
