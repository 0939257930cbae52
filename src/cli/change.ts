/**
 * What `retry`, `cancel` and `delete` share: which jobs, done in bounded steps behind the queue's
 * face, and how many it were. Ids that were named and not changed are a failure, since whoever
 * names a job means that one; a filter that fits nothing is not.
 */
import type { Command } from 'commander'
import type { Queue } from '../queue.js'
import { jobs, safe } from './plain.js'
import { targetFrom, withFilters } from './selection.js'
import type { Aim } from './selection.js'
import type { Exit, Shell } from './shell.js'
import { ticking } from './ticker.js'

export interface Change {
  readonly verb: 'retry' | 'cancel' | 'delete'
  /** As in `3 jobs retried`. */
  readonly done: string
  /** Why a job that was named may be untouched. */
  readonly untouched: string
  readonly summary: string
  readonly about: string
}

export function changeCommand(program: Command, shell: Shell, change: Change): void {
  const command = program
    .command(`${change.verb} <queue> [ids...]`)
    .summary(change.summary)
    .description(change.about)
  withFilters(command)
    .option('--all', 'every job of the queue')
    .action((queue: string, ids: string[], aim: Aim) =>
      shell.act(() => alter(shell, change, { queue, ids, aim })),
    )
}

interface Order {
  readonly queue: string
  readonly ids: readonly string[]
  readonly aim: Aim
}

async function alter(shell: Shell, change: Change, { queue, ids, aim }: Order): Promise<Exit> {
  const target = targetFrom(ids, aim, change.verb)
  const { changed } = await shell.within('there', (mill) => {
    const face: Pick<Queue, Change['verb']> = mill.queue(queue)
    return ticking(
      shell,
      (seconds) => `${change.verb} … ${seconds.toFixed(0)} s`,
      () => face[change.verb](target),
    )
  })
  shell.answer({ queue, [change.done]: changed }, () => [`${jobs(changed)} ${change.done}`])
  const missed = new Set(ids).size - changed
  if (ids.length === 0 || missed <= 0) return 0
  shell.complain(`${jobs(missed)} of ${safe(queue)} untouched: ${change.untouched}`)
  return 1
}
