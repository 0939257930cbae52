/**
 * From words to a command and from its end to an exit code: 0 it was done, 1 it could not be done,
 * 2 it was not understood. Each command lives in a file of its own; here is only who they are and
 * how their errors are told. With --json an error is one line of JSON, on the error stream.
 */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { MillraceError } from '../job/errors.js'
import { addCommand } from './add.js'
import { cancelCommand } from './cancel.js'
import { copyCommand } from './copy.js'
import { deleteCommand } from './delete.js'
import { doctorCommand } from './doctor.js'
import { explainCommand } from './explain.js'
import { exportCommand, importCommand } from './export.js'
import { listCommand } from './list.js'
import { migrateCommand } from './migrate.js'
import { pauseCommand, resumeCommand } from './pause.js'
import { retryCommand } from './retry.js'
import { DEFAULT_STORE, Shell } from './shell.js'
import type { Exit } from './shell.js'
import { showCommand } from './show.js'
import { statsCommand } from './stats.js'
import type { Terminal } from './terminal.js'
import { workCommand } from './work.js'

const ABOUT = `A durable job queue in a folder, and what you can do with it by hand.

Every command takes --store, or MILLRACE_URL, or else looks into ${DEFAULT_STORE}.
Exit codes: 0 done, 1 could not be done, 2 not understood.`

/** In the order in which one meets them. */
const COMMANDS = [
  ...[addCommand, workCommand, statsCommand, listCommand, showCommand, explainCommand],
  ...[retryCommand, cancelCommand, deleteCommand, pauseCommand, resumeCommand],
  ...[copyCommand, exportCommand, importCommand, migrateCommand, doctorCommand],
]

/** Runs one command to its end. Never rejects. */
export async function run(words: readonly string[], terminal: Terminal): Promise<Exit> {
  const program = new Command('millrace')
  const shell = new Shell(program, terminal)
  program
    .description(ABOUT)
    .version(version(), '--version', 'the version of Millrace')
    .helpOption('--help', 'what can be said here')
    .helpCommand('help [command]', 'what can be said to a command')
    .option('--store <url>', `where the queues are [MILLRACE_URL, else ${DEFAULT_STORE}]`)
    .option('--scope <name>', 'which Millrace in that store [MILLRACE_SCOPE, else default]')
    .option('--json', 'answer in JSON, for programs')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => {
        const message = text.trimEnd()
        if (message.startsWith('error: ')) shell.complain(message.replace('error: ', ''))
        else terminal.err(message)
      },
    })
    .exitOverride()
  for (const command of COMMANDS) command(program, shell)
  try {
    await program.parseAsync([...words], { from: 'user' })
    return shell.exit
  } catch (error) {
    return told(error, shell)
  }
}

function told(error: unknown, shell: Shell): Exit {
  const { terminal } = shell
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2 // it has told by itself
  if (!MillraceError.is(error)) {
    // Not ours: of a handler's module, or a fault of the command line. Its stack is what helps.
    terminal.err(
      `millrace: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    )
    return 1
  }
  const { code, subject, expected, remedy, message } = error
  if (shell.asked.json)
    terminal.err(JSON.stringify({ error: { code, subject, expected, remedy, message } }))
  else terminal.err(`millrace: ${message.replace(/^OPTION_INVALID /, '')}`)
  return code === 'OPTION_INVALID' ? 2 : 1
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(manifest) as { version: string } // as: our own package.json
  return version
}
