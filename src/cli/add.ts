/** `millrace add`: puts in one job, or one for each line of the input. */
import type { Command } from 'commander'
import { invalid } from '../job/check.js'
import { DEFAULT_TASK } from '../job/defaults.js'
import type { Millrace } from '../millrace.js'
import type { Enqueued } from '../queue/enqueued.js'
import type { ItemOptions } from '../job/options.js'
import { addLines } from './add-lines.js'
import type { Intake } from './add-lines.js'
import { itemOptions, jsonOf, withAddOptions } from './add-options.js'
import type { AddWords } from './add-options.js'
import { jobs, many, safe } from './plain.js'
import type { Exit, Shell } from './shell.js'

const ABOUT = `Put in one job, or with - one for each line of JSON on standard input.

Without a payload the job's payload is null. A line that is no JSON, or that the queue refuses,
is told with its number; all others go in, and the exit code is 1.

  millrace add emails '{"to":"ada@example.com"}' --in 10m
  millrace add webhooks - < events.jsonl`

export function addCommand(program: Command, shell: Shell): void {
  const command = program
    .command('add <queue> [payload]')
    .summary('Put in one job, or one for each line of JSON')
    .description(ABOUT)
  withAddOptions(command).action((queue: string, payload: string | undefined, words: AddWords) =>
    shell.act(() =>
      payload === '-' ? addMany(shell, queue, words) : addOne(shell, queue, payload, words),
    ),
  )
}

async function addOne(
  shell: Shell,
  queue: string,
  text: string | undefined,
  words: AddWords,
): Promise<Exit> {
  const payload = text === undefined ? null : jsonOf(text, 'payload')
  const options = itemOptions(words)
  const added = await shell.within('made', (mill) => door(mill, queue, words).one(payload, options))
  const { id, status } = added
  shell.answer({ queue, id, status }, () => [`${safe(id)} ${status} in ${safe(queue)}`])
  return 0
}

async function addMany(shell: Shell, queue: string, words: AddWords): Promise<Exit> {
  for (const option of ['id', 'unique'] as const) {
    if (words[option] === undefined) continue
    const remedy = 'leave it out; or put the jobs in one by one, each with its own'
    throw invalid(`--${option}`, 'one job, not a line each', words[option], remedy)
  }
  const options = itemOptions(words)
  const intake = await shell.within('made', (mill) => {
    const { one, many } = door(mill, queue, words)
    return addLines(shell, { one: (each) => one(each, options), many: (all) => many(all, options) })
  })
  tell(shell, queue, intake)
  return intake.bad > 0 || intake.stopped !== null ? 1 : 0
}

function tell(shell: Shell, queue: string, { added, bad, stopped, next }: Intake): void {
  shell.answer({ queue, added, bad, stopped, next }, () => [
    `${jobs(added)} went into ${safe(queue)}${bad === 0 ? '' : `, ${many(bad, 'bad line')} did not`}`,
  ])
  if (stopped === null) return
  shell.complain(`stopped before line ${next}: ${stopped}. Go on with: tail -n +${next}`)
}

interface Door {
  readonly one: (payload: unknown, options: ItemOptions) => Promise<Enqueued>
  readonly many: (payloads: readonly unknown[], options: ItemOptions) => Promise<unknown>
}

/** The queue's own door, or a task's. */
function door(mill: Millrace, queue: string, { task }: AddWords): Door {
  if (task === undefined || task === DEFAULT_TASK) {
    const face = mill.queue(queue)
    return {
      one: (payload, options) => face.enqueue(payload, options),
      many: (payloads, options) => face.enqueueMany(payloads, options),
    }
  }
  const ref = { name: task, queue }
  return {
    one: (payload, options) => mill.enqueue(ref, payload, options),
    many: (payloads, options) => mill.enqueueMany(ref, payloads, options),
  }
}
