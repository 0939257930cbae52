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
    const found = looks > LOOKS ? [] : (await find(tx, left)).filter(isHeld(tx))
    const isFound = new Set(found.map(nameOf))
    const free = left.filter((one) => !isFound.has(nameOf(one)))
    const owned = await tx.each('key.own', [], free.map(named))
    const replaced = new Set(left.filter(({ replaces }) => replaces).map(nameOf))
    holders.push(...(await holdersOf(tx, [...found, ...owned], replaced)))
    // Who has ended or begun since has let go of his key, perhaps before we saw him.
    const now = new Map((await find(tx, found)).map((key) => [nameOf(key), key.seq]))
    const isHis = (key: KeyFound): boolean => now.get(nameOf(key)) === key.seq
    keys.push(...owned, ...found.filter(isHis))
    const isOver = new Set(found.filter((key) => !isHis(key)).map(nameOf))
    left = left.filter((one) => isOver.has(nameOf(one)))
  }
  return { keys, holders }
}

function find(tx: Tx, keys: readonly { queue: number; key: string }[]): Promise<KeyFound[]> {
  return tx.each('key.find', [], keys.map(named))
}

/** Those that wait and are replaced do not begin to run before the transaction is over. */
async function holdersOf(
  tx: Tx,
  keys: readonly KeyFound[],
  replaced: ReadonlySet<string>,
): Promise<JobRow[]> {
  const held = await tx.each(
    'job.hold',
    [],
    seqsOf(keys.filter((one) => replaced.has(nameOf(one)))),
  )
  const isIn = new Set(held.map(({ seq }) => seq))
  const others = keys.filter(({ seq }) => seq !== null && !isIn.has(seq))
  return [...held, ...(await tx.each('job.read', [], seqsOf(others)))]
}

/** By a job, or by its period. */
function isHeld({ now }: Tx): (key: KeyFound) => boolean {
  return ({ seq, until }) => seq !== null || until > now
}

function named({ queue, key }: { queue: number; key: string }): [number, string] {
  return [queue, key]
}

function nameOf({ queue, key }: { readonly queue: number; readonly key: string }): string {
  return `${queue}/${key}`
}

function seqsOf(keys: readonly KeyFound[]): [number][] {
  return keys.flatMap(({ seq }): [number][] => (seq === null ? [] : [[seq]]))
}
