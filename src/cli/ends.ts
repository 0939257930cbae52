/**
 * The ends of a copy by their URLs: opened while a command needs them, and called by a name that is
 * the same from wherever it is said, with no password in it, because gates remember it.
 */
import type { End } from '../copy/ends.js'
import { patient } from '../copy/patience.js'
import { DEFAULT_SCOPE } from '../job/defaults.js'
import { storeByUrl } from '../store-url.js'
import { addressOf, SCHEMA } from '../stores/postgres/address.js'
import { systemChance } from '../time/system.js'
import { safe } from './plain.js'
import { placeOf, refuseMissing } from './place.js'
import type { Place } from './place.js'
import type { Need, Shell } from './shell.js'

export interface EndWords {
  readonly url: string
  readonly scope: string
  readonly need: Need
}

/** An open end for as long as `use` takes. */
export async function withEnd<T>(
  shell: Shell,
  { url, scope, need }: EndWords,
  use: (end: End) => Promise<T>,
): Promise<T> {
  const place = placeOf(url, shell.terminal.folder)
  if (need === 'there') await refuseMissing(place)
  const store = storeByUrl(place.folder === null ? url : withFolder(place, place.folder))
  try {
    await store.open({ scope })
    const end = { store, name: nameOf(place, scope) }
    return await use(patient(end, shell.terminal.clock, ({ message }) => shell.note(safe(message))))
  } finally {
    await store.close()
  }
}

/** A folder is meant from where the command was said. */
function withFolder({ url, kind }: Place, folder: string): string {
  const mark = url.indexOf('?')
  return `${kind}:${folder}${mark < 0 ? '' : url.slice(mark)}`
}

export function nameOf({ url, folder, kind, file }: Place, scope: string): string {
  const inside = scope === DEFAULT_SCOPE ? '' : ` (scope ${scope})`
  if (folder !== null) return `${kind}:${folder}${inside}`
  if (file !== null) return `sqlite:${file}${inside}`
  return `${serverName(url)}${inside}`
}

/** One name for all ways of saying the same database and schema. */
function serverName(url: string): string {
  const { hostname, port, pathname, searchParams } = new URL(url)
  const { schema } = addressOf(url)
  const host = searchParams.get('host') ?? hostname
  const at = port === '' || port === '5432' ? host : `${host}:${port}`
  return `postgres://${at}${pathname}${schema === SCHEMA ? '' : `?schema=${schema}`}`
}

/** A name among the nodes of a store, that nobody else has; it holds nothing. */
export const SELF = `millrace copy ${process.pid} ${Buffer.from(systemChance.bytes(6)).toString('hex')}`
