/**
 * Who could run a job: the workers of live nodes that take from its queue and know its task. By what
 * the nodes said of themselves, and by what the store can tell of them.
 */
import { DEFAULT_TASK } from '../defaults.js'
import type { Millis } from '../job.js'
import type { Liveness } from './decide-sweep.js'
import type { Card } from './frame.js'
import type { Ledger } from './ledger.js'
import type { NodeState } from './register.js'

export interface WorkerView {
  readonly now: Millis
  readonly liveness: (card: Card) => Liveness
}

export interface WorkersFor {
  /** The node of each worker that would take it. */
  readonly know: readonly NodeState[]
  /** How many others of its queue there are: they do not know its task, or take nothing now. */
  readonly others: number
}

export function workersFor(ledger: Ledger, slot: number, view: WorkerView): WorkersFor {
  const queue = ledger.queueOf(slot).name
  const task = ledger.taskNames.text(ledger.columns.task.get(slot))
  const isDead = ledger.findExtra(slot)?.origin != null
  const know: NodeState[] = []
  let others = 0
  for (const node of ledger.nodes.values()) {
    if (isLost(node, view)) continue
    for (const worker of node.card.workers) {
      if (worker.queue !== queue) continue
      const { tasks, state } = worker
      const knows =
        tasks === null || tasks.includes(task) || (isDead && tasks.includes(DEFAULT_TASK))
      if (knows && state === 'working') know.push(node)
      else others++
    }
  }
  return { know, others }
}

/** One of them runs nothing at all. */
export function idleNode(nodes: readonly NodeState[]): boolean {
  return nodes.some(({ holds }) => holds === 0)
}

function isLost(node: NodeState, { now, liveness }: WorkerView): boolean {
  if (node.gone || liveness(node.card) === 'dead') return true
  return node.holds > 0 && now - node.lastBeat > node.card.lease
}
