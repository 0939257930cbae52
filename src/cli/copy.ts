/**
 * `millrace copy`: everything that one store keeps, into another: with the workers stopped as a copy
 * that is compared at the end, with `--live` as a move, queue by queue, while both sides work.
 */
import type { Command } from 'commander'
import { copy } from '../copy/copy.js'
import type { CopyReport } from '../copy/copy.js'
import { isSamePlace, storeSource } from '../copy/ends.js'
import type { End } from '../copy/ends.js'
import { move } from '../copy/live.js'
import type { MoveReport, MoveState } from '../copy/live.js'
import type { Tally } from '../copy/reckoning.js'
import type { Refusal } from '../copy/taking.js'
import { invalid } from '../job/check.js'
import { BAD_LINES_TOLD } from './bounds.js'
import { SELF, withEnd } from './ends.js'
import { count, jobs, many, safe } from './plain.js'
import type { Exit, Shell } from './shell.js'
import { ticking } from './ticker.js'

interface Words {
  readonly from?: string
  readonly to: string
  readonly toScope?: string
  readonly live?: true
  readonly follow?: true
  readonly producersStopped?: true
  readonly again?: true
}

const ABOUT = `Copy what one store keeps into another, of any kind: jobs in every state with their
history, order, groups, unique keys, parents, schedules, pauses, rates.

The workers of the source must be stopped. The target's queues stay closed until everything is
there and was found to be the same. Broken off, it may be said again, and goes on.

With --live workers run on both sides: queue by queue nothing more starts in the source, what
runs there ends there, and the rest goes over and departs. Each job runs on one side.
Stopped, or killed, say it again to go on; or swap --from and --to, and everything goes back.

  millrace copy --from file:./queues --to postgres://app@db/jobs
  millrace copy --from file:./queues --to postgres://app@db/jobs --live --follow`

export function copyCommand(program: Command, shell: Shell): void {
  program
    .command('copy')
    .summary('Copy or move what one store keeps into another')
    .description(ABOUT)
    .option('--from <url>', 'the source [--store]')
    .requiredOption('--to <url>', 'the target; it is made when it is not there')
    .option('--to-scope <name>', 'which Millrace in the target [the same scope]')
    .option('--live', 'move, while workers run on both sides')
    .option('--follow', 'with --live: go on bringing over what is still enqueued, until a signal')
    .option('--producers-stopped', 'with --live: nobody enqueues in the source any more')
    .option('--again', 'also queues that were copied before, and are open since')
    .action((words: Words) => shell.act(() => run(shell, words)))
}

async function run(shell: Shell, words: Words): Promise<Exit> {
  for (const word of ['follow', 'producersStopped'] as const) {
    if (words[word] !== true || words.live === true) continue
    const option = word === 'follow' ? '--follow' : '--producers-stopped'
    throw invalid(option, '--live beside it', option, 'say --live, or leave it out')
  }
  const { store, scope } = shell.asked
  const source = { url: words.from ?? store, scope, need: 'there' } as const
  const target = { url: words.to, scope: words.toScope ?? scope, need: 'made' } as const
  return withEnd(shell, source, (from) =>
    withEnd(shell, target, async (to) => {
      if (from.name === to.name || (await isSamePlace(from, to, SELF))) {
        throw invalid('--to', 'another store than the source', to.name, 'name two places')
      }
      return words.live === true
        ? moveLive(shell, from, to, words)
        : copyStopped(shell, from, to, words)
    }),
  )
}

async function copyStopped(shell: Shell, from: End, to: End, words: Words): Promise<Exit> {
  let done = 0
  const again = words.again === true
  const tell = (so: number): void => void (done = so)
  const source = storeSource(from, SELF)
  const report = await ticking(
    shell,
    (seconds) => `${jobs(done)} are there, ${count(Math.round(done / seconds))}/s`,
    () => copy({ from: source, to, again, tell }),
  )
  return tellCopy(shell, report, from.name, to.name)
}

