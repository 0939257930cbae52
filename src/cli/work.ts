/**
 * `millrace work`: runs a module's handlers until it is told to stop. The first SIGTERM or SIGINT
 * drains: nothing new is taken, what runs is finished. The second, or the end of the time for
 * draining, aborts what runs and gives it back. The third ends the process.
 */
import type { Command } from 'commander'
import { CONCURRENCY, CONCURRENCY_LIMIT, STOP_TIMEOUT } from '../job/defaults.js'
import { millrace } from '../millrace.js'
import type { Millrace } from '../millrace.js'
import type { Worker } from '../worker.js'
import { formatDuration, millis } from '../time/duration.js'
import { sleep } from '../time/clock.js'
import { DRAIN_LOOK } from './bounds.js'
import { wholeNumber } from './numbers.js'
import { placeOf } from './place.js'
import { safe } from './plain.js'
import type { Exit, Shell } from './shell.js'
import { loadWorkload } from './work-module.js'
import type { Workload } from './work-module.js'
import { WorkLog } from './work-log.js'

const ABOUT = `Run the handlers of a module until SIGTERM or Ctrl-C; then finish what runs, and end.
A second signal aborts what runs and gives it back.

The module's default export is a handler, async (payload, job) => result, or an array of
task.handle(…). It says which queue by \`export const queue = '…'\`; --queue says it instead.`

interface Options {
  readonly queue?: string
  readonly concurrency?: string
  readonly drain?: string
}

export function workCommand(program: Command, shell: Shell): void {
  program
    .command('work <module>')
    .summary('Run the handlers of a module until it is told to stop')
    .description(ABOUT)
    .option('--queue <name>', "the queue to take from [the module's export]")
    .option('--concurrency <n>', `runs at once [${CONCURRENCY}]`)
    .option(
      '--drain <span>',
      `how long a stop waits for what runs [${formatDuration(STOP_TIMEOUT)}]`,
    )
    .action((module: string, options: Options) => shell.act(() => work(shell, module, options)))
}

async function work(shell: Shell, module: string, options: Options): Promise<Exit> {
  const { terminal, asked } = shell
  const concurrency =
    wholeNumber(options.concurrency, '--concurrency', { least: 1, most: CONCURRENCY_LIMIT }) ??
    CONCURRENCY
  const drain = millis(options.drain ?? STOP_TIMEOUT, '--drain', { infinite: true })
  const workload = await loadWorkload(module, { here: terminal.folder, queue: options.queue })
  const mill = millrace(placeOf(asked.store, terminal.folder).url, { scope: asked.scope })
  const log = new WorkLog(shell, mill)
  const signals = new Signals(shell)
  try {
    await mill.open()
    const worker = start(mill, workload, concurrency)
    log.begin(worker, concurrency)
    await signals.first
    const drained = await finish(shell, worker, { drain, cut: signals.second })
    await mill.close({ timeout: 0 })
    log.end()
    return drained ? 0 : 1
  } finally {
    signals.stop()
    await mill.close({ timeout: 0 })
  }
}

function start(mill: Millrace, { queue, handlers }: Workload, concurrency: number): Worker {
  return typeof handlers === 'function'
    ? mill.queue(queue).work(handlers, { concurrency })
    : mill.work(queue, handlers, { concurrency })
}

/** Whether all that ran came to its end. */
async function finish(
  shell: Shell,
  worker: Worker,
  { drain, cut }: { readonly drain: number; readonly cut: AbortSignal },
): Promise<boolean> {
  const { clock } = shell.terminal
  if (worker.running > 0) {
    shell.note(`finishing ${worker.running} that run; again to abort them`)
  }
  const until = clock.mono() + drain
  await worker.pause()
  while (worker.running > 0 && clock.mono() < until && !cut.aborted) await sleep(clock, DRAIN_LOOK)
  if (worker.running === 0) return true
  shell.note(`aborting ${worker.running} that run: they go back to ${safe(worker.queue)}`)
  return false
}

/** The signals of one run of a worker, in the order in which they mean something. */
class Signals {
  readonly first: Promise<void>
  readonly #second = new AbortController()
  readonly stop: () => void
  #count = 0

  constructor(shell: Shell) {
    let heard = (): void => undefined
    this.first = new Promise((resolve) => (heard = resolve))
    this.stop = shell.terminal.onSignal(() => {
      this.#count++
      if (this.#count === 1) heard()
      else if (this.#count === 2) this.#second.abort()
      else process.exit(1)
    })
  }

  get second(): AbortSignal {
    return this.#second.signal
  }
}
