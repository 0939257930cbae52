/**
 * `millrace doctor`: what the store is, what it promises, and whether it is well. Makes no store
 * and changes no job; but it opens the store that is there, as any process would. What a folder can
 * tell is in `doctor-folder.ts` and `doctor-letters.ts`.
 */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { MillraceError } from '../job/errors.js'
import { millrace } from '../millrace.js'
import type { Millrace } from '../millrace.js'
import type { Health } from '../overview.js'
import { openableFileStore } from '../stores/file/file-store.js'
import { maildirStore } from '../stores/maildir/maildir-store.js'
import { folderByUrl } from '../store-url.js'
import type { Store, Traits } from '../store.js'
import { formatDuration } from '../time/duration.js'
import { examineFolder, examinePlace } from './doctor-folder.js'
import { examineLetters } from './doctor-letters.js'
import { bad, note, ok } from './finding.js'
import type { Finding } from './finding.js'
import { placeOf } from './place.js'
import type { Place } from './place.js'
import { safe } from './plain.js'
import type { Exit, Shell } from './shell.js'
import { siteOf } from './site.js'

export function doctorCommand(program: Command, shell: Shell): void {
  program
    .command('doctor')
    .summary('What the store is, and whether it is well')
    .description('What the store is, whether it can be reached, and whether it is well.')
    .action(() => shell.act(() => doctor(shell)))
}

async function doctor(shell: Shell): Promise<Exit> {
  const { terminal, asked, paint } = shell
  const place = placeOf(asked.store, terminal.folder)
  const { url } = place
  const findings = [host(), ...(await examine(shell, place))]
  const isWell = findings.every(({ state }) => state !== 'bad')
  const width = Math.max(...findings.map(({ about }) => about.length))
  const marks = { ok: paint.green('ok  '), note: paint.yellow('note'), bad: paint.red('BAD ') }
  shell.answer({ ok: isWell, store: url, findings }, () =>
    findings.map(
      ({ about, state, text }) => `${marks[state]}  ${about.padEnd(width)}  ${safe(text)}`,
    ),
  )
  return isWell ? 0 : 1
}

function host(): Finding {
  const text = `Node ${process.versions.node} on ${process.platform}`
  switch (process.platform) {
    case 'linux':
      return ok('host', text)
    case 'win32':
      return bad('host', `${text}: file: stores are refused there; use WSL`)
    default:
      return note('host', `${text}: should work, and nobody has proved it`)
  }
}

async function examine(shell: Shell, place: Place): Promise<readonly Finding[]> {
  const { folder, kind } = place
  if (folder === null) return examineTables(shell, place)
  folderByUrl(place.url) // refuses what it cannot mean
  if (!existsSync(`${folder}/FORMAT`)) return examinePlace(folder)
  const { clock } = shell.terminal
  const found = kind === 'file' ? examineFolder(folder, clock) : examineLetters(folder, clock)
  if (found.some(({ about, state }) => about === 'format' && state === 'bad')) return found
  const warnings: string[] = []
  const store = seenStore(place, folder, (message) => void warnings.push(message))
  const reached = await reach(millrace(store, { scope: shell.asked.scope, upkeep: false }))
  // What the medium cannot keep is told by the folder's own finding.
  const told = warnings.filter((message) => !/ is on \S+: its jobs survive/.test(message))
  return [...found, ...reached, ...told.map((message) => bad('store', message))]
}

/** As its URL says it; of a folder of letters nobody becomes the keeper. */
function seenStore(place: Place, path: string, warn: (message: string) => void): Store {
  const said = folderByUrl(place.url)
  if (place.kind === 'maildir') return maildirStore({ ...said, path, access: 'look' })
  return openableFileStore({ path, durability: said?.durability ?? 'power' }, { warn })
}

async function examineTables(shell: Shell, place: Place): Promise<readonly Finding[]> {
  const none = note('store', 'there is none yet; the first `millrace add` or worker makes it')
  if (place.file !== null && !existsSync(place.file)) return [none]
  try {
    const site = await siteOf(place.url, undefined)
    const standing = await site?.within(true, (ground) => ground.standing())
    if (standing?.version === 0) return [none]
  } catch (error) {
    if (!MillraceError.is(error)) throw error
    return [bad('reach', error.message)]
  }
  return reach(millrace(place.url, { scope: shell.asked.scope, upkeep: false }))
}

/** Opens it and asks one question. */
async function reach(mill: Millrace): Promise<readonly Finding[]> {
  let health: Health
  try {
    await mill.open()
    health = await mill.health()
  } catch (error) {
    if (!MillraceError.is(error)) throw error
    return [bad('reach', error.message)]
  } finally {
    await mill.close({ timeout: 0 })
  }
  const { roundTrip, problems, store, traits } = health
  return [
    ok('promises', `${store}: ${promises(traits)}`),
    roundTrip === null
      ? bad('reach', 'it did not answer')
      : ok('reach', `it answered in ${formatDuration(roundTrip)}`),
    ...problems.map((problem) => note('workers', problem)),
  ]
}

const SURVIVES: Readonly<Record<Traits['survives'], string>> = {
  nothing: 'survives nothing',
  process: 'survives the death of a process, not a power cut',
  power: 'survives a power cut',
  server: 'survives what its server is set to survive',
}
const REACH: Readonly<Record<Traits['reach'], string>> = {
  process: 'works within one process',
  host: 'works between the processes of one host',
  network: 'works between hosts',
}

function promises(traits: Traits): string {
  return [
    SURVIVES[traits.survives],
    REACH[traits.reach],
    traits.transactions ? 'has transactions' : 'has no transactions',
    traits.hints ? 'tells news at once' : 'is polled for news',
    traits.beat === 'thread'
      ? 'a busy handler keeps its jobs'
      : 'a handler that blocks a whole lease loses its jobs',
  ].join(', ')
}
