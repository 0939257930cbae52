/**
 * Noticing the time: what has become due stands where claims look from then on, and turns that were
 * closed until now are open again. Bounded; whoever looks next goes on.
 */
import { NewTurns } from './new-turns.js'
import type { Tx } from './port.js'
import type { Lane } from './queues.js'
import type { QueueFacts } from './sheet.js'

/** Jobs that become due with one look, of each lane. */
const DUE_AT_ONCE = 2_000

/** Answers whether any of it is of a group with a name, so that there are turns to take. */
export async function bringDue(
  tx: Tx,
  { id, pass }: QueueFacts,
  lanes: readonly Lane[],
): Promise<boolean> {
  const asked = lanes.map((lane) => [lane.id])
  const [due] = await Promise.all([
    tx.each('job.due', [tx.now, DUE_AT_ONCE], asked),
    tx.all('turn.openDue', [id, tx.now, pass]),
  ])
  const turns = new NewTurns()
  for (const row of due) turns.add({ ...row, queue: id }, pass)
  tx.write('turn.add', [], turns.rows())
  return due.some(({ grp }) => grp !== '')
}