/** For `import`, too. */
export function tellCopy(shell: Shell, report: CopyReport, from: string, to: string): Exit {
  const { loaded, present, queues, skipped, refused, stopped } = report
  shell.answer({ from, to, ...report, refused: refused.map(plainRefusal) }, () => {
    const lines = Object.entries(queues).map(([queue, tally]) => tallyLine(queue, tally))
    if (stopped === null && lines.length === 0) lines.push('nothing to do')
    else if (stopped === null) {
      lines.push(
        `${jobs(jobsIn(Object.values(queues)))} of ${safe(from)} are in ${safe(to)}, and the same there`,
      )
    }
    return lines
  })
  for (const queue of skipped) {
    shell.note(
      `${safe(queue)} was copied before, and is open since: left alone (--again brings it)`,
    )
  }
  tellRefused(shell, refused)
  if (stopped === null) return 0
  const rest = loaded + present === 0 ? '' : '. What is there stays closed: say it again to go on'
  shell.complain(`not copied: ${safe(stopped)}${rest}`)
  return 1
}

/** Receipts are none. */
function jobsIn(tallies: readonly Tally[]): number {
  const counts = tallies.map(({ states: { receipt: _, ...states } }) => Object.values(states))
  return counts.flat().reduce((sum, number) => sum + number, 0)
}

function tallyLine(queue: string, { states, jobs: digest }: Tally): string {
  const said = Object.entries(states).map(([state, number]) => `${count(number)} ${state}`)
  return `${safe(queue)}: ${said.length === 0 ? 'no jobs' : said.join(', ')}; digest ${digest.slice(0, 12)}`
}

function plainRefusal({ job, why }: Refusal): object {
  return { queue: job.queue, id: job.id, why }
}

function tellRefused(shell: Shell, refused: readonly Refusal[]): void {
  for (const { job, why } of refused.slice(0, BAD_LINES_TOLD)) {
    shell.note(`job ${safe(job.id)} of ${safe(job.queue)} stays: ${safe(why)}`)
  }
  const more = refused.length - BAD_LINES_TOLD
  if (more > 0) shell.note(`and ${jobs(more)} more`)
}

async function moveLive(shell: Shell, from: End, to: End, words: Words): Promise<Exit> {
  const { terminal } = shell
  const enough = new AbortController()
  const stopListening = terminal.onSignal(() => enough.abort())
  let state: MoveState = { moved: 0, running: 0, left: 0 }
  try {
    const report = await ticking(
      shell,
      () => `${jobs(state.moved)} moved; ${count(state.running)} still run in the source`,
      () =>
        move({
          ...{ from, to, self: SELF, clock: terminal.clock, signal: enough.signal },
          producersStopped: words.producersStopped === true,
          follow: words.follow === true,
          tell: (so) => (state = so),
        }),
    )
    return tellMove(shell, report, from.name, to.name, enough.signal.aborted)
  } finally {
    stopListening()
  }
}

/** Nothing of a queue that began to move starts in the source until one or the other is done. */
const ON_OR_BACK =
  'Nothing starts there meanwhile. To go on, say it again; to go back, swap --from and --to'

function tellMove(
  shell: Shell,
  report: MoveReport,
  from: string,
  to: string,
  wasStopped: boolean,
): Exit {
  const { moved, running, left, refused, unmovable, isDrained, stopped } = report
  shell.answer({ from, to, ...report, refused: refused.map(plainRefusal) }, () => [
    `${jobs(moved)} moved from ${safe(from)} to ${safe(to)}`,
  ])
  tellRefused(shell, refused)
  for (const [queue, why] of Object.entries(unmovable)) {
    shell.note(`${safe(queue)} was not moved: ${safe(why)}`)
  }
  if (isDrained) {
    shell.note('the source is empty, and its gates stay closed: say it again for what comes yet')
    return 0
  }
  if (stopped !== null) {
    shell.complain(`not moved: ${safe(stopped)}`)
    return 1
  }
  const isWhole = Object.keys(unmovable).length === 0
  if (!isWhole && running + left === 0) {
    shell.complain('not all was moved: what was not stays in the source, and goes on there')
    return 1
  }
  const rest = `${many(running, 'job')} run in the source, ${count(left)} wait there`
  if (wasStopped) shell.note(`${rest}. ${ON_OR_BACK}`)
  else shell.complain(`not all was moved: ${rest}. ${ON_OR_BACK}`)
  return wasStopped && isWhole ? 0 : 1
}
