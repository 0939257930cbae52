/** `millrace explain`: why a job, or a whole queue, does not move. */
import type { Command } from 'commander'
import { STATES } from '../job/job.js'
import type { Explanation, QueueExplanation } from '../queue/explain.js'
import { gateWords } from './gate-words.js'
import { paintState } from './job-words.js'
import { count, safe } from './plain.js'
import type { Exit, Shell } from './shell.js'

export function explainCommand(program: Command, shell: Shell): void {
  program
    .command('explain <queue> [id]')
    .summary('Why a job or a queue does not move')
    .description(
      'Every gate that keeps a job from running now, with its numbers; without an id, what holds ' +
        'the whole queue, or its next job.',
    )
    .action((queue: string, id?: string) =>
      shell.act(() => (id === undefined ? ofQueue(shell, queue) : ofJob(shell, queue, id))),
    )
}

async function ofJob(shell: Shell, queue: string, id: string): Promise<Exit> {
  const told = await shell.within('seen', (mill) => mill.queue(queue).explain(id))
  if (told === null) {
    const where = `queue ${JSON.stringify(queue)}`
    return shell.complain(
      `there is no job ${JSON.stringify(id)} in ${where}; a completed job leaves it`,
    )
  }
  shell.answer(told, () => jobLines(shell, queue, id, told))
  return 0
}

function jobLines(shell: Shell, queue: string, id: string, told: Explanation): readonly string[] {
  const { paint, terminal } = shell
  const { state, gates, ahead } = told
  const now = terminal.clock.wall()
  const rest =
    ahead > 0 ? `${count(ahead)} ${ahead === 1 ? 'job goes' : 'jobs go'} first` : 'it is the next'
  return [
    `${safe(queue)} ${paint.bold(safe(id))} ${paintState(paint, { state }, state)}`,
    ...gates.map((gate) => `  ${gateWords(gate, queue, now)}`),
    ...(gates.length === 0 ? [`  no gate is closed: ${rest}`] : []),
    ...(gates.length > 0 && ahead > 0 ? [paint.dim(`  ${rest}`)] : []),
  ]
}

async function ofQueue(shell: Shell, queue: string): Promise<Exit> {
  const told = await shell.within('seen', (mill) => mill.explain(queue))
  if (told === null) {
    return shell.complain(
      `there is no queue ${JSON.stringify(queue)}; \`millrace stats\` lists those that there are`,
    )
  }
  shell.answer(told, () => queueLines(shell, told))
  return 0
}

function queueLines(shell: Shell, told: QueueExplanation): readonly string[] {
  const { paint, terminal } = shell
  const { queue, gates, counts, next } = told
  const some = STATES.filter((state) => counts[state] > 0)
  const held = some.map((state) => `${count(counts[state])} ${state}`).join(', ')
  const first = next === null ? 'nothing waits' : `next is ${paint.bold(safe(next.id))}`
  return [
    `${paint.bold(safe(queue))}  ${held === '' ? 'no jobs' : held}; ${first}`,
    ...gates.map((gate) => `  ${gateWords(gate, queue, terminal.clock.wall())}`),
    ...(gates.length === 0 && next !== null ? ['  no gate is closed'] : []),
  ]
}
