/** `millrace list`: the jobs of a queue, newest first, a page at a time. */
import type { Command } from 'commander'
import { DEFAULT_TASK, PAGE_LIMIT } from '../job/defaults.js'
import type { JobView } from '../job/view.js'
import type { Page } from '../queue/page.js'
import { CELL_WIDTH, LIST_PAGE } from './bounds.js'
import { lastWord, paintState } from './job-words.js'
import { wholeNumber } from './numbers.js'
import { away, brief, safe } from './plain.js'
import { selectorFrom, withFilters } from './selection.js'
import type { Filters } from './selection.js'
import type { Exit, Shell } from './shell.js'
import { table } from './table.js'
import type { Column } from './table.js'
import { ticking } from './ticker.js'

interface Options extends Filters {
  readonly limit?: string
  readonly after?: string
}

export function listCommand(program: Command, shell: Shell): void {
  const command = program
    .command('list <queue>')
    .summary('The jobs of a queue, newest first')
    .description('The jobs of a queue, newest first. All filters that are given must hold.')
  withFilters(command)
    .option('--limit <n>', `so many at most [${LIST_PAGE}]`)
    .option('--after <mark>', 'go on where a page ended: the mark that it printed')
    .action((queue: string, options: Options) => shell.act(() => list(shell, queue, options)))
}

async function list(shell: Shell, queue: string, options: Options): Promise<Exit> {
  const selector = selectorFrom(options)
  const limit = wholeNumber(options.limit, '--limit', { least: 1, most: PAGE_LIMIT }) ?? LIST_PAGE
  const page = { limit, ...(options.after !== undefined && { after: options.after }) }
  const found = await shell.within('seen', (mill) =>
    ticking(
      shell,
      (seconds) => `looking … ${seconds.toFixed(0)} s`,
      () => mill.queue(queue).list(selector, page),
    ),
  )
  shell.answer({ jobs: [...found], next: found.next }, () => lines(shell, found))
  if (found.length === 0) shell.note(`no such jobs in ${safe(queue)}`)
  if (found.next !== null) shell.note(`there are more: repeat it with --after ${found.next}`)
  return 0
}

function lines(shell: Shell, found: Page<JobView>): readonly string[] {
  if (found.length === 0) return []
  const { paint, terminal } = shell
  const now = terminal.clock.wall()
  const width = Math.min(terminal.columns, CELL_WIDTH)
  const columns: Column<JobView>[] = [
    { title: 'ID', cell: ({ id }) => safe(id) },
    {
      title: 'STATE',
      cell: ({ state }) => state,
      paint: (text, job) => paintState(paint, job, text),
    },
    { title: 'ATTEMPT', cell: (job) => `${job.attempt}/${job.maxAttempts}`, align: 'right' },
    ...optional(found),
    { title: 'WHEN', cell: (job) => when(job, now) },
    {
      title: 'PAYLOAD, OR WHAT WENT WRONG',
      cell: (job) => lastWord(job) ?? brief(job.payload, width),
    },
  ]
  return table(columns, found, { columns: terminal.columns, head: paint.dim })
}

/** Columns that most queues have no use for. */
function optional(found: Page<JobView>): readonly Column<JobView>[] {
  const columns: Column<JobView>[] = []
  if (found.some(({ task }) => task !== DEFAULT_TASK)) {
    columns.push({ title: 'TASK', cell: ({ task }) => safe(task) })
  }
  if (found.some(({ group }) => group !== '')) {
    columns.push({ title: 'GROUP', cell: ({ group }) => safe(group) })
  }
  if (found.some(({ priority }) => priority !== 0)) {
    columns.push({ title: 'PRIORITY', cell: ({ priority }) => String(priority), align: 'right' })
  }
  return columns
}

/** The moment that matters in its state. */
function when(job: JobView, now: number): string {
  switch (job.state) {
    case 'completed':
    case 'cancelled':
    case 'discarded':
      return away(job.finishedAt ?? job.dueAt, now)
    case 'scheduled':
    case 'retryable':
      return `due ${away(job.dueAt, now)}`
    case 'available':
    case 'waiting':
    case 'running':
      return away(job.enqueuedAt, now)
  }
}
