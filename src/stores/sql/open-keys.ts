/**
 * Unique keys in a transaction of the user's that may stay open for long. Its end decides who has a key
 * that was free, so that key is owned until then, and whoever wants it waits. What has a key already
 * goes on: it runs and ends while the transaction is open, and nothing of it is locked, but where it
 * waits and is to be replaced.
 */
import type { NewJob } from '../../job/lot.js'
import type { Tx } from './port.js'
import type { JobRow } from './row.js'
import type { Asked } from './statements.js'

type KeyFound = Asked['key.find']

export interface OpenKey {
  readonly queue: number
  readonly key: string
  /** What waits with it gets what this one brings. */
  readonly replaces: boolean
}

export interface OpenKeys {
  readonly keys: readonly KeyFound[]
  /** The jobs that have them. */
  readonly holders: readonly JobRow[]
}

/** So often a job may end under its key while we look; then the key is owned, as one that is free. */
const LOOKS = 3

export function openKeysOf(jobs: readonly NewJob[], ids: ReadonlyMap<string, number>): OpenKey[] {
  const asked = new Map<string, OpenKey>()
  for (const { queue: name, unique } of jobs) {
    const queue = ids.get(name)
    if (unique === null || queue === undefined) continue
    const replaces = unique.onConflict === 'replace'
    const of = `${queue}/${unique.key}`
    asked.set(of, {
      queue,
      key: unique.key,
      replaces: replaces || asked.get(of)?.replaces === true,
    })
  }
  return [...asked.values()]
}

export async function findOpenly(tx: Tx, asked: readonly OpenKey[]): Promise<OpenKeys> {
  const keys: KeyFound[] = []
  const holders: JobRow[] = []
  let left = asked
  for (let looks = 1; left.length > 0; looks++) {
    const isLast = looks > LOOKS
    const found = isLast ? [] : (await tx.each('key.find', [], left.map(named))).filter(isHeld(tx))
    const isFound = new Set(found.map(nameOf))
    const free = left.filter((one) => !isFound.has(nameOf(one)))
    const owned = await tx.each('key.own', [], free.map(named))
    const had = [...found, ...owned.filter(({ seq }) => seq !== null)]
    const replaced = new Set(left.filter(({ replaces }) => replaces).map(nameOf))
    const held = await tx.each(
      'job.hold',
      [],
      seqsOf(had.filter((one) => replaced.has(nameOf(one)))),
    )
    const isIn = new Set(held.map(({ seq }) => seq))
    const rest = had.filter(({ seq }) => seq !== null && !isIn.has(seq))
    const seen = await tx.each('job.read', [], seqsOf(rest))
    for (const { seq } of seen) isIn.add(seq)
    const gone = new Set(found.filter(({ seq }) => seq !== null && !isIn.has(seq)).map(nameOf))
    keys.push(...owned, ...found.filter((one) => !gone.has(nameOf(one))))
    holders.push(...held, ...seen)
    left = left.filter((one) => gone.has(nameOf(one)))
  }
  return { keys, holders }
}

/** By a job, or by its period. */
function isHeld({ now }: Tx): (key: KeyFound) => boolean {
  return ({ seq, until }) => seq !== null || until > now
}

function named({ queue, key }: OpenKey): [number, string] {
  return [queue, key]
}

function nameOf({ queue, key }: { readonly queue: number; readonly key: string }): string {
  return `${queue}/${key}`
}

function seqsOf(keys: readonly KeyFound[]): [number][] {
  return keys.flatMap(({ seq }): [number][] => (seq === null ? [] : [[seq]]))
}
