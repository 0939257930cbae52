/** `millrace show`: everything that is known of one job. */
import type { Command } from 'commander'
import type { Attempt, JobView } from '../job/view.js'
import type { ParentView } from '../parents.js'
import { formatDuration } from '../time/duration.js'
import { paintState } from './job-words.js'
import { away, instant, safe, whole } from './plain.js'
import type { Exit, Shell } from './shell.js'
import { table } from './table.js'

export function showCommand(program: Command, shell: Shell): void {
  program
    .command('show <queue> <id>')
    .summary('Everything about one job')
    .description('Everything about one job: payload, attempts, errors, log, result.')
    .action((queue: string, id: string) => shell.act(() => show(shell, queue, id)))
}

async function show(shell: Shell, queue: string, id: string): Promise<Exit> {
  const [job, found] = await shell.within('seen', async (mill) => {
    const there = mill.queue(queue)
    return Promise.all([there.get(id), there.parents(id)])
  })
  if (job === null) {
    return shell.complain(
      `there is no job ${JSON.stringify(id)} in queue ${JSON.stringify(queue)}. A completed job leaves ` +
        'its queue unless keep.completed says otherwise, and a dead one moves to its dead-letter queue.',
    )
  }
  const parents = found ?? []
  shell.answer({ ...job, parents }, () => lines(shell, job, parents))
  return 0
}

/** What explains it comes first, the payload last: it may be long. */
function lines(shell: Shell, job: JobView, parents: readonly ParentView[]): readonly string[] {
  const { paint, terminal } = shell
  const part = (title: string, body: readonly string[]): readonly string[] =>
    body.length === 0 ? [] : ['', paint.dim(title), ...body.map((line) => `  ${line}`)]
  const facts = factsOf(job, terminal.clock.wall()).map(
    ([name, value]) => `  ${paint.dim(name.padEnd(9))} ${value}`,
  )
  return [
    `${safe(job.queue)} ${paint.bold(safe(job.id))} ${paintState(paint, job, job.state)}`,
    ...facts,
    ...part('comes after', parentLines(shell, parents)),
    ...part('attempts', attempts(shell, job.history)),
    ...(job.origin === null
      ? []
      : part(`attempts in ${safe(job.origin.queue)}`, attempts(shell, job.origin.history))),
    ...part('last error', lastStack(job)),
    ...part('log', job.log.map(safe)),
    ...(Object.keys(job.meta).length === 0 ? [] : part('meta', whole(job.meta))),
    ...(job.result === undefined ? [] : part('result', whole(job.result))),
    ...part('payload', whole(job.payload)),
  ]
}

/** Parents that are told by name. */
const PARENTS_TOLD = 20

function parentLines({ paint }: Shell, parents: readonly ParentView[]): readonly string[] {
  const told = parents.slice(0, PARENTS_TOLD).map(({ queue, id, state }) => {
    return `${safe(queue)} ${safe(id)} ${paintState(paint, { state }, state)}`
  })
  const more = parents.length - told.length
  return more === 0 ? told : [...told, `and ${more} more`]
}

function factsOf(job: JobView, now: number): readonly (readonly [string, string])[] {
  const time = (at: Date): string => `${instant(at)}  ${away(at, now)}`
  const facts: (readonly [string, string] | null)[] = [
    job.reason === null ? null : ['because', safe(job.reason)],
    job.origin === null
      ? null
      : ['from', `${safe(job.origin.queue)} ${safe(job.origin.id)}, ${job.origin.reason}`],
    ['task', safe(job.task)],
    ['attempt', `${job.attempt} of ${job.maxAttempts}`],
    ['priority', String(job.priority)],
    job.group === '' ? null : ['group', safe(job.group)],
    job.tags.length === 0 ? null : ['tags', job.tags.map(safe).join(', ')],
    job.worker === null ? null : ['worker', safe(job.worker)],
    job.progress === null ? null : ['progress', `${Math.floor(job.progress * 100)} %`],
    ['enqueued', time(job.enqueuedAt)],
    job.finishedAt === null ? ['due', time(job.dueAt)] : ['finished', time(job.finishedAt)],
  ]
  return facts.filter((fact) => fact !== null)
}

function attempts(shell: Shell, history: readonly Attempt[]): readonly string[] {
  if (history.length === 0) return []
  const rounds = new Set(history.map(({ round }) => round)).size > 1
  const error = ({ error }: Attempt): string =>
    error === null ? '' : safe(`${error.name}: ${error.message}`)
  return table<Attempt>(
    [
      {
        title: '#',
        cell: ({ attempt, round }) => (rounds ? `${round}.${attempt}` : String(attempt)),
      },
      { title: 'OUTCOME', cell: ({ outcome }) => outcome },
      { title: 'STARTED', cell: ({ startedAt }) => instant(startedAt) },
      { title: 'TOOK', cell: ({ duration }) => formatDuration(duration), align: 'right' },
      { title: 'WORKER', cell: ({ worker }) => safe(worker) },
      ...(history.some(({ steps }) => steps !== undefined)
        ? [{ title: 'STEPS', cell: ({ steps = [] }: Attempt) => brief(steps) }]
        : []),
      { title: 'ERROR', cell: error },
    ],
    history,
    { columns: Infinity, head: shell.paint.dim },
  )
}

/** The names of the first few. */
function brief(steps: readonly string[]): string {
  const more = steps.length - STEPS_SHOWN
  const names = safe(steps.slice(0, STEPS_SHOWN).join(', '))
  return more > 0 ? `${names} and ${more} more` : names
}

/** What fits a line; `--json` has all. */
const STEPS_SHOWN = 5

/** The stack is what helps whoever has to mend the handler. */
function lastStack(job: JobView): readonly string[] {
  const all = [...(job.origin?.history ?? []), ...job.history]
  const stack = all.findLast(({ error }) => error !== null)?.error?.stack
  return stack === undefined ? [] : stack.split('\n').map(safe)
}
