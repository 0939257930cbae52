/** `millrace stats`: how many jobs are where, in all queues, or in one with its settings and workers. */
import type { Command } from 'commander'
import { PAGE_LIMIT } from '../job/defaults.js'
import { STATES } from '../job/job.js'
import type { State } from '../job/job.js'
import type { Millrace } from '../millrace.js'
import type { QueueInfo, WorkerInfo } from '../overview.js'
import type { Page, PageOptions } from '../queue/page.js'
import type { SettingsView } from '../queue/settings-view.js'
import { formatDuration } from '../time/duration.js'
import { brief, count, safe } from './plain.js'
import type { Exit, Shell } from './shell.js'
import { table } from './table.js'
import type { Column } from './table.js'

export function statsCommand(program: Command, shell: Shell): void {
  program
    .command('stats [queue]')
    .summary('How many jobs are in which state')
    .description('How many jobs are in which state; of one queue also its settings and workers.')
    .action((queue?: string) =>
      shell.act(() => (queue === undefined ? statsOfAll(shell) : statsOfOne(shell, queue))),
    )
}

async function statsOfAll(shell: Shell): Promise<Exit> {
  const queues = await shell.within('seen', everyQueue)
  shell.answer({ queues }, () => (queues.length === 0 ? [] : queueTable(shell, queues)))
  if (queues.length === 0) shell.note('no queues yet: `millrace add <queue> <payload>` makes one')
  return 0
}

async function statsOfOne(shell: Shell, name: string): Promise<Exit> {
  const found = await shell.within('seen', async (mill) => {
    const known = (await everyQueue(mill)).find((queue) => queue.name === name)
    if (known === undefined) return null
    const settings = await mill.queue(name).settings()
    const workers = (await every((page) => mill.workers(page))).filter(
      ({ queue }) => queue === name,
    )
    return { queue: known, settings, workers }
  })
  if (found === null) {
    return shell.complain(
      `there is no queue ${JSON.stringify(name)}; \`millrace stats\` lists those that there are`,
    )
  }
  shell.answer(found, () => [
    ...queueTable(shell, [found.queue]),
    ...settingsLines(shell, found.settings),
    ...workerLines(shell, found.workers),
  ])
  return 0
}

const everyQueue = (mill: Millrace): Promise<readonly QueueInfo[]> =>
  every((page) => mill.queues(page))

async function every<T>(look: (page: PageOptions) => Promise<Page<T>>): Promise<readonly T[]> {
  const all: T[] = []
  let after: string | null = null
  do {
    const page: Page<T> = await look({ limit: PAGE_LIMIT, ...(after !== null && { after }) })
    all.push(...page)
    after = page.next
  } while (after !== null)
  return all
}

/** States that some stores and most queues never use are shown when they are. */
const RARE: readonly State[] = ['waiting', 'cancelled', 'completed']

function queueTable(shell: Shell, queues: readonly QueueInfo[]): readonly string[] {
  const { paint, terminal } = shell
  const now = terminal.clock.wall()
  const states = STATES.filter(
    (state) => !RARE.includes(state) || queues.some(({ counts }) => counts[state] > 0),
  )
  const columns: Column<QueueInfo>[] = [
    { title: 'QUEUE', cell: ({ name }) => safe(name) },
    ...states.map((state): Column<QueueInfo> => ({
      title: state.toUpperCase(),
      cell: ({ counts }) => count(counts[state]),
      align: 'right',
      paint: (text, { counts }) => (counts[state] === 0 ? paint.dim(text) : text),
    })),
    ...(queues.some(({ paused }) => paused)
      ? [{ title: 'PAUSED', cell: ({ paused }: QueueInfo) => (paused ? 'paused' : '') }]
      : []),
    { title: 'WORKERS', cell: ({ workers }) => count(workers), align: 'right' },
    { title: 'OLDEST DUE', cell: ({ oldestDue }) => overdue(oldestDue, now), align: 'right' },
  ]
  return table(columns, queues, { columns: terminal.columns, head: paint.dim })
}

/** How long the oldest job that could run has been waiting. */
function overdue(oldest: Date | null, now: number): string {
  return oldest === null || oldest.getTime() > now ? '' : formatDuration(now - oldest.getTime())
}

function settingsLines(shell: Shell, { declared, overrides }: SettingsView): readonly string[] {
  const said = Object.entries({ ...declared, ...overrides })
  if (said.length === 0) return []
  const width = Math.max(...said.map(([name]) => name.length))
  return [
    '',
    shell.paint.dim('SETTINGS (what was said; the rest is default)'),
    ...said.map(([name, value]) => {
      const by = name in overrides ? '  (by an operator)' : ''
      return `${name.padEnd(width)}  ${brief(value, 100)}${by}`
    }),
  ]
}

function workerLines(shell: Shell, workers: readonly WorkerInfo[]): readonly string[] {
  if (workers.length === 0) return []
  const columns: Column<WorkerInfo>[] = [
    { title: 'WORKER', cell: ({ id }) => safe(id) },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'RUNNING', cell: (of) => `${of.running}/${of.concurrency}`, align: 'right' },
    { title: 'TASKS', cell: ({ tasks }) => safe(tasks.join(', ')) || 'any' },
  ]
  return [
    '',
    ...table(columns, workers, { columns: shell.terminal.columns, head: shell.paint.dim }),
  ]
}
