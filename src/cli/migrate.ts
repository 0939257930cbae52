/**
 * `millrace migrate`: the tables of a store brought to another version, or told, or printed as plain
 * SQL for somebody who runs it by hand. Stores without tables have nothing to migrate. Looking makes
 * nothing: neither a file nor a table.
 */
import type { Command } from 'commander'
import { invalid, word } from '../job/check.js'
import { migrate, planned, script } from '../stores/sql/migrating.js'
import type { Goal, Move, Standing, Tables } from '../stores/sql/migrating.js'
import { wholeNumber } from './numbers.js'
import type { Exit, Shell } from './shell.js'
import { NOTHING, nowhere, siteOf } from './site.js'
import type { Site } from './site.js'

interface Options {
  readonly to?: string
  readonly from?: string
  readonly dropJobs?: true
  readonly dryRun?: true
  readonly sql?: true
  readonly schema?: string
}

const ACTIONS = ['up', 'down', 'status'] as const

export function migrateCommand(program: Command, shell: Shell): void {
  program
    .command('migrate [action]')
    .summary('Bring the tables of a store to another version')
    .description(
      `Bring the tables of a store up to date (up), take them back (down), or tell (status).

Opening a store brings its tables up to date by itself, where its role may. In one transaction,
under the database's lock: any number of processes may do it at once.`,
    )
    .option('--to <version>', 'down: to which version; 0 drops the tables')
    .option('--drop-jobs', 'down --to 0: although there are jobs in them')
    .option('--dry-run', 'only say what would be done')
    .option('--sql', 'print the plain SQL, without a connection')
    .option('--from <version>', 'with --sql: what stands there [0, or the newest]')
    .option('--schema <name>', 'postgres: the schema [millrace]')
    .action((action: string | undefined, options: Options) =>
      shell.act(() => migrateStore(shell, word(action ?? 'up', ACTIONS, 'action'), options)),
    )
}

async function migrateStore(
  shell: Shell,
  action: (typeof ACTIONS)[number],
  options: Options,
): Promise<Exit> {
  const site = await siteOf(shell.asked.store, options.schema)
  if (site === null) {
    shell.answer({ store: null, move: null }, () => ['a store without tables: nothing to migrate'])
    return 0
  }
  const goal = goalOf(action, options, site.tables.versions.length)
  if (options.sql === true) return printScript(shell, site.tables, goal, options.from)
  if (action === 'status') return tellStatus(shell, site)
  return move(shell, site, goal, options.dryRun === true)
}

function goalOf(action: (typeof ACTIONS)[number], options: Options, newest: number): Goal {
  const to = wholeNumber(options.to, '--to', { least: 0, most: newest })
  if (action === 'down') {
    if (to !== undefined) return { downTo: to, dropsJobs: options.dropJobs === true }
    throw invalid('--to', 'a version', undefined, 'say to which; 0 drops the tables')
  }
  if (to === undefined) return 'newest'
  throw invalid('--to', 'nothing, but with down', options.to, 'up goes to the newest')
}

async function move(shell: Shell, site: Site, goal: Goal, isDry: boolean): Promise<Exit> {
  const act = isDry ? planned : migrate
  const done =
    (await site.within(isDry, (ground) => act(site.tables, ground, goal))) ??
    (await act(site.tables, nowhere, goal))
  const { from, to, statements } = done
  const { store } = site.tables
  shell.answer({ store, from, to, dryRun: isDry, statements: statements.length }, () => [
    told(store, done, isDry),
  ])
  return 0
}

function told(store: string, { from, to, statements }: Move, isDry: boolean): string {
  if (statements.length === 0) return `${store}: ${named(to)}, nothing to do`
  const did = isDry ? 'would go' : 'went'
  return `${store}: ${did} from ${named(from)} to ${named(to)}, by ${statements.length} statements`
}

async function tellStatus(shell: Shell, { tables, within }: Site): Promise<Exit> {
  const { store, versions } = tables
  const standing = (await within(true, (ground) => ground.standing())) ?? NOTHING
  const { version, compatibleFrom } = standing
  const newest = versions.length
  const readable = compatibleFrom <= newest
  shell.answer({ store, version, compatibleFrom, newest, readable }, () => [
    `${store}: ${named(version)}; this Millrace makes version ${newest}`,
    verdict(standing, newest),
  ])
  return readable ? 0 : 1
}

function verdict({ version, compatibleFrom }: Standing, newest: number): string {
  if (compatibleFrom > newest) return `too new: needs code that makes version ${compatibleFrom}`
  if (version > newest) return 'newer, and made so that this Millrace can work with it'
  return version === newest ? 'up to date' : '`millrace migrate` brings it up to date'
}

function printScript(shell: Shell, tables: Tables, goal: Goal, said: string | undefined): Exit {
  const newest = tables.versions.length
  const bounds = { least: 0, most: newest }
  const from = wholeNumber(said, '--from', bounds) ?? (goal === 'newest' ? 0 : newest)
  const to = goal === 'newest' ? newest : goal.downTo
  if (goal !== 'newest' && to > from) {
    throw invalid('--to', `a version up to ${from}`, to, 'up goes further')
  }
  const sql = script(tables, from, to)
  shell.answer({ store: tables.store, from, to, sql }, () => [sql])
  return 0
}

const named = (version: number): string => (version === 0 ? 'no tables' : `version ${version}`)
