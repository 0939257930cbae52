/**
 * `millrace pause` and `millrace resume`: of a queue, a group of it, or all queues, on all nodes.
 * Promises that nothing named means nothing: for all queues one has to say --all.
 */
import type { Command } from 'commander'
import { invalid } from '../job/check.js'
import { millraceError } from '../job/errors.js'
import { STOP_TIMEOUT } from '../job/defaults.js'
import type { Duration } from '../time/duration.js'
import { safe } from './plain.js'
import type { Exit, Shell } from './shell.js'
import { ticking } from './ticker.js'

interface Words {
  readonly group?: string
  readonly all?: true
  readonly wait?: string | true
}

export function pauseCommand(program: Command, shell: Shell): void {
  withAim(program, 'pause')
    .summary('Start nothing more of a queue')
    .description(
      `Start nothing more of a queue, of a group of it, or of all queues, on all nodes, until it
is resumed. What runs goes on. With --wait the command ends when nothing of it runs; when that
takes longer than the span, the pause is taken back.`,
    )
    .option('--wait [span]', 'until nothing of it runs, at most so long [30s]')
    .action((queue: string | undefined, words: Words) =>
      shell.act(() => pause(shell, queue, words)),
    )
}

export function resumeCommand(program: Command, shell: Shell): void {
  withAim(program, 'resume')
    .summary('Go on with what was paused')
    .description(
      `Go on with what was paused: a queue, a group of it, or all queues. Each is a pause of its
own: --all wakes no queue that was paused by itself.`,
    )
    .action((queue: string | undefined, words: Words) =>
      shell.act(() => resume(shell, queue, words)),
    )
}

function withAim(program: Command, verb: string): Command {
  return program
    .command(`${verb} [queue]`)
    .option('--group <name>', 'only this group of the queue')
    .option('--all', 'all queues, also those that come')
}

async function pause(shell: Shell, given: string | undefined, words: Words): Promise<Exit> {
  const queue = queueOf(given, words, 'pause')
  const wait = words.wait === true ? STOP_TIMEOUT : words.wait
  // as: the option checks it
  const options = wait === undefined ? {} : { wait: true, timeout: wait as Duration }
  await shell.within('there', (mill) =>
    ticking(
      shell,
      (seconds) => `waiting for what runs … ${seconds.toFixed(0)} s`,
      () =>
        queue === null
          ? mill.pauseAll(options)
          : mill.queue(queue).pause({ ...groupOf(words), ...options }),
    ),
  )
  return told(shell, queue, words, true)
}

async function resume(shell: Shell, given: string | undefined, words: Words): Promise<Exit> {
  const queue = queueOf(given, words, 'resume')
  await shell.within('there', (mill) =>
    queue === null ? mill.resumeAll() : mill.queue(queue).resume(groupOf(words)),
  )
  return told(shell, queue, words, false)
}

const groupOf = ({ group }: Words): { readonly group?: string } =>
  group === undefined ? {} : { group }

/** Null: all of them. */
function queueOf(queue: string | undefined, { all, group }: Words, verb: string): string | null {
  if (queue !== undefined && all !== true) return queue
  if (queue !== undefined) throw invalid('--all', 'a queue or --all', 'both', 'leave one out')
  if (group !== undefined) throw invalid('--group', 'a queue beside it', group, 'name the queue')
  if (all === true) return null
  throw millraceError({
    code: 'OPTION_INVALID',
    subject: `millrace ${verb}`,
    expected: 'to hear which queue',
    remedy: 'name one, or say --all',
  })
}

function told(shell: Shell, queue: string | null, { group }: Words, paused: boolean): Exit {
  const name = queue === null ? 'everything' : safe(queue)
  const what = group === undefined ? name : `group ${JSON.stringify(group)} of ${name}`
  shell.answer({ queue, group: group ?? null, paused }, () => [
    `${what} is ${paused ? 'paused' : 'resumed'}`,
  ])
  return 0
}
