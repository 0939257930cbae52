/** `millrace export` and `millrace import`: what a store keeps, as lines of JSON, and back. */
import type { Command } from 'commander'
import { copy } from '../copy/copy.js'
import { storeSource } from '../copy/ends.js'
import { exportLines, importSource } from '../copy/export-lines.js'
import { tellCopy } from './copy.js'
import { SELF, withEnd } from './ends.js'
import { jsonLines } from './lines.js'
import { count, jobs } from './plain.js'
import type { Exit, Shell } from './shell.js'
import { ticking } from './ticker.js'

export function exportCommand(program: Command, shell: Shell): void {
  program
    .command('export')
    .summary('Write what a store keeps as lines of JSON')
    .description(
      `Write what a store keeps as lines of JSON: jobs in every state with all that belongs to
them, and what stands beside them. The workers must be stopped. The store is not changed.

  millrace export --from file:./queues > queues.jsonl`,
    )
    .option('--from <url>', 'the store [--store]')
    .action((words: { readonly from?: string }) => shell.act(() => write(shell, words.from)))
}

async function write(shell: Shell, url: string | undefined): Promise<Exit> {
  const { terminal, asked } = shell
  const source = { url: url ?? asked.store, scope: asked.scope, need: 'there' } as const
  return withEnd(shell, source, async (from) => {
    const all = storeSource(from, SELF)
    const busy = await all.quiet()
    if (busy !== null) {
      shell.complain(`not written: ${busy}`)
      return 1
    }
    let done = 0
    const written = await ticking(
      shell,
      () => `${jobs(done)} written`,
      () =>
        exportLines(
          all,
          terminal.clock.wall(),
          (line) => (terminal.out(line), terminal.drained()),
          (so) => (done = so),
        ),
    )
    shell.note(`${jobs(written.jobs)} on ${count(written.lines)} lines`)
    return 0
  })
}

export function importCommand(program: Command, shell: Shell): void {
  program
    .command('import')
    .summary('Take over what `millrace export` wrote')
    .description(
      `Take over from standard input what \`millrace export\` wrote, into a store of any kind. Its
queues stay closed until the whole file was read and found to be right. A line that is not is
told with its number, and nothing starts; the mended file may be imported again.

  millrace import --to postgres://app@db/jobs < queues.jsonl`,
    )
    .option('--to <url>', 'the store; it is made when it is not there [--store]')
    .option('--again', 'also queues that were imported from it before, and are open since')
    .action((words: { readonly to?: string; readonly again?: true }) =>
      shell.act(() => read(shell, words.to, words.again === true)),
    )
}

async function read(shell: Shell, url: string | undefined, again: boolean): Promise<Exit> {
  const { asked, terminal } = shell
  const target = { url: url ?? asked.store, scope: asked.scope, need: 'made' } as const
  const from = await importSource(jsonLines(terminal.input))
  return withEnd(shell, target, async (to) => {
    let done = 0
    const report = await ticking(
      shell,
      () => `${jobs(done)} are in`,
      () => copy({ from, to, again, tell: (so) => void (done = so) }),
    )
    return tellCopy(shell, report, from.name, to.name)
  })
}
